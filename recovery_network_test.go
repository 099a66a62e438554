package noom_test

import (
	"net/netip"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"noom"
	"noom/internal/netwatch"
	"noom/noomtest"
	"noom/signal"
)

// moving is a call of two whose path and hub can go dead under it, as if the
// machine of the first had got another address, and can be notified of that.
type moving struct {
	a, b    noom.Room
	dead    sync.Map   // addresses of sockets whose packets are lost
	address netip.Addr // of the first
	changed func([]netip.Addr)
	silent  atomic.Bool // nothing gets through between the first and its hub as it is connected now
}

func inMotion(t *testing.T, f func(t *testing.T, m *moving)) {
	t.Helper()
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		m := &moving{}
		w.Filter(func(p noomtest.Packet) bool {
			_, from := m.dead.Load(p.From.String())
			_, to := m.dead.Load(p.To.String())
			return !from && !to
		})
		line := &wire{Dialer: w.Dialer("지우")}
		line.up = func(s signal.Message) []signal.Message {
			if m.silent.Load() && s.Type != signal.TypeJoin {
				return nil
			}
			m.silent.Store(false) // a new connection is a good one
			return []signal.Message{s}
		}
		stopped := make(chan struct{})
		watch := func(changed func([]netip.Addr)) (func(), error) {
			m.changed = changed
			return func() { close(stopped) }, nil
		}
		a, watched, err := noom.JoinWatching(t.Context(), line, "데모", w.config("지우", nil), watch)
		must(t, err)
		w.leaveAtEnd(a)
		if watched {
			t.Error("the machine's addresses are watched for a virtual network")
		}
		m.a, m.b = a, w.join("데모", "bob", nil)
		until(t, m.a, connected)
		until(t, m.b, connected)
		m.address = socketOf(t, m.a).Addr()
		f(t, m)
		_ = m.a.Leave(t.Context())
		<-stopped
	})
}

// breakPath makes the sockets that there are now useless.
func (m *moving) breakPath(t *testing.T) {
	t.Helper()
	for _, r := range []noom.Room{m.a, m.b} {
		m.dead.Store(socketOf(t, r).String(), true)
	}
}

// socketOf returns the address that r's connection to its only peer uses now.
func socketOf(t *testing.T, r noom.Room) netip.AddrPort {
	t.Helper()
	pair, err := r.Peers()[0].Connection().SCTP().Transport().ICETransport().GetSelectedCandidatePair()
	must(t, err)
	return netip.AddrPortFrom(netip.MustParseAddr(pair.Local.Address), pair.Local.Port)
}

// ufrag is different in each generation of ICE.
func (m *moving) ufrag() string { return ufragOf(m.a.Peers()[0]) }

// ufragOf returns what is different in each generation of ICE.
func ufragOf(p noom.Peer) string {
	return regexp.MustCompile(`a=ice-ufrag:\S+`).FindString(p.Connection().CurrentLocalDescription().SDP)
}

// restarted returns how long it is until ICE is restarted, a minute at most;
// data moves again then.
func (m *moving) restarted(t *testing.T, before string) (took time.Duration) {
	t.Helper()
	start := time.Now()
	for took < time.Minute && m.ufrag() == before {
		time.Sleep(10 * time.Millisecond)
		took = time.Since(start)
	}
	reach(t, m.a, m.b)
	reach(t, m.b, m.a)
	return took
}

func TestNetworkChanges(t *testing.T) {
	gone := []netip.Addr{netip.MustParseAddr("192.0.2.7")}
	for name, c := range map[string]struct {
		path, hub bool            // what breaks
		tell      func(m *moving) // how it is noticed
		least     time.Duration   // how long that takes, to know that it was this and nothing else
		most      time.Duration
	}{
		"the address is gone":           {true, false, func(m *moving) { m.changed(gone) }, 0, 100 * time.Millisecond},
		"the address and the hub":       {true, true, func(m *moving) { m.changed(gone) }, time.Second, 1500 * time.Millisecond},
		"another route":                 {true, false, func(m *moving) { m.changed([]netip.Addr{m.address}) }, 2 * time.Second, 2500 * time.Millisecond},
		"the application tells":         {true, false, func(m *moving) { m.a.NetworkChanged() }, 2 * time.Second, 2500 * time.Millisecond},
		"nobody tells, silence remains": {true, false, func(*moving) {}, 4 * time.Second, 8 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			inMotion(t, func(t *testing.T, m *moving) {
				before := m.ufrag()
				_ = m.b.Send(t.Context(), []byte("arrives after the change")) // and says nothing of the path as it is then
				synctest.Wait()
				m.breakPath(t)
				m.silent.Store(c.hub)
				c.tell(m)
				if took := m.restarted(t, before); took < c.least || took > c.most {
					t.Errorf("took %v, want %v to %v", took, c.least, c.most)
				}
			})
		})
	}
}

// A change that concerns no path restarts nothing, however often it comes.
func TestChangesThatDoNotMatter(t *testing.T) {
	inMotion(t, func(t *testing.T, m *moving) {
		before := m.ufrag()
		for range 1000 {
			m.changed([]netip.Addr{m.address, netip.MustParseAddr("192.0.2.7")})
		}
		time.Sleep(30 * time.Second)
		if m.ufrag() != before {
			t.Error("ICE was restarted")
		}
		if s := m.a.Peers()[0].State(); s != noom.PeerConnected {
			t.Errorf("the peer is %v", s)
		}
	})
}

// A machine that has slept finds hub and path dead within five seconds: the hub
// alone would take twenty by silence.
func TestSleepIsNoticed(t *testing.T) {
	inMotion(t, func(t *testing.T, m *moving) {
		var asleep atomic.Int64
		noom.SetClock(m.a, func() netwatch.Clock { // as if the monotonic clock had stood still
			c := netwatch.ReadClock()
			c.Wall = c.Wall.Add(time.Duration(asleep.Load()))
			return c
		})
		synctest.Wait()
		before := m.ufrag()
		m.breakPath(t)
		m.silent.Store(true)
		asleep.Store(int64(time.Hour))
		woke := time.Now()
		if took := m.restarted(t, before); took > 5*time.Second {
			t.Errorf("the path was restarted after %v", took)
		}
		if m.silent.Load() {
			t.Error("the hub was not dialled again")
		}
		if took := time.Since(woke); took > 8*time.Second {
			t.Errorf("data moved after %v", took)
		}
	})
}
