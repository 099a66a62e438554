package main

import (
	"fmt"
	"slices"
	"time"
)

// A spread is how long messages took, and how many there were of those asked for.
type spread struct {
	p50, p99 time.Duration
	rate     float64 // messages a second that arrived
}

// latency sends a fixed number of messages a second through rooms of two and
// times each from just before its write until its receiver has read it.
func latency(s *server, perSecond int, warm, length time.Duration) (spread, error) {
	c := newCrowd()
	err := c.enter(s, 2*pairs, 2)
	if err != nil {
		c.leave()
		return spread{}, err
	}
	began := time.Now()
	took := make([][]time.Duration, pairs) // each owned by its receiver until all have ended
	stampers := make([]*stamper, pairs)
	for i := range pairs {
		from, to := member{2 * i, i}, member{2*i + 1, i}
		stampers[i] = newStamper(s.dialect.pair(from, to, messageSize))
		c.receive(s, c.wires[from.number], func(int64) {})
		c.receive(s, c.wires[to.number], func(sent int64) {
			if time.Duration(sent) > warm {
				took[i] = append(took[i], time.Since(began)-time.Duration(sent))
			}
		})
	}
	if err = pace(perSecond, warm+length, func(n int) error {
		frame := stampers[n%pairs].set(int64(time.Since(began)))
		_, failed := c.wires[2*(n%pairs)].conn.Write(frame)
		return failed
	}); err == nil {
		time.Sleep(200 * time.Millisecond) // for what is on its way
		err = c.err()
	}
	c.leave()
	c.busy.Wait()
	all := slices.Concat(took...)
	if err != nil || len(all) == 0 {
		return spread{}, fmt.Errorf("%s: latency at %d/s: %d arrived: %w", s.name, perSecond, len(all), err)
	}
	slices.Sort(all)
	return spread{
		p50: all[len(all)/2], p99: all[len(all)*99/100],
		rate: float64(len(all)) / length.Seconds(),
	}, nil
}

// pace calls send for each message that is due, a bunch every millisecond. What
// a blocked send holds up is not made good, so that nothing piles up.
func pace(perSecond int, length time.Duration, send func(n int) error) error {
	const beat = time.Millisecond
	ticks := time.NewTicker(beat)
	defer ticks.Stop()
	began, last := time.Now(), time.Now()
	owed, n := 0.0, 0
	for now := range ticks.C {
		if now.Sub(began) > length {
			return nil
		}
		owed += min(now.Sub(last), 20*beat).Seconds() * float64(perSecond)
		last = now
		for ; owed >= 1; owed-- {
			if err := send(n); err != nil {
				return err
			}
			n++
		}
	}
	return nil
}
