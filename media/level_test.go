package media

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// The tone's level is known without decoding it; decoded, it is the same.
func TestAudioLevelOfAFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewOgg(bytes.NewReader(toneOgg), nil)
		if err != nil {
			t.Fatal(err)
		}
		if level, ok := s.AudioLevel(); ok {
			t.Errorf("%d dBov before anything was sent", level)
		}
		w := newWire(t, "microphone", s)
		if _, err := s.Bind(w); err != nil {
			t.Fatal(err)
		}
		for range 20 { // it swells
			time.Sleep(100 * time.Millisecond)
			if level, ok := s.AudioLevel(); !ok || level < toneLevel-7 || level > toneLevel+5 {
				t.Errorf("%d dBov, %v, want about %d", level, ok, toneLevel)
			}
		}
		closeNow(t, s)
	})
}

// A level that is not asked for costs nothing.
func TestNobodyAsksForTheLevel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewOgg(bytes.NewReader(toneOgg), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Bind(newWire(t, "microphone", s)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		closeNow(t, s)
		if s.ear.decoder != nil {
			t.Error("it was decoded")
		}
	})
}

func TestLevels(t *testing.T) {
	sine := make([]int16, 8000)
	for i := range sine {
		sine[i] = int16(math.MaxInt16 * math.Sin(2*math.Pi*440*float64(i)/8000))
	}
	square := []int16{math.MaxInt16, -math.MaxInt16}
	for what, test := range map[string]struct {
		pcm  []int16
		want int
	}{
		"silence": {make([]int16, 160), -127}, "the faintest there is": {[]int16{1, 0, 0, 0}, -96},
		"a sine": {sine, -3}, "the loudest there is": {square, -1}, "beyond": {[]int16{math.MinInt16}, -1},
	} {
		if got := dBov(test.pcm); got != test.want {
			t.Errorf("%s: %d dBov, want %d", what, got, test.want)
		}
	}
	var e ear
	if level := e.level([]byte{0xf8, 0xff, 0xfe}); level != -127 {
		t.Errorf("silence in Opus: %d dBov", level)
	}
	for _, packet := range [][]byte{nil, {}, {0xff}, []byte("아무 말")} {
		if level := e.level(packet); level > 0 || level < -127 {
			t.Errorf("%x: %d dBov", packet, level)
		}
	}
}

func closeNow(t *testing.T, s *Source) {
	t.Helper()
	if err := s.Close(); err != nil && !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	synctest.Wait()
}
