package hub

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Cluster says how a hub and others are one: a member enters at any of them, and everything that [Hub] can do to a room can
// be done at any of them. Each room is stepped at one hub, which all compute alike. When that ends without a word, another
// takes the room over with all that its members' hubs know of it: its order, lock, kicks and last chats.
//
// All hubs of a cluster need the same Name, Limits and kind of Authorize, and clocks that agree within seconds. They trust
// each other and what the Backplane carries: whoever can publish there can do to the rooms what a hub can.
//
// A hub of a cluster ends with [Hub.Shutdown]. Until then it works for the others, though it may have no connections.
type Cluster struct {
	// Backplane carries what hubs say to each other, such as a Bus of noom/transport/nats. Necessary. The hub does not close
	// it.
	Backplane Backplane

	// Name distinguishes clusters that share a backplane: 1 to 64 letters, digits, - or _. Empty: "noom".
	Name string

	// Beat is how often a hub says that it lives. All times between hubs are counted in beats, so all hubs need the same. 0:
	// 500 ms. Least: 50 ms, most: 10 s.
	Beat time.Duration

	// Dead is after which silence a hub counts as dead, in whole beats. Too short a time takes a starved machine for a dead
	// one. 0: six beats, which is 3 s. Least: three beats, most: 100.
	Dead time.Duration

	// Optional lets the hub begin where the backplane cannot be reached: alone, until it can. A backplane that is lost
	// later never ends a hub: those on each side of the cut go on without the others, and unite when it has healed.
	Optional bool
}

// Backplane is what hubs have between them. noom/transport/nats has one, and noom/transport/mem one for tests. Its methods
// may be called from anywhere at any time.
type Backplane interface {
	// Publish sends data, which the caller may use again, to whoever subscribes to the subject: at most once, and what
	// one publisher sends in order, whatever the subjects. It never waits. An error says that the message is lost.
	// Subjects are words of letters, digits, - and _ with dots between them.
	Publish(subject string, data []byte) error

	// Subscribe calls f with each message for the subject, until cancel is called; one after the other, also for several
	// subscriptions. f keeps data, which nobody changes.
	Subscribe(subject string, f func(data []byte)) (cancel func(), err error)
}

// A ProbingBackplane is a Backplane that knows where nobody is. With one, a hub whose process has died counts as dead after
// two beats and a half or so, and not only after Cluster.Dead. Those of noom/transport/nats and noom/transport/mem are.
type ProbingBackplane interface {
	Backplane

	// Probe calls absent, later and on another goroutine, if nobody subscribes to the subject, and never if that cannot be
	// known. Subscribers get nothing. It never waits. An error says that nothing was asked.
	Probe(subject string, absent func()) error
}

var (
	// ErrCluster is inside what [Open] returns when Config.Cluster is wrong, so that trying again is of no use.
	ErrCluster = errors.New("hub: wrong Cluster")
	// ErrBackplane is inside what [Open] returns when the backplane cannot be reached: try again, or set Optional.
	ErrBackplane = errors.New("hub: the backplane cannot be reached")
	// ErrNoOwner says that the hub which has the room does not answer, for 5 s. The rooms of a hub that has died are at
	// another by then, so try again.
	ErrNoOwner = errors.New("hub: the hub that has the room does not answer")
)

const (
	mostClusterName = 64 // bytes
	leastDeadBeats  = 3
	mostDeadBeats   = 100
)

// withDefaults returns c with every zero filled in, or says what is wrong with it.
func (c *Cluster) withDefaults() (Cluster, error) {
	d := *c
	if d.Backplane == nil {
		return d, fmt.Errorf("%w: it needs a Backplane", ErrCluster)
	}
	if d.Name == "" {
		d.Name = "noom"
	}
	if len(d.Name) > mostClusterName || strings.ContainsFunc(d.Name, func(r rune) bool { return !subjectRune(r) }) {
		return d, fmt.Errorf("%w: Name %.80q is not 1 to %d letters, digits, - or _", ErrCluster, d.Name, mostClusterName)
	}
	d.Beat = min(max(orDefault(d.Beat, 500*time.Millisecond), 50*time.Millisecond), 10*time.Second)
	d.Dead = min(max(orDefault(d.Dead, 6*d.Beat), leastDeadBeats*d.Beat), mostDeadBeats*d.Beat)
	return d, nil
}

func subjectRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}
