package inbound

import (
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"noom/internal/fault"
	"noom/internal/packet"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// trackRing is how many packets wait for a reader.
const trackRing = 512

// Track is a track that a peer sends; noom.RemoteTrack explains its methods. It
// outlives connections: an inbound feeds it, then, after a rebuild, another, as
// Inbound.Assign says.
type Track struct {
	// Immutable.
	id, name string
	kind     webrtc.RTPCodecType
	began    time.Time // when it was made

	level atomic.Int32 // of the latest packet, as packet.Loudness has it
	peak  atomic.Int32 // since takePeak, likewise

	// No call leaves the track while mu is held.
	mu    sync.Mutex
	ring  packetRing // for ReadRTP; closed with the track
	taps  []*tap
	codec *webrtc.RTPCodecParameters // of the latest packet; nil before the first
	in    *Inbound                   // nil: not connected
	next  *Inbound                   // feeds the track from its first packet on
	muted bool
}

// NewTrack returns a track that nothing feeds yet.
func NewTrack(id, name string, kind webrtc.RTPCodecType, muted bool) *Track {
	t := &Track{id: id, name: name, kind: kind, muted: muted, began: time.Now()}
	t.ring.arrived = sync.NewCond(&t.mu)
	return t
}

// ID returns the id, unique among all tracks of the peer ever.
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

// Muted reports whether the table has the track muted.
func (t *Track) Muted() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.muted
}

// setMuted reports whether that is news.
func (t *Track) setMuted(muted bool) (changed bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed = t.muted != muted
	t.muted = muted
	return changed
}

// ReadRTP returns the next packet and waits for one; io.EOF after the end.
func (t *Track) ReadRTP() (*rtp.Packet, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	packet, _, err := t.ring.take()
	return packet, err
}

// Packets is sugar over ReadRTP.
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

// RequestKeyframe asks the sender for a key frame. Errors: fault.Closed, fault.NotConnected, those of the connection.
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

// SenderTime returns what the sender's clock showed at an RTP timestamp of ssrc, by the latest sender report.
func (t *Track) SenderTime(ssrc uint32) (at time.Time, timestamp uint32, ok bool) {
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

// Track returns pion's track, nil while nothing feeds this one.
func (t *Track) Track() *webrtc.TrackRemote {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.in == nil {
		return nil
	}
	return t.in.tr
}

// push gives a packet to all readers. Only the inbound that feeds the track now
// may; another one's packets are late.
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

// attach and detach are for Inbound.Assign. While another inbound feeds the
// track, of a connection that is being replaced, in has to show a packet first.
func (t *Track) attach(in *Inbound) {
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

// noteLevel notes the level of a packet. Only one goroutine calls it at a time.
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

// AudioLevel returns how loud the latest packet was, false if its sender does not say.
func (t *Track) AudioLevel() (dBov int, ok bool) { return packet.LevelOf(t.level.Load()) }

// takePeak returns the loudest since the last call.
func (t *Track) takePeak() (dBov int, ok bool) { return packet.LevelOf(t.peak.Swap(0)) }
