package recovery_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"noom/internal/recovery"
)

var wayCount = flag.Int("ways", 3000, "how many random ways TestAnything goes")

// TestAnything lets a hundred random events happen and checks after each that
//
//   - the machine's connections, timers and peer state match its actions;
//   - there are at most two old connections, and one thing is being waited for;
//   - a link that is over or asleep has nothing left;
//   - something is under way while the hub reaches the peer and the peer is not connected.
func TestAnything(t *testing.T) {
	for seed := range uint64(*wayCount) {
		if goRandomWay(t, seed, nil); t.Failed() {
			return
		}
	}
}

// FuzzAnything lets the fuzzer choose the ways by the code that they reach.
func FuzzAnything(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { goRandomWay(t, seed, nil) })
}

func goRandomWay(t *testing.T, seed uint64, watch func(recovery.State, input, []recovery.Action, recovery.State)) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	w := &wanderer{desk: newDeskWith(t, []recovery.Options{goOptions, browserOptions}[seed%2]), rng: rng}
	w.watch = watch
	w.call("expect")
	for range 100 {
		what := w.something()
		w.way = append(w.way, what)
		w.settle()
		if wrong := w.wrong(); wrong != "" || t.Failed() {
			t.Errorf("seed %d: %s, after\n%s\n%+v", seed, wrong, strings.Join(w.way, "\n"), w.m.State())
			return
		}
		if w.m.Over() && !w.m.Asleep() {
			return
		}
	}
}

// wanderer is a desk to which anything happens that is possible.
type wanderer struct {
	*desk
	rng *rand.Rand
	way []string
}

// something lets an event happen and returns it in words.
func (w *wanderer) something() string {
	in := w.choose()
	switch in.Call {
	case "toggle":
		w.toggle()
		return fmt.Sprintf("facts: %+v", w.facts)
	case "elapsed":
		delete(w.armed, in.Timer)
	}
	w.said = nil
	w.on(in)
	return fmt.Sprintf("%+v: %s", callOf(in), strings.Join(w.said, ", "))
}

// toggle changes the facts. When we come back to a hub, it reports at once who is there.
func (w *wanderer) toggle() {
	switch w.rng.IntN(4) {
	case 0:
		w.facts.Expired = !w.facts.Expired
	case 1:
		w.facts.Wait = time.Duration(w.rng.IntN(2)) * time.Second
	default:
		if w.facts.Online = !w.facts.Online; w.facts.Online && !w.m.Asleep() {
			w.call([]string{"expect", "hubLost"}[w.rng.IntN(2)])
		}
	}
}

// choose returns an event that is possible now. Every kind of event comes up now and then.
func (w *wanderer) choose() input {
	for {
		in := input{Call: append(slices.Clone(calls), "toggle", "toggle")[w.rng.IntN(len(calls)+2)]}
		existing := append(slices.Clone(w.old), w.current)
		n := existing[w.rng.IntN(len(existing))]
		possible := true
		switch in.Call {
		case "begun", "exhausted", "released", "silent", "answered", "unanswered", "relayEnds", "ended", "wake":
			possible = false // happens only as an answer, or together with others
		case "unbuilt":
			possible = w.current != 0 && w.m.Alive() && w.rng.IntN(4) == 0 && !w.m.WasUp()
			if possible {
				w.current = 0
			}
		case "renewed":
			possible = !w.m.MustWait() && !w.m.Asleep()
			in.Conn = recovery.Number(w.rng.IntN(2)) * w.current
		case "peerBegins":
			possible = w.m.MustWait() && !w.m.Asleep()
		case "admitted":
			possible = w.queued
		case "spoiled", "dataOpened", "controlOpened":
			in.Conn = n
			possible = n != 0
		case "channelClosed":
			in.Conn, in.Data = n, w.rng.IntN(2) == 0
			possible = n != 0
		case "pathChanged":
			in.Conn, in.Path, in.Relayed = n, recovery.Path(1+w.rng.IntN(4)), w.rng.IntN(4) == 0
			possible = n != 0
		case "restarted":
			possible = w.m.Alive()
		case "credentialsLast":
			in.After = time.Duration(w.rng.IntN(3)) * time.Second
		case "networkChanged":
			in.Gone = w.rng.IntN(2) == 0
		case "elapsed":
			possible = len(w.armed) > 0
			if possible {
				in.Timer = sortedTimers(w.armed)[w.rng.IntN(len(w.armed))]
			}
		case "goodbye":
			possible = w.rng.IntN(16) == 0 && !w.m.Asleep()
		case "close":
			possible = w.rng.IntN(16) == 0
		case "sleep":
			possible = w.dropped || w.rng.IntN(16) == 0
		case "welcome", "expect":
			w.facts.Online = true
			possible = !w.m.Asleep()
		case "hubLost", "doubted", "fail", "restart":
			possible = !w.m.Asleep()
		default:
		}
		if possible {
			return in
		}
	}
}

func sortedTimers(armed map[recovery.Timer]time.Duration) (all []recovery.Timer) {
	for t := range recovery.Timers {
		if _, ok := armed[t]; ok {
			all = append(all, t)
		}
	}
	return all
}

// settle answers the machine for its driver and its room.
func (w *wanderer) settle() {
	for _, said := range w.said {
		switch said {
		case "comparePath":
			if w.rng.IntN(2) == 0 {
				w.call("silent")
			}
		case "checkProbe":
			w.call([]string{"answered", "unanswered"}[w.rng.IntN(2)])
		case "checkRelay":
			if w.rng.IntN(2) == 0 {
				w.call("relayEnds")
			}
		}
	}
	if w.dropped {
		w.dropped = false
		if w.m.Lost() {
			w.call("sleep")
		} else {
			w.call("welcome")
		}
	}
	switch {
	case w.m.Over():
		w.call("ended")
	case w.m.Asleep() && w.rng.IntN(2) == 0:
		w.facts.Online = true
		w.call("wake")
		w.call([]string{"expect", "welcome"}[w.rng.IntN(2)])
	}
}

// wrong returns what is wrong, or "".
func (w *wanderer) wrong() string {
	s := w.m.State()
	var old []recovery.Number
	for _, c := range s.Old {
		if c.Number != 0 {
			old = append(old, c.Number)
		}
	}
	waiting := 0
	for t, armed := range s.Armed {
		if _, ok := w.armed[recovery.Timer(t)]; ok != armed {
			return fmt.Sprintf("the armed timers are %v", w.armed)
		}
		if armed && recovery.Timer(t) <= recovery.Farewell {
			waiting++
		}
	}
	switch {
	case s.Current.Number != w.current || !slices.Equal(old, w.old):
		return fmt.Sprintf("the connections are %d and %d", w.current, w.old)
	case len(w.old) > recovery.MaxOld:
		return "too many old connections"
	case s.Peer != w.peer:
		return "the peer's state differs from that of the last SetState"
	case waiting > 1:
		return "several things are being waited for"
	case (s.Over || s.Asleep) && (len(w.armed) > 0 || w.current != 0 || len(w.old) > 0):
		return "something is left"
	case s.Over || s.Asleep || s.Left:
		return ""
	case s.Current.Up() && s.Current.Data && !s.Broken && s.Peer != recovery.Connected:
		return "the peer is not connected over a connection that works"
	case s.Facts.Online && !s.Lost && s.Peer != recovery.Connected && waiting == 0 && !w.queued:
		return "nothing is under way"
	}
	return ""
}
