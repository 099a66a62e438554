package turn

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// This file is what a connection to the server over TCP or TLS may cost.

const (
	// firstRelay is how long a TCP connection may take to its first allocation.
	firstRelay = 10 * time.Second
	// mostIntroduction is how many bytes it may take.
	mostIntroduction = 16 << 10
	// longestSilence is after how much silence a TCP connection is cut; its
	// allocation would have expired by then.
	longestSilence = 10 * time.Minute
	// longestWrite bounds one write to a TCP connection.
	longestWrite = 10 * time.Second
	// mostFrame is the most bytes of a message that pion takes.
	mostFrame = 1600
	// firstPause and longestPause are how long an Accept that fails waits for the next.
	firstPause, longestPause = 5 * time.Millisecond, time.Second
)

var (
	errIntroduction = errors.New("too much was said without an allocation")
	errFrame        = errors.New("neither STUN nor data of a channel, or too long")
)

// connections are those of all listeners. They are so many at a time; those that have no allocation
// give way to newer ones, silent ones first.
type connections struct {
	most, waiting int // all; of one address, without an allocation
	rate          int // bytes a second that one carries

	mu    sync.Mutex
	conns map[client]*boundedConn // nil: cut
}

func newConnections(limits Limits) *connections {
	return &connections{
		most: limits.Total, waiting: limits.Waiting, rate: limits.RelayRate, conns: make(map[client]*boundedConn),
	}
}

// boundedListener accepts as many as the connections of all listeners may be.
type boundedListener struct {
	net.Listener
	number int        // of the socket
	relays netip.Addr // where they are
	all    *connections
	ended  chan struct{}
	ending sync.Once
}

func (l *connections) listener(inner net.Listener, number int, relays netip.Addr) *boundedListener {
	return &boundedListener{Listener: inner, number: number, relays: relays, all: l, ended: make(chan struct{})}
}

// Accept closes what is too much. It fails only when the listener is closed: after any failure pion
// would accept no more, although most of them pass, such as that no file is free.
func (l *boundedListener) Accept() (net.Conn, error) {
	for pause := firstPause; ; {
		inner, err := l.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil:
			select {
			case <-l.ended:
				return nil, err
			case <-time.After(pause):
			}
			pause = min(2*pause, longestPause)
			continue
		}
		pause = firstPause
		c := l.all.bound(inner, clientAt(l.number, inner.RemoteAddr()))
		c.relays = l.relays
		out, in := l.all.add(c)
		if out != nil {
			abort(out.Conn) // it made room
		}
		if in {
			return c, nil
		}
		abort(inner)
	}
}

// Close implements [net.Listener].
func (l *boundedListener) Close() error {
	l.ending.Do(func() { close(l.ended) })
	return l.Listener.Close()
}

func (l *connections) bound(inner net.Conn, c client) *boundedConn {
	return &boundedConn{Conn: inner, all: l, client: c, from: c.prefix(), began: time.Now(), taken: takenPerSecond(l.rate)}
}

// add counts one in, and says which one goes for it.
func (l *connections) add(c *boundedConn) (out *boundedConn, in bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == nil {
		return nil, false
	}
	near := 0
	for _, other := range l.conns {
		if other.from == c.from && !other.settled {
			near++
		}
	}
	full := len(l.conns) >= l.most
	if near >= l.waiting || full {
		for _, other := range l.conns {
			if !other.settled && (other.from == c.from || near < l.waiting) && (out == nil || other.worseThan(out)) {
				out = other
			}
		}
		if out == nil {
			return nil, false // all have an allocation
		}
		delete(l.conns, out.client)
	}
	l.conns[c.client] = c
	return out, true
}

// settle notes whether a client has an allocation.
func (l *connections) settle(of client, has bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.conns[of]
	if c == nil || c.settled == has {
		return
	}
	c.settled, c.began = has, time.Now()
	_ = c.SetReadDeadline(c.until()) // of the read that waits
}

// cut ends all connections, and all to come.
func (l *connections) cut() {
	l.mu.Lock()
	conns := l.conns
	l.conns = nil
	l.mu.Unlock()
	for _, c := range conns {
		abort(c.Conn)
	}
}

// abort ends a connection at once: TLS would first say so, and wait 5 s for a client that does not
// read.
func abort(c net.Conn) {
	if secure, is := c.(interface{ NetConn() net.Conn }); is {
		c = secure.NetConn()
	}
	_ = c.Close() // it is over either way
}

type boundedConn struct {
	net.Conn
	all    *connections
	client client
	from   netip.Prefix
	relays netip.Addr  // where they are
	spoken atomic.Bool // something came
	taken  *rate.Limiter

	// Owned by Read.
	heard int    // bytes since it had no allocation
	begun []byte // what has come of the next messages

	// Owned by connections, behind its lock.
	settled bool      // it has an allocation
	began   time.Time // when that was so, or not
}

// worseThan reports whether c is to go before other.
func (c *boundedConn) worseThan(other *boundedConn) bool {
	if spoken := c.spoken.Load(); spoken != other.spoken.Load() {
		return !spoken
	}
	return c.began.Before(other.began)
}

// until is when what comes next must have come; the caller holds the lock of all.
func (c *boundedConn) until() time.Time {
	if c.settled {
		return time.Now().Add(longestSilence)
	}
	return c.began.Add(firstRelay)
}

// Read returns one whole message: pion keeps what is less, and calls itself for each further part.
// A client that sends too fast is read more slowly.
func (c *boundedConn) Read(b []byte) (int, error) {
	for {
		n, err := frameLength(c.begun)
		switch {
		case err != nil:
			return 0, err
		case n > len(b):
			return 0, io.ErrShortBuffer
		case n > 0 && n <= len(c.begun):
			copy(b, c.begun[:n])
			c.begun = append(c.begun[:0], c.begun[n:]...)
			return n, nil
		}
		if err = c.receive(); err != nil {
			return 0, err
		}
	}
}

// frameLength is how long the message is that begins so (RFC 8656 section 12.4, RFC 8489 section
// 5); 0: that cannot be told yet.
func frameLength(begun []byte) (n int, err error) {
	if len(begun) < 4 {
		return 0, nil
	}
	length := int(binary.BigEndian.Uint16(begun[2:]))
	switch begun[0] >> 6 {
	case 0: // STUN
		n = 20 + length
	case 1: // data of a channel
		n = 4 + (length+3)&^3
	}
	if n == 0 || n > mostFrame {
		return 0, errFrame
	}
	return n, nil
}

// receive waits for more of what has begun.
func (c *boundedConn) receive() error {
	c.all.mu.Lock()
	settled := c.settled
	_ = c.SetReadDeadline(c.until()) // a closed one says so below
	c.all.mu.Unlock()
	if c.begun == nil {
		c.begun = make([]byte, 0, mostFrame)
	}
	n, err := c.Conn.Read(c.begun[len(c.begun):cap(c.begun)])
	c.begun = c.begun[:len(c.begun)+n]
	if n > 0 {
		c.spoken.Store(true)
		err = nil // which comes again after that
	}
	if c.heard += n; settled {
		c.heard = 0
	}
	if c.heard > mostIntroduction {
		return errIntroduction
	}
	now := time.Now()
	time.Sleep(c.taken.ReserveN(now, n).DelayFrom(now))
	return err
}

// LocalAddr implements [net.Conn]; see relaysLike.
func (c *boundedConn) LocalAddr() net.Addr { return relaysLike(c.Conn.LocalAddr(), c.relays) }

func (c *boundedConn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(longestWrite)) // a closed one says so below
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close() // what follows half a message cannot be understood
	}
	return n, err
}

func (c *boundedConn) Close() error {
	c.all.mu.Lock()
	if c.all.conns[c.client] == c {
		delete(c.all.conns, c.client)
	}
	c.all.mu.Unlock()
	return c.Conn.Close()
}
