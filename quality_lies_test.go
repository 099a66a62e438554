package noom_test

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"

	"noom"
	"noom/internal/link"
	"noom/signal"
)

// liars are the ends of a member's connections.
type liars struct {
	mu  sync.Mutex
	all []*liar
}

func (l *liars) NewInterceptor(string) (interceptor.Interceptor, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, new(liar))
	return l.all[len(l.all)-1], nil
}

// tell reports something that is not so, to all from whom something has come.
func (l *liars) tell(rng *rand.Rand) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.all {
		one.tell(rng)
	}
}

// liar knows what has come over its connection last, and can report what it likes.
type liar struct {
	interceptor.NoOp
	mu     sync.Mutex
	writer interceptor.RTCPWriter
	source uint32
	number uint16 // of the transport
	came   bool
}

func (l *liar) BindRTCPWriter(w interceptor.RTCPWriter) interceptor.RTCPWriter {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writer = w
	return w
}

func (l *liar) BindRemoteStream(info *interceptor.StreamInfo, r interceptor.RTPReader) interceptor.RTPReader {
	id := uint8(0)
	for _, e := range info.RTPHeaderExtensions {
		if e.URI == sdp.TransportCCURI {
			id = uint8(e.ID)
		}
	}
	return interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, a, err := r.Read(b, a)
		var h rtp.Header
		if _, bad := h.Unmarshal(b[:max(n, 0)]); err == nil && bad == nil && len(h.GetExtension(id)) == 2 {
			l.mu.Lock()
			l.source, l.number, l.came = info.SSRC, binary.BigEndian.Uint16(h.GetExtension(id)), true
			l.mu.Unlock()
		}
		return n, a, err
	})
}

func (l *liar) tell(rng *rand.Rand) {
	l.mu.Lock()
	writer, source, number, came := l.writer, l.source, l.number, l.came
	l.mu.Unlock()
	if !came {
		return
	}
	var lie rtcp.Packet
	switch rng.IntN(6) {
	case 0: // what was not sent yet has come
		lie = feedbackOn(source, number+1, 50+rng.IntN(300), rng.Uint32(), 1)
	case 1: // what was sent last has not
		lie = feedbackOn(source, number-30, 60, rng.Uint32(), -1)
	case 2: // it has come at any time
		lie = feedbackOn(source, number-30, 60, rng.Uint32(), rng.IntN(256))
	case 3: // it has come ever earlier
		lie = feedbackOn(source, number-30, 60, uint32(1<<23-int(number)), 0)
	case 4:
		lie = &rtcp.ReceiverEstimatedMaximumBitrate{Bitrate: []float32{0, 1, 1e5, 1e9, 1e18}[rng.IntN(5)], SSRCs: []uint32{source}}
	case 5:
		lie = &rtcp.ReceiverReport{Reports: []rtcp.ReceptionReport{{
			SSRC: source, FractionLost: uint8(rng.Uint32()), TotalLost: rng.Uint32() >> 8, Jitter: rng.Uint32(),
			LastSenderReport: rng.Uint32(), Delay: rng.Uint32(),
		}}}
	}
	_, _ = writer.Write([]rtcp.Packet{lie}, nil) // the connection may be closed
}

// feedbackOn is transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1) on count packets from
// first on, one each delta of 250 µs; less than 0: none has come.
func feedbackOn(source uint32, first uint16, count int, reference uint32, delta int) rtcp.Packet {
	p := []byte{0x8f, 205, 0, 0, 0, 0, 0, 9}
	p = binary.BigEndian.AppendUint32(p, source)
	p = binary.BigEndian.AppendUint16(p, first)
	p = binary.BigEndian.AppendUint16(p, uint16(count))
	p = append(p, byte(reference>>16), byte(reference>>8), byte(reference), 0)
	if delta < 0 {
		p = binary.BigEndian.AppendUint16(p, uint16(count))
	} else {
		p = binary.BigEndian.AppendUint16(p, 0x2000|uint16(count))
		for range count {
			p = append(p, byte(delta))
		}
	}
	for len(p)%4 != 0 {
		p = append(p, 0)
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)/4-1))
	raw := rtcp.RawPacket(p)
	return &raw
}

// TestFeedbackThatLies: a peer that reports what is not so, sixty times a second, moves no encoder more than twice a second,
// and takes nothing from others. What it was sent before comes back when it is honest again.
func TestFeedbackThatLies(t *testing.T) {
	for name, beside := range map[string]bool{"to nobody else": false, "beside another": true} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 20*time.Millisecond, func(t *testing.T, w *world) {
				video, mouth := w.Video(nil), new(liars)
				alice := w.join("r", "alice", nil)
				bob := w.join("r", "밥", &noom.Config{Interceptors: func(r *interceptor.Registry) error {
					r.Add(mouth)
					return nil
				}})
				watchers := []noom.Room{bob}
				if beside {
					watchers = append(watchers, w.join("r", "carol", nil))
				}
				w.Settle()
				_, views := watched(t, w, alice, video, &noom.PublishOptions{
					Encodings: []noom.Encoding{{Track: video, MinBitrate: 30_000, MaxBitrate: 2_000_000}},
				}, watchers...)
				time.Sleep(12 * time.Second)
				before, connection := video.Report().Target, peerOf(t, alice, bob).Connection()
				video.Reset()
				for _, v := range views {
					v.Reset()
				}
				waiting(t, alice)
				for range 20 * 60 {
					mouth.tell(w.Rand())
					time.Sleep(time.Second / 60)
				}
				lied, path := video.Report(), peerOf(t, alice, bob).Bandwidth()
				t.Logf("%d changes, at most %d a second; %+v", lied.Changes, lied.Busiest, path)
				if lied.Busiest > 2 || lied.Changes == 0 && !beside {
					t.Errorf("%d changes of the target, %d within a second", lied.Changes, lied.Busiest)
				}
				if path.Estimate > before || path.Estimate == 0 {
					t.Errorf("of lies became %+v", path)
				}
				if beside {
					if seen := views[1].Report(); seen.Rate() < 24 || seen.Freeze > 300*time.Millisecond {
						t.Errorf("carol sees %v", seen)
					}
				}
				for _, e := range waiting(t, alice) {
					if e, is := e.(noom.PeerStateChanged); is {
						t.Errorf("alice is told %+v", e)
					}
				}
				time.Sleep(time.Minute) // the shortest delay that it has said is forgotten after 20 s
				views[0].Reset()
				time.Sleep(2 * time.Second)
				after, r := video.Report().Target, views[0].Report()
				if after < before*8/10 || r.Rate() < 20 || peerOf(t, alice, bob).Connection() != connection {
					t.Errorf("afterwards %d bit/s, %d before; 밥 sees %v", after, before, r)
				}
			})
		})
	}
}

// TestWantsOfAThousandASecond: a peer that says something else of what it wants each millisecond, which none of ours does,
// moves no encoder more than twice a second, until that is a flood.
func TestWantsOfAThousandASecond(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		video := w.Video(nil)
		alice, bob := w.join("r", "alice", nil), w.join("r", "bob", nil)
		w.Settle()
		tracks, _ := watched(t, w, alice, video, nil, bob)
		video.Reset()
		p := peerOf(t, bob, alice)
		say := func(version int64, height int) {
			body, err := signal.EncodeBody(&signal.WantsBody{Version: version, Wants: map[string]int{tracks[0].ID(): height}})
			must(t, err)
			inspect(p, func(in link.Inside) { in.Frames.Send(signal.TypeWants, body, false) })
			time.Sleep(time.Millisecond)
		}
		const storm = 1500
		for n := range storm {
			say(int64(n+1), []int{0, 720, 100, 0}[n%4])
		}
		time.Sleep(time.Second)
		r := video.Report()
		t.Logf("%+v", r)
		if r.Busiest > 2 || r.Changes == 0 {
			t.Errorf("%d changes of the target, %d within a second", r.Changes, r.Busiest)
		}
		say(storm+1, 720)
		time.Sleep(time.Second)
		if got := wantedOf(t, alice, bob, tracks[0]); got != 720 || !video.Report().Running {
			t.Errorf("%d is wanted at last: %+v", got, video.Report())
		}
	})
}
