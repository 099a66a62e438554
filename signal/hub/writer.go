package hub

import (
	"errors"
	"sync"
	"time"

	"noom/signal"
)

// ErrSilent is inside Serve's result when a member was lost because it sent nothing for twice the
// heartbeat, or took no frame for as long.
var ErrSilent = errors.New("hub: the member has fallen silent")

// write empties the outbox. If that has been closed it closes the connection,
// which happens once.
func (c *conn) write() {
	idle := false
	c.guard(func() { idle = c.drain() })
	if idle {
		return
	}
	refusal, _ := c.outbox.end()
	c.guard(func() { _ = signal.CloseWith(c.link, refusal) }) // a failure changes nothing: it is over
	c.cut()
	c.written.Done()
}

// batches hold frames on their way from an outbox to a link.
var batches = sync.Pool{New: func() any {
	b := make([]*signal.Message, 0, batchFrames)
	return &b
}}

// drain reports true when the outbox is empty, false when it is also closed.
func (c *conn) drain() (idle bool) {
	buffer := batches.Get().(*[]*signal.Message)
	defer batches.Put(buffer)
	many, can := c.link.(signal.BatchSender)
	most := 1
	if can {
		most = batchFrames
	}
	for {
		batch, open := c.outbox.take(*buffer, most)
		if len(batch) == 0 {
			return open
		}
		c.hub.meter.give(batch)
		c.pulse.writing(time.Now())
		var err error
		if can {
			err = many.SendAll(c.calls, batch)
		} else {
			err = c.link.Send(c.calls, *batch[0])
		}
		c.pulse.written()
		clear(batch)
		if err != nil {
			c.outbox.abandon(nil, c.lost(err))
		}
	}
}

// mind does what the pulse says is due, and sees to it that it is asked again.
// The timer calls it.
func (c *conn) mind() {
	what, wait := c.pulse.check(time.Now())
	switch what {
	case duePing:
		c.send(ping)
	case dueTooLate:
		c.refuse(signal.Errorf(signal.CodeTooLate, "", "no join or proof within %v", c.hub.config.JoinTimeout))
	case dueExpired:
		c.guard(func() { c.place.expire(c) })
	case dueLost:
		c.outbox.abandon(nil, ErrSilent)
	case dueStuck:
		c.outbox.abandon(nil, ErrSilent)
		c.cut() // which ends the write
	case dueNothing:
	}
	if wait > 0 {
		c.timer.Reset(wait)
	}
}

// What the hub says most often is encoded once.
var ping, pong = encoded(signal.TypePing), encoded(signal.TypePong)

func encoded(t signal.Type) *signal.Message {
	m := &signal.Message{Type: t}
	if _, err := m.Encode(); err != nil {
		panic(err) // nothing is shorter
	}
	return m
}
