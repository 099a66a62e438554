package main

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

const (
	soakMembers = 10_000 // the hub's most, by default
	soakRate    = 1_000  // messages a second
)

// A tally is what becomes of the messages of a soak, each known by its number.
type tally struct {
	began    time.Time
	sent     []atomic.Int64 // when, in nanoseconds since began
	took     []atomic.Int64 // how long; 0: it has not arrived
	arrivals atomic.Int64   // the first of each
	twice    atomic.Int64
	stray    atomic.Int64 // that reached a wrong member
}

func (t *tally) arrived(n int64, pair int) {
	if n < 0 || n >= int64(len(t.took)) || int(n)%(soakMembers/2) != pair {
		t.stray.Add(1)
		return
	}
	took := int64(time.Since(t.began)) - t.sent[n].Load()
	if !t.took[n].CompareAndSwap(0, max(took, 1)) {
		t.twice.Add(1)
		return
	}
	t.arrivals.Add(1)
}

// runSoak holds noom's hub at 10,000 members for a while. It fails if a message
// was lost, doubled or led astray, or a connection broke.
func runSoak(length time.Duration) error {
	s, err := start(contestants[0])
	if err != nil {
		return err
	}
	defer s.stop()
	c := newCrowd()
	if c.wires, err = joinAll(s, soakMembers, 4096); err != nil {
		return err
	}
	most := int(length.Seconds()+1) * soakRate
	t := &tally{began: time.Now(), sent: make([]atomic.Int64, most), took: make([]atomic.Int64, most)}
	stampers := make([]*stamper, soakMembers/2)
	for i := range stampers {
		from, to := member{2 * i, i}, member{2*i + 1, i}
		stampers[i] = newStamper(s.dialect.pair(from, to, messageSize))
		c.receive(s, c.wires[from.number], func(int64) { t.stray.Add(1) })
		c.receive(s, c.wires[to.number], func(n int64) { t.arrived(n, i) })
	}
	cpu, err := s.cpu()
	if err != nil {
		return err
	}
	sent := 0
	err = pace(soakRate, length, func(n int) error {
		if n == most {
			return c.err()
		}
		pair := n % len(stampers)
		t.sent[n].Store(int64(time.Since(t.began)))
		sent = n + 1
		if _, failed := c.wires[2*pair].conn.Write(stampers[pair].set(int64(n))); failed != nil {
			return failed
		}
		return c.err()
	})
	if err == nil {
		err = t.settle(sent, c)
	}
	after, cpuErr := s.cpu()
	held, _ := s.resident() // 0 if the server is gone, and then cpuErr says so
	c.leave()
	c.busy.Wait()
	if err != nil || cpuErr != nil {
		return fmt.Errorf("after %d messages: %w", sent, errors.Join(err, cpuErr))
	}
	return t.report(sent, length, after-cpu, held)
}

// settle waits for what is on its way, at most 20 s.
func (t *tally) settle(sent int, c *crowd) error {
	for range 200 {
		time.Sleep(100 * time.Millisecond)
		if t.arrivals.Load() >= int64(sent) {
			time.Sleep(time.Second) // for what comes twice
			break
		}
	}
	return c.err()
}

func (t *tally) report(sent int, length, cpu time.Duration, held int64) error {
	var all []time.Duration
	for i := range sent {
		if took := t.took[i].Load(); took > 0 {
			all = append(all, time.Duration(took))
		}
	}
	slices.Sort(all)
	lost, twice, stray := sent-len(all), t.twice.Load(), t.stray.Load()
	fmt.Printf("%s, %s: %d connections held for %v\n\n", time.Now().UTC().Format("2006-01-02 15:04 UTC"), processor(), soakMembers, length)
	fmt.Printf("| sent | lost | twice | astray | p50 ms | p99 ms | most ms | hub's CPU %% | resident MB |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	if len(all) == 0 {
		return fmt.Errorf("none of %d messages arrived", sent)
	}
	ms := func(i int) float64 { return 1e3 * all[i].Seconds() }
	fmt.Printf("| %d | %d | %d | %d | %.2f | %.2f | %.1f | %.1f | %d |\n", sent, lost, twice, stray,
		ms(len(all)/2), ms(len(all)*99/100), ms(len(all)-1), 100*cpu.Seconds()/length.Seconds(), held>>20)
	if lost+int(twice+stray) > 0 {
		return fmt.Errorf("%d lost, %d doubled, %d astray", lost, twice, stray)
	}
	return nil
}
