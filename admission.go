package noom

import (
	"slices"
	"time"

	"golang.org/x/time/rate"

	"noom/internal/mailbox"
)

// How fast the first connections to newcomers are built. A mesh of 16 never
// waits; a crowd that comes and goes costs no more than this.
const (
	admitPlaces   = 16 // being built
	admitBurst    = 32 // in a moment
	admitRate     = 8  // a second, after that
	admitPatience = 3 * time.Second
)

// admission says whose first connection is built when: a few at a time, first
// come, first served, one place for each. Whoever leaves the queue before its
// turn has cost nothing. Pure; time is passed in.
type admission[K comparable] struct {
	pace  *rate.Limiter
	open  map[K]time.Time // being built, since when
	queue []K
}

func newAdmission[K comparable]() *admission[K] {
	return &admission[K]{pace: rate.NewLimiter(admitRate, admitBurst), open: make(map[K]time.Time)}
}

// ask puts k into the queue, unless it is there.
func (a *admission[K]) ask(k K) {
	if !slices.Contains(a.queue, k) {
		a.queue = append(a.queue, k)
	}
}

// done says that k's connection is up, has failed, or is not wanted any longer.
func (a *admission[K]) done(k K) {
	delete(a.open, k)
	a.queue = slices.DeleteFunc(a.queue, func(o K) bool { return o == k })
}

// next returns whose turn it is now, and after which pause to ask again: 0 if
// nobody waits.
func (a *admission[K]) next(now time.Time) (turn []K, again time.Duration) {
	for k, since := range a.open {
		if now.Sub(since) >= admitPatience { // it may come up yet, but holds nobody up
			delete(a.open, k)
		}
	}
	for len(a.queue) > 0 && len(a.open) < admitPlaces && a.pace.AllowN(now, 1) {
		k := a.queue[0]
		a.queue = a.queue[1:]
		a.open[k] = now
		turn = append(turn, k)
	}
	if len(a.queue) == 0 {
		return turn, 0
	}
	if len(a.open) < admitPlaces {
		return turn, time.Second / admitRate
	}
	again = admitPatience
	for _, since := range a.open {
		again = min(again, admitPatience-now.Sub(since))
	}
	return turn, again
}

// newcomers lets the first connections to newcomers be built a few at a time. Its methods
// are the room's loop's.
type newcomers struct {
	mail      *mailbox.Mailbox // the room's
	admission *admission[*peer]
	timer     *time.Timer // until admission is asked again
}

// queue makes l wait for its turn.
func (n *newcomers) queue(l *peer) {
	n.admission.ask(l)
	n.next()
}

// done gives l's place to another.
func (n *newcomers) done(l *peer) {
	n.admission.done(l)
	n.next()
}

// next lets those build whose turn has come.
func (n *newcomers) next() {
	turn, again := n.admission.next(time.Now())
	for _, l := range turn {
		l.link.Admit()
	}
	if n.timer != nil {
		n.timer.Stop()
		n.timer = nil
	}
	if again > 0 {
		n.timer = time.AfterFunc(again, func() { n.mail.Post(n.next) })
	}
}
