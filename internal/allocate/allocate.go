// Package allocate divides what each connection can carry among the tracks that are sent over it. It is a pure machine:
// time and measurements are passed in, and what it has to remember stands in what it is given.
//
// One encoder serves many connections, which its plan has to reconcile. A leg is one connection, a cell is what one leg
// gets of one track:
//
//   - Sound comes first and is always sent to who plays it.
//   - Then come the pictures, by priority. Those of one priority share what is left, each up to what it can use. Each
//     later one keeps its floor, if there is enough for that.
//   - An encoder makes no more than the slowest leg that it serves can take, and never less than its floor.
//   - So one slow leg would spoil the picture of everybody. With several encodings, a leg that can take less than half
//     of what most legs can (the median) gets a lower encoding. With one, or on the lowest, it gets no picture if it
//     can take less than the floor, or less than half of the lower quartile: with up to four legs the slowest is never
//     left out for the second reason, with up to eight only one is. A median would leave out half of the legs of a room
//     with one encoding, which is worse than a smaller rate for all.
//   - A leg whose receiver shows the picture small gets the lowest encoding that is large enough, and one whose receiver
//     does not show it gets none.
//   - An encoding that no leg needs is closed.
//   - A source that chooses its rate itself is sent until the path of a leg is congested by it, and its encoding stays
//     open while some leg has too little for it, because that rate may change.
//
// A leg that has just come up is not known yet: for [Start], unless its path is congested, it gets what there is, and
// slows down nobody. A leg that is interrupted keeps what it has, and begins again when it is back, because an outage
// says nothing of what the path can take. While a leg is being made, what it will get first is open already.
//
// Nothing flaps: a leg gets less when it had too little for [Patience], no picture when its path was congested as well
// for [Insisted], and more when it has had enough for [Recovery].
// Until then it gets fewer temporal layers, where the source has any.
// A picture that is shown again flows at once.
package allocate

import (
	"cmp"
	"slices"
	"time"
)

// The times of the rules above.
const (
	Start    = 5 * time.Second        // how long a new leg slows down nobody
	Patience = time.Second            // too little for so long: a lower encoding; none, if it is Fixed and far too much
	Recovery = 2 * time.Second        // enough for so long, and as long with what it has: a better encoding, or one at all
	Shown    = time.Second            // a choice lasts at least so long, although the receiver now shows less or more
	Linger   = 500 * time.Millisecond // an encoding that nobody needs is closed after so long
	Kept     = time.Second            // an encoding is open at least so long
	Insisted = 3 * time.Second        // too little for so long, over a congested path: no picture
)

// AudioOverhead is what the headers of a packet each 20 ms take beside that of RTP, in bits per second: 46 bytes each, of
// IPv4, UDP, SRTP and extensions.
const AudioOverhead = 46 * 50 * 8

// Nothing is the choice of a cell in which no encoding flows.
const Nothing = -1

// AllLayers is more temporal layers than there are.
const AllLayers = 7

// All is the height that a receiver wants who has not said what it shows.
const All = -1

// State says what use a leg's connection is.
type State uint8

// The states of a connection.
const (
	Down   State = iota // it is not up, or no longer
	Coming              // it is being made
	Held                // it was up and is interrupted
	Up
)

// Reason says why no encoding flows in a cell.
type Reason uint8

// The reasons.
const (
	Flows     Reason = iota // one does
	NotShown                // the receiver does not show it
	TooLittle               // the connection can take too little
)

// Leg is one connection. Its owner sets what is above the line, and Plan the rest.
type Leg struct {
	State     State
	Renewed   bool    // it has moved to another path since the last Plan
	Target    int     // bits per second that may be sent, all included
	Congested bool    // the path has a queue, or loses packets
	Cells     []*Cell // one for each track, in order; nil: the leg does not get that track

	// Want is how many bits per second, all included, the tracks could use if the path could take everything. With so much as
	// its Target, the leg gets everything, even what waits until there is somewhat more than it needs. It is 0 while
	// a source that chooses its rate itself sends more than Target, because what it sends should not be slowed down
	// before that is known to be too much.
	Want int

	up    bool      // at the last Plan
	since time.Time // when it came up
	rest  int       // what is not given to a track yet, on the wire
	share int       // what the track at hand may have, on the wire
}

// Cell is what one leg gets of one track. The zero Cell is one of which nothing is known.
type Cell struct {
	Height int // of the picture that the receiver shows; 0: none, All: not known

	Choice int // index of the encoding that flows, or Nothing
	Why    Reason
	Above  bool // the leg can take less than what flows
	Layers int  // the highest temporal layer to send, where the source has some

	placed  bool      // Choice and Why are set
	goal    int       // where the leg belongs now; len(Encodings): nowhere
	suited  int       // which encoding was large enough for Height, when that last mattered
	changed time.Time // when Choice changed
	worse   time.Time // since when the leg has had too little for Choice; zero: it has not
	better  time.Time // since when it has had enough for a better choice
}

// Encoding is one size of a track.
type Encoding struct {
	Height   int  // of its picture; 0: not known
	Min, Max int  // bits per second of the encoder, without packet headers
	Fixed    bool // the source chooses the rate
	Rate     int  // bits per second that it makes, with the headers of RTP, if it is Fixed

	Open   bool // somebody needs it
	Target int  // bits per second for the encoder

	seen     bool      // Open is set
	changed  time.Time // when Open changed
	unneeded time.Time // since when nobody has needed it; zero: somebody does
}

// Track is one track. Sound has one Encoding.
type Track struct {
	Video     bool
	Priority  int  // higher ones first
	Silent    bool // nothing is sent, whatever the plan
	Encodings []Encoding
}

// Planner makes plans. It holds only memory to work in. The zero Planner is ready.
type Planner struct {
	order  []int // indices of the tracks with pictures, the most important first
	shares []int
	uses   []int
}

// Plan sets what legs and tracks get from now on. It may be called at any time, and at least each 250 ms while a leg is
// up: what it delays needs another call.
func (p *Planner) Plan(now time.Time, legs []*Leg, tracks []*Track) {
	for _, l := range legs {
		l.begin(now)
	}
	for i, t := range tracks {
		if !t.Video {
			sound(legs, i, t)
		}
	}
	p.rank(tracks)
	for at := range p.order {
		p.picture(now, legs, tracks, at)
	}
	for _, l := range legs {
		l.want(tracks)
	}
}

// begin prepares a leg for a plan.
func (l *Leg) begin(now time.Time) {
	l.rest = l.Target
	up := l.State == Up
	begins := up && (!l.up || l.Renewed)
	if begins {
		l.since = now
	}
	if begins || l.State <= Coming {
		for _, c := range l.Cells {
			if c != nil {
				*c = Cell{Height: c.Height, Layers: AllLayers}
			}
		}
	}
	l.up = up
}

// fresh reports whether the leg is too new to be judged.
func (l *Leg) fresh(now time.Time) bool { return !l.Congested && now.Sub(l.since) < Start }

// soundPart is which part of what a leg can take a track of sound leaves free: a quarter.
const soundPart = 4

// sound plans a track of sound, which all legs get that play it. Its encoder makes what leaves the slowest of them a
// quarter.
func sound(legs []*Leg, i int, t *Track) {
	e := &t.Encodings[0]
	e.Open, e.seen, e.Target = true, true, e.ceiling()
	for _, l := range legs {
		if c := l.Cells[i]; c != nil {
			c.Choice, c.Why, c.Layers, c.placed = 0, Flows, AllLayers, true
			switch {
			case c.Height == 0:
				c.Choice, c.Why = Nothing, NotShown
			case l.State == Up && !e.Fixed:
				e.Target = max(min(e.Target, l.Target-l.Target/soundPart-AudioOverhead), e.Min)
			}
		}
	}
	if t.Silent || e.Target == 0 {
		return
	}
	for _, l := range legs {
		if c := l.Cells[i]; c != nil && c.Choice == 0 {
			l.rest = max(l.rest-e.Target-AudioOverhead, 0)
		}
	}
}

// rank puts the tracks with pictures in order.
func (p *Planner) rank(tracks []*Track) {
	p.order = p.order[:0]
	for i, t := range tracks {
		if t.Video && !t.Silent {
			p.order = append(p.order, i)
		}
	}
	slices.SortStableFunc(p.order, func(a, b int) int { return cmp.Compare(tracks[b].Priority, tracks[a].Priority) })
}

// picture plans the track at that place in the order.
func (p *Planner) picture(now time.Time, legs []*Leg, tracks []*Track, at int) {
	i := p.order[at]
	t := tracks[i]
	for _, l := range legs {
		if c := l.Cells[i]; c != nil && l.State == Up {
			l.share = p.shareOf(l, tracks, at)
			c.goal = len(t.Encodings)
		}
	}
	for e := range t.Encodings {
		p.place(now, legs, t, i, e)
	}
	for _, l := range legs {
		if c := l.Cells[i]; c != nil && l.State == Up {
			c.move(now, l, t)
		}
	}
	for e := range t.Encodings {
		encode(now, legs, t, i, e)
	}
	for _, l := range legs {
		if c := l.Cells[i]; c != nil && l.State == Up && c.Choice >= 0 {
			costs := wire(t.Encodings[c.Choice].Target)
			c.thin(costs, l)
			l.rest = max(l.rest-costs, 0)
		}
	}
}

// shareOf returns what a leg has for the track at that place: what is left, without the floors of later ones as far as
// they fit, and no more than an equal part among those of the same priority, which have what others cannot use.
func (p *Planner) shareOf(l *Leg, tracks []*Track, at int) int {
	t := tracks[p.order[at]]
	floor := t.floor()
	floors, reserved := 0, 0
	p.uses = p.uses[:0]
	for _, j := range p.order[at+1:] {
		c, later := l.Cells[j], tracks[j]
		if c == nil || c.Height == 0 {
			continue
		}
		need := later.floor()
		if floor+floors+need > l.rest {
			continue
		}
		floors += need
		if later.Priority == t.Priority {
			p.uses = append(p.uses, c.use(later))
		} else {
			reserved += need
		}
	}
	return min(l.rest-floors, max(partOf(l.rest-reserved, p.uses), floor))
}

// partOf divides what is there among one that can use all and others that can use so much.
func partOf(there int, uses []int) (part int) {
	for {
		rest, takers := there, 1
		for _, use := range uses {
			if use < part {
				rest -= use
			} else {
				takers++
			}
		}
		next := rest / takers
		if next <= part {
			return part
		}
		part = next
	}
}

// want sets what the leg's tracks could use.
func (l *Leg) want(tracks []*Track) {
	l.Want = 0
	fixed, flows, sound := false, 0, 0
	for i, t := range tracks {
		c := l.Cells[i]
		if c == nil || t.Silent {
			continue
		}
		if t.Video && c.Choice >= 0 {
			e := &t.Encodings[c.Choice]
			fixed, flows = fixed || e.Fixed, flows+wire(e.Target)
		}
		switch {
		case c.Height == 0:
		case t.Video:
			l.Want += c.use(t)
		case t.Encodings[0].ceiling() > 0:
			use := t.Encodings[0].ceiling() + AudioOverhead
			l.Want, sound = l.Want+use, max(sound, use*soundPart/(soundPart-1)+1)
		}
	}
	l.Want = max(l.Want, sound)
	if fixed && flows > l.Target {
		l.Want = 0
	}
}
