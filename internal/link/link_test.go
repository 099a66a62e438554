package link

import (
	"log/slog"
	"testing"
	"time"

	"noom/internal/conduct"
	"noom/internal/fanout"
	"noom/internal/iceservers"
	"noom/internal/inbound"
	"noom/internal/recovery"
	"noom/signal"
)

// room is a Host and a Report of which nothing is asked but what a link without a
// connection needs.
type room struct {
	Host
	Report

	states []recovery.Peer
}

func (r *room) Online() bool                          { return true }
func (r *room) Servers() *iceservers.Set              { return &iceservers.Set{} }
func (r *room) State(recovery.Peer, error)            {}
func (r *room) Note(string, ...any)                   {}
func (r *room) Yield()                                {}
func (r *room) WantsChanged()                         {}
func (r *room) TracksChanged(inbound.Diff)            {}
func (r *room) StateChanged(s recovery.Peer, _ error) { r.states = append(r.states, s) }

// TestGoneBeforeItWoke: a member that comes back and is removed before the loop's next turn
// stays gone, and one that is not removed is a peer again.
func TestGoneBeforeItWoke(t *testing.T) {
	for _, removed := range []bool{true, false} {
		var budgets fanout.KeyframeBudgets
		r := &room{}
		l := New(Config{
			Host: r, Report: r, Member: signal.Member{ID: "a"}, Log: slog.New(slog.DiscardHandler), Connect: time.Minute,
			Budget:  budgets.Of("a", time.Now()),
			Conduct: conduct.NewConducts().Of("a", func(string) bool { return true }, time.Now()),
		})
		l.Sleep()
		l.Depart()
		l.Wake()
		if removed {
			l.Close()
			l.Depart()
		}
		for _, f := range l.mail.Take() {
			f()
		}
		if gone := l.State() == recovery.Closed; gone != removed || len(r.states) > 0 == removed {
			t.Errorf("removed %v: gone %v, and states were reported: %v", removed, gone, r.states)
		}
		if err := l.Stream.TrySend("", nil); (err != nil) != removed {
			t.Errorf("removed %v: TrySend returned %v", removed, err)
		}
	}
}
