package media

import (
	"bytes"
	"errors"
	"io"
	"math"
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
