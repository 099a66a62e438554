package nats

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	natsgo "github.com/nats-io/nats.go"
)

const (
	longestFlush = time.Second // what Close waits for the server to have all
	arriving     = 4096        // messages between nats.go and our own queue, where they stay for an instant
)

var (
	// ErrCutOff is what [Bus.Publish] returns while no server is connected, and all methods once the bus is closed.
	ErrCutOff = errors.New("nats: cut off from the servers")
	// ErrUnreachable is what [Dial] returns if it could connect to no server.
	ErrUnreachable = errors.New("nats: no server can be reached")
	// ErrRefused is what [Dial] returns if the server does not take the credentials.
	ErrRefused = errors.New("nats: the server refuses the credentials")
	// ErrTooLarge says that a message is larger than the server takes, which is 1 MB by default.
	ErrTooLarge = errors.New("nats: message too large")
	// ErrFull says that Options.MaxPending wait for the server already. The message is lost.
	ErrFull = errors.New("nats: too much waits for the server")
	// ErrSubject says that a subject is not words of printable characters with dots between them. Wildcards are none.
	ErrSubject = errors.New("nats: not a subject")
)

// A Bus is what a hub has of NATS. All methods may be called from anywhere at any time.
type Bus struct {
	log       *slog.Logger
	in, out   *queue
	connected atomic.Bool
	largest   atomic.Int64 // what the server takes
	dropped   atomic.Uint64
	running   sync.WaitGroup // the goroutines of the bus, without the subscribers'

	options natsgo.Options
	arrived chan *natsgo.Msg

	mu     sync.Mutex
	conn   *natsgo.Conn
	subs   map[*subscription]struct{}
	closed bool
}

// A subscription outlives connections.
type subscription struct {
	subject   string
	f         func(data []byte)
	cancelled atomic.Bool
	sub       *natsgo.Subscription // owned by the bus, behind its lock
}

// Dial connects to one of the servers. Its errors are [ErrOptions], [ErrRefused] and [ErrUnreachable]. It takes two
// seconds for each server at most.
func Dial(o Options) (*Bus, error) {
	d, err := o.dialOptions()
	if err != nil {
		return nil, err
	}
	if o.MaxPending <= 0 {
		o.MaxPending = defaultPending
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	b := &Bus{
		log: o.Logger, in: newQueue(o.MaxPending), out: newQueue(o.MaxPending), options: d,
		arrived: make(chan *natsgo.Msg, arriving), subs: map[*subscription]struct{}{},
	}
	b.listen(&b.options)
	first := b.options
	first.RetryOnFailedConnect = o.Optional
	b.mu.Lock() // its callbacks may come at once
	b.conn, err = first.Connect()
	b.mu.Unlock()
	if err != nil {
		return nil, dialError(err)
	}
	b.options.RetryOnFailedConnect = true
	b.look(b.conn)
	b.running.Go(b.send)
	b.running.Go(b.sort)
	go b.deliver()
	return b, nil
}

func dialError(err error) error {
	for _, refused := range []error{natsgo.ErrAuthorization, natsgo.ErrAuthExpired, natsgo.ErrAuthRevoked, natsgo.ErrAccountAuthExpired, natsgo.ErrNkeysNotSupported} {
		if errors.Is(err, refused) {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, err)
}

// listen sets what nats.go calls, one after the other, on a goroutine of each connection.
func (b *Bus) listen(d *natsgo.Options) {
	d.ConnectedCB = func(c *natsgo.Conn) { b.look(c); b.log.Debug("nats: connected", "server", c.ConnectedAddr()) }
	d.ReconnectedCB = func(c *natsgo.Conn) {
		b.look(c)
		b.log.Info("nats: connected again", "server", c.ConnectedAddr())
	}
	d.DisconnectedErrCB = func(c *natsgo.Conn, err error) {
		b.look(c)
		if err != nil { // else Close was called
			b.log.Warn("nats: cut off from the server", "error", err)
		}
	}
	d.ReconnectErrCB = func(_ *natsgo.Conn, err error) { b.log.Debug("nats: cannot connect", "error", err) }
	d.AsyncErrorCB = func(_ *natsgo.Conn, _ *natsgo.Subscription, err error) { b.log.Warn("nats: error", "error", err) }
	d.ClosedCB = func(c *natsgo.Conn) { b.look(c); b.renew(c) }
}

// look notes how a connection is: each change of it is followed by a callback, the last one too.
func (b *Bus) look(c *natsgo.Conn) {
	status, largest := c.Status(), c.MaxPayload()
	b.mu.Lock()
	defer b.mu.Unlock()
	if c != b.conn {
		return
	}
	b.largest.Store(largest)
	b.connected.Store(status == natsgo.CONNECTED && !b.closed)
}

// renew replaces a connection that nats.go has given up, as it does when the server reports an error that it does not
// know.
func (b *Bus) renew(old *natsgo.Conn) {
	cause := old.LastError()
	timer := time.NewTimer(redialDelay(1))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.out.over:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || b.conn != old {
		return
	}
	b.log.Warn("nats: the server has ended the connection", "error", cause)
	c, err := b.options.Connect() // tries for ever
	if err != nil {
		b.log.Error("nats: cannot connect again", "error", err)
		return
	}
	b.conn = c
	for s := range b.subs {
		b.count(s)
		if s.sub, err = c.ChanSubscribe(s.subject, b.arrived); err != nil {
			b.log.Error("nats: cannot subscribe again", "error", err)
		}
	}
}

func (b *Bus) connection() *natsgo.Conn {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.conn
}

// Connected reports whether a server is connected.
func (b *Bus) Connected() bool { return b.connected.Load() }

// Dropped returns how many messages were lost in this process, because a subscriber was slow or the server took none.
func (b *Bus) Dropped() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.dropped.Load()
	for s := range b.subs {
		n += unsorted(s)
	}
	return n
}

// unsorted is how many messages nats.go could not hand over.
func unsorted(s *subscription) uint64 {
	if s.sub == nil {
		return 0
	}
	n, err := s.sub.Dropped()
	if err != nil {
		return 0 // it is closed
	}
	return uint64(n)
}

// count keeps that number before a subscription ends. The bus's lock is held.
func (b *Bus) count(s *subscription) { b.dropped.Add(unsorted(s)) }

// Close ends the bus, for good. What was published is sent first, if the server takes it within a second. It does not
// wait for a subscriber that is running.
func (b *Bus) Close() {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return
	}
	b.closed = true
	conn := b.conn
	b.mu.Unlock()
	if b.connected.Swap(false) {
		b.drain(conn)
	}
	close(b.in.over)
	close(b.out.over)
	conn.Close()
	b.running.Wait()
}

// drain waits until the server has what was published.
func (b *Bus) drain(conn *natsgo.Conn) {
	reached := make(chan struct{})
	if !b.out.push(parcel{reached: reached}) {
		return
	}
	timer := time.NewTimer(longestFlush)
	defer timer.Stop()
	select {
	case <-reached:
		_ = conn.FlushTimeout(longestFlush) // what is not there by then is lost
	case <-timer.C:
	}
}
