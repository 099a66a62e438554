package main

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// This file is what a TCP connection to the TURN server may cost.

const (
	// turnFirst is how long a TCP connection may take to its first allocation.
	turnFirst = 10 * time.Second
	// turnIntroduction is how many bytes it may take.
	turnIntroduction = 16 << 10
	// turnIdle is after how much silence a TCP connection is cut; its
	// allocation would have expired by then.
	turnIdle = 10 * time.Minute
	// turnWrite bounds one write to a TCP connection.
	turnWrite = 10 * time.Second
)

var errIntroduction = errors.New("too much was said without an allocation")

// boundedListener accepts so many connections at a time, ends those that are silent, and can cut
// them all. Those that have no allocation give way to newer ones, silent ones first.
type boundedListener struct {
	net.Listener
	most, waiting int // all; of one address, without an allocation
	rate          int // bytes a second that one carries

	mu    sync.Mutex
	conns map[string]*boundedConn // by client; nil: cut
}

func boundConnections(l net.Listener, limits turnLimits) *boundedListener {
	return &boundedListener{
		Listener: l, most: limits.total, waiting: limits.waiting, rate: limits.relayRate, conns: make(map[string]*boundedConn),
	}
}

// Accept closes what is too much.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		inner, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &boundedConn{Conn: inner, listener: l, client: clientOf(inner.RemoteAddr()), from: prefixOf(inner.RemoteAddr()), began: time.Now(), taken: takenPerSecond(l.rate)}
		out, in := l.add(c)
		if out != nil {
			_ = out.Close() // it made room
		}
		if in {
			return c, nil
		}
		_ = inner.Close() // it is refused either way
	}
}

// add counts one in, and says which one goes for it.
func (l *boundedListener) add(c *boundedConn) (out *boundedConn, in bool) {
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
func (l *boundedListener) settle(client net.Addr, has bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := l.conns[clientOf(client)]
	if c == nil || c.settled == has {
		return
	}
	c.settled, c.began = has, time.Now()
	_ = c.SetReadDeadline(c.until()) // of the read that waits
}

// cut ends all connections, and all to come.
func (l *boundedListener) cut() {
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
	listener *boundedListener
	client   string
	from     netip.Prefix
	spoken   atomic.Bool // something came
	taken    *rate.Limiter

	heard int // bytes since it had no allocation; owned by Read

	// Owned by the listener, behind its lock.
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

// until is when what comes next must have come; the caller holds the listener's lock.
func (c *boundedConn) until() time.Time {
	if c.settled {
		return time.Now().Add(turnIdle)
	}
	return c.began.Add(turnFirst)
}

// Read implements [net.Conn]. A client that sends too fast is read more slowly.
func (c *boundedConn) Read(b []byte) (int, error) {
	c.listener.mu.Lock()
	settled := c.settled
	_ = c.SetReadDeadline(c.until()) // a closed one says so below
	c.listener.mu.Unlock()
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.spoken.Store(true)
	}
	if c.heard += n; settled {
		c.heard = 0
	}
	if c.heard > turnIntroduction {
		return 0, errIntroduction
	}
	now := time.Now()
	time.Sleep(c.taken.ReserveN(now, n).DelayFrom(now))
	return n, err
}

func (c *boundedConn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(turnWrite)) // a closed one says so below
	return c.Conn.Write(b)
}

func (c *boundedConn) Close() error {
	c.listener.mu.Lock()
	if c.listener.conns[c.client] == c {
		delete(c.listener.conns, c.client)
	}
	c.listener.mu.Unlock()
	return c.Conn.Close()
}
