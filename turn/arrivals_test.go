package turn

import (
	"context"
	"fmt"
	"net"
	"testing"
)

// A noted is a connection that notes its end.
type noted struct {
	net.Conn
	from  string
	ended bool
}

func (c *noted) RemoteAddr() net.Addr {
	a, err := net.ResolveTCPAddr("tcp", c.from)
	if err != nil {
		panic(err) // the tests' addresses are good
	}
	return a
}

func (c *noted) Close() error {
	c.ended = true
	return nil
}

// Of connections that do not say what they are, an address has so many, and all have so many. The
// oldest go: of an address that has too many, or has most.
func TestArrivalsAreBounded(t *testing.T) {
	l := newArrivals(2) // 32 in all
	canceled := 0
	come := func(from string) (*noted, *arrival) {
		c := &noted{from: from}
		return c, l.enter(c, func() { canceled++ })
	}
	first, gone := come("192.0.2.7:1")
	second, stays := come("192.0.2.7:2")
	third, _ := come("[::ffff:192.0.2.7]:3")
	if !first.ended || second.ended || third.ended || canceled != 1 {
		t.Errorf("ended: %v, %v, %v, want the oldest of one address", first.ended, second.ended, third.ended)
	}
	if l.leave(gone) || !l.leave(stays) {
		t.Error("which has been ended is unknown")
	}
	fourth, _ := come("192.0.2.7:4")
	if third.ended {
		t.Error("one that has left is counted")
	}
	for i := range 30 { // behind a proxy on this machine
		if c, _ := come(fmt.Sprint("127.0.0.1:", i+1)); c.ended {
			t.Fatalf("number %d from loopback ended", i)
		}
	}
	if third.ended || fourth.ended {
		t.Fatal("ended before all places were taken")
	}
	for i := range 40 {
		if c, _ := come(fmt.Sprintf("192.0.2.%d:1", i+10)); c.ended {
			t.Errorf("number %d from an address of its own ended at once", i)
		}
	}
	if len(l.waiting) != 32 {
		t.Errorf("%d wait, want 32", len(l.waiting))
	}
	l.close()
	if len(l.waiting) != 0 {
		t.Errorf("%d wait after the end", len(l.waiting))
	}
	ctx, cancel := context.WithCancel(t.Context())
	late := &noted{from: "192.0.2.7:5"}
	l.enter(late, cancel)
	if !late.ended || ctx.Err() == nil {
		t.Error("one that came after the end stays")
	}
}
