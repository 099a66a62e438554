package allocate

import (
	"slices"
	"time"
)

// Headers take 60 bytes of each packet: a twentieth of one that is full, and, because the last packet of a picture is not,
// some 6 kbit/s in addition.
const (
	headerPart = 20
	headerRate = 6_000
)

// wire returns what an encoder's bits per second are on the wire, and payload what an encoder may make for so much.
func wire(rate int) int    { return rate + rate/headerPart + headerRate }
func payload(wire int) int { return max(wire-headerRate, 0) * headerPart / (headerPart + 1) }

// margin returns what a leg must have to get more than it has, where need is enough to keep it.
func margin(need int) int { return need + need/5 }

// floor and ceiling return the least and the most that the encoder makes.
func (e *Encoding) floor() int {
	if e.Fixed {
		return e.Rate
	}
	return e.Min
}

func (e *Encoding) ceiling() int {
	if e.Fixed {
		return e.Rate
	}
	return e.Max
}

// floor returns the least, on the wire, with which the track has a picture.
func (t *Track) floor() int { return wire(t.Encodings[len(t.Encodings)-1].floor()) }

// suits returns the lowest encoding that is large enough for a picture of that height.
func (t *Track) suits(height int) int {
	suits := 0
	for e := range t.Encodings {
		if height > 0 && t.Encodings[e].Height >= height {
			suits = e
		}
	}
	return suits
}

// use returns the most that the cell's leg can use of the track, on the wire. If it has not got what suits it, that is at
// least what it must have to get it.
func (c *Cell) use(t *Track) int {
	suits := t.suits(c.Height)
	e := &t.Encodings[suits]
	most := wire(e.ceiling())
	if c.placed && c.Choice != suits {
		most = max(most, margin(wire(e.floor())))
	}
	return most
}

// place gives encoding e to the cells of track i that have no place yet and belong there.
func (p *Planner) place(now time.Time, legs []*Leg, t *Track, i, e int) {
	last := e == len(t.Encodings)-1
	need := p.need(now, legs, t, i, e, last)
	for _, l := range legs {
		c := l.Cells[i]
		if !t.open(l, c, e) {
			continue
		}
		enough := need
		if c.level(t) > e && !c.satisfied() {
			enough = margin(need)
		}
		if l.share >= enough || l.fresh(now) {
			c.goal = e
		}
	}
}

// open reports whether a cell has no place yet and could be at encoding e.
func (t *Track) open(l *Leg, c *Cell, e int) bool {
	return c != nil && l.State == Up && c.Height != 0 && c.goal == len(t.Encodings) && t.suits(c.Height) <= e
}

// level returns the place of what flows among the encodings, and the last place of all if nothing does.
func (c *Cell) level(t *Track) int {
	if c.Choice == Nothing {
		return len(t.Encodings)
	}
	return c.Choice
}

// need returns what a leg must have, on the wire, to get encoding e: its floor, and half of what the other legs have, of
// which the middle one counts, and for the last encoding the lower quartile.
func (p *Planner) need(now time.Time, legs []*Leg, t *Track, i, e int, last bool) int {
	enc := &t.Encodings[e]
	floor := wire(enc.floor())
	if enc.Fixed {
		return floor
	}
	p.shares = p.shares[:0]
	for _, l := range legs {
		if t.open(l, l.Cells[i], e) && !l.fresh(now) && l.share >= floor {
			p.shares = append(p.shares, min(l.share, wire(enc.Max)))
		}
	}
	n := len(p.shares)
	if n == 0 {
		return floor
	}
	slices.Sort(p.shares)
	if last {
		return max(floor, p.shares[(n-1)/4]/2)
	}
	return max(floor, p.shares[n/2]/2)
}

// satisfied reports whether the cell has what was wanted so far, so that it may get what is wanted now at once.
func (c *Cell) satisfied() bool {
	return !c.placed || c.Why == NotShown || c.Choice >= 0 && c.Choice == c.suited
}

// move brings a cell towards its goal, as fast as the rules allow.
func (c *Cell) move(now time.Time, l *Leg, t *Track) {
	level, suits := c.level(t), t.suits(c.Height)
	settled := now.Sub(c.changed) >= Shown // so that a receiver that changes its mind all the time is followed slowly
	switch {
	case c.Height == 0:
		if !c.placed || c.Choice == Nothing || settled {
			c.choose(now, Nothing, NotShown)
		}
		return
	case !c.placed || c.Why == NotShown: // it is new, or shown now
		c.choose(now, t.index(c.goal), TooLittle)
		c.suited = suits
	case suits > level || suits < level && c.satisfied() && c.goal < level: // it is shown smaller, or larger
		if settled {
			c.choose(now, t.index(c.goal), TooLittle)
			c.suited = suits
		}
	case c.goal == level:
		c.worse, c.better, c.suited = time.Time{}, time.Time{}, suits
	case c.goal > level:
		c.better = time.Time{}
		c.lower(now, l, t)
	default:
		c.worse = time.Time{}
		if c.better.IsZero() {
			c.better = now
		}
		if now.Sub(c.better) >= Recovery && now.Sub(c.changed) >= Recovery {
			c.choose(now, c.goal, TooLittle)
		}
	}
}

// lower gives the leg less, once it is time: the last encoding before nothing at all, and nothing only while the path is
// congested. What is known of a path that is not may be too little.
func (c *Cell) lower(now time.Time, l *Leg, t *Track) {
	e, last := &t.Encodings[c.Choice], len(t.Encodings)-1
	pauses := c.goal > last && c.Choice == last
	far := l.Congested && l.share < wire(e.floor())/2
	patience := Patience
	switch {
	case pauses && (!e.Fixed || !far):
		patience = Insisted
	case far && !pauses:
		patience = 0
	}
	if pauses && !l.Congested { // what was congested before is no reason: a leg above its share would get no key frame
		c.worse = time.Time{}
		return
	}
	if c.worse.IsZero() {
		c.worse = now
	}
	if now.Sub(c.worse) < patience || pauses && now.Sub(c.changed) < Recovery {
		return
	}
	c.choose(now, t.index(min(c.goal, max(last, c.Choice+1))), TooLittle)
}

// index is the inverse of level.
func (t *Track) index(level int) int {
	if level == len(t.Encodings) {
		return Nothing
	}
	return level
}

// choose sets what flows, and why if it is nothing.
func (c *Cell) choose(now time.Time, choice int, why Reason) {
	if choice != Nothing {
		why = Flows
	}
	if !c.placed || c.Choice != choice {
		c.changed = now
	}
	c.Choice, c.Why, c.placed = choice, why, true
	c.worse, c.better = time.Time{}, time.Time{}
}

// encode sets what encoding e of track i makes, and whether it is open.
func encode(now time.Time, legs []*Leg, t *Track, i, e int) {
	enc := &t.Encodings[e]
	known, fresh := 0, 0 // the smallest shares of legs that are known, and of new ones
	needed, less := false, false
	for _, l := range legs {
		c := l.Cells[i]
		switch {
		case c == nil || l.State == Down:
			continue
		case l.State == Coming:
			if c.Height != 0 && t.suits(c.Height) == e {
				needed, fresh = true, least(fresh, l.Target*3/4)
			}
			continue
		case c.Why == TooLittle && enc.Fixed && e == len(t.Encodings)-1: // to see what it makes now
			needed = true
			continue
		case !c.placed || c.Choice != e:
			continue
		}
		needed = true
		switch {
		case l.State != Up: // it is judged by what it had
		case c.goal > e:
			less = true
		case l.fresh(now):
			fresh = least(fresh, l.share)
		default:
			known = least(known, l.share)
		}
	}
	if known == 0 {
		known = fresh
	}
	switch {
	case enc.Fixed:
		enc.Target = enc.Rate
	case known > 0:
		enc.aim(payload(known))
	case less:
		enc.aim(enc.Min)
	default:
		enc.aim(enc.Target)
	}
	enc.settle(now, needed)
}

// thin sets what of the encoding the leg gets while it can take less than that costs: two layers of three are about
// three quarters of it, and one is about half.
func (c *Cell) thin(costs int, l *Leg) {
	c.Above, c.Layers = l.share < costs && !c.worse.IsZero(), AllLayers
	switch {
	case !c.Above:
	case l.share >= costs*3/4:
		c.Layers = 1
	default:
		c.Layers = 0
	}
}

// least returns the smaller of two shares, where 0 is none.
func least(a, b int) int {
	if a == 0 {
		return max(b, 1)
	}
	return max(min(a, b), 1)
}

// aim sets the target. A small step up would only keep the encoder busy.
func (e *Encoding) aim(rate int) {
	rate = max(min(rate, e.Max), e.Min)
	if rate > e.Target && rate < e.Max && rate-e.Target < e.Target/32 && e.Target >= e.Min {
		return
	}
	e.Target = rate
}

// settle opens the encoding at once and closes it late. A change each half second is the most that may come of it.
func (e *Encoding) settle(now time.Time, needed bool) {
	switch {
	case !e.seen:
		e.Open, e.seen, e.changed = needed, true, now
	case needed:
		e.unneeded = time.Time{}
		if !e.Open {
			e.Open, e.changed = true, now
		}
	case e.Open:
		if e.unneeded.IsZero() {
			e.unneeded = now
		}
		if now.Sub(e.unneeded) >= Linger && now.Sub(e.changed) >= Kept {
			e.Open, e.changed, e.unneeded = false, now, time.Time{}
		}
	}
}
