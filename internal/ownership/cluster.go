package ownership

import (
	"maps"
	"slices"
)

// Times in ticks, of which a driver makes one each 500 ms.
const (
	youth       = 2   // after that a hub has heard all others
	deadAfter   = 6   // without a beat, unless the driver says something else
	doubtAfter  = 2   // without a beat, and the bus knows of nobody there
	crowd       = 200 // hubs; above that each beats at every fourth tick
	crowdPause  = 4
	crowdDeath  = 3 * crowdPause
	maxHubs     = 1024
	maxMarks    = 1024
	mostInBeats = 256 // marks
)

// A Cluster is what one hub hears of the others. The driver gives it a tick each 500 ms, and the beats and settled of
// others. Whenever the view has changed, each room is given the new one, and then Settle is called.
type Cluster struct {
	self     string
	age      int // ticks
	draining bool
	dead     int // ticks without a beat after which a hub is
	peers    map[string]*peer
	settled  int64 // the hash of the view on which this hub has settled
	view     *View
}

// A peer is another hub.
type peer struct {
	standing
	silence int   // ticks since its last beat
	deaf    int   // ticks since it has heard this hub
	settled int64 // the hash of its view
	doubted bool  // the bus knows of nobody there
}

// NewCluster returns a hub that has heard nobody. Its id is 32 digits of hexadecimal, new for each process.
func NewCluster(self string) *Cluster {
	c := &Cluster{self: self, dead: deadAfter, peers: map[string]*peer{}}
	c.look()
	return c
}

// DeadAfter sets after how many ticks without a beat a hub is dead: 6 if it is not called, 2 at least.
func (c *Cluster) DeadAfter(ticks int) { c.dead = max(ticks, doubtAfter) }

// View returns the view.
func (c *Cluster) View() *View { return c.view }

// Tick lets one tick pass. It reports whether the view has changed.
func (c *Cluster) Tick() (changed bool) {
	c.age++
	for hub, p := range c.peers {
		if p.silence++; p.silence >= c.patience() || p.doubted && p.silence >= doubtAfter {
			delete(c.peers, hub)
		}
		if p.deaf++; p.hearsUs {
			p.deaf = 0
		}
	}
	return c.look()
}

func (c *Cluster) patience() int {
	if len(c.peers) >= crowd {
		return max(crowdDeath, c.dead)
	}
	return c.dead
}

// Beat returns what all other hubs are told after a tick; due is false if nothing is. Of marks the first 256 are taken.
func (c *Cluster) Beat(marks []Mark) (m Message, due bool) {
	if len(c.peers) >= crowd && c.age%crowdPause != 0 && !c.draining {
		return Message{}, false
	}
	return Message{
		Type: TypeBeat, Hub: c.self, Hears: slices.Sorted(maps.Keys(c.peers)), Degree: c.view.hubs[c.self].degree, Draining: c.draining,
		View: c.settled, Marks: marks[:min(len(marks), mostInBeats)],
	}, true
}

// Take takes a beat or settled. It reports whether the view has changed.
func (c *Cluster) Take(m *Message) (changed bool) {
	p := c.peers[m.Hub]
	switch {
	case m.Hub == c.self:
		return false
	case m.Type == TypeSettled && p != nil:
		p.settled = m.View
	case m.Type == TypeBeat:
		if p == nil {
			if len(c.peers) >= maxHubs {
				return false
			}
			p = &peer{}
			c.peers[m.Hub] = p
		}
		deaf := p.deaf
		*p = peer{standing: standing{m.Degree, m.Draining, slices.Contains(m.Hears, c.self)}, settled: m.View}
		if !p.hearsUs {
			p.deaf = deaf
		}
	}
	return c.look()
}

// Heard says that something else than a beat has come from a hub since the last tick. So it lives, though its beats may be
// lost.
func (c *Cluster) Heard(hub string) {
	if p := c.peers[hub]; p != nil {
		p.silence = 0
	}
}

// Silent returns the hubs that have not beaten for so long that it is worth asking the bus whether anybody is there.
func (c *Cluster) Silent() (hubs []string) {
	most := doubtAfter
	if len(c.peers) >= crowd {
		most *= crowdPause
	}
	for hub, p := range c.peers {
		if p.silence > most {
			hubs = append(hubs, hub)
		}
	}
	return hubs
}

// Doubt says that the bus knows of nobody at a hub. If it does not beat either, it is dead sooner. It reports whether
// the view has changed.
func (c *Cluster) Doubt(hub string) (changed bool) {
	if p := c.peers[hub]; p != nil {
		p.doubted = true
		if p.silence >= doubtAfter {
			delete(c.peers, hub)
		}
	}
	return c.look()
}

// Drain lets this hub own nothing any longer. It reports whether the view has changed.
func (c *Cluster) Drain() (changed bool) {
	c.draining = true
	return c.look()
}

// Settle is called when each room was given that view and what followed was published. If it is still the current one,
// all hubs are told, and changed reports whether there is a new view, for the rooms that have waited for it.
func (c *Cluster) Settle(v *View) (m Message, ok, changed bool) {
	if v.hash != c.view.hash || c.settled == v.hash {
		return Message{}, false, false
	}
	c.settled = v.hash
	return Message{Type: TypeSettled, Hub: c.self, View: v.hash}, true, c.look()
}

// look finds the view. A hub that has not heard this one for as long as makes it dead is not in it, though it is heard: it
// has taken this one for dead, and would answer to nothing.
func (c *Cluster) look() (changed bool) {
	hubs := make(map[string]standing, len(c.peers)+1)
	own := standing{draining: c.draining, hearsUs: true}
	for hub, p := range c.peers {
		if p.deaf >= c.patience() {
			continue
		}
		hubs[hub] = p.standing
		if p.hearsUs {
			own.degree++
		}
	}
	hubs[c.self] = own
	v := newView(c.self, hubs)
	v.settled = c.age >= youth && c.settled == v.hash
	for hub, p := range c.peers {
		v.settled = v.settled && (!v.Has(hub) || p.settled == v.hash)
	}
	if c.view != nil && v.equal(c.view) {
		return false
	}
	c.view = v
	return true
}
