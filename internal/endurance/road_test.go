package endurance

import (
	"context"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"noom/noomtest"
)

// A road is a lab of two hosts, of which a is behind a shaper:
//
//	a 20.0.1.2 -- shaper -- 20.0.1.1 Internet, server 20.0.0.1 -- 20.0.2.1 -- 20.0.2.2 b
//
// This process carries what goes through the shaper.
type road struct {
	*lab
	*shaper
}

func newRoad(t *testing.T, link noomtest.Link) *road {
	t.Helper()
	l := newLab(t)
	l.addSpace("a")
	l.addSpace("b")
	l.wire("inet", "to-b", "20.0.2.1/24", "b", "eth0", "20.0.2.2/24")
	l.in("b", "ip route add default via 20.0.2.1")
	ends := [2]io.ReadWriter{}
	for i, end := range [][3]string{{"a", "eth0", "20.0.1.2/24"}, {"inet", "to-a", "20.0.1.1/24"}} {
		name := fmt.Sprintf("noom%d.%d", labCount.Load(), i)
		ends[i] = openTUN(t, name)
		l.do(fmt.Sprintf("ip link set %s netns %s name %s", name, l.prefix+end[0], end[1]))
		l.in(end[0], fmt.Sprintf("ip addr add %s dev %s", end[2], end[1]))
		l.in(end[0], fmt.Sprintf("ip link set %s up", end[1]))
	}
	l.in("a", "ip route add default via 20.0.1.1")
	r := &road{l, newShaper(ends[0], ends[1])}
	r.set(link)
	return r
}

// takes lets time pass and returns what went over the upload of a.
func (r *road) takes(what string, d time.Duration) traffic {
	r.t.Helper()
	r.up.reset()
	<-time.After(d)
	got := r.up.reset()
	r.t.Logf("%s: %v", what, got)
	return got
}

// playDrink takes what a pour sends.
func playDrink(ctx context.Context, p part) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", p.Listen)
	if err != nil {
		return err
	}
	newReporter().report(news{Event: "drinks"})
	for {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go func() { _, _ = io.Copy(io.Discard, c) }() // until it is gone
	}
}

// playPour sends as much as TCP of this kernel sends, with CUBIC (RFC 9438), until it is killed.
func playPour(ctx context.Context, p part) error {
	c, err := (&net.Dialer{Control: useCubic}).DialContext(ctx, "tcp", p.Listen)
	if err != nil {
		return err
	}
	for b := make([]byte, 1<<14); ; {
		if _, err := c.Write(b); err != nil {
			return err
		}
	}
}
