package negotiate_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"

	"noom/internal/negotiate"
	"noom/internal/pairtest"
)

var maxRebuilds = flag.Int("rebuilds", 3, "new epochs, in all, that the search lets begin; 4 takes four times as long")

// This search is about the turn machine alone. It visits every state that two
// machines, their connections and perfect FIFO links can reach within the
// bounds below, in whatever order wishes, restarts, rebuilds and deliveries
// happen. Package pairtest searches the whole link, with smaller bounds.
const (
	maxNeeds    = 2 // for each end
	maxRestarts = 1 // for each end
	maxLink     = 16
)

type kind uint8

const (
	offer kind = iota + 1
	restartOffer
	answer
	ask
	grant
)

var kindNames = [...]string{"", "offer", "offer(restart)", "answer", "ask", "grant"}

type epoch struct {
	number int8
	by     int8
}

func (e epoch) less(o epoch) bool {
	return e.number < o.number || e.number == o.number && e.by < o.by
}

type message struct {
	kind  kind
	id    int8
	epoch epoch
}

type end struct {
	machine  negotiate.Machine
	epoch    epoch
	pc       pairtest.Signaling
	unmet    bool // a wish since the last offer
	needs    int8
	restarts int8
}

type link struct {
	n        int8
	messages [maxLink]message
}

// state is one point of the search: two ends, and a link toward each.
type state struct {
	ends     [2]end
	toward   [2]link
	rebuilds int8
}

type step struct {
	from state
	what string
}

// world is a state being changed by one step; err is the first broken rule.
type world struct {
	state
	err error
}

func (w *world) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf(format, args...)
	}
}

func (w *world) send(from int, k kind, id int64) {
	l := &w.toward[1-from]
	if int(l.n) == maxLink {
		w.fail("link toward %d overflows", 1-from)
		return
	}
	l.messages[l.n] = message{k, int8(id), w.ends[from].epoch}
	l.n++
}

// call performs an operation on the connection of end i.
func (w *world) call(i int, op pairtest.Operation) {
	e := &w.ends[i]
	next, ok := pairtest.After(e.pc, op)
	if !ok {
		w.fail("end %d: %v in %v", i, op, e.pc)
		return
	}
	e.pc = next
}

// act carries actions out, as a driver does.
func (w *world) act(i int, actions []negotiate.Action) {
	e := &w.ends[i]
	for _, a := range actions {
		switch a.Kind {
		case negotiate.Offer:
			w.call(i, pairtest.SetLocalOffer)
			e.unmet = false
			k := offer
			if a.Restart {
				k = restartOffer
			}
			w.send(i, k, a.ID)
		case negotiate.Answer:
			w.call(i, pairtest.SetRemoteOffer)
			w.call(i, pairtest.SetLocalAnswer)
			w.send(i, answer, a.ID)
		case negotiate.Apply:
			w.call(i, pairtest.SetRemoteAnswer)
		case negotiate.Ask:
			w.send(i, ask, 0)
		case negotiate.Grant:
			w.send(i, grant, 0)
		case negotiate.Rebuild:
			w.fail("end %d reports that the other broke the rules", i)
		}
	}
}

func (w *world) deliver(i int) {
	l := &w.toward[i]
	m := l.messages[0]
	copy(l.messages[:], l.messages[1:])
	l.n--
	l.messages[l.n] = message{}
	e := &w.ends[i]
	if m.epoch.less(e.epoch) {
		return
	}
	if e.epoch.less(m.epoch) {
		// A new connection offers everything that was ever wanted.
		w.restart(i, m.epoch, negotiate.Machine{})
		if e.needs > 0 {
			w.act(i, e.machine.Need())
		}
	}
	switch m.kind {
	case offer, restartOffer:
		w.act(i, e.machine.Offered(int64(m.id), m.kind == restartOffer))
	case answer:
		w.act(i, e.machine.Answered(int64(m.id)))
	case ask:
		w.act(i, e.machine.Asked())
	case grant:
		w.act(i, e.machine.Granted())
	}
}

func (w *world) restart(i int, e epoch, m negotiate.Machine) {
	w.ends[i].epoch, w.ends[i].machine, w.ends[i].pc = e, m, pairtest.Stable
}

func (w *world) begin(i int) {
	e := w.ends[i].epoch
	w.restart(i, epoch{e.number + 1, int8(i)}, negotiate.Begin())
	w.act(i, w.ends[i].machine.Need())
}

// next calls try with every state one step away.
func (s state) next(try func(what string, w world)) {
	for i := range 2 {
		e := s.ends[i]
		if s.toward[i].n > 0 {
			m := s.toward[i].messages[0]
			w := world{state: s}
			w.deliver(i)
			try(fmt.Sprintf("%c gets %s %d of %v", 'A'+i, kindNames[m.kind], m.id, m.epoch), w)
		}
		if e.epoch.number > 0 && e.needs < maxNeeds {
			w := world{state: s}
			w.ends[i].needs++
			w.ends[i].unmet = true
			w.act(i, w.ends[i].machine.Need())
			try(fmt.Sprintf("%c needs to offer", 'A'+i), w)
		}
		if e.epoch.number > 0 && e.restarts < maxRestarts {
			w := world{state: s}
			w.ends[i].restarts++
			w.act(i, w.ends[i].machine.Restart())
			try(fmt.Sprintf("%c needs a restart", 'A'+i), w)
		}
		if s.rebuilds < int8(*maxRebuilds) {
			w := world{state: s}
			w.rebuilds++
			w.begin(i)
			try(fmt.Sprintf("%c begins an epoch", 'A'+i), w)
		}
	}
}

// settle delivers every message and checks the state of rest it reaches. It
// stops early at a state that is known to settle well.
func (s state) settle(good map[state]bool) error {
	w := world{state: s}
	for steps := 0; w.toward[0].n+w.toward[1].n > 0; steps++ {
		if good[w.state] {
			return nil
		}
		if steps > 200 {
			return fmt.Errorf("the messages never end")
		}
		good[w.state] = true // if it is not, the test fails
		if w.toward[0].n > 0 {
			w.deliver(0)
		} else {
			w.deliver(1)
		}
		if w.err != nil {
			return w.err
		}
	}
	a, b := &w.ends[0], &w.ends[1]
	switch {
	case a.epoch != b.epoch:
		return fmt.Errorf("at rest in epochs %v and %v", a.epoch, b.epoch)
	case a.epoch.number == 0:
		return nil
	case a.pc != pairtest.Stable || b.pc != pairtest.Stable:
		return fmt.Errorf("stuck: connections in states %v and %v", a.pc, b.pc)
	case !a.machine.Rest() || !b.machine.Rest() || a.unmet || b.unmet:
		return fmt.Errorf("stuck with a wish unmet")
	case a.machine.Turn() == b.machine.Turn():
		return fmt.Errorf("turn at A: %t, at B: %t", a.machine.Turn(), b.machine.Turn())
	}
	return nil
}

func TestSearchFindsNoGlare(t *testing.T) {
	start := state{}
	seen := map[state]step{start: {}}
	queue := []state{start}
	good := make(map[state]bool)
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		if err := s.settle(good); err != nil {
			t.Fatalf("%v, after\n%s", err, transcript(seen, s))
		}
		s.next(func(what string, w world) {
			if w.err != nil {
				t.Fatalf("%v, after\n%s  %s", w.err, transcript(seen, s), what)
			}
			n := w.normal()
			if _, ok := seen[n]; !ok {
				seen[n] = step{s, what}
				queue = append(queue, n)
			}
		})
		if t.Failed() {
			return
		}
	}
	t.Logf("%d states: no glare, nothing stuck, one turn at rest", len(seen))
	if len(seen) < 10_000 {
		t.Errorf("the search saw only %d states; it no longer reaches what it should", len(seen))
	}
}

// normal removes what no longer matters: messages that would be dropped.
func (w *world) normal() state {
	s := w.state
	for i := range s.toward {
		l, kept := &s.toward[i], link{}
		for _, m := range l.messages[:l.n] {
			if !m.epoch.less(s.ends[i].epoch) {
				kept.messages[kept.n] = m
				kept.n++
			}
		}
		*l = kept
	}
	return s
}

func transcript(seen map[state]step, s state) string {
	var lines []string
	for s != (state{}) {
		st := seen[s]
		lines = append(lines, "  "+st.what+"\n")
		s = st.from
	}
	var b strings.Builder
	for _, line := range slices.Backward(lines) {
		b.WriteString(line)
	}
	return b.String()
}
