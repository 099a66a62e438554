package fanout

import (
	"bytes"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/mediatest"
	"noom/internal/packet"
)

// Parameter sets by id, and pictures, as short as possible.
var (
	sps0     = []byte{0x67, 0x42, 0xe0, 0x1f, 0x80 | 0x11, 1} // ids: 1 is 0, 010 is 1, 011 is 2
	sps0new  = []byte{0x67, 0x42, 0xe0, 0x1f, 0x80 | 0x22, 2}
	sps1     = []byte{0x67, 0x42, 0xe0, 0x1f, 0x40, 3}
	pps0     = []byte{0x68, 0xce, 1}
	pps1     = []byte{0x68, 0x4e, 2}
	idr      = []byte{0x65, 0x88, 0x84, 0}
	idrMore  = []byte{0x65, 0x40, 0x84, 0} // a further slice
	slice    = []byte{0x61, 0x88, 0x84, 0}
	fragment = []byte{0x7c, 0x85, 0x88, 0} // FU-A, the start of an IDR picture
)

func stapPacket(nals ...[]byte) []byte {
	p := []byte{0x78}
	for _, nal := range nals {
		p = append(p, 0, byte(len(nal)))
		p = append(p, nal...)
	}
	return p
}

// liveCamera sends the H.264 packets that a test gives it.
type liveCamera struct {
	*webrtc.TrackLocalStaticRTP
	seq       uint16
	timestamp uint32
}

func newLiveCamera(t *testing.T) *liveCamera {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: "video/h264"}, "x", "live")
	must(t, err)
	return &liveCamera{track, 65530, 4_294_960_000} // both are about to wrap
}

// picture sends payloads in packets with the same timestamp.
func (c *liveCamera) picture(t *testing.T, payloads ...[]byte) {
	t.Helper()
	c.timestamp += 3600
	for i, payload := range payloads {
		c.seq++
		must(t, c.WriteRTP(&rtp.Packet{
			Header:  rtp.Header{Version: 2, SequenceNumber: c.seq, Timestamp: c.timestamp, Marker: i == len(payloads)-1},
			Payload: payload,
		}))
	}
	time.Sleep(mediatest.FrameTime)
	synctest.Wait()
}

// took returns the payloads that were written since the last call, and checks that they are
// one stream: numbers without a gap, one timestamp for each picture, and a marker only at
// its end.
func (w *wireTap) took(t *testing.T) [][]byte {
	t.Helper()
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, h := range w.got {
		if i == 0 {
			continue
		}
		last := w.got[i-1]
		if h.SequenceNumber != last.SequenceNumber+1 || last.Marker == (h.Timestamp == last.Timestamp) {
			t.Errorf("packet %d: number %d after %d, timestamp %d after %d, marker %v", i,
				h.SequenceNumber, last.SequenceNumber, h.Timestamp, last.Timestamp, last.Marker)
		}
	}
	sent := w.sent
	w.got, w.sent = w.got[max(0, len(w.got)-1):], nil
	return sent
}

func samePayloads(a, b [][]byte) bool { return slices.EqualFunc(a, b, bytes.Equal) }

// TestParameterSetsAreSentAgain: a camera sends its parameter sets at its beginning only. Peers
// that come later get them before each IDR picture, however its packets are formed.
func TestParameterSetsAreSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLiveCamera(t)
		s := publishTrack(t, c)
		c.picture(t, sps0, pps0, idr) // nobody is there
		_, early := boundLeg(t, s)
		for _, key := range [][][]byte{
			{idr}, {fragment, {0x7c, 0x45, 1}}, {stapPacket([]byte{6, 1}, idr)}, {[]byte{9, 0x10}, idr, idrMore}, {idr, idrMore},
		} {
			c.picture(t, slice)
			_, late := boundLeg(t, s)
			c.picture(t, slice)
			early.took(t)
			c.picture(t, key...)
			want := slices.Clone(key)
			if at := slices.IndexFunc(key, packet.StartsH264IDR); true {
				want = slices.Insert(want, at, stapPacket(sps0, pps0))
			}
			if got := early.took(t); !samePayloads(got, want) {
				t.Errorf("%x is sent as %x, want %x", key, got, want)
			}
			if first := slices.IndexFunc(want, packet.KeyframeStart(webrtc.MimeTypeH264)); !samePayloads(late.took(t), want[first:]) {
				t.Errorf("%x is not sent to a newcomer as %x", key, want[first:])
			}
			c.picture(t, slice)
			if got := late.took(t); !samePayloads(got, [][]byte{slice}) {
				t.Errorf("a slice is sent as %x", got)
			}
		}
		// Sets that come with the picture are not sent twice; missing ones are sent.
		c.picture(t, sps0new, pps0, idr)
		if got := early.took(t)[1:]; !samePayloads(got, [][]byte{sps0new, pps0, idr}) {
			t.Errorf("a whole picture is sent as %x", got)
		}
		c.picture(t, stapPacket(sps0new, pps0, idr))
		c.picture(t, sps0, idr)
		if got := early.took(t); !samePayloads(got, [][]byte{stapPacket(sps0new, pps0, idr), sps0, stapPacket(pps0), idr}) {
			t.Errorf("a picture with half of its sets is sent as %x", got)
		}
		c.picture(t, sps1, pps1)
		c.picture(t, idr)
		if got := early.took(t); !samePayloads(got[2:], [][]byte{stapPacket(sps0, sps1, pps0, pps1), idr}) {
			t.Errorf("a picture with several sets is sent as %x", got)
		}
	})
}

// TestParameterSetsSurviveSwaps: the sets of a camera are remembered when it is swapped out
// and in again, muted or paused, and are not confused with those of another.
func TestParameterSetsSurviveSwaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first, second := newLiveCamera(t), newLiveCamera(t)
		s := publishTrack(t, first)
		_, wire := boundLeg(t, s)
		check := func(what string, want ...[]byte) {
			t.Helper()
			if got := wire.took(t); !samePayloads(got, want) {
				t.Errorf("%s: sent as %x, want %x", what, got, want)
			}
		}
		first.picture(t, sps0, pps0, idr)
		check("the beginning", sps0, pps0, idr)
		must(t, s.ReplaceTrack(second))
		second.picture(t, sps1, pps1, slice) // counts as a key frame
		second.picture(t, idr)
		check("another camera", sps1, pps1, slice, stapPacket(sps1, pps1), idr)
		must(t, s.ReplaceTrack(first))
		first.picture(t, idr)
		check("swapped back", stapPacket(sps0, pps0), idr)
		must(t, s.SetMuted(true))
		first.picture(t, sps0new, pps0, idr)
		must(t, s.SetMuted(false))
		first.picture(t, idr)
		check("after mute", stapPacket(sps0new, pps0), idr)
		must(t, s.ReplaceTrack(nil))
		must(t, s.ReplaceTrack(first))
		first.picture(t, idr)
		check("after a pause", stapPacket(sps0new, pps0), idr)
	})
}

// TestParameterSetsSurviveSenders: the sets of a camera are remembered when it is published
// again, in the same room or another.
func TestParameterSetsSurviveSenders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLiveCamera(t)
		first := publishTrack(t, c)
		c.picture(t, sps0, pps0, idr)
		again := func(what string, want ...[]byte) *Sender {
			t.Helper()
			s := publishTrack(t, c)
			_, wire := boundLeg(t, s)
			c.picture(t, idr)
			if got := wire.took(t); !samePayloads(got, want) {
				t.Errorf("%s: sent as %x, want %x", what, got, want)
			}
			return s
		}
		other := again("alongside the first sender", stapPacket(sps0, pps0), idr)
		must(t, first.Close())
		must(t, other.Close())
		c.picture(t, sps1, pps1, idr) // reaches nobody
		must(t, again("published again", stapPacket(sps0, pps0), idr).Close())
		another := newLiveCamera(t)
		_, wire := boundLeg(t, publishTrack(t, another))
		if another.picture(t, idr); !samePayloads(wire.took(t), [][]byte{idr}) {
			t.Error("sets of one camera are sent with another's picture")
		}
	})
}

// TestParameterSetsOfEncodings: each encoding has sets of its own, and a leg that switches gets
// those of the new one.
func TestParameterSetsOfEncodings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		high, low := newLiveCamera(t), newLiveCamera(t)
		s, err := NewSender(high, Options{Encodings: []Encoding{{Track: high}, {Track: low}}}, Hooks{OnClose: func() {}})
		must(t, err)
		defer func() { _ = s.Close() }() // nothing to lose
		must(t, s.SetOpen(1, true))
		l, wire := boundLeg(t, s)
		high.picture(t, sps0, pps0, idr)
		low.picture(t, sps1, pps1, idr)
		wire.took(t)
		l.Choose(1)
		low.picture(t, idr)
		low.picture(t, idr)
		if got, want := wire.took(t), [][]byte{stapPacket(sps1, pps1), idr, stapPacket(sps1, pps1), idr}; !samePayloads(got, want) {
			t.Errorf("sent as %x, want %x", got, want)
		}
	})
}

// TestSentSetsAreBounded: the remembered sets are bounded, and do not keep tracks in memory.
func TestSentSetsAreBounded(t *testing.T) {
	var m setsMemory
	var sets packet.ParameterSets
	sets.Note(sps0, 0)
	var first any
	for i := range 3 * maxSentTracks {
		src := &source{track: new(webrtc.TrackLocalStaticRTP), sets: sets}
		m.remember(src)
		if i == 0 {
			first = trackKey(src.track)
		}
		if again := (&source{track: src.track}); true {
			if m.recall(again); !again.sets.Known() || len(m.sent) > maxSentTracks {
				t.Fatalf("sets known: %v; %d tracks", again.sets.Known(), len(m.sent))
			}
		}
	}
	runtime.GC()
	if p, is := first.(weak.Pointer[byte]); !is || p.Value() != nil {
		t.Errorf("%T keeps a track in memory", first)
	}
	m.remember(&source{track: struct{ webrtc.TrackLocal }{&webrtc.TrackLocalStaticRTP{}}, sets: sets})
	m.remember(&source{track: incomparableTrack{}, sets: sets})
	if len(m.sent) != maxSentTracks {
		t.Errorf("%d tracks", len(m.sent))
	}
}

// incomparableTrack is a track of a type that is not comparable.
type incomparableTrack struct {
	webrtc.TrackLocal
	_ []int
}

// TestParameterSetsTakeNumbers: a packet from before the place where sets were inserted is dropped, because its
// number is taken.
func TestParameterSetsTakeNumbers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLiveCamera(t)
		s := publishTrack(t, c)
		_, wire := boundLeg(t, s)
		c.picture(t, sps0, pps0, idr)
		wire.took(t)
		send := func(seq uint16, timestamp uint32, payload []byte) {
			must(t, c.WriteRTP(&rtp.Packet{
				Header:  rtp.Header{Version: 2, SequenceNumber: c.seq + seq, Timestamp: c.timestamp + timestamp},
				Payload: payload,
			}))
		}
		send(2, 7200, idr)
		send(1, 3600, slice)
		send(3, 7200, idrMore)
		seen := map[uint16]bool{}
		for _, h := range wire.headers() {
			if seen[h.SequenceNumber] {
				t.Errorf("number %d was sent twice", h.SequenceNumber)
			}
			seen[h.SequenceNumber] = true
		}
		if len(seen) != 4 { // one of them is the last from before
			t.Errorf("%d numbers", len(seen))
		}
	})
}
