package link

import "noom/internal/data"

// SendAside sends a frame to the peer, beside what Peer.Send does. It reports false if too much waits already. If sure,
// Deliver waits until the frame has arrived.
func (l *Link) SendAside(kind data.AsideKind, frame []byte, sure bool) bool {
	if !l.Stream.SendAside(kind, frame, sure) {
		return false
	}
	l.Kick()
	return true
}
