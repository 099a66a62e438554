package fanout

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/mediatest"
)

// wanderer is a camera that writes by itself: frames of three packets, with its own numbers,
// and key frames when it is asked for one.
type wanderer struct {
	*webrtc.TrackLocalStaticRTP
	id     byte
	every  time.Duration
	wishes atomic.Int32
	bound  atomic.Int32
	lower  []*wanderer
}

func newWanderer(t *testing.T, id byte, every time.Duration) *wanderer {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticRTP(mediatest.VP8, "x", "y")
	must(t, err)
	return &wanderer{TrackLocalStaticRTP: track, id: id, every: every}
}

func (w *wanderer) encodings() (list []Encoding) {
	list = append(list, Encoding{Track: w})
	for _, lower := range w.lower {
		list = append(list, Encoding{Track: lower})
	}
	return list
}

func (w *wanderer) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	codec, err := w.TrackLocalStaticRTP.Bind(ctx)
	if err != nil {
		return codec, err
	}
	w.bound.Add(1)
	go func() {
		b := make([]byte, 1500)
		for {
			if _, _, readErr := ctx.RTCPReader().Read(b, nil); readErr != nil {
				return
			}
			w.wishes.Add(1)
		}
	}()
	return codec, nil
}

func (w *wanderer) Unbind(ctx webrtc.TrackLocalContext) error {
	w.bound.Add(-1)
	return w.TrackLocalStaticRTP.Unbind(ctx)
}

const packetsOfFrame = 3

func (w *wanderer) run(ctx context.Context, t *testing.T) {
	t.Helper()
	seq, timestamp := uint16(rand.Uint32()), rand.Uint32()
	for n := uint32(1); ctx.Err() == nil; n++ {
		delta := byte(1)
		if w.wishes.Swap(0) > 0 {
			delta = 0
		}
		for i := range byte(packetsOfFrame) {
			payload := []byte{0, delta, w.id, 0, 0, 0, 0, i}
			if i == 0 {
				payload[0] = 0x10
			}
			binary.BigEndian.PutUint32(payload[3:], n)
			seq++
			must(t, w.WriteRTP(&rtp.Packet{
				Header:  rtp.Header{Version: 2, SequenceNumber: seq, Timestamp: timestamp, Marker: i == packetsOfFrame-1},
				Payload: payload,
			}))
		}
		timestamp += uint32(w.every.Milliseconds() * 90)
		time.Sleep(w.every)
	}
}

// judge is a connection that checks what it is given: one stream, in which each packet follows
// the one before or begins a key frame.
type judge struct {
	t    *testing.T
	name int
	slow atomic.Bool // each packet takes a while

	mu      sync.Mutex
	packets int
	header  rtp.Header
	payload [8]byte
	first   rtp.Header
	at      time.Time // of the first packet
	faults  int
}

func (j *judge) Write(b []byte) (int, error) { return len(b), nil }

func (j *judge) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	if j.slow.Load() {
		time.Sleep(20 * time.Millisecond)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	last, before := j.header, j.payload
	j.header = *h
	copy(j.payload[:], payload)
	j.packets++
	number := func(p []byte) uint32 { return binary.BigEndian.Uint32(p[3:]) }
	starts := payload[0] == 0x10 && payload[1] == 0
	if j.packets == 1 {
		j.first, j.at = *h, time.Now()
		if !starts {
			j.fail("the first packet begins no key frame")
		}
		return len(payload), nil
	}
	if h.SequenceNumber != last.SequenceNumber+1 {
		j.fail("number %d after %d", h.SequenceNumber, last.SequenceNumber)
	}
	if step := int32(h.Timestamp - last.Timestamp); step < 0 || step > 0 != (payload[7] == 0) {
		j.fail("the timestamp moves by %d at packet %d of a frame", step, payload[7])
	}
	media, clock := time.Duration(h.Timestamp-j.first.Timestamp)*time.Millisecond/90, time.Since(j.at)
	if late := clock - media; late < -100*time.Millisecond || late > maxWait+time.Second/5 {
		j.fail("the timestamp is %v behind the clock", late)
	}
	same := before[2] == payload[2]
	within := same && number(before[:]) == number(payload) && before[7]+1 == payload[7]
	after := same && number(before[:])+1 == number(payload) && before[7] == packetsOfFrame-1 && payload[7] == 0
	if !within && !after && !starts {
		j.fail("%x does not follow %x", payload, before)
	}
	return len(payload), nil
}

// fail needs j.mu.
func (j *judge) fail(format string, args ...any) {
	j.t.Helper()
	if j.faults++; j.faults < 4 {
		j.t.Errorf("leg %d, packet %d: "+format, append([]any{j.name, j.packets}, args...)...)
	}
}

// count returns how many packets there were, and which camera the last one came from.
func (j *judge) count() (packets int, camera byte) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.packets, j.payload[2]
}

// TestAnythingInAnyOrder does at random, from several goroutines at once, whatever can be done
// with a sender and its legs. Each leg gets one continuous stream, and in the end the picture
// that is chosen for it.
func TestAnythingInAnyOrder(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 3
	}
	for range rounds {
		seed := rand.Uint64()
		synctest.Test(t, func(t *testing.T) { anythingInAnyOrder(t, seed) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func anythingInAnyOrder(t *testing.T, seed uint64) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	defer writers.Wait()
	defer stop()
	var cameras []*wanderer
	for i := range byte(6) {
		c := newWanderer(t, i, time.Duration(20+5*i)*time.Millisecond)
		cameras = append(cameras, c)
		writers.Go(func() { c.run(ctx, t) })
	}
	cameras[0].lower = cameras[1:3]
	cameras[3].lower = cameras[4:5]
	s := publishWanderer(t, cameras[0])
	other := publishWanderer(t, newWanderer(t, 9, time.Second))
	var legs []*Leg
	var judges []*judge
	for i := range 4 {
		l, j := legOf(s), &judge{t: t, name: i}
		bindLeg(t, l, j)
		l.Connected()
		legs, judges = append(legs, l), append(judges, j)
	}

	var players sync.WaitGroup
	for player := range uint64(3) {
		players.Go(func() {
			random := rand.New(rand.NewPCG(seed, player))
			for range 400 {
				i := random.IntN(len(legs))
				doAnything(random, s, other, legs[i], judges[i], cameras)
				time.Sleep(time.Duration(random.IntN(120)) * time.Millisecond)
			}
		})
	}
	players.Wait()

	must(t, s.ReplaceTrack(cameras[0]))
	must(t, s.SetMuted(false))
	for i, l := range legs {
		judges[i].slow.Store(false)
		l.Attach(s)
		l.SetAboveShare(false)
		l.Choose(i % 3)
		must(t, s.SetOpen(i%3, true))
	}
	time.Sleep(2 * time.Second)
	for i, l := range legs {
		before, _ := judges[i].count()
		time.Sleep(time.Second)
		packets, camera := judges[i].count()
		if used, ok := l.Encoding(); !ok || used != i%3 || camera != byte(used) {
			t.Errorf("leg %d is sent encoding %d, %v, of camera %d", i, used, ok, camera)
		}
		if got, want := packets-before, packetsOfFrame*int(time.Second/cameras[i%3].every); got < want*9/10 {
			t.Errorf("leg %d got %d packets in a second, want %d", i, got, want)
		}
	}
	for i, c := range cameras {
		if n := c.bound.Load(); n != int32(min(1, max(0, 3-i))) {
			t.Errorf("camera %d is bound %d times", i, n)
		}
	}
	must(t, s.Close())
	must(t, other.Close())
	for i, c := range cameras {
		if n := c.bound.Load(); n != 0 {
			t.Errorf("camera %d is bound %d times in the end", i, n)
		}
	}
}

func publishWanderer(t *testing.T, w *wanderer) *Sender {
	t.Helper()
	s, err := NewSender(w, Options{}, Hooks{
		OnChange: func() {}, OnClose: func() {},
		Layers: func(track webrtc.TrackLocal) []Encoding {
			if c, ok := track.(*wanderer); ok {
				return c.encodings()
			}
			return nil
		},
	})
	must(t, err)
	return s
}

func doAnything(random *rand.Rand, s, other *Sender, l *Leg, j *judge, cameras []*wanderer) {
	switch random.IntN(12) {
	case 0, 1, 2:
		l.Choose(random.IntN(5) - 1)
	case 3, 4:
		_ = s.SetOpen(random.IntN(3), random.IntN(3) > 0) // there may be no such encoding
	case 5:
		_ = s.ReplaceTrack(cameras[random.IntN(len(cameras))])
	case 6:
		if random.IntN(4) == 0 {
			_ = s.ReplaceTrack(nil)
		}
	case 7:
		_ = s.SetMuted(random.IntN(3) == 0)
	case 8:
		l.Detach()
	case 9:
		if random.IntN(8) == 0 {
			l.Attach(other)
			return
		}
		l.Attach(s)
	case 10:
		l.requestKeyframe()
		l.SetAboveShare(random.IntN(4) == 0)
		s.SetRate(random.IntN(3), random.IntN(1e6))
	case 11:
		j.slow.Store(random.IntN(4) == 0)
	}
}
