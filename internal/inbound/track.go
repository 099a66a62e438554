package inbound

import (
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/fault"
	"noom/internal/packet"
	"noom/signal"
)

const (
	trackRing = 512 // packets that wait for a reader
	leastRing = 8   // for which there is room at first. Both are powers of two
)

// Track is a track that a peer sends; noom.RemoteTrack explains its methods. It
// outlives connections: after a rebuild, another Inbound feeds it.
type Track struct {
	// Immutable.
	id, name string
	kind     webrtc.RTPCodecType
	began    time.Time // when it was made
	onWant   func()    // called when wanted has changed; nil: nobody needs it

	wanted atomic.Int32 // in pixels, or inFull

	level atomic.Int32 // packet.Loudness of the latest packet
	peak  atomic.Int32 // the highest packet.Loudness since takePeak

	// No call leaves the track while mu is held.
	mu     sync.Mutex
	ring   packetRing // for ReadRTP; closed with the track
	taps   []*tap
	codec  *webrtc.RTPCodecParameters // of the latest packet; nil before the first
	in     *Inbound                   // feeds the track; nil: not connected
	next   *Inbound                   // takes over with its first packet
	muted  bool
	paused bool
}

// inFull is what is wanted of a track for which Want was not called.
const inFull = -1

// NewTrack returns a track that nothing feeds yet.
func NewTrack(id, name string, kind webrtc.RTPCodecType, muted bool) *Track {
	t := &Track{id: id, name: name, kind: kind, muted: muted, began: time.Now()}
	t.wanted.Store(inFull)
	t.ring.arrived = sync.NewCond(&t.mu)
	return t
}

// ID returns the id. The peer never uses it for another track.
func (t *Track) ID() string { return t.id }

// String is for logs.
func (t *Track) String() string { return t.name + " (" + t.kind.String() + ")" }

// Name returns the name that the sender gave the track.
func (t *Track) Name() string { return t.name }

// Kind returns audio or video.
func (t *Track) Kind() webrtc.RTPCodecType { return t.kind }

// Codec returns the codec of the latest packet, empty before the first.
func (t *Track) Codec() webrtc.RTPCodecParameters {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.codec == nil {
		return webrtc.RTPCodecParameters{}
	}
	return *t.codec
}

// Muted reports whether the track is muted in the peer's table.
func (t *Track) Muted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.muted
}

// setMuted sets what Muted reports, and reports whether that changed.
func (t *Track) setMuted(muted bool) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed = t.muted != muted
	t.muted = muted
	return changed
}

// Paused reports whether the track is paused in the peer's table.
func (t *Track) Paused() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.paused
}

// setPaused sets what Paused reports, and reports whether that changed.
func (t *Track) setPaused(paused bool) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed = t.paused != paused
	t.paused = paused
	return changed
}

// Want sets what is shown of the track: a picture of that height in pixels, 0 for nothing, or all of it if the height is
// negative or more than the protocol can say.
func (t *Track) Want(height int) {
	if height < 0 || height > signal.MaxHeight {
		height = inFull
	}
	if before := t.wanted.Swap(int32(height)); int(before) != height && t.onWant != nil {
		t.onWant()
	}
}

// wantedHeight returns the height in pixels that is wanted, or inFull.
func (t *Track) wantedHeight() int { return int(t.wanted.Load()) }

// ReadRTP waits for the next packet and returns it, or io.EOF after the end.
func (t *Track) ReadRTP() (*rtp.Packet, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	packet, _, err := t.ring.take()
	return packet, err
}

// Packets returns what ReadRTP returns, until the first error.
func (t *Track) Packets() iter.Seq[*rtp.Packet] {
	return func(yield func(*rtp.Packet) bool) {
		for {
			packet, err := t.ReadRTP()
			if err != nil || !yield(packet) {
				return
			}
		}
	}
}

// RequestKeyframe asks the sender for a key frame. Errors: fault.Closed, fault.NotConnected,
// those of the connection.
func (t *Track) RequestKeyframe() error {
	t.mu.Lock()
	in, closed := t.in, t.ring.closed
	t.mu.Unlock()
	switch {
	case closed:
		return fault.Closed
	case in == nil:
		return fault.NotConnected
	}
	return in.requestKeyframe()
}

// SenderTime returns a time on the sender's clock and the RTP timestamp of ssrc that belongs to it, both from
// the latest sender report.
func (t *Track) SenderTime(ssrc uint32) (at time.Time, timestamp uint32, ok bool) {
	t.mu.Lock()
	in := t.in
	t.mu.Unlock()
	if in == nil {
		return time.Time{}, 0, false
	}
	return in.senderTime(ssrc)
}

// Track returns pion's track, nil while nothing feeds this one.
func (t *Track) Track() *webrtc.TrackRemote {
	t.mu.Lock()
	in := t.in
	t.mu.Unlock()
	if in == nil {
		return nil
	}
	return in.remote()
}

// push gives a packet to all readers. It drops packets from any Inbound but the one
// that feeds the track, because they are late.
func (t *Track) push(from *Inbound, packet *rtp.Packet, codec *webrtc.RTPCodecParameters) {
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

// attach and detach are for Inbound.Assign. While the Inbound of a connection that is
// being replaced feeds the track, or that of a section that the track leaves, in takes over
// only with its first packet.
func (t *Track) attach(in *Inbound) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch t.in {
	case nil:
		t.in = in
	case in:
		t.next = nil // it moves back
	default:
		t.next = in
	}
}

func (t *Track) detach(in *Inbound) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch in {
	case t.in:
		t.in, t.next = t.next, nil
	case t.next:
		t.next = nil
	}
}

// End ends the track: its readers get what is in their rings, then io.EOF.
func (t *Track) End() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.in, t.next = nil, nil
	t.ring.end()
	for _, p := range t.taps {
		p.ring.end()
	}
	t.taps = nil
}

// noteLevel notes the level of a packet. It is called by one goroutine at a time.
func (t *Track) noteLevel(dBov int) {
	v := packet.Loudness(dBov)
	t.level.Store(v)
	for {
		peak := t.peak.Load()
		if v <= peak || t.peak.CompareAndSwap(peak, v) {
			return
		}
	}
}

// AudioLevel returns the level of the latest packet, or false if it has none.
func (t *Track) AudioLevel() (dBov int, ok bool) { return packet.LevelOf(t.level.Load()) }

// takePeak returns the highest level since the last call.
func (t *Track) takePeak() (dBov int, ok bool) { return packet.LevelOf(t.peak.Swap(0)) }
