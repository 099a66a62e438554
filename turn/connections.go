package turn

import (
	"errors"
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
)

var errIntroduction = errors.New("too much was said without an allocation")

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
	number int // of the socket
	all    *connections
}

// Accept closes what is too much.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := l.all.bound(inner, clientAt(l.number, inner.RemoteAddr()))
		out, in := l.all.add(c)
		if out != nil {
			_ = out.Close() // it made room
		}
		if in {
			return c, nil
		}
		_ = inner.Close() // it is refused either way
	}
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
		_ = c.Conn.Close() // it is over either way
	}
}

type boundedConn struct {
	net.Conn
	all    *connections
	client client
	from   netip.Prefix
	spoken atomic.Bool // something came
	taken  *rate.Limiter

	heard int // bytes since it had no allocation; owned by Read

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

// Read implements [net.Conn]. A client that sends too fast is read more slowly.
func (c *boundedConn) Read(b []byte) (int, error) {
	c.all.mu.Lock()
	settled := c.settled
	_ = c.SetReadDeadline(c.until()) // a closed one says so below
	c.all.mu.Unlock()
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.spoken.Store(true)
	}
	if c.heard += n; settled {
		c.heard = 0
	}
	if c.heard > mostIntroduction {
		return 0, errIntroduction
	}
	now := time.Now()
	time.Sleep(c.taken.ReserveN(now, n).DelayFrom(now))
	return n, err
}

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
