package noom

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// onLine joins the room r by a line of its own, that can be cut.
func (w *world) onLine(name string, cfg *Config) (Room, *wire) {
	w.t.Helper()
	direct := w.dialer
	line := &wire{Dialer: direct}
	w.dialer = line
	defer func() { w.dialer = direct }()
	return w.join("r", name, cfg), line
}

// Who cuts its line to the hub and keeps its connections is kicked, and sent away when its
// time is over, as if it had not.
func TestEvaders(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		w.authorised(map[string]hub.Grant{"host": {Rights: signal.AllRights()}, "": {}, "minute": {Expires: minuteAhead}})
		host := w.join("r", "host", &Config{Token: "host"})
		begun := time.Now()
		evader, line := w.onLine("evader", nil)
		brief, other := w.onLine("brief", &Config{Token: "minute"})
		for range 2 {
			until(t, host, connected)
		}
		until(t, brief, connected)
		line.cut(true)
		other.cut(true)
		time.Sleep(5 * time.Second)
		reach(t, evader, host)
		if err := host.Kick(t.Context(), evader.Self().ID); err != nil {
			t.Error(err)
		}
		if e := until[PeerLeft](t, host, nil); e.Reason != ReasonKicked || e.Member.ID != evader.Self().ID {
			t.Errorf("%s is gone: %s", e.Member.Name, e.Reason)
		}
		e := until[PeerLeft](t, host, nil)
		if after := time.Since(begun).Round(time.Second); e.Reason != ReasonExpired || e.Member.ID != brief.Self().ID || after != time.Minute {
			t.Errorf("%s is gone after %v: %s", e.Member.Name, after, e.Reason)
		}
	})
}

// Who has lost the hub itself while somebody is kicked drops that member when it is back.
func TestKickMissed(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		w.authorised(map[string]hub.Grant{"host": {Rights: signal.AllRights()}, "": {}})
		host := w.join("r", "host", &Config{Token: "host"})
		a, line := w.onLine("a", nil)
		evader, other := w.onLine("evader", nil)
		for _, r := range []Room{a, a, evader, evader} {
			until(t, r, connected)
		}
		line.cut(true)
		other.cut(true)
		time.Sleep(time.Second)
		if err := host.Kick(t.Context(), evader.Self().ID); err != nil {
			t.Error(err)
		}
		reach(t, evader, a) // which has not heard of it
		line.cut(false)
		if e := until[PeerLeft](t, a, nil); e.Reason != ReasonKicked || e.Member.ID != evader.Self().ID {
			t.Errorf("%s is gone: %s", e.Member.Name, e.Reason)
		}
		if n := len(a.Peers()); n != 1 {
			t.Errorf("%d peers are left", n)
		}
	})
}

// A hub that was started again knows nobody who has not come back. A kick reaches even those.
func TestKickAfterRestart(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		grants := map[string]hub.Grant{"host": {Rights: signal.AllRights()}, "": {}}
		var now atomic.Pointer[hub.Hub]
		open := func() {
			w.authorised(grants)
			now.Store(w.hub)
		}
		open()
		w.dialer = signal.DialerFunc(func(ctx context.Context) (Signaler, error) { return mem.Dialer(now.Load()).Dial(ctx) })
		host := w.join("r", "host", &Config{Token: "host"})
		evader, line := w.onLine("evader", nil)
		b := w.join("r", "b", nil)
		for _, r := range []Room{host, b, host, b} {
			until(t, r, connected)
		}
		line.cut(true)
		if err := w.hub.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		open()
		for _, r := range []Room{host, b} {
			until[SignalingRestored](t, r, nil)
			if n := len(r.Peers()); n != 2 {
				t.Fatalf("%d peers, want 2: a call outlives its hub", n)
			}
		}
		if err := host.Kick(t.Context(), evader.Self().ID); err != nil {
			t.Error(err)
		}
		for _, r := range []Room{host, b} {
			if e := until[PeerLeft](t, r, nil); e.Reason != ReasonKicked || e.Member.ID != evader.Self().ID {
				t.Errorf("%s is gone: %s", e.Member.Name, e.Reason)
			}
		}
	})
}

// Peers that the hub has lost stay while their connection lives, but take nobody's place: beyond
// what the room holds, those go that were lost first. Who comes back after that goes on as before.
func TestGhosts(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		const places = 4
		w.hub = hub.New(&hub.Config{Limits: signal.Limits{Members: places}})
		w.dialer = mem.Dialer(w.hub)
		host := w.join("r", "host", nil)
		var ghosts []Room
		var lines []*wire
		for _, name := range []string{"하나", "둘", "셋", "넷", "다섯", "여섯"} {
			ghost, line := w.onLine(name, nil)
			until(t, ghost, connected)
			line.cut(true)
			ghosts, lines = append(ghosts, ghost), append(lines, line)
			time.Sleep(time.Second)
			if n := len(host.Peers()); n > places-1 {
				t.Fatalf("%d peers in a room of %d", n, places)
			}
		}
		for i, ghost := range ghosts {
			if _, there := host.Peer(ghost.Self().ID); there != (i >= 3) {
				t.Errorf("%s is there: %v", ghost.Self().Name, there)
			}
		}
		late := w.join("r", "late", nil)
		until(t, late, connected)
		if _, there := host.Peer(ghosts[3].Self().ID); there {
			t.Error("a newcomer found no place")
		}
		lines[0].cut(false)
		until[SignalingRestored](t, ghosts[0], nil)
		reach(t, ghosts[0], host)
		reach(t, host, ghosts[0])
	})
}
