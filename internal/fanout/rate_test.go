package fanout

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom/internal/mediatest"
)

// steered is a camera that can be told its rate.
type steered struct {
	*mediatest.DeviceCamera
	s    *Sender
	mu   sync.Mutex
	told []int
	at   []time.Time
}

func (c *steered) SetTargetBitrate(bps int) {
	if c.s != nil {
		c.s.Encodings() // would wait for ever if a lock were held
		c.s.SetRate(9, 1)
		c.s = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told, c.at = append(c.told, bps), append(c.at, time.Now())
}

func (c *steered) rates() []int {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.told)
}

func newSteered() *steered { return &steered{DeviceCamera: mediatest.NewDeviceCamera()} }

// TestRateReachesTheSource: at most two changes a second, the last one wins, and small ones do not count.
func TestRateReachesTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newSteered()
		s, err := NewSender(c, Options{Encodings: []Encoding{{Track: c, MinBitrate: 50_000, MaxBitrate: 2_000_000}}},
			Hooks{OnChange: func() {}, OnClose: func() {}})
		must(t, err)
		for i := range 1000 { // a second
			s.SetRate(0, 1_000_000+i*1000)
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Second)
		if got := c.rates(); len(got) != 3 || got[0] != 1_000_000 || got[2] != 1_999_000 {
			t.Errorf("told %v", got)
		}
		for i, at := range c.at[1:] {
			if at.Sub(c.at[i]) < rateInterval {
				t.Errorf("told again after %v", at.Sub(c.at[i]))
			}
		}
		for _, test := range []struct{ bps, want int }{
			{1_999_000 * 96 / 100, 1_999_000}, // less than 5 %
			{1, 50_000},
			{9_000_000, 2_000_000},
			{0, 2_000_000},
			{-5, 2_000_000},
		} {
			s.SetRate(0, test.bps)
			time.Sleep(time.Second)
			if got := c.rates(); got[len(got)-1] != test.want {
				t.Errorf("%d: told %d, want %d", test.bps, got[len(got)-1], test.want)
			}
		}
		s.SetRate(3, 5)
		s.SetRate(-1, 5)
		must(t, s.Close())
		before := len(c.rates())
		s.SetRate(0, 500_000)
		time.Sleep(time.Second)
		if n := len(c.rates()); n != before {
			t.Error("a closed sender's source was told a rate")
		}
	})
}

// TestNewSourceIsToldAtOnce: one that replaces another, is opened, or opened again.
func TestNewSourceIsToldAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		high, low, other := newSteered(), newSteered(), newSteered()
		s, err := NewSender(high, Options{Encodings: []Encoding{{Track: high}, {Track: low}}}, Hooks{OnChange: func() {}, OnClose: func() {}})
		must(t, err)
		high.s, low.s, other.s = s, s, s
		s.SetRate(0, 800_000)
		s.SetRate(1, 100_000)
		if got := low.rates(); len(got) != 0 {
			t.Errorf("closed: told %v", got)
		}
		must(t, s.SetOpen(1, true))
		must(t, s.SetOpen(1, false))
		must(t, s.SetOpen(1, true))
		if got := low.rates(); !slices.Equal(got, []int{100_000, 100_000}) {
			t.Errorf("opened: told %v", got)
		}
		s.SetRate(0, 800_000)
		must(t, s.ReplaceTrack(other))
		if got := other.rates(); !slices.Equal(got, []int{800_000}) {
			t.Errorf("replaced: told %v", got)
		}
		if e := s.Encodings()[0]; !e.Follows || e.Target != 800_000 {
			t.Errorf("state %+v", e)
		}
		must(t, s.Close())
	})
}

// TestMeasuredRate: a source that follows no target is measured.
func TestMeasuredRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		camera := mediatest.NewDeviceCamera()
		s := publishTrack(t, camera)
		var number uint32
		if e := s.Encodings()[0]; e.Follows || e.Rate != 0 {
			t.Errorf("at first: %+v", e)
		}
		const want = 25 * 8 * (3000 + 3*(1+rtpHeader)) // 25 frames a second, in three packets each
		for _, frames := range []int{10, 40, 25} {
			mediatest.Show(t, camera, &number, frames, true)
			if got := s.Encodings()[0].Rate; got < want*85/100 || got > want*115/100 {
				t.Errorf("measured %d, want about %d", got, want)
			}
		}
		time.Sleep(2 * time.Second)
		if got := s.Encodings()[0].Rate; got != 0 {
			t.Errorf("measured %d after silence", got)
		}
	})
}
