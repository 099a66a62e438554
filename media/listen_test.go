package media

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// power returns how much of a tone is in a sound, 0 to 1 (Goertzel).
func power(pcm []int16, hz, rate float64) float64 {
	var re, im, all float64
	for i, v := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / rate)
		re += float64(v) * cos
		im += float64(v) * sin
		all += float64(v) * float64(v)
	}
	if all == 0 {
		return 0
	}
	return 2 * (re*re + im*im) / (all * float64(len(pcm)))
}

// hear listens to the tone for three seconds.
func hear(t *testing.T, rate int, lose func(*rtp.Packet) bool) (pcm []int16, last Sound) {
	t.Helper()
	s := Tone()
	w := newWire(t, "microphone", s)
	w.offset = 1<<32 - 48000 // timestamps wrap
	if lose != nil {
		w.lose = lose
	}
	ear, err := Listen(w, rate)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Bind(w); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(3*time.Second-time.Millisecond, func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		close(w.packets)
	})
	for {
		sound, err := ear.Next()
		if errors.Is(err, io.EOF) {
			return pcm, last
		}
		if err != nil {
			t.Fatal(err)
		}
		pcm, last = append(pcm, sound.PCM...), sound
	}
}

// What comes out is what was played, in tune, at every rate.
func TestListen(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		synctest.Test(t, func(t *testing.T) {
			pcm, last := hear(t, rate, nil)
			if len(pcm) != 3*rate || last.At != 2980*time.Millisecond {
				t.Errorf("at %d Hz: %d samples, the last at %v; want 3 s", rate, len(pcm), last.At)
			}
			if tone := power(pcm[rate:2*rate], 440, float64(rate)); tone < 0.9 {
				t.Errorf("at %d Hz %.2f of it is the tone", rate, tone)
			}
		})
	}
	if _, err := Listen(newWire(t, "microphone", Tone()), 44100); err == nil {
		t.Error("44100 Hz was taken")
	}
}

// What is lost is silence, and what comes after it stays where it belongs.
func TestListenOverLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		pcm, last := hear(t, 16000, func(*rtp.Packet) bool { n++; return n > 50 && n <= 60 })
		if len(pcm) != 48000 || last.At != 2980*time.Millisecond {
			t.Errorf("%d samples, the last at %v; want 3 s", len(pcm), last.At)
		}
		for _, v := range pcm[16000:19200] {
			if v != 0 {
				t.Fatal("what was lost is not silent")
			}
		}
	})
}

// speak sends 20 ms of sound again and again from one time to another, counted from
// start, with timestamps that count what was sent.
func (w *wire) speak(t *testing.T, start time.Time, header *rtp.Header, from, to time.Duration) {
	t.Helper()
	for at := from; at < to; at += 20 * time.Millisecond {
		time.Sleep(time.Until(start.Add(at)))
		if _, err := w.WriteRTP(header, []byte{0xf8, 0xff, 0xfe}); err != nil {
			t.Error(err)
		}
		header.SequenceNumber++
		header.Timestamp += 960
	}
}

// What two speakers say is put in order by when it was made, though they begin at different times,
// are silent in between without saying so, and are on different ways.
func TestListenInOrder(t *testing.T) {
	const s = time.Second
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		type spoken struct {
			who  string
			made time.Duration
		}
		var mu sync.Mutex
		var all []spoken
		var listeners sync.WaitGroup
		for name, turns := range map[string][][2]time.Duration{"지우": {{0, 2 * s}, {5 * s, 6 * s}, {9 * s, 12 * s}}, "민수": {{3 * s, 4 * s}, {7 * s, 8 * s}, {13 * s, 14 * s}}} {
			source := Tone()
			closeLater(t, source)
			w := newWire(t, "microphone", source)
			if name == "민수" {
				w.delay = 30 * time.Millisecond
			}
			ear, err := Listen(w, 16000)
			if err != nil {
				t.Fatal(err)
			}
			listeners.Go(func() {
				var last time.Time
				for i := 0; ; i++ {
					sound, err := ear.Next()
					if err != nil {
						break
					}
					if sound.Made.Before(last) {
						t.Errorf("%v after %v", sound.Made, last)
					}
					if sound.Made.Sub(last) > s/2 { // a turn begins
						mu.Lock()
						all = append(all, spoken{name, sound.Made.Sub(start)})
						mu.Unlock()
					}
					last = sound.Made
				}
			})
			listeners.Go(func() {
				header := rtp.Header{Version: 2, PayloadType: uint8(w.codec.PayloadType), SSRC: 7, Timestamp: 1<<32 - 9600}
				for _, turn := range turns {
					w.speak(t, start, &header, turn[0], turn[1])
				}
				close(w.packets)
			})
		}
		listeners.Wait()
		slices.SortFunc(all, func(a, b spoken) int { return int(a.made - b.made) })
		want := []spoken{{"지우", 0}, {"민수", 3 * s}, {"지우", 5 * s}, {"민수", 7 * s}, {"지우", 9 * s}, {"민수", 13 * s}}
		if len(all) != len(want) {
			t.Fatalf("turns at %v, want %v", all, want)
		}
		for i, turn := range all {
			if off := turn.made - want[i].made; turn.who != want[i].who || off < 0 || off > 50*time.Millisecond {
				t.Errorf("turn %d: %v, want %v", i, turn, want[i])
			}
		}
	})
}

// A network that holds up sound for three seconds and lets all of it go then does not
// make what follows later than it is; if it does so for less than half a second, not
// even that sound.
func TestListenBehindABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		source := Tone()
		closeLater(t, source)
		w := newWire(t, "microphone", source)
		w.lose = func(p *rtp.Packet) bool {
			switch since := time.Since(start); {
			case since >= 2*time.Second && since < 5*time.Second:
				time.AfterFunc(5*time.Second-since, func() { w.packets <- sent{p, time.Now()} })
			case since >= 6*time.Second && since < 6400*time.Millisecond:
				time.AfterFunc(6400*time.Millisecond-since, func() { w.packets <- sent{p, time.Now()} })
			default:
				return false
			}
			return true
		}
		ear, err := Listen(w, 16000)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			header := rtp.Header{Version: 2, PayloadType: uint8(w.codec.PayloadType), SSRC: 7}
			w.speak(t, start, &header, 0, 8*time.Second)
			close(w.packets)
		}()
		for {
			sound, err := ear.Next()
			if err != nil {
				break
			}
			if off := sound.Made.Sub(start) - sound.At; off.Abs() > 50*time.Millisecond && (sound.At < 2*time.Second || sound.At > 5*time.Second) {
				t.Fatalf("sound of %v is said to be made %v later", sound.At, off)
			}
		}
	})
}

func TestListenToWhatIsNotOpus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := TestPattern(nil)
		closeLater(t, s)
		w := newWire(t, "camera", s)
		ear, err := Listen(w, 16000)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Bind(w); err != nil {
			t.Fatal(err)
		}
		if _, err := ear.Next(); !errors.Is(err, ErrCodec) {
			t.Errorf("%v, want ErrCodec", err)
		}
	})
}

// FuzzListen decodes what a hostile peer may send: packets with their lengths
// before them.
func FuzzListen(f *testing.F) {
	f.Add([]byte{3, 0xf8, 0xff, 0xfe, 2, 0x08, 3})
	r, _, err := readOgg(input{bytes.NewReader(toneOgg), nil})
	if err != nil {
		f.Fatal(err)
	}
	for range 5 {
		p, err := r.next()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(append([]byte{byte(len(p.data))}, p.data...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		w := &wire{place: newPlace("a", webrtc.MimeTypeOpus), name: "microphone", packets: make(chan sent, 1000)}
		w.codec = w.codecs[0]
		p := rtp.Header{PayloadType: 96, SequenceNumber: 1}
		for len(b) > 1 && p.SequenceNumber < 900 {
			size := min(int(b[0]), len(b)-1)
			w.packets <- sent{&rtp.Packet{Header: p, Payload: b[1 : 1+size]}, time.Time{}}
			p.SequenceNumber++
			p.Timestamp += 960
			b = b[1+size:]
		}
		close(w.packets)
		ear, err := Listen(w, 16000)
		if err != nil {
			t.Fatal(err)
		}
		for {
			s, err := ear.Next()
			if err != nil {
				break
			}
			if len(s.PCM) == 0 || len(s.PCM) > 16000+1920 {
				t.Fatalf("%d samples at %v", len(s.PCM), s.At)
			}
		}
	})
}
