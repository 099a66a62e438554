package noom

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"noom/internal/data"
	"noom/internal/link"
	"noom/internal/mailbox"
)

const (
	patienceToDeliver = 5 * time.Second        // for what was sent to arrive, if the ctx of Leave has no deadline
	patienceAtParting = time.Second            // bounds how long a goodbye may take
	partingMoment     = 100 * time.Millisecond // for the goodbye to be written, even if no time is left
)

// farewell ends a room, once. First what was sent arrives; then goodbye is said, to the hub, which passes it on to all,
// and in-band to each peer that the hub may not reach.
type farewell struct {
	room   *room
	begun  sync.Once
	sealed atomic.Bool // nothing new is accepted

	// They end when Leave has waited long enough: for what was sent to arrive, and for the goodbye.
	delivering, parting         context.Context
	stopDelivering, stopParting context.CancelFunc

	over             atomic.Bool   // err may be read: before Closed is an event, and so before done
	done             chan struct{} // closed when the room is over
	err, undelivered error         // of the room, and of Leave; written once, before over is set and done is closed
}

func newFarewell(r *room) *farewell {
	f := &farewell{room: r, done: make(chan struct{})}
	f.delivering, f.stopDelivering = context.WithCancel(r.ctx)
	f.parting, f.stopParting = context.WithCancel(r.ctx)
	return f
}

// leave is Room.Leave. Of several calls the one whose ctx ends first bounds them all.
func (f *farewell) leave(ctx context.Context) error {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		deadline = time.Now().Add(patienceToDeliver + patienceAtParting)
	}
	// Data that does not arrive must not use up the time for the goodbye.
	rest := min(patienceAtParting, max(0, time.Until(deadline))/4)
	for _, phase := range []struct {
		until time.Time
		end   context.CancelFunc
	}{{deadline.Add(-rest), f.stopDelivering}, {deadline, f.stopParting}} {
		phaseCtx, cancel := context.WithDeadline(ctx, phase.until)
		stop := context.AfterFunc(phaseCtx, phase.end)
		defer cancel()
		defer stop() // first, because cancel would end the phase
	}
	f.finish(nil)
	<-f.done
	return f.undelivered
}

// dismissed ends the room because the hub says that we are no longer a member. Another reason than those that
// end a membership (PROTOCOL.md section 2) does not: if the hub means it, it closes the connection, and we redial.
func (f *farewell) dismissed(reason Reason) {
	var err error
	switch reason {
	case ReasonKicked:
		err = ErrKicked
	case ReasonClosed:
		err = ErrRoomClosed
	case ReasonReplaced:
		err = ErrReplaced
	case ReasonExpired:
		err = ErrExpired
	default:
		return
	}
	f.stopDelivering() // in case we are leaving: the hub has informed the others, and they drop us
	f.stopParting()
	f.finish(err)
}

// finish ends the room, once, without making its caller wait. If err is nil we leave by ourselves, and say goodbye.
func (f *farewell) finish(err error) {
	r := f.room
	f.begun.Do(func() {
		f.seal()
		go func() {
			if err == nil {
				f.undelivered = f.deliver(f.delivering)
				f.goodbye(f.parting)
			}
			r.cancel()
			r.tasks.Wait()
			closeSenders(r.published.senders())
			f.err = err
			f.over.Store(true)
			r.trace.over(err)
			r.events.add(Closed{Err: err})
			close(f.done)
		}()
	})
}

// seal makes sends fail from now on, to present and future peers.
func (f *farewell) seal() {
	f.sealed.Store(true)
	for _, p := range f.room.roster.peers() {
		p.link.Stream.Seal()
		p.files.Load().close()
	}
}

// delivery is what one peer has not got yet when we leave.
type delivery struct {
	link.Delivery
	peer *peer
}

// deliver waits until what was sent has arrived, or ctx ends, and returns what has not.
func (f *farewell) deliver(ctx context.Context) error {
	r := f.room
	var deliveries []delivery
	for _, p := range r.roster.peers() {
		d, err := p.link.Deliver(ctx)
		if !errors.Is(err, ErrClosed) { // with another error, pion blocks the loop
			deliveries = append(deliveries, delivery{d, p})
		}
	}
	answered := make(chan struct{})
	if r.mail.Post(func() { r.requests.onAnswered(func() { close(answered) }) }) {
		waitAll(ctx, answered)
	}
	var closing []*data.Channel
	for _, d := range deliveries {
		waitAll(ctx, d.Arrived)
		closing = append(closing, d.Channels...)
	}
	data.WaitShut(ctx, closing)
	var undelivered []error
	for _, d := range deliveries {
		if err := d.missing(); err != nil {
			undelivered = append(undelivered, &PeerError{Peer: d.peer, Err: err})
		}
	}
	if n := r.requests.unawaited.Load(); n > 0 {
		err := fmt.Errorf("noom: chat messages not known to have been sent when we left: %d: %w", n, ErrNoHub)
		undelivered = append(undelivered, err)
	}
	return errors.Join(undelivered...)
}

// missing returns what is not known to have arrived, nil if everything is.
func (d *delivery) missing() error {
	e := &UndeliveredError{Messages: d.peer.link.Stream.Missing()}
	for _, c := range d.Channels {
		if !c.Emptied() {
			e.Channels++
		}
	}
	if e.Messages == 0 && e.Channels == 0 {
		return nil
	}
	return e
}

// goodbye says goodbye, and returns when the hub has it and so have the peers that the hub cannot reach.
func (f *farewell) goodbye(ctx context.Context) {
	r := f.room
	ctx, cancel := context.WithTimeout(ctx, patienceAtParting)
	defer cancel()
	handedOver := r.hub.Goodbye()
	online := handedOver != nil
	if online { // even if ctx has ended: without a goodbye, we would count as lost
		defer func() {
			moment, cancel := context.WithTimeout(context.Background(), partingMoment)
			defer cancel()
			waitAll(moment, handedOver)
		}()
	}
	// Each channel is closed when a peer that the hub does not reach has our goodbye.
	unreached, err := mailbox.Ask(ctx, r.mail, func() (unreached []<-chan struct{}) {
		for _, p := range r.roster.byID {
			if done := p.link.SayGoodbye(); !online || r.roster.lost[p] != 0 {
				unreached = append(unreached, done)
			}
		}
		return unreached
	})
	if err != nil {
		return
	}
	if online {
		waitAll(ctx, r.hub.Gone()) // the hub closes the connection when it has the goodbye
	}
	waitAll(ctx, unreached...)
}

// waitAll waits until all of done are closed, or ctx ends.
func waitAll(ctx context.Context, done ...<-chan struct{}) {
	for _, d := range done {
		select {
		case <-d:
		case <-ctx.Done():
			return
		}
	}
}
