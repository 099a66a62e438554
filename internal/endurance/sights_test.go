package endurance

import (
	"fmt"
	"testing"
	"time"

	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/noomtest"
)

// TestBrowsersFitRealLinks: a browser and a member in Go see each other over a path that is cut and healed.
func TestBrowsersFitRealLinks(t *testing.T) {
	longtest.Only(t)
	for _, c := range []struct {
		kind   browsertest.Kind
		narrow noomtest.Link
		back   float64 // the share of what they sent that both send again soon after the heal, at least
	}{
		{browsertest.Chromium, narrowLink, mostBack},
		{browsertest.Firefox, noomtest.Link{Bandwidth: 1_000_000, Latency: usualLag}, mostBack},
		{browsertest.Firefox, narrowLink, 0},
	} {
		kind := c.kind
		t.Run(fmt.Sprintf("%v, %d kbit/s", kind, c.narrow.Bandwidth/1000), func(t *testing.T) {
			r, id := newServedRoad(t)
			page := startVisit(t, visit{Kind: kind, Name: "page", Others: 1, Counts: true}, r.inside("a")...)
			page.await(page.joined, "joined")
			gopher := startPart(t, part{
				Role: "member", URL: "wss://" + serverName + "/ws", Room: "데모", Name: "gopher", Roots: id.cert, Film: 1_500_000,
			}, r.inside("b")...)
			gopher.awaitConnected(1)
			page.await(page.seen, "saw everyone")
			r.cutAndHeal(c.narrow, c.back, sender{page.sees, browserLoss}, sender{func() sight {
				pairs, events := gopher.report()
				t.Logf("gopher says of the page: %s, %+v\n%s", pairs["page"].Quality, pairs["page"].Bandwidth, listNews(events))
				return sight{Decoded: pairs["page"].Frames}
			}, ownLoss})
			page.end()
		})
	}
}

// TestTwoTabsFitARealLink: two pages see each other over such a path.
func TestTwoTabsFitARealLink(t *testing.T) {
	longtest.Only(t)
	r, _ := newServedRoad(t)
	one := startVisit(t, visit{Kind: browsertest.Chromium, Name: "one", Others: 1, Counts: true}, r.inside("a")...)
	two := startVisit(t, visit{Kind: browsertest.Chromium, Name: "two", Others: 1, Counts: true}, r.inside("b")...)
	one.await(one.seen, "saw everyone")
	two.await(two.seen, "saw everyone")
	r.cutAndHeal(narrowLink, mostBack, sender{one.sees, browserLoss}, sender{two.sees, browserLoss})
	one.end()
	two.end()
}

// newServedRoad makes a road with an example server, whose name its hosts know.
func newServedRoad(t *testing.T) (*road, identity) {
	t.Helper()
	program := buildServer(t)
	r := newRoad(t, wideLink)
	for _, host := range []string{"a", "b"} {
		r.callServer(serverName, host)
	}
	id := newIdentity(t)
	startServer(t, append(r.inside("inet"), program, "-addr", serverIP+":443", "-tls-cert", id.cert, "-tls-key", id.key))
	return r, id
}

// mostBack is what comes back within 13 s. Of Firefox that was cut to 300 kbit/s that is not asked: the bound of noom.js
// (browser/bound.js), without which one frame a second comes through, is gone by then, and Firefox itself raises its
// picture again from 180 lines to 720 in its own time, in which half of the rate took between 13 and more than 25 s.
const mostBack = 0.5

// What a full queue may drop of what is sent, from some seconds after a cut on.
const (
	ownLoss = 0.05

	// Chromium fills the queue for three or four seconds when it is cut, and now and then again later, which dropped up
	// to 11 % in a window of ours. Its estimator looks at how delays grow, and while a queue is full they do not. Loss
	// alone it takes for the path's own up to 5 % + 100 kbit/s ÷ its rate, which is 38 % at 300 kbit/s, and it does not
	// go below what arrives (libwebrtc, loss_based_bwe_v2.cc). No reports of ours cause that: two pages lose 2 to 8 % of
	// what they send to each other. What does not follow a cut at all loses more than half.
	browserLoss = 0.25
)

// sender is one end of a road.
type sender struct {
	sees func() sight
	loss float64 // the share of what it sends that may be dropped
}

// cutAndHeal cuts a road in both directions, and heals it. Both ends go on to see the other's pictures, and what flows
// comes back. What a sends goes up, and what b sends goes down.
func (r *road) cutAndHeal(narrow noomtest.Link, back float64, a, b sender) {
	r.t.Helper()
	judge := func(what string, d time.Duration) (up, down traffic, fpsA, fpsB float64) {
		r.t.Helper()
		beforeA, beforeB, began := a.sees(), b.sees(), time.Now()
		r.up.reset()
		r.down.reset()
		<-time.After(d)
		up, down = r.up.reset(), r.down.reset()
		afterA, afterB, took := a.sees(), b.sees(), time.Since(began).Seconds()
		fpsA, fpsB = float64(afterA.Decoded-beforeA.Decoded)/took, float64(afterB.Decoded-beforeB.Decoded)/took
		r.t.Logf("%s: up %v, down %v; a sees %.1f frames a second, b %.1f", what, up, down, fpsA, fpsB)
		return up, down, fpsA, fpsB
	}
	judge("begin", 6*time.Second)
	upBefore, downBefore, _, _ := judge("2 Mbit/s", 4*time.Second)
	r.set(narrow)
	judge("the first 6 s of the cut", 5*time.Second)
	up, down, fpsA, fpsB := judge("then", 6*time.Second)
	if fpsA < leastFPS || fpsB < leastFPS {
		r.t.Errorf("after the cut %.1f and %.1f frames a second", fpsA, fpsB)
	}
	if up.loss() > a.loss || down.loss() > b.loss {
		r.t.Errorf("after the cut %v, %v", up, down)
	}
	r.set(wideLink)
	judge("the first 13 s of the heal", 12*time.Second)
	upAfter, downAfter, fpsA, fpsB := judge("then", 4*time.Second)
	if fpsA < leastFPS || fpsB < leastFPS {
		r.t.Errorf("after the heal %.1f and %.1f frames a second", fpsA, fpsB)
	}
	for way, both := range map[string][2]int{"up": {upBefore.bitrate(), upAfter.bitrate()}, "down": {downBefore.bitrate(), downAfter.bitrate()}} {
		if float64(both[1]) < back*float64(both[0]) {
			r.t.Errorf("%s: %d bit/s after the heal, %d before", way, both[1], both[0])
		}
	}
}
