package inbound

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// sectionRig is a section with streams that a test plays, and the track that it feeds.
type sectionRig struct {
	*Track

	in    *Inbound
	now   time.Time
	asked []time.Time // for a key frame
}

func newSectionRig(mime string, encodings int) (*sectionRig, []*Encoding) {
	r := &sectionRig{now: time.Unix(1e9, 0)}
	r.in = New(func([]rtcp.Packet) error {
		r.asked = append(r.asked, r.now)
		return nil
	})
	var list []*Encoding
	for place := range encodings {
		if encodings == 1 {
			place = Alone
		}
		e := r.in.Add(&webrtc.TrackRemote{}, place)
		e.codec = &webrtc.RTPCodecParameters{RTPCodecCapability: webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 90000}}
		e.starts, e.sizes = keyframeStarts(mime), packet.NewSizeReader(mime)
		list = append(list, e)
	}
	r.Track = NewTrack("a", "카메라", webrtc.RTPCodecTypeVideo, false)
	r.in.Assign(r.Track)
	return r, list
}

// take plays a packet, and returns what is delivered; nil: nothing.
func (r *sectionRig) take(e *Encoding, h rtp.Header, payload []byte) *rtp.Packet {
	waiting := r.ring.count
	r.in.take(e, &rtp.Packet{Header: h, Payload: payload}, r.now)
	if r.ring.count == waiting {
		return nil
	}
	p, _ := r.ReadRTP()
	return p
}

// vp8Picture returns the payload of a picture of VP8.
func vp8Picture(height uint16, key bool) []byte {
	p := []byte{0x10, 1, 0, 0, 0x9d, 0x01, 0x2a, 0, 1, 0, 0}
	if key {
		p[1] = 0
	}
	binary.LittleEndian.PutUint16(p[9:], height)
	return p
}

// TestEncodingsAreOneStream: what is delivered of two encodings is one stream, of which another is asked for at most
// twice a second.
func TestEncodingsAreOneStream(t *testing.T) {
	r, list := newSectionRig(webrtc.MimeTypeVP8, 2)
	numbers, times := []uint16{65530, 30000}, []uint32{1<<32 - 5000, 77}
	r.Want(180)
	var last *rtp.Packet
	// play plays a picture of each, and reports of which one is delivered; -1: none.
	play := func(key bool) (of int) {
		t.Helper()
		of = -1
		r.now = r.now.Add(40 * time.Millisecond)
		for i, e := range list {
			numbers[i]++
			times[i] += 3600
			h := rtp.Header{SequenceNumber: numbers[i], Timestamp: times[i], SSRC: uint32(10 + i), Marker: true}
			p := r.take(e, h, vp8Picture(uint16(180<<i), key))
			if p == nil {
				continue
			}
			step := uint32(3600)
			if of >= 0 { // the switch: a second picture of the same moment
				step = 1
			}
			of = int(binary.LittleEndian.Uint16(p.Payload[9:])) / 360
			if last != nil && (p.SequenceNumber != last.SequenceNumber+1 || p.Timestamp != last.Timestamp+step || p.SSRC != last.SSRC) {
				t.Errorf("%v is followed by %v", last, p)
			}
			last = p
		}
		return of
	}
	if got := play(true); got != 0 {
		t.Fatalf("at first it is %d", got)
	}
	r.Want(-1)
	for range 50 { // two seconds
		if got := play(false); got != 0 {
			t.Fatalf("before a key frame it is %d", got)
		}
	}
	if n := len(r.asked); n < 4 || n > 5 {
		t.Errorf("asked %d times in 2 s, at %v", n, r.asked)
	}
	if got := play(true); got != 1 {
		t.Fatalf("then it is %d", got)
	}
	list[1].report.Store(&senderReport{0, time.Unix(5, 0), times[1]})
	at, timestamp, ok := r.SenderTime(last.SSRC)
	if !ok || timestamp != last.Timestamp || !at.Equal(time.Unix(5, 0)) {
		t.Errorf("the sender's time is %v at %d, %v, want that of %d", at, timestamp, ok, last.Timestamp)
	}
	r.Want(0)
	if got := play(false); got != -1 {
		t.Errorf("for nothing it is %d", got)
	}
}

// TestBrokenWhileAnotherIsAskedFor: what is seen does not stay broken because a better encoding is asked for.
func TestBrokenWhileAnotherIsAskedFor(t *testing.T) {
	r, list := newSectionRig(webrtc.MimeTypeVP8, 2)
	r.Want(180)
	play := func(number uint16, key bool) {
		r.now = r.now.Add(40 * time.Millisecond)
		for i, e := range list {
			r.take(e, rtp.Header{SequenceNumber: number, Timestamp: 3600 * uint32(number), SSRC: uint32(10 + i), Marker: true}, vp8Picture(uint16(180<<i), key))
		}
	}
	play(1, true)
	r.Want(-1)
	for number := range uint16(50) { // two seconds, of which the first picture is missing
		play(number+3, false)
	}
	if n := len(r.asked); n < 7 || n > 9 {
		t.Errorf("asked %d times in 2 s, want 4 times of each", n)
	}
}

// TestEncodingBeginsAgain: what comes in a stream with another SSRC than before is delivered from its key frame on.
func TestEncodingBeginsAgain(t *testing.T) {
	r, list := newSectionRig(webrtc.MimeTypeVP8, 2)
	h := rtp.Header{SequenceNumber: 7, Timestamp: 90, SSRC: 1, Marker: true}
	first := r.take(list[1], h, vp8Picture(360, true))
	if first == nil || r.in.Again(&webrtc.TrackRemote{}) || !r.in.Again(list[1].tr) {
		t.Fatal("the stream is not known")
	}
	h = rtp.Header{SequenceNumber: 60000, Timestamp: 5, SSRC: 2, Marker: true}
	if p := r.take(list[1], h, vp8Picture(360, false)); p != nil {
		t.Errorf("before a key frame comes %v", p)
	}
	h.SequenceNumber++
	if p := r.take(list[1], h, vp8Picture(360, true)); p == nil || p.SequenceNumber != first.SequenceNumber+1 || p.SSRC != first.SSRC {
		t.Errorf("%v is followed by %v", first, p)
	}
	list[1].report.Store(&senderReport{2, time.Unix(5, 0), 0})
	r.Want(0)
	r.take(list[1], rtp.Header{SequenceNumber: 60002, Timestamp: 6, SSRC: 2}, vp8Picture(360, false))
	if _, _, ok := r.SenderTime(first.SSRC); ok {
		t.Error("there is a sender's time of what is not delivered")
	}
}

// vp9Layer returns a packet that is all of a layer's frame, and whether it is the last of three.
func vp9Layer(id byte, key bool) (payload []byte, marker bool) {
	p := []byte{0x20 | 0x08 | 0x04, id << 1, 0}
	switch {
	case !key:
		p[0] |= 0x40
	case id == 0:
		p[0] |= 0x02
		p = append(p, 0x50, 1, 64, 0, 180, 2, 128, 1, 104, 5, 0, 2, 208)
	}
	return append(p, 1), id == 2
}

// TestLayersAreLeftOut: what is delivered of a stream with three sizes has no gaps, and marks the end of each picture.
// What is left out and comes late has its number already, and no content.
func TestLayersAreLeftOut(t *testing.T) {
	r, list := newSectionRig(webrtc.MimeTypeVP9, 1)
	number, next := uint16(65530), uint16(65530)
	send := func(n uint16, picture uint32, id byte, key bool) *rtp.Packet {
		payload, marker := vp9Layer(id, key)
		return r.take(list[0], rtp.Header{SequenceNumber: n, Timestamp: picture * 3600, SSRC: 7, Marker: marker}, payload)
	}
	picture := uint32(0)
	play := func(key bool) (layers int) {
		t.Helper()
		picture++
		r.now = r.now.Add(40 * time.Millisecond)
		marked := false
		for id := range byte(3) {
			p := send(number, picture, id, key)
			if number++; p == nil {
				continue
			}
			if p.SequenceNumber != next || marked {
				t.Errorf("picture %d: packet %d, want %d; marked before: %v", picture, p.SequenceNumber, next, marked)
			}
			next, marked = p.SequenceNumber+1, p.Marker
			layers++
		}
		if layers > 0 && !marked {
			t.Errorf("picture %d has no end", picture)
		}
		return layers
	}
	for i, step := range []struct {
		want   int
		key    bool
		layers int
		asks   int
	}{
		{-1, true, 3, 0},
		{180, false, 1, 0},
		{180, true, 1, 0},
		{360, false, 1, 1},
		{360, true, 2, 0},
		{0, false, 0, 0},
		{-1, false, 0, 0},
		{-1, true, 3, 0},
		{200, false, 2, 0},
	} {
		r.Want(step.want)
		before := len(r.asked)
		if got := play(step.key); got != step.layers || len(r.asked)-before != step.asks {
			t.Errorf("step %d: %d layers, %d requests, want %d and %d", i, got, len(r.asked)-before, step.layers, step.asks)
		}
	}
	missing := number + 2
	send(number, picture+1, 0, false)
	send(number+1, picture+1, 1, false)
	if p := send(number+3, picture+2, 0, false); p == nil || p.SequenceNumber != next+3 {
		t.Errorf("behind a loss it is %v, want number %d", p, next+3)
	}
	if p := send(missing, picture+1, 2, false); p == nil || p.SequenceNumber != next+2 || len(p.Payload) > 0 {
		t.Errorf("what was lost is %v, want number %d without content", p, next+2)
	}
}

// TestWholeH264KeyFrames: an encoding that is wanted while its key frame arrives begins with the next one, with which its
// parameter sets come.
func TestWholeH264KeyFrames(t *testing.T) {
	r, list := newSectionRig(webrtc.MimeTypeH264, 2)
	parameters, slice := []byte{0x67, 0x42, 0, 0x1f}, []byte{0x65, 0x88, 0x84}
	r.Want(0)
	if p := r.take(list[1], rtp.Header{SequenceNumber: 1, Timestamp: 1}, parameters); p != nil {
		t.Error("what nobody wants is delivered")
	}
	r.Want(inFull)
	if p := r.take(list[1], rtp.Header{SequenceNumber: 2, Timestamp: 1}, slice); p != nil {
		t.Error("a picture is delivered without its parameter sets")
	}
	for i, payload := range [][]byte{parameters, slice} {
		if p := r.take(list[1], rtp.Header{SequenceNumber: uint16(3 + i), Timestamp: 2}, payload); p == nil || !bytes.Equal(p.Payload, payload) {
			t.Errorf("packet %d of the next key frame: %v is delivered, want %x", i, p, payload)
		}
	}
}
