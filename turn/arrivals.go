package turn

import (
	"context"
	"net"
	"net/netip"
	"sync"
)

// arrivals are the connections of a shared port that have not shown yet what they are. The oldest
// gives way to a newer one: of the same address if that has all it may, else of the address that
// has most.
type arrivals struct {
	perAddress, total int

	mu      sync.Mutex
	waiting map[*arrival]uint64 // and as which of all it came
	count   uint64
	ended   bool
}

// arrival is one of them.
type arrival struct {
	conn   net.Conn
	cancel context.CancelFunc // ends what it waits for besides its bytes
	from   netip.Prefix       // invalid: not bounded
}

func newArrivals(perAddress int) *arrivals {
	return &arrivals{perAddress: perAddress, total: 16 * perAddress, waiting: make(map[*arrival]uint64)}
}

// enter adds one, and ends another where it must.
func (l *arrivals) enter(conn net.Conn, cancel context.CancelFunc) *arrival {
	a := &arrival{conn: conn, cancel: cancel}
	if at := addrPortOf(conn.RemoteAddr()); !at.Addr().IsLoopback() {
		a.from = prefixOf(at)
	}
	l.mu.Lock()
	out := l.oneTooMany(a.from)
	if l.ended {
		out = a
	}
	delete(l.waiting, out)
	if out != a {
		l.count++
		l.waiting[a] = l.count
	}
	l.mu.Unlock()
	if out != nil {
		out.end()
	}
	return a
}

// oneTooMany is what has to go for one more from there, if anything. The caller holds l.mu.
func (l *arrivals) oneTooMany(from netip.Prefix) *arrival {
	near := make(map[netip.Prefix]int)
	for other := range l.waiting {
		near[other.from]++
	}
	switch {
	case from.IsValid() && near[from] >= l.perAddress:
		return l.oldest(from)
	case len(l.waiting) < l.total:
		return nil
	}
	most := from
	for p, n := range near {
		if n > near[most] {
			most = p
		}
	}
	return l.oldest(most)
}

func (l *arrivals) oldest(from netip.Prefix) (first *arrival) {
	for a, number := range l.waiting {
		if a.from == from && (first == nil || number < l.waiting[first]) {
			first = a
		}
	}
	return first
}

// leave takes one out that has shown what it is, and reports whether it had not been ended.
func (l *arrivals) leave(a *arrival) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, stays := l.waiting[a]
	delete(l.waiting, a)
	return stays
}

// close ends all, and all to come.
func (l *arrivals) close() {
	l.mu.Lock()
	all := l.waiting
	l.waiting, l.ended = make(map[*arrival]uint64), true
	l.mu.Unlock()
	for a := range all {
		a.end()
	}
}

func (a *arrival) end() {
	a.cancel()
	_ = a.conn.Close() // it is over either way
}
