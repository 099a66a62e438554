package noom

import (
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// RemoteTrack is a track that a peer sends.
type RemoteTrack interface {
	// ID returns the track's id, unique among all tracks of that peer ever.
	ID() string
	// Name returns the name its sender gave it: camera, microphone, screen, …
	Name() string
	// Kind returns audio or video.
	Kind() webrtc.RTPCodecType
	// Codec returns the codec of the latest packet. It is empty until the
	// first one and may change.
	Codec() webrtc.RTPCodecParameters
	// Muted reports whether the peer sends nothing of it: it has muted or paused it,
	// or its source has ended.
	Muted() bool
	// ReadRTP returns the next packet and waits for one; io.EOF once the track
	// is gone. noom reads all the time into a ring of 512 packets that drops
	// the oldest, so a slow reader sees gaps in the sequence numbers.
	ReadRTP() (*rtp.Packet, error)
	// Packets is sugar over ReadRTP; it ends with the track.
	Packets() iter.Seq[*rtp.Packet]
	// Tap returns a reader beside ReadRTP and other taps, with a ring of its
	// own: each gets all packets, a tap from those on that wait for ReadRTP
	// when it is made. The packets are shared, so nobody may change one. A tap
	// is to be closed; if it is not, it costs its ring until the track ends.
	Tap() PacketReader
	// AudioLevel returns how loud the latest packet was, as its sender tells
	// (RFC 6464): from -127 dBov, silence, to 0, the loudest there is; false
	// if it does not tell.
	AudioLevel() (dBov int, ok bool)
	// RequestKeyframe asks the sender for a key frame (PLI, RFC 4585 section 6.3.1).
	RequestKeyframe() error
	// SenderTime returns what the peer's clock showed when it sent something of
	// that RTP timestamp: the latest RTCP sender report of packets with that
	// SSRC (RFC 3550 section 6.4.1); false before the first, about a second
	// after the first packet. All tracks of one peer go by one clock.
	SenderTime(ssrc uint32) (at time.Time, timestamp uint32, ok bool)
	// Track returns pion's track, to inspect and never to read; nil while
	// there is no connection.
	Track() *webrtc.TrackRemote
}

// trackRing is how many packets wait for a reader.
const trackRing = 512

// remoteTrack implements RemoteTrack. It outlives connections: an inbound
// feeds it, then, after a rebuild, another.
//
//	newRemoteTrack(id, name string, kind webrtc.RTPCodecType, muted bool) *remoteTrack
//	setMuted(muted bool) (changed bool)
//	close()                          readers get what is in the ring, then io.EOF
//
// Which inbound feeds it is set by inbound.assign.
type remoteTrack struct {
	// Immutable.
	id, name string
	kind     webrtc.RTPCodecType
	began    time.Time // when it was made

	level atomic.Int32 // of the latest packet, as loudness has it
	peak  atomic.Int32 // since takePeak, as loudness has it

	// No call leaves the track while mu is held.
	mu    sync.Mutex
	ring  packetRing // for ReadRTP; closed with the track
	taps  []*tap
	codec *webrtc.RTPCodecParameters // of the latest packet; nil before the first
	in    *inbound                   // nil: not connected
	next  *inbound                   // feeds the track from its first packet on
	muted bool
}

var _ RemoteTrack = (*remoteTrack)(nil)

func newRemoteTrack(id, name string, kind webrtc.RTPCodecType, muted bool) *remoteTrack {
	t := &remoteTrack{id: id, name: name, kind: kind, muted: muted, began: time.Now()}
	t.ring.arrived = sync.NewCond(&t.mu)
	return t
}

func (t *remoteTrack) ID() string                { return t.id }
func (t *remoteTrack) String() string            { return t.name + " (" + t.kind.String() + ")" }
func (t *remoteTrack) Name() string              { return t.name }
func (t *remoteTrack) Kind() webrtc.RTPCodecType { return t.kind }

func (t *remoteTrack) Codec() webrtc.RTPCodecParameters {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.codec == nil {
		return webrtc.RTPCodecParameters{}
	}
	return *t.codec
}

func (t *remoteTrack) Muted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.muted
}

// setMuted reports whether that is news.
func (t *remoteTrack) setMuted(muted bool) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed = t.muted != muted
	t.muted = muted
	return changed
}

func (t *remoteTrack) ReadRTP() (*rtp.Packet, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	packet, _, err := t.ring.take()
	return packet, err
}

func (t *remoteTrack) Packets() iter.Seq[*rtp.Packet] {
	return func(yield func(*rtp.Packet) bool) {
		for {
			packet, err := t.ReadRTP()
			if err != nil || !yield(packet) {
				return
			}
		}
	}
}

func (t *remoteTrack) RequestKeyframe() error {
	t.mu.Lock()
	in, closed := t.in, t.ring.closed
	t.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case in == nil:
		return ErrNotConnected
	}
	return in.requestKeyframe()
}

func (t *remoteTrack) SenderTime(ssrc uint32) (at time.Time, timestamp uint32, ok bool) {
	t.mu.Lock()
	in := t.in
	t.mu.Unlock()
	if in == nil {
		return time.Time{}, 0, false
	}
	report := in.report.Load()
	if report == nil || report.ssrc != ssrc {
		return time.Time{}, 0, false
	}
	return report.at, report.timestamp, true
}

func (t *remoteTrack) Track() *webrtc.TrackRemote {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.in == nil {
		return nil
	}
	return t.in.tr
}

// push gives a packet to all readers. Only the inbound that feeds the track now
// may; another one's packets are late.
func (t *remoteTrack) push(from *inbound, packet *rtp.Packet, codec *webrtc.RTPCodecParameters) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next == from {
		t.in, t.next = from, nil
	}
	if t.in != from || t.ring.closed {
		return
	}
	t.codec = codec
	came := time.Since(t.began)
	t.ring.put(packet, came)
	for _, p := range t.taps {
		p.ring.put(packet, came)
	}
}

// attach and detach are for inbound.assign. While another inbound feeds the
// track, of a connection that is being replaced, in has to show a packet first.
func (t *remoteTrack) attach(in *inbound) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch t.in {
	case nil:
		t.in = in
	case in:
	default:
		t.next = in
	}
}

func (t *remoteTrack) detach(in *inbound) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch in {
	case t.in:
		t.in, t.next = t.next, nil
	case t.next:
		t.next = nil
	}
}

// close ends the track for its readers.
func (t *remoteTrack) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.in, t.next = nil, nil
	t.ring.end()
	for _, p := range t.taps {
		p.ring.end()
	}
	t.taps = nil
}
