package hub

import (
	"net/netip"

	"noom/signal"
)

// A crowd counts connections by where they come from, so that one address
// cannot take all the places. The hub owns it, behind its lock.
type crowd struct {
	most  int // negative: no bound
	count map[netip.Prefix]int
}

// neighbourhood is what counts as one address; see [signal.Neighbourhood]. ok is
// false for what is not counted: no address, and loopback, where a proxy speaks for
// everyone.
func neighbourhood(a netip.Addr) (_ netip.Prefix, ok bool) {
	p := signal.Neighbourhood(a)
	return p, p.IsValid() && !a.Unmap().IsLoopback()
}

// add counts one more from there, or reports false if there are too many.
func (c *crowd) add(a netip.Addr) bool {
	p, ok := neighbourhood(a)
	switch {
	case !ok || c.most < 0:
		return true
	case c.count[p] >= c.most:
		return false
	}
	c.count[p]++
	return true
}

// remove takes back an add that succeeded.
func (c *crowd) remove(a netip.Addr) {
	p, ok := neighbourhood(a)
	if !ok || c.most < 0 {
		return
	}
	if c.count[p]--; c.count[p] == 0 {
		delete(c.count, p)
	}
}
