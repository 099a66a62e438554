package noomtest

import (
	"bytes"
	"context"
	"net"
	"sync"
	"time"

	"noom/signal"
)

// line is a member's connection to a hub, on which frames take their time and
// faults happen. It is the [signal.Signaler] that the member holds.
type line struct {
	world *World
	host  *host
	hub   *Hub // nil: the user's own dialer
	inner signal.Signaler

	up, down *lane
	arrived  chan signal.Message // from down to Receive
	broken   chan struct{}       // closed when the member's end is over
	ctx      context.Context     // ends when the hub's end is over
	cancel   context.CancelFunc

	mu  sync.Mutex
	why error // set before broken is closed
}

func newLine(h *host) *line {
	l := &line{
		world: h.world, host: h,
		arrived: make(chan signal.Message), broken: make(chan struct{}),
	}
	l.up, l.down = newLane(l), newLane(l)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l
}

// start sets the line going over inner.
func (l *line) start(inner signal.Signaler) {
	l.inner = inner
	go func() {
		l.up.run(func(m signal.Message) error { return inner.Send(l.ctx, m) })
		l.hangUp()
	}()
	go l.down.run(func(m signal.Message) error {
		select {
		case l.arrived <- m:
			return nil
		case <-l.broken:
			return net.ErrClosed
		}
	})
	go func() {
		for {
			m, err := inner.Receive(l.ctx)
			if err != nil {
				l.down.end(err)
				return
			}
			l.world.faults.down(l, copyOf(m))
		}
	}()
}

// copyOf makes a message that shares nothing with the original.
func copyOf(m signal.Message) signal.Message {
	frame, err := m.Encode()
	if err != nil {
		return m
	}
	own, err := signal.Decode(bytes.Clone(frame))
	if err != nil {
		return m // what a member may not send is for the hub to refuse
	}
	return own
}

// Send implements [signal.Signaler].
func (l *line) Send(ctx context.Context, m signal.Message) error {
	if _, err := m.Encode(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := l.over(); err != nil {
		return err
	}
	if m.Type == signal.TypeJoin {
		l.world.joins(l, &m)
	}
	l.world.faults.up(l, copyOf(m))
	return nil
}

// Receive implements [signal.Signaler].
func (l *line) Receive(ctx context.Context) (signal.Message, error) {
	if err := ctx.Err(); err != nil {
		return signal.Message{}, err
	}
	select {
	case m := <-l.arrived:
		return m, nil
	case <-l.broken:
		return signal.Message{}, l.over()
	case <-ctx.Done():
		return signal.Message{}, ctx.Err()
	}
}

// Close implements [signal.Signaler]. What was sent still arrives.
func (l *line) Close() error {
	l.finish(net.ErrClosed)
	return nil
}

// breakOff ends both ends without a word; what is under way is lost.
func (l *line) breakOff(why error) {
	l.up.clear()
	l.down.clear()
	l.finish(why)
	l.hangUp()
}

// hangUp ends the hub's end.
func (l *line) hangUp() {
	l.cancel()
	_ = l.inner.Close()
}

func (l *line) finish(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.why == nil {
		l.why = why
		close(l.broken)
	}
}

func (l *line) over() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.why
}

// idle reports whether nothing is under way.
func (l *line) idle() bool { return l.up.idle() && l.down.idle() }

// lane is one direction of a line.
type lane struct {
	line *line
	wake chan struct{}

	mu    sync.Mutex
	queue []cargo // by due
	last  time.Time
	busy  bool
	ended bool
}

// cargo is a frame that is under way, or the end of the lane.
type cargo struct {
	due     time.Time
	message signal.Message
	end     bool
	why     error
}

func newLane(l *line) *lane { return &lane{line: l, wake: make(chan struct{}, 1)} }

// put sends m on its way. extra is for faults: a frame with some leaves the order.
func (a *lane) put(m signal.Message, extra time.Duration) {
	a.add(cargo{message: m}, extra)
}

// end lets the lane run dry and then ends the member's end.
func (a *lane) end(why error) { a.add(cargo{end: true, why: why}, 0) }

func (a *lane) add(c cargo, extra time.Duration) {
	c.due = time.Now().Add(a.line.world.net.signalingDelay())
	a.mu.Lock()
	if a.ended {
		a.mu.Unlock()
		return
	}
	a.ended = c.end
	if c.due.Before(a.last) {
		c.due = a.last
	}
	if extra == 0 {
		a.last = c.due
	}
	c.due = c.due.Add(extra)
	i := len(a.queue)
	for i > 0 && a.queue[i-1].due.After(c.due) {
		i--
	}
	a.queue = append(a.queue[:i], append([]cargo{c}, a.queue[i:]...)...)
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// clear loses what is under way.
func (a *lane) clear() {
	a.mu.Lock()
	a.queue, a.ended = nil, true
	a.mu.Unlock()
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

func (a *lane) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.queue) == 0 && !a.busy
}

// run delivers what is due until the lane or the line ends, or delivering fails.
// What a member has sent is delivered even when its end is over already.
func (a *lane) run(deliver func(signal.Message) error) {
	for {
		c, wait := a.next()
		var broken <-chan struct{}
		if a == a.line.down || wait < 0 {
			broken = a.line.broken
		}
		if wait != 0 {
			timer := time.NewTimer(max(wait, 0))
			due := timer.C
			if wait < 0 {
				due = nil
			}
			select {
			case <-due:
			case <-a.wake:
			case <-broken:
				timer.Stop()
				return
			}
			timer.Stop()
			continue
		}
		if c.end {
			a.line.finish(c.why)
			return
		}
		if !a.line.host.isSilent() && deliver(c.message) != nil {
			return
		}
		a.mu.Lock()
		a.busy = false
		a.mu.Unlock()
	}
}

// next returns what is due, or how long to wait: less than 0 when there is nothing.
func (a *lane) next() (cargo, time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return cargo{}, -1
	}
	c := a.queue[0]
	if wait := time.Until(c.due); wait > 0 {
		return cargo{}, wait
	}
	a.queue = a.queue[1:]
	a.busy = !c.end
	return c, 0
}
