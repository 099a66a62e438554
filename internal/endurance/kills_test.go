package endurance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"noom/internal/longtest"
)

// A hub that is killed with -9 again and again, and comes back empty each
// time: four processes that talk to each other through it notice nothing, find
// back into their room each time, and a fifth reaches all of them.
func TestHubKilled(t *testing.T) {
	longtest.Only(t)
	h := start(t, part{Role: "hub", Listen: "127.0.0.1:0"})
	address := h.awaitEvent("listening").Text
	join := func(name string) *process {
		return start(t, part{Role: "member", URL: "ws://" + address, Room: "데모", Name: name, Loopback: true})
	}
	var members []*process
	for _, name := range []string{"지우", "민준", "alice", "bob"} {
		members = append(members, join(name))
	}
	for _, m := range members {
		m.awaitConnected(len(members) - 1)
	}

	var took []time.Duration // until the room was whole, from when the hub was back
	var pause time.Duration
	for k := range *kills {
		h.kill()
		<-time.After(rand.N(time.Second)) // how long the hub stays away
		h = start(t, part{Role: "hub", Listen: address})
		back := h.awaitEvent("listening").At
		if k%3 == 1 { // and is killed anew while they come back
			<-time.After(rand.N(300 * time.Millisecond))
			continue
		}
		formed := back
		for _, m := range members {
			seen := m.await("signaling restored", func(n news) bool { return n.Event == "signaling restored" && n.At.After(back) })
			calm(t, m, seen)
			formed = later(formed, seen[len(seen)-1].At)
		}
		took = append(took, formed.Sub(back))
		for _, m := range members {
			pairs, seen := m.report()
			calm(t, m, seen)
			if len(pairs) != len(members)-1 {
				t.Fatalf("%s has %d peers", m.name, len(pairs))
			}
			for _, p := range pairs {
				pause = max(pause, p.Pause)
			}
		}
		if t.Failed() {
			return
		}
	}

	fifth := join("늦은 손님")
	fifth.awaitConnected(len(members))
	for _, m := range members {
		m.await("the newcomer", func(n news) bool { return n.Event == "connected" && n.Text == fifth.name })
	}
	messages := settle(t, append(members, fifth))
	slices.Sort(took)
	t.Logf("%d kills: the room formed again p50 %v, p99 %v, at most %v after the hub was back; %d messages, none lost, none twice, no pause above %v",
		*kills, quantile(took, 50), quantile(took, 99), took[len(took)-1], messages, pause)
}

// calm checks that a member's connections were not touched.
func calm(t *testing.T, m *process, seen []news) {
	t.Helper()
	for _, n := range seen {
		switch n.Event {
		case "signaling lost", "signaling restored", "report":
		default:
			t.Errorf("%s: %s %s, under a call that should notice nothing", m.name, n.Event, n.Text)
		}
	}
}

// settle lets everyone stop and checks that all that was sent has come.
func settle(t *testing.T, members []*process) (messages uint64) {
	t.Helper()
	for _, m := range members {
		m.order("still")
	}
	var missing []string
	for deadline := time.Now().Add(within); ; {
		messages, missing = 0, nil
		all := map[string]map[string]tally{}
		for _, m := range members {
			all[m.name], _ = m.report()
		}
		for a, pairs := range all {
			for b, p := range pairs {
				messages += p.Sent
				if got := all[b][a].Received; got != p.Sent {
					missing = append(missing, fmt.Sprintf("%s to %s: %d of %d", a, b, got, p.Sent))
				}
			}
		}
		if len(missing) == 0 {
			return messages
		}
		if time.Now().After(deadline) {
			t.Fatalf("not all has come: %v", missing)
		}
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// quantile returns the p-th percentile of sorted.
func quantile(sorted []time.Duration, p int) time.Duration {
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}
