package conduct

import (
	"fmt"
	"testing"
	"time"
)

var epoch0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestConductBuilds: a member may have a burst of connections, then one every
// 2.5 s, and far fewer after it has flooded us.
func TestConductBuilds(t *testing.T) {
	c := NewConducts().Of("m", nil, epoch0)
	built := func(from, to time.Duration) (n int) {
		for at := from; at < to; at += 10 * time.Millisecond {
			if c.Build(epoch0.Add(at)) == 0 {
				n++
			}
		}
		return n
	}
	if n := built(0, 25*time.Second); n < BuildBurst+9 || n > BuildBurst+10 {
		t.Errorf("%d connections in 25 s", n)
	}
	if c.clean(epoch0.Add(25 * time.Second)) {
		t.Error("the member would be forgotten in the middle of a storm")
	}
	hour := 2 * time.Hour
	if !c.clean(epoch0.Add(hour)) {
		t.Error("the member is not forgotten although there is nothing to remember")
	}
	for i, want := range []time.Duration{10, 20, 40, 80, 160, 320, 600, 600} {
		at := epoch0.Add(hour + time.Duration(i)*15*time.Minute)
		c.Fault(at)
		if got := c.Build(at); got != want*time.Second {
			t.Errorf("after fault %d: a pause of %v, want %d s", i+1, got, want)
		}
		if c.Build(at.Add(want*time.Second)) != 0 {
			t.Errorf("after fault %d: no connection after the pause", i+1)
		}
	}
	if c.clean(epoch0.Add(hour + 106*time.Minute)) {
		t.Error("faults are forgotten within the hour")
	}
	at := epoch0.Add(hour + 4*time.Hour)
	if c.Fault(at); c.Build(at) != FaultPause {
		t.Error("old faults still count")
	}
}

// TestConductsBuild: many members together cannot make us build more than a room full of
// honest members needs.
func TestConductsBuild(t *testing.T) {
	cs := NewConducts()
	built := 0
	for at := time.Duration(0); at < 10*time.Second; at += 50 * time.Millisecond {
		for m := range 60 {
			if cs.Of(fmt.Sprint(m), nil, epoch0).Build(epoch0.Add(at)) == 0 {
				built++
			}
		}
	}
	if most := roomBuildBurst + 10*roomBuildRate; built > most || built < most-2 {
		t.Errorf("%d connections with 60 members in 10 s, want %d", built, most)
	}
}

// TestConductFrames: a flood of frames is dropped at first, and ends the link if it goes on.
func TestConductFrames(t *testing.T) {
	c := NewConducts().Of("m", nil, epoch0)
	count := map[FrameVerdict]int{}
	for range WorkBurst + ExcessBurst + 10 {
		count[c.Frame(epoch0)]++
	}
	if count[FrameTaken] != WorkBurst || count[FrameDropped] != ExcessBurst || count[FrameFloods] != 10 {
		t.Errorf("%v", count)
	}
	if !c.ByHub.AllowN(epoch0, 1) {
		t.Error("in-band frames count against frames by hub")
	}
	later := epoch0.Add(time.Second)
	if !c.Described(later, false) || !c.Described(later, true) {
		t.Error("a second later, a description and a restart are too much")
	}
	for range 2 {
		c.Described(later, true)
	}
	if c.Described(later, true) {
		t.Error("four restarts within a second are allowed")
	}
}

// TestConductsAreBounded: a flood of member ids neither fills a room's memory nor makes it
// forget a member's faults while there are members with nothing to remember.
func TestConductsAreBounded(t *testing.T) {
	cs := NewConducts()
	nobody := func(string) bool { return false }
	bad := cs.Of("bad", nobody, epoch0)
	bad.Fault(epoch0)
	for i := range 3 * maxConducts {
		cs.Of(fmt.Sprint(i), nobody, epoch0)
	}
	if len(cs.known) > maxConducts {
		t.Errorf("%d are remembered", len(cs.known))
	}
	if cs.Of("bad", nobody, epoch0) != bad {
		t.Error("the member that flooded us is forgotten before those that did nothing")
	}
	everybody := func(string) bool { return true }
	here := cs.Of("here", nobody, epoch0)
	for i := range 2 * maxConducts {
		c := cs.Of(fmt.Sprint("x", i), func(id string) bool { return id == "here" }, epoch0)
		c.Fault(epoch0)
	}
	if cs.Of("here", everybody, epoch0) != here || len(cs.known) > maxConducts {
		t.Errorf("of %d members, one that is present was forgotten", len(cs.known))
	}
}

// TestStaleStormInCrowd: ever new sessions of one member are heeded no oftener than connections may be
// built, also while connections wait for their turn.
func TestStaleStormInCrowd(t *testing.T) {
	c := NewConducts().Of("m", nil, epoch0)
	heeded := 0
	for range 200 {
		if c.Reborn(epoch0) { // and nothing is built
			heeded++
		}
	}
	if heeded != BuildBurst {
		t.Errorf("%d sessions were heeded in a moment", heeded)
	}
}
