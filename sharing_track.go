package noom

import (
	"slices"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/allocate"
	"noom/internal/fanout"
)

// sharedTrack is a sender as the plan has it.
type sharedTrack struct {
	sender *fanout.Sender
	only   *peer // the one who gets it; nil: all
	plan   allocate.Track
	told   []encodingOrder
	busy   bool // orders are being carried out
}

// encodingOrder is what is made of an encoding.
type encodingOrder struct {
	open   bool
	rate   int
	failed time.Time // when it could not be opened; zero: it could
}

// reopenPause is how long an encoding that could not be opened is left alone.
const reopenPause = 5 * time.Second

// The bitrates of what says none, in bits per second.
const (
	soundMost, soundLeast         = 64_000, 16_000
	pictureLeast, pictureLeastTop = 30_000, 100_000
)

// mostFor returns how many bits per second a picture of that height can use.
func mostFor(height int) int {
	switch {
	case height == 0:
		return 2_500_000
	case height <= 180:
		return 200_000
	case height <= 360:
		return 500_000
	case height <= 480:
		return 1_000_000
	case height <= 720:
		return 2_000_000
	}
	return 4_000_000
}

// measure brings the track up to its sender, and reports whether it has other encodings than before.
func (t *sharedTrack) measure() (renumbered bool) {
	states := t.sender.Encodings()
	if len(states) != len(t.plan.Encodings) {
		t.plan.Encodings = make([]allocate.Encoding, len(states))
		t.told = make([]encodingOrder, len(states))
		renumbered = true
	}
	t.plan.Video = t.sender.Kind() == webrtc.RTPCodecTypeVideo
	t.plan.Priority, t.plan.Silent = t.sender.Priority(), t.sender.Silent()
	for i, state := range slices.Backward(states) { // the last first, because the floor of one depends on the next
		e := &t.plan.Encodings[i]
		t.told[i].open = state.Open
		e.Height, e.Fixed = state.Height, !state.Follows
		e.Max, e.Min = state.MaxBitrate, state.MinBitrate
		if e.Max <= 0 {
			e.Max = t.most(state.Height)
		}
		if e.Min <= 0 {
			e.Min = t.least(i)
		}
		e.Min = min(e.Min, e.Max)
		if state.Open && state.Rate > 0 {
			e.Rate = averageRate(e.Rate, state.Rate)
		}
	}
	return renumbered
}

func (t *sharedTrack) most(height int) int {
	if t.plan.Video {
		return mostFor(height)
	}
	return soundMost
}

// least returns the least that encoding i makes, if it does not say.
func (t *sharedTrack) least(i int) int {
	switch {
	case !t.plan.Video:
		return soundLeast
	case i+1 < len(t.plan.Encodings):
		return t.plan.Encodings[i+1].Max
	}
	return max(min(t.plan.Encodings[i].Max/10, pictureLeastTop), pictureLeast)
}

// averageRate returns what a source makes over some seconds, from that and what it has made in the last one.
func averageRate(before, now int) int {
	const weight = 8 // plans: two seconds
	if before == 0 {
		return now
	}
	return before + (now-before)/weight
}

func (t *sharedTrack) anyOpen() bool {
	return !t.plan.Silent && slices.ContainsFunc(t.told, func(o encodingOrder) bool { return o.open })
}

// carryOut has the encodings opened and closed, and their encoders told what to make, in a goroutine of its own: that
// may wait for the track. What changes meanwhile comes after it.
func (s *sharing) carryOut(t *sharedTrack, now time.Time) {
	if t.busy {
		return
	}
	var changed []int
	for i := range t.plan.Encodings {
		e, told := &t.plan.Encodings[i], &t.told[i]
		reopen := e.Open != told.open && now.Sub(told.failed) >= reopenPause
		if reopen || e.Target != told.rate && !e.Fixed && e.Open {
			changed = append(changed, i)
		}
	}
	if changed == nil {
		return
	}
	orders := make([]encodingOrder, len(t.plan.Encodings))
	for _, i := range changed {
		orders[i] = encodingOrder{open: t.plan.Encodings[i].Open, rate: t.plan.Encodings[i].Target}
		t.told[i].rate = orders[i].rate
	}
	t.busy = true
	s.room.background(func() {
		var failed []int
		for _, i := range changed {
			t.sender.SetRate(i, orders[i].rate)
			if err := t.sender.SetOpen(i, orders[i].open); err != nil && !t.sender.Closed() {
				s.room.log.Warn("a track cannot be encoded", "track", t.sender.Name(), "encoding", i, "error", err)
				failed = append(failed, i)
			}
		}
		s.room.mail.Post(func() {
			t.busy = false
			for _, i := range failed {
				if i < len(t.told) {
					t.told[i].failed = time.Now()
				}
			}
			s.plan()
		})
	})
}
