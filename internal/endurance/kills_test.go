package endurance

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"noom/internal/longtest"
)

// TestHubKilled kills the hub with signal 9 again and again, and it comes back empty each
// time. The calls between four processes are not disturbed, they find back into their room
// each time, and a fifth process reaches all of them.
func TestHubKilled(t *testing.T) {
	longtest.Only(t)
	h := startPart(t, part{Role: "hub", Listen: "127.0.0.1:0"})
	address := h.awaitEvent("listening").Text
	join := func(name string) *process {
		return startPart(t, part{Role: "member", URL: "ws://" + address, Room: "데모", Name: name, Loopback: true})
	}
	var members []*process
	for _, name := range []string{"지우", "민준", "alice", "bob"} {
		members = append(members, join(name))
	}
	for _, m := range members {
		m.awaitConnected(len(members) - 1)
	}

	var took []time.Duration // from the hub's return until the room was complete
	var pause time.Duration
	for k := range *kills {
		h.kill()
		<-time.After(rand.N(time.Second)) // for so long the hub stays away
		h = startPart(t, part{Role: "hub", Listen: address})
		back := h.awaitEvent("listening").At
		if k%3 == 1 { // it is killed again while they come back
			<-time.After(rand.N(300 * time.Millisecond))
			continue
		}
		formed := back
		for _, m := range members {
			seen := m.await("signaling restored", func(n news) bool {
				return n.Event == "signaling restored" && n.At.After(back)
			})
			checkUndisturbed(t, m, seen)
			formed = laterTime(formed, seen[len(seen)-1].At)
		}
		took = append(took, formed.Sub(back))
		for _, m := range members {
			pairs, seen := m.report()
			checkUndisturbed(t, m, seen)
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
	messages := checkAllArrived(t, append(members, fifth))
	slices.Sort(took)
	t.Logf("%d kills: the room was complete p50 %v, p99 %v, at most %v after the hub's return; "+
		"%d messages, none lost, none twice, no pause above %v",
		*kills, quantile(took, 50), quantile(took, 99), took[len(took)-1], messages, pause)
}

// checkUndisturbed checks that a member's connections were not disturbed.
func checkUndisturbed(t *testing.T, m *process, seen []news) {
	t.Helper()
	for _, n := range seen {
		switch n.Event {
		case "signaling lost", "signaling restored", "report":
		default:
			t.Errorf("%s: %s %s, in a call that should not be disturbed", m.name, n.Event, n.Text)
		}
	}
}

// checkAllArrived makes all members stop sending, and checks that everything they sent has
// arrived.
func checkAllArrived(t *testing.T, members []*process) (messages uint64) {
	t.Helper()
	for _, m := range members {
		m.order("still")
	}
	var missing []string
	for deadline := time.Now().Add(patience); ; {
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
			t.Fatalf("not everything has arrived: %v", missing)
		}
	}
}

func laterTime(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// quantile returns the p-th percentile of sorted.
func quantile(sorted []time.Duration, p int) time.Duration {
	return sorted[min(len(sorted)*p/100, len(sorted)-1)]
}
