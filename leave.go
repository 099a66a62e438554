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
	patienceToDeliver = 5 * time.Second        // for what was sent to arrive, if Leave's ctx has no deadline
	patienceAtParting = time.Second            // bounds how long a goodbye may take
	partingMoment     = 100 * time.Millisecond // for it to be written, even if there is no more time
)

// farewell ends a room, once: what was sent arrives first, then goodbye is said, to the
// hub, which passes it on to all, and in-band to each peer that the hub may not reach.
type farewell struct {
	room   *room
	begun  sync.Once
	sealed atomic.Bool // nothing new is accepted

	// They end when Leave has waited enough: for what was sent to arrive, for the goodbye.
	delivering, parting         context.Context
	stopDelivering, stopParting context.CancelFunc

	done             chan struct{} // closed when the room is over
	err, undelivered error         // of the room, and of Leave; written once, before done is closed
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
	// What does not arrive must not take the time of the goodbye.
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

// dismissed ends the room because the hub says that we are no longer in it.
func (f *farewell) dismissed(reason Reason) {
	err := ErrRoomClosed
	switch reason {
	case ReasonKicked:
		err = ErrKicked
	case ReasonReplaced:
		err = ErrReplaced
	case ReasonExpired:
		err = ErrExpired
	default:
	}
	f.stopDelivering() // in case we are leaving: the others have been told, and drop us
	f.stopParting()
	f.finish(err)
}

// finish ends the room once, without making its caller wait. Without an err we
// leave, and not without a goodbye.
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
			r.trace.over(err)
			r.events.add(Closed{Err: err})
			close(f.done)
		}()
	})
}

// seal makes sends fail from now on, at every peer there is and will be.
func (f *farewell) seal() {
	f.sealed.Store(true)
	for _, l := range f.room.roster.peers() {
		l.link.Stream.Seal()
	}
}

// delivery is what one peer has yet to get when we leave.
type delivery struct {
	link.Delivery
	peer *peer
}

// deliver waits for what was sent to arrive, as long as ctx lets it, and says
// what had not.
func (f *farewell) deliver(ctx context.Context) error {
	r := f.room
	var deliveries []delivery
	for _, l := range r.roster.peers() {
		d, err := l.link.Deliver(ctx)
		if !errors.Is(err, ErrClosed) { // with another error, pion holds its loop up
			deliveries = append(deliveries, delivery{d, l})
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
		undelivered = append(undelivered, fmt.Errorf("noom: chats not known to have been said when we left: %d: %w", n, ErrNoHub))
	}
	return errors.Join(undelivered...)
}

// missing says what is not known to have arrived, nil if all is.
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

// goodbye returns when the hub has taken it, and the peers that it cannot reach have too.
func (f *farewell) goodbye(ctx context.Context) {
	r := f.room
	ctx, cancel := context.WithTimeout(ctx, patienceAtParting)
	defer cancel()
	handedOver := r.hub.Goodbye()
	online := handedOver != nil
	if online { // a ctx that has ended is no reason to pass for lost
		defer func() {
			moment, cancel := context.WithTimeout(context.Background(), partingMoment)
			defer cancel()
			waitAll(moment, handedOver)
		}()
	}
	// Each is closed when a peer has the goodbye that the hub does not bring it.
	unreached, err := mailbox.Ask(ctx, r.mail, func() (unreached []<-chan struct{}) {
		for _, l := range r.roster.links {
			if done := l.link.SayGoodbye(); !online || r.roster.lost[l] != 0 {
				unreached = append(unreached, done)
			}
		}
		return unreached
	})
	if err != nil {
		return
	}
	if online {
		waitAll(ctx, r.hub.Gone()) // it closes the connection when it has taken it
	}
	waitAll(ctx, unreached...)
}

// waitAll waits for all of done, until ctx ends.
func waitAll(ctx context.Context, done ...<-chan struct{}) {
	for _, d := range done {
		select {
		case <-d:
		case <-ctx.Done():
			return
		}
	}
}
