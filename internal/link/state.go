package link

// SendState sends a frame of the room's state to the peer, beside what Peer.Send does. It reports false if too much waits
// already. If sure, Deliver waits until the frame has arrived.
func (l *Link) SendState(frame []byte, sure bool) bool {
	if !l.Stream.SendAside(frame, sure) {
		return false
	}
	l.Kick()
	return true
}
