package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// A settled crowd: what it cost to bring it in, and what it holds.
type settled struct {
	joinCPU   time.Duration // of the server, for each join
	asIs      float64       // resident KB for each member, garbage included
	collected float64       // the same, once the server has collected its garbage
}

// joiners is how many join at once.
const joiners = 64

// idle brings n members into rooms of two and lets them sit there.
func idle(s *server, n int) (settled, error) {
	s.collect()
	time.Sleep(300 * time.Millisecond)
	empty, err := s.resident()
	if err != nil {
		return settled{}, err
	}
	before, err := s.cpu()
	if err != nil {
		return settled{}, err
	}
	c := newCrowd()
	defer c.leave()
	if c.wires, err = joinAll(s, n, 512); err != nil {
		return settled{}, err
	}
	time.Sleep(500 * time.Millisecond) // for what the last ones caused
	for _, w := range c.wires {
		if over, is := w.conn.(*httpConn); is {
			over.rest()
		}
	}
	after, err := s.cpu()
	if err != nil {
		return settled{}, err
	}
	raw, err := s.resident()
	if err != nil {
		return settled{}, err
	}
	s.collect()
	time.Sleep(1500 * time.Millisecond)
	held, err := s.resident()
	return settled{
		joinCPU:   (after - before) / time.Duration(n),
		asIs:      float64(raw-empty) / 1024 / float64(n),
		collected: float64(held-empty) / 1024 / float64(n),
	}, err
}

// joinAll brings n members in, from many goroutines.
func joinAll(s *server, n, buffer int) ([]*wire, error) {
	wires := make([]*wire, n)
	var next atomic.Int64
	var failure atomic.Pointer[error]
	var busy sync.WaitGroup
	for range joiners {
		busy.Go(func() {
			for failure.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				w, err := s.dialect.join(s.addr, member{i, i / 2}, buffer)
				if err != nil {
					failure.CompareAndSwap(nil, &err)
					return
				}
				wires[i] = w
			}
		})
	}
	busy.Wait()
	if err := failure.Load(); err != nil {
		for _, w := range wires {
			if w != nil {
				w.close()
			}
		}
		return nil, *err
	}
	return wires, nil
}
