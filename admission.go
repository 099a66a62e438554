package noom

import (
	"slices"
	"time"

	"golang.org/x/time/rate"

	"noom/internal/mailbox"
)

// How fast the first connections to newcomers are built. A mesh of 16 never waits; a crowd that comes and goes costs no
// more than this.
const (
	admitPlaces   = 16              // being built at once
	admitBurst    = 32              // begun at once, after a pause
	admitRate     = 8               // a second, after that
	admitPatience = 3 * time.Second // then one that is being built no longer keeps others waiting
)

// admission decides when the first connection to each newcomer is built: a few at a time, first come, first served, one
// place for each. A newcomer that leaves the queue before its turn has cost nothing. Pure; time is passed in.
type admission[K comparable] struct {
	pace  *rate.Limiter
	open  map[K]time.Time // being built, since when
	queue []K
}

func newAdmission[K comparable]() *admission[K] {
	return &admission[K]{pace: rate.NewLimiter(admitRate, admitBurst), open: make(map[K]time.Time)}
}

// ask puts k into the queue, unless it is in it.
func (a *admission[K]) ask(k K) {
	if !slices.Contains(a.queue, k) {
		a.queue = append(a.queue, k)
	}
}

// done gives up k's place: its connection is up, has failed, or is no longer wanted.
func (a *admission[K]) done(k K) {
	delete(a.open, k)
	a.queue = slices.DeleteFunc(a.queue, func(o K) bool { return o == k })
}

// next returns those whose turn it is now, and the pause after which to call it again: 0 if none waits.
func (a *admission[K]) next(now time.Time) (turn []K, again time.Duration) {
	for k, since := range a.open {
		if now.Sub(since) >= admitPatience { // its connection may still come up, but others need not wait for it
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

// newcomers lets links build the first connections to newcomers a few at a time. The room's loop calls its methods.
type newcomers struct {
	mail      *mailbox.Mailbox // the room's
	admission *admission[*peer]
	timer     *time.Timer // until next is called again
}

// queue makes l wait for its turn.
func (n *newcomers) queue(l *peer) {
	n.admission.ask(l)
	n.next()
}

// done passes l's place on to another link.
func (n *newcomers) done(l *peer) {
	n.admission.done(l)
	n.next()
}

// next lets the links build whose turn has come.
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
