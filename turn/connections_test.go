package turn

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/stun/v4"
	pion "github.com/pion/turn/v5"

	"noom/signal"
)

// TCP connections to the server are as many as are allowed, and none is left when it ends. Silent
// ones go first.
func TestTURNConnectionsAreBounded(t *testing.T) {
	s := serveHere(t, false, Limits{PerMember: 1, Total: 3, Waiting: 2, RelayRate: 1000, TotalRate: 1000})
	dial := func() net.Conn {
		t.Helper()
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.at.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() }) // the server may have
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		return c
	}
	gone := func(what string, c net.Conn) {
		t.Helper()
		_, err := io.Copy(io.Discard, c)
		if timeout, is := errors.AsType[net.Error](err); is && timeout.Timeout() {
			t.Errorf("%s stays (%v)", what, err)
		}
	}
	told := s.ICEServers(t.Context(), signal.Member{ID: "member"})[1]
	member := newClientOver(t, s, pion.NewSTUNConn(dial()), told.Username, told.Credential)
	relay, err := member.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	silent := dial()
	asking := dial()
	answered := func() {
		t.Helper()
		_, _ = asking.Write(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw)
		if _, err := io.ReadFull(asking, make([]byte, 40)); err != nil {
			t.Fatalf("who has said something: %v", err)
		}
	}
	answered()
	newest := dial()
	gone("who says nothing", silent)
	another := dial()
	gone("who has said nothing yet, before who has", newest)
	answered()
	if _, err := relay.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(8, 8, 8, 8), Port: 9}); err != nil {
		t.Errorf("who has an allocation: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	gone("after the end, one", asking)
	gone("after the end, another", another)
}

// A connection that comes to nothing ends, and one may not say much before.
func TestTURNIntroduction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRelays(netip.Addr{}, netip.Addr{}, true, Limits{})
		l := newConnections(r.limits)
		r.settled = l.settle
		accept := func(port int) (*boundedConn, net.Conn) {
			here, there := net.Pipe()
			c := l.bound(here, clientAt(1, tcpFrom(port)))
			if out, in := l.add(c); out != nil || !in {
				t.Fatal("not let in")
			}
			return c, there
		}
		began := time.Now()
		c, _ := accept(1)
		if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(began) != firstRelay {
			t.Errorf("silent for %v: %v", time.Since(began), err)
		}
		c, there := accept(2)
		began = time.Now()
		go func() {
			for range 3 { // which do not put it off
				time.Sleep(firstRelay / 4)
				_, _ = there.Write([]byte{0})
			}
		}()
		var err error
		for err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		if time.Since(began) != firstRelay {
			t.Errorf("with a byte now and then: ended after %v", time.Since(began))
		}
		c, there = accept(3)
		go func() { _, _ = there.Write(make([]byte, 1<<20)) }()
		read := 0
		for err = nil; err == nil; {
			var n int
			n, err = c.Read(make([]byte, 1600))
			read += n
		}
		if !errors.Is(err, errIntroduction) || read > mostIntroduction {
			t.Errorf("%d bytes without an allocation: %v", read, err)
		}
		_ = there.Close() // ends the write

		// With an allocation there is time, and without it again there is not.
		c, _ = accept(4)
		began = time.Now()
		l.settle(clientAt(1, tcpFrom(4)), true)
		time.AfterFunc(longestSilence/2, func() { l.settle(clientAt(1, tcpFrom(4)), false) })
		if _, err := c.Read(make([]byte, 1)); err == nil || time.Since(began) != longestSilence/2+firstRelay {
			t.Errorf("ended after %v: %v", time.Since(began), err)
		}
	})
}

func tcpFrom(port int) *net.TCPAddr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: port} }

// pion gets whole messages however they come, because it calls itself for each part of one, and
// none that is too long for it.
func TestTURNMessagesAreWhole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newConnections(Limits{}.withDefaults())
		here, there := net.Pipe()
		c := l.bound(here, clientAt(1, tcpFrom(1)))
		request := stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewSoftware("지우")).Raw
		data := make([]byte, mostFrame)
		binary.BigEndian.PutUint16(data, 0x4001)
		binary.BigEndian.PutUint16(data[2:], mostFrame-4)
		short := []byte{0x40, 1, 0, 5, 1, 2, 3, 4, 5, 0, 0, 0}
		messages := [][]byte{request, data, short, {0x40, 1, 0, 0}, request}
		go func() {
			for _, b := range bytes.Join(messages, nil) {
				_, _ = there.Write([]byte{b}) // a failure shows below
			}
			_, _ = there.Write(bytes.Join(messages, nil))
		}()
		b := make([]byte, mostFrame)
		for i := range 2 * len(messages) {
			want := messages[i%len(messages)]
			if n, err := c.Read(b); err != nil || !bytes.Equal(b[:n], want) {
				t.Fatalf("message %d: %d bytes, %v, want %d", i, n, err, len(want))
			}
		}
		for what, begin := range map[string][]byte{
			"STUN that is too long":          {0, 1, 0xff, 0xfc},
			"STUN of a byte too much":        {0, 1, (mostFrame - 19) >> 8, (mostFrame - 19) & 0xff},
			"a channel's that is too long":   {0x40, 1, 0xff, 0xff},
			"a channel's of a byte too much": {0x40, 1, (mostFrame - 3) >> 8, (mostFrame - 3) & 0xff},
			"something else":                 {0x80, 0, 0, 0},
		} {
			here, there := net.Pipe()
			c := l.bound(here, clientAt(1, tcpFrom(2)))
			go func() { _, _ = there.Write(begin) }() // a failure shows below
			began := time.Now()
			if n, err := c.Read(b); !errors.Is(err, errFrame) || time.Since(began) != 0 {
				t.Errorf("%s: %d bytes, %v, after %v", what, n, err, time.Since(began))
			}
		}
	})
}

// A failing is a listener of which each Accept fails, until it is closed.
type failing struct {
	net.Listener
	tried  []time.Time
	closed atomic.Bool
}

func (l *failing) Accept() (net.Conn, error) {
	l.tried = append(l.tried, time.Now())
	if l.closed.Load() {
		return nil, net.ErrClosed
	}
	return nil, syscall.EMFILE
}

func (l *failing) Close() error {
	l.closed.Store(true)
	return nil
}

// A failure to accept is not the end of the server over TCP.
func TestTURNAcceptsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		inner := new(failing)
		l := newConnections(Limits{}.withDefaults()).listener(inner, 1, netip.Addr{})
		began := time.Now()
		time.AfterFunc(3*time.Second, func() { _ = l.Close() }) // never fails
		if c, err := l.Accept(); c != nil || err == nil {
			t.Errorf("accepted %v, %v", c, err)
		}
		if time.Since(began) != 3*time.Second {
			t.Errorf("ended %v after the beginning, want with its close", time.Since(began))
		}
		if n := len(inner.tried); n != 10 || inner.tried[1].Sub(began) != firstPause || inner.tried[9].Sub(inner.tried[8]) != longestPause {
			t.Errorf("tried %d times: %v", n, inner.tried)
		}
	})
}

// A polite connection says goodbye before it ends, as TLS does, to one who does not read.
type polite struct {
	net.Conn
	under net.Conn
}

func (c polite) NetConn() net.Conn { return c.under }

func (c polite) Close() error {
	time.Sleep(5 * time.Second)
	return c.under.Close()
}

// Who does not read its goodbye keeps nobody from being accepted, and not the server from its end.
func TestTURNConnectionsEndAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := newConnections(Limits{Waiting: 1}.withDefaults())
		inner := &pipes{branch: newBranch(tcpFrom(443))}
		l := all.listener(politely{inner}, 1, netip.Addr{})
		began := time.Now()
		for range 3 {
			inner.dial()
			if _, err := l.Accept(); err != nil {
				t.Fatal(err)
			}
		}
		all.cut()
		inner.dial()
		synctest.Wait()
		go func() { _, _ = l.Accept() }() // refuses it, and ends with the listener
		synctest.Wait()
		if time.Since(began) != 0 || len(all.conns) != 0 {
			t.Errorf("it took %v to end them; %d stay", time.Since(began), len(all.conns))
		}
		_ = l.Close() // never fails here
	})
}

type politely struct{ net.Listener }

func (l politely) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return polite{c, c}, nil
}
