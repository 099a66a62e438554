package bandwidth

import (
	"math"
	"time"
)

const (
	intervals   = 5
	fairSegment = 1400             // bytes of a packet of TCP
	fairMemory  = 30 * time.Second // without loss
)

// fair is the rate that a TCP flow would have that loses as often as we do. Loss
// events are those of RFC 5348, section 5. A flow that is cut at each of them has
// on average the rates of RFC 5348, section 3.1, or RFC 9438, section 5.1, which
// follow from the time between the events and the round trip alone.
type fair struct {
	lengths [intervals]time.Duration // between loss events, newest first
	count   int
	event   time.Duration // when the first packet that the event took was sent
	at      time.Duration // when the event was reported
	events  int           // all of them
	lost    int           // packets of the event that are still missing
	before  interval      // what was before the event, in case all of them are only late
}

type interval struct {
	event, at, dropped time.Duration
	count              int
}

func (f *fair) add(now time.Duration, r *report, trip time.Duration) {
	if r.late > 0 && f.lost > 0 {
		if f.lost -= r.late; f.lost <= 0 {
			f.undo()
		}
	}
	switch {
	case r.missed == 0:
		return
	case f.events > 0 && r.firstLost <= f.event+max(2*trip, 50*time.Millisecond):
		f.lost += r.missed
		return
	}
	f.before = interval{f.event, f.at, f.lengths[intervals-1], f.count}
	if f.events > 0 && now-f.at < fairMemory {
		copy(f.lengths[1:], f.lengths[:])
		f.lengths[0] = r.firstLost - f.event
		f.count = min(f.count+1, intervals)
	} else {
		f.count = 0
	}
	f.event, f.at, f.lost = r.firstLost, now, r.missed
	f.events++
}

// undo takes back the last event: its packets were late, not lost.
func (f *fair) undo() {
	if f.count > 0 {
		copy(f.lengths[:], f.lengths[1:])
		f.lengths[intervals-1] = f.before.dropped
	}
	f.event, f.at, f.count, f.lost = f.before.event, f.before.at, f.before.count, 0
	f.events--
}

// seed sets the interval at which rate is fair.
func (f *fair) seed(rate float64, trip time.Duration) {
	low, high := time.Millisecond, time.Hour
	for range 40 {
		mid := time.Duration(math.Sqrt(float64(low) * float64(high)))
		if fairRate(mid, trip) < rate {
			low = mid
		} else {
			high = mid
		}
	}
	f.count = 1
	f.lengths[0] = low
}

// rate returns bits per second, or 0 where losses are not known.
func (f *fair) rate(now, trip time.Duration) float64 {
	if f.count == 0 || trip == 0 || now-f.at > fairMemory {
		return 0
	}
	return fairRate(max(f.mean(0, 0), f.mean(1, now-f.at)), trip)
}

// mean is the weighted mean of the intervals, without the open one (with is 0) or with it (1).
func (f *fair) mean(with int, open time.Duration) time.Duration {
	weights := [intervals]float64{1, 1, 1, 0.7, 0.4}
	sum, all := 0.0, 0.0
	if with == 1 {
		sum, all = float64(open), 1
	}
	for i := 0; i+with < intervals && i < f.count; i++ {
		sum += weights[i+with] * float64(f.lengths[i])
		all += weights[i+with]
	}
	return time.Duration(sum / all)
}

// fairRate is the rate of a flow that loses something every length.
func fairRate(length, trip time.Duration) float64 {
	l, t := length.Seconds(), trip.Seconds()
	reno := 2.6 * l / (t * t)
	cubic := 1.233 * l * l * l / t
	return max(reno, cubic) * fairSegment * 8
}
