package http

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"noom/signal"
)

const (
	idleTimeout   = 30 * time.Second // without a request for frames
	lingerTimeout = 5 * time.Second  // for the other end to ask again for what was lost on the way when this one closed
)

// errGone says that a member asks for nothing any longer.
var errGone = errors.New("the other end has gone: it asks for nothing any longer")

// A session is a hub's end of a connection as a [signal.Signaler]. It outlives each request.
type session struct {
	end

	id      string
	table   *table
	hearsay bool // the endpoint is what the member says, unchecked
	address netip.Addr
	origin  string // of the page that has opened it; empty: it is no page
	share   *share // of what is held for its address

	ended   chan struct{} // closed when the other end knows that this one has closed, or never will
	knowing sync.Once     // closes it
	idle    *time.Timer   // ends a session for which nothing is asked

	// Under end.mu.
	up  int64     // the highest number that has come
	put *upload   // the request whose batch is being read or taken; nil: none
	get *download // the response that frames go down in; nil: none
}

// Address returns where the other end connects from; see [signal.Address].
func (s *session) Address() netip.Addr { return s.address }

// UncheckedEndpoint reports that the other end alone says what Endpoint is; see
// [signal.UncheckedEndpoint].
func (s *session) UncheckedEndpoint() bool { return s.hearsay }

// Wait implements [signal.Waiter].
func (s *session) Wait(ctx context.Context) bool {
	s.mu.Lock()
	ready := s.shut || len(s.in) > 0 || s.inEnd != nil || s.why != nil
	s.mu.Unlock()
	if !ready {
		s.await(ctx)
	}
	return true
}

// Close implements [signal.Signaler].
func (s *session) Close() error { return s.CloseWith(nil) }

// CloseWith closes with why's code as the reason. It waits at most 2 s for what was sent before to be
// fetched, which the other end may do again for 5 s if the response is lost.
func (s *session) CloseWith(why *signal.Error) error {
	if !s.shutDown(why) {
		return nil
	}
	s.mu.Lock()
	if s.left { // nobody fetches anything
		s.finish(net.ErrClosed)
	} else if s.why == nil {
		s.idle.Reset(lingerTimeout)
	}
	s.mu.Unlock()
	hurry := time.NewTimer(closeTimeout)
	defer hurry.Stop()
	select {
	case <-s.ended:
	case <-s.over:
	case <-hurry.C:
	}
	s.tidy()
	return nil
}

// Abort implements [signal.Aborter].
func (s *session) Abort() {
	s.mu.Lock()
	if !s.shut { // otherwise what was sent before may still be fetched
		s.finish(net.ErrClosed)
	}
	s.mu.Unlock()
	s.know()
	s.tidy()
}

// know ends the wait of CloseWith.
func (s *session) know() { s.knowing.Do(func() { close(s.ended) }) }

// tidy removes a session that is over from the table.
func (s *session) tidy() {
	if s.isOver() {
		s.idle.Stop()
		s.table.remove(s)
	}
}

func (s *session) isOver() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.why != nil
}

// expire ends a session for which nothing is asked.
func (s *session) expire() {
	s.mu.Lock()
	if s.get == nil || s.shut {
		s.finish(errGone)
	}
	s.mu.Unlock()
	s.tidy()
}

// attach makes d the response in which frames go down; the one before ends. It reports false if
// there never was what d begins behind.
func (s *session) attach(d *download) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.acknowledge(d.from) {
		return false
	}
	if s.get != nil {
		close(s.get.replaced)
	}
	s.get = d
	if !s.shut {
		s.idle.Stop()
	}
	return true
}

// detach says that d has ended.
func (s *session) detach(d *download) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.get != d {
		return
	}
	s.get = nil
	if s.why == nil && !s.shut {
		s.idle.Reset(idleTimeout)
	}
}

// take takes the frames of a batch that are new, waits for room where there is none, unless there is a
// newer batch, and returns how far everything has been taken, and how far there is something for the
// other end.
func (s *session) take(ctx context.Context, b *batch, replaced <-chan struct{}) (receipt, *signal.Error) {
	late := time.NewTimer(holdTimeout)
	defer late.Stop()
	for {
		r, done, e := s.takeSome(b)
		if done || e != nil {
			return r, e
		}
		select {
		case <-s.taken:
			select {
			case <-replaced: // it was meant for the newer one
				poke(s.taken)
				return r, nil
			default:
			}
		case <-replaced:
			return r, nil
		case <-s.over:
			return r, nil
		case <-ctx.Done():
			return r, nil
		case <-late.C:
			return r, nil
		}
	}
}

func (s *session) takeSome(b *batch) (r receipt, done bool, e *signal.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer poke(s.arrived)
	if !s.acknowledge(b.got) || b.first > s.up+1 {
		e = signal.Errorf(signal.CodeMalformed, "", "a batch with numbers that cannot be")
		s.breakOff(e)
		return r, false, e
	}
	done = true
	for i, frame := range b.frames {
		if b.first+int64(i) <= s.up || s.left {
			continue // it came before
		}
		if done = s.accept(frame); !done {
			break
		}
		s.up++
	}
	if done && b.end != nil && !s.left {
		s.left = true
		if s.inEnd == nil {
			s.inEnd = closedBy(b.end)
		}
	}
	if s.out.over(b.got) || s.left && s.shut { // there is nothing left to be fetched
		s.finish(net.ErrClosed)
		defer s.table.remove(s)
	}
	return receipt{Taken: s.up, Sent: s.out.last()}, done, nil
}

// breakOff ends what comes in with an error, behind what has come before.
func (s *session) breakOff(e *signal.Error) {
	if s.inEnd == nil {
		s.inEnd = e
	}
}

// refuse is breakOff for what has come outside the lock.
func (s *session) refuse(e *signal.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breakOff(e)
	poke(s.arrived)
}
