package noom

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"noom/internal/mailbox"
	"noom/signal"
)

// This file leaves: what was sent arrives first, then goodbye is said, to the
// hub, which tells everybody, and in-band to each peer, whom no hub may reach.

const (
	patienceToDeliver = 5 * time.Second        // for what was sent to arrive, if Leave's ctx has no deadline
	patienceAtParting = time.Second            // bounds how long a goodbye may take
	partingMoment     = 100 * time.Millisecond // for it to be written, even if there is no more time
)

// Leave is Room.Leave. Of several calls the one whose ctx ends first bounds them all.
func (r *room) Leave(ctx context.Context) error {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		deadline = time.Now().Add(patienceToDeliver + patienceAtParting)
	}
	// What does not arrive must not take the time of the goodbye.
	rest := min(patienceAtParting, max(0, time.Until(deadline))/4)
	for _, phase := range []struct {
		until time.Time
		end   context.CancelFunc
	}{{deadline.Add(-rest), r.stopDelivering}, {deadline, r.stopParting}} {
		phaseCtx, cancel := context.WithDeadline(ctx, phase.until)
		stop := context.AfterFunc(phaseCtx, phase.end)
		defer cancel()
		defer stop() // first, for cancel would end the phase
	}
	r.finish(nil)
	<-r.done
	return r.undelivered
}

// seal makes sends fail from now on, at every peer there is and will be.
func (r *room) seal() {
	r.leaving.Store(true)
	for _, l := range r.peers() {
		l.out.seal()
	}
}

// delivery is what one peer has yet to get when we leave.
type delivery struct {
	link     *link
	arrived  chan struct{} // closed when all that was given to Send has arrived, or the link ends
	channels []*channel    // that are being closed behind what was sent in them
}

// deliver waits for what was sent to arrive, as long as ctx lets it, and says
// what had not.
func (r *room) deliver(ctx context.Context) error {
	var deliveries []delivery
	for _, l := range r.peers() {
		switch d, err := mailbox.Ask(ctx, l.mail, l.beginDelivery); {
		case err == nil:
			deliveries = append(deliveries, d)
		case !errors.Is(err, ErrClosed): // pion holds its loop up
			deliveries = append(deliveries, delivery{link: l})
		}
	}
	answered := make(chan struct{})
	if r.mail.Post(func() { r.onAnswered(func() { close(answered) }) }) {
		wait(ctx, answered)
	}
	var undelivered []error
	closed := false
	for _, d := range deliveries {
		wait(ctx, d.arrived)
		for _, c := range d.channels {
			wait(ctx, c.shut)
			closed = true
		}
	}
	if closed {
		moment, cancel := context.WithTimeout(ctx, closingMoment)
		defer cancel()
		<-moment.Done()
	}
	for _, d := range deliveries {
		if err := d.missing(); err != nil {
			undelivered = append(undelivered, &PeerError{Peer: d.link, Err: err})
		}
	}
	if n := r.untold.Load(); n > 0 {
		undelivered = append(undelivered, fmt.Errorf("noom: chats not known to have been said when we left: %d: %w", n, ErrNoHub))
	}
	return errors.Join(undelivered...)
}

// missing says what is not known to have arrived, nil if all is.
func (d *delivery) missing() error {
	e := &UndeliveredError{Messages: d.link.out.missing()}
	for _, c := range d.channels {
		if !c.emptied() {
			e.Channels++
		}
	}
	if e.Messages == 0 && e.Channels == 0 {
		return nil
	}
	return e
}

// beginDelivery asks the peer to say when it has all that was sent to it, and
// closes the channels of the connection. What is closed arrives whole: a
// channel's end travels behind what was sent in it.
func (l *link) beginDelivery() delivery {
	d := delivery{link: l, arrived: make(chan struct{})}
	l.deliveries = append(l.deliveries, d.arrived)
	for _, c := range append(slices.Clip(l.old), l.conn) {
		if c == nil {
			continue
		}
		for _, ch := range c.channels {
			if ch.dc.BufferedAmount() > 0 { // else the peer has it all
				d.channels = append(d.channels, ch)
			}
			l.room.background(func() { _ = ch.Close() }) // it may be closed already
		}
	}
	return d
}

// delivered ends the deliveries once all has arrived.
func (l *link) delivered() {
	if len(l.deliveries) > 0 && l.out.missing() == 0 {
		l.endDeliveries()
	}
}

func (l *link) endDeliveries() {
	for _, arrived := range l.deliveries {
		close(arrived)
	}
	l.deliveries = nil
}

// goodbye returns when the hub has heard it, and the peers that it cannot tell have too.
func (r *room) goodbye(ctx context.Context) {
	if out := r.outbox.Load(); out != nil { // a ctx that has ended is no reason to pass for lost
		defer func() {
			moment, cancel := context.WithTimeout(context.Background(), partingMoment)
			defer cancel()
			wait(moment, out.over)
		}()
	}
	ctx, cancel := context.WithTimeout(ctx, patienceAtParting)
	defer cancel()
	online := r.online()
	r.byeSaid.Store(true)
	r.send(signal.Message{Type: signal.TypeBye})
	// Each is closed when a peer has the goodbye that the hub does not bring it.
	untold, err := mailbox.Ask(ctx, r.mail, func() (untold []<-chan struct{}) {
		for _, l := range r.links {
			if done := l.sayGoodbye(); !online || l.missing {
				untold = append(untold, done)
			}
		}
		return untold
	})
	if err != nil {
		return
	}
	if online {
		wait(ctx, r.hubGone) // it closes the connection when it has heard it
	}
	wait(ctx, untold...)
}

// wait waits for all of done, until ctx ends.
func wait(ctx context.Context, done ...<-chan struct{}) {
	for _, d := range done {
		select {
		case <-d:
		case <-ctx.Done():
			return
		}
	}
}

// parting is a goodbye on its way: done is closed once the exchange has the
// acknowledgement of so many messages, or the link ends.
type parting struct {
	acked int64
	done  chan struct{}
}

// sayGoodbye tells the peer in-band that we leave for good, if it can be told.
func (l *link) sayGoodbye() <-chan struct{} {
	done := make(chan struct{})
	posted := l.mail.Post(func() {
		if l.recovery.Broken() || !l.recovery.Reachable() {
			close(done)
			return
		}
		l.queue(signal.TypeLeft, nil, false)
		l.partings = append(l.partings, parting{l.ex.Queued(), done})
	})
	if !posted {
		close(done)
	}
	return done
}

// partAll ends all partings: the peer is gone, and hears nothing any more.
func (l *link) partAll() { l.part(math.MaxInt64) }

// part ends the partings that are heard by now.
func (l *link) part(acked int64) {
	for len(l.partings) > 0 && l.partings[0].acked <= acked {
		close(l.partings[0].done)
		l.partings = l.partings[1:]
	}
}
