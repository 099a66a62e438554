package noom_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom"
)

const (
	filmPeriod = 40 * time.Millisecond // of a lens
	filmDelay  = 20 * time.Millisecond // of the network in these tests
)

// lens is a source of one codec, which begins a key frame when it is asked for one. Its packets end with
// whether they are one, its number and that of the frame.
type lens struct {
	codec  webrtc.RTPCodecCapability
	number byte

	mu    sync.Mutex
	bound map[string]chan struct{} // closed by Unbind
	keys  int                      // key frames
}

var lenses byte

func newLens(mime string) *lens {
	lenses++
	l := &lens{number: lenses, bound: make(map[string]chan struct{})}
	l.codec = webrtc.RTPCodecCapability{MimeType: mime, ClockRate: 90000}
	return l
}

func (l *lens) ID() string       { return fmt.Sprint("lens ", l.number) }
func (l *lens) StreamID() string { return "s" }
func (l *lens) RID() string      { return "" }

func (l *lens) video() bool { return l.codec.MimeType[:5] == "video" }

func (l *lens) Kind() webrtc.RTPCodecType {
	if l.video() {
		return webrtc.RTPCodecTypeVideo
	}
	return webrtc.RTPCodecTypeAudio
}

func (l *lens) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	at := slices.IndexFunc(ctx.CodecParameters(), func(c webrtc.RTPCodecParameters) bool { return c.MimeType == l.codec.MimeType })
	if at < 0 {
		return webrtc.RTPCodecParameters{}, webrtc.ErrUnsupportedCodec
	}
	done, asked := make(chan struct{}), make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.bound) > 0 {
		return webrtc.RTPCodecParameters{}, errors.New("this lens can be bound once")
	}
	l.bound[ctx.ID()] = done
	go readRequests(ctx.RTCPReader(), asked)
	go l.play(ctx.WriteStream(), asked, done)
	return ctx.CodecParameters()[at], nil
}

func readRequests(r interceptor.RTCPReader, asked chan<- struct{}) {
	buf := make([]byte, 1500)
	for {
		n, _, err := r.Read(buf, nil)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if _, ok := packets[0].(*rtcp.PictureLossIndication); err == nil && ok {
			asked <- struct{}{}
		}
	}
}

func (l *lens) play(w webrtc.TrackLocalWriter, asked <-chan struct{}, done <-chan struct{}) {
	for n := uint32(0); ; n++ {
		select {
		case <-done:
			return
		case <-time.After(filmPeriod):
		}
		key := n == 0
		select {
		case <-asked:
			key = true
		default:
		}
		if key {
			l.mu.Lock()
			l.keys++
			l.mu.Unlock()
		}
		_, _ = w.WriteRTP(&rtp.Header{
			Version: 2, Marker: true, SequenceNumber: uint16(n), Timestamp: n * uint32(filmPeriod.Milliseconds()*90),
		}, l.frame(n, key))
	}
}

// frame returns the payload of a whole picture.
func (l *lens) frame(n uint32, key bool) []byte {
	var head []byte
	switch l.codec.MimeType {
	case webrtc.MimeTypeVP8:
		head = []byte{0x10, 0x01}
		if key {
			head[1] = 0
		}
	case webrtc.MimeTypeH264:
		head = []byte{0x41, 0x80}
		if key {
			head = []byte{24, 0, 4, 0x67, 66, 0, 31, 0, 4, 0x68, 1, 2, 3, 0, 9, 0x65, 0x80, 0}
		}
	case webrtc.MimeTypeVP9:
		head = []byte{0x4c, 0}
		if key {
			head[0] = 0x0c
		}
	}
	flag := byte(0)
	if key || !l.video() {
		flag = 1
	}
	return binary.BigEndian.AppendUint32(append(head, flag, l.number), n)
}

func (l *lens) Unbind(ctx webrtc.TrackLocalContext) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.bound[ctx.ID()])
	delete(l.bound, ctx.ID())
	return nil
}

func (l *lens) state() (bound, keyframes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.bound), l.keys
}

// shot is a frame that was received.
type shot struct {
	lens  byte
	key   bool
	frame uint32
	at    time.Time
	codec string
}

// screen watches a track.
type screen struct {
	track noom.RemoteTrack
	mu    sync.Mutex
	shots []shot
	over  bool
}

func look(track noom.RemoteTrack) *screen {
	s := &screen{track: track}
	go func() {
		for p := range track.Packets() {
			n := len(p.Payload) - 5
			s.mu.Lock()
			s.shots = append(s.shots, shot{
				p.Payload[n], p.Payload[n-1] == 1, binary.BigEndian.Uint32(p.Payload[n+1:]), time.Now(), track.Codec().MimeType,
			})
			s.mu.Unlock()
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.over = true
	}()
	return s
}

// since returns what came after a time.
func (s *screen) since(t time.Time) []shot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.shots), func(f shot) bool { return f.at.Before(t) })
}

// check waits a while and checks that the track is shown by that lens now, in its codec, and has stood still for no
// longer than that since then.
func (s *screen) check(t *testing.T, who noom.Room, since time.Time, by *lens, still time.Duration) {
	t.Helper()
	shots := s.since(since)
	before := since
	for i, f := range append(shots, shot{at: time.Now()}) {
		if pause := f.at.Sub(before); pause > still {
			t.Errorf("%s: nothing for %v before frame %d, %v later", who.Self().Name, pause, i, f.at.Sub(since))
		}
		before = f.at
	}
	if len(shots) == 0 {
		t.Fatalf("%s: nothing", who.Self().Name)
	}
	if last := shots[len(shots)-1]; last.lens != by.number || last.codec != by.codec.MimeType {
		t.Errorf("%s: shown by lens %d in %s, want %d in %s", who.Self().Name, last.lens, last.codec, by.number, by.codec.MimeType)
	}
	for i := 1; i < len(shots); i++ {
		if next := shots[i].lens == shots[i-1].lens && shots[i].frame == shots[i-1].frame+1; !next && !shots[i].key {
			t.Errorf("%s: frame %d of lens %d behind frame %d of lens %d cannot be decoded", who.Self().Name,
				shots[i].frame, shots[i].lens, shots[i-1].frame, shots[i-1].lens)
		}
	}
}

// aKeyframe is how long a swap may stop a picture: until the next frame, which is the key frame, and two round trips.
const aKeyframe = filmPeriod + 4*filmDelay

// pictureOf waits for the track of another member, and watches it.
func pictureOf(t *testing.T, r noom.Room) *screen {
	t.Helper()
	return look(until[noom.TrackAdded](t, r, nil).Track)
}

func quiet(t *testing.T, r noom.Room) {
	t.Helper()
	for _, e := range waiting(t, r) {
		switch e.(type) {
		case noom.TrackAdded, noom.TrackRemoved, noom.TrackMuted, noom.TrackPaused, noom.TrackRefused, noom.SenderPaused:
			t.Errorf("%s: %T", r.Self().Name, e)
		}
	}
}

// sections counts the media sections with tracks that a member sends to a peer.
func sections(p noom.Peer) (n int) {
	for _, tr := range p.Connection().GetTransceivers() {
		if tr.Sender() != nil && tr.Sender().Track() != nil {
			n++
		}
	}
	return n
}

func swap(t *testing.T, s noom.Sender, to *lens) time.Time {
	t.Helper()
	must(t, s.ReplaceTrack(to))
	if s.Track() != webrtc.TrackLocal(to) {
		t.Error("the sender has another track")
	}
	return time.Now()
}
