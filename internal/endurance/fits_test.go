package endurance

import (
	"fmt"
	"testing"
	"time"

	"noom/internal/longtest"
	"noom/noomtest"
)

// The bounds of these tests have room for noise: a machine with two processors that does nothing else.
const (
	fullEnough = 0.7
	leastFPS   = 10
	mostQueue  = 200 * time.Millisecond
	usualLag   = 30 * time.Millisecond // one way
)

// The links of a cut.
var (
	wideLink   = noomtest.Link{Bandwidth: 2_000_000, Latency: usualLag}
	narrowLink = noomtest.Link{Bandwidth: 300_000, Latency: usualLag}
)

// TestCallsFitRealLinks: a call between two processes takes what a real path takes, and leaves its queue short.
func TestCallsFitRealLinks(t *testing.T) {
	longtest.Only(t)
	for _, rate := range []int{300_000, 1_000_000, 3_000_000} {
		t.Run(fmt.Sprintf("%d kbit/s", rate/1000), func(t *testing.T) {
			c := newCall(t, noomtest.Link{Bandwidth: rate, Latency: usualLag})
			c.takes("begin", 10*time.Second)
			got, fps := c.sees("then", 6*time.Second)
			used := float64(got.bitrate()) / float64(rate)
			if used < fullEnough || got.queue() > mostQueue || got.loss() > 0.02 || fps < leastFPS {
				t.Errorf("%.0f %% used, p95 queue %v, loss %v, %v frames a second", 100*used, got.queue(), got.loss(), fps)
			}
		})
	}
	for _, loss := range []float64{0.02, 0.05} {
		t.Run(fmt.Sprintf("loss of %.0f %%", 100*loss), func(t *testing.T) {
			const rate = 1_000_000
			c := newCall(t, noomtest.Link{Bandwidth: rate, Latency: usualLag, Loss: loss})
			c.takes("begin", 10*time.Second)
			got, fps := c.sees("then", 6*time.Second)
			least := map[float64]float64{0.02: 0.7, 0.05: 0.55}[loss]
			if used := float64(got.bitrate()) / rate; used < least || got.queue() > mostQueue || fps < leastFPS {
				t.Errorf("%.0f %% used, p95 queue %v, %v frames a second", 100*used, got.queue(), fps)
			}
		})
	}
}

// TestCallsFollowARealCut: the path is cut to 300 kbit/s and healed, and the call follows.
func TestCallsFollowARealCut(t *testing.T) {
	longtest.Only(t)
	c := newCall(t, wideLink)
	if got, _ := c.sees("2 Mbit/s", 10*time.Second); got.bitrate() < 1_000_000 {
		t.Errorf("%d bit/s of 2 Mbit/s", got.bitrate())
	}
	c.set(narrowLink)
	c.sees("the first 5 s after the cut", 5*time.Second)
	got, fps := c.sees("then", 6*time.Second)
	if got.queue() > mostQueue || got.loss() > 0.03 || fps < leastFPS || got.bitrate() < 150_000 {
		t.Errorf("after the cut: %v, %v frames a second", got, fps)
	}
	c.set(wideLink)
	c.takes("the first 13 s after the heal", 13*time.Second)
	if got, _ := c.sees("then", 4*time.Second); float64(got.bitrate()) < fullEnough*2_000_000 {
		t.Errorf("after the heal: %d bit/s", got.bitrate())
	}
}

// TestOneOfFourIsReallyCut: one of four members, of whom all speak and one shows herself in two sizes, has a narrow link
// from some time on. It sees her in motion and hears everybody, and the others do not notice it among each other.
func TestOneOfFourIsReallyCut(t *testing.T) {
	longtest.Only(t)
	const film, small, window, narrow, shown = 800_000, 150_000, 10 * time.Second, "지우", "bob"
	r := newRoad(t, wideLink)
	h := startPart(t, part{Role: "hub", Listen: serverIP + ":80"}, r.inside("inet")...)
	h.awaitEvent("listening")
	members := make(map[string]*process)
	for name, host := range map[string]string{narrow: "a", shown: "b", "carol": "b", "dave": "b"} {
		p := part{Role: "member", URL: "ws://" + serverIP, Room: "데모", Name: name, Speak: true}
		if name == shown {
			p.Film, p.Small = film, small
		}
		members[name] = startPart(t, p, r.inside(host)...)
	}
	for _, m := range members {
		m.awaitConnected(3)
	}
	reports := func() map[string]map[string]tally {
		all := make(map[string]map[string]tally)
		for by, m := range members {
			all[by], _ = m.report()
		}
		return all
	}
	// sees lets time pass, and calls f for each member and what it saw and heard of each other one meanwhile.
	sees := func(what string, f func(by, of string, fps, sound float64)) {
		before := reports()
		r.takes(what, window)
		for by, all := range reports() {
			for of, is := range all {
				was, seconds := before[by][of], window.Seconds()
				fps, sound := float64(is.Frames-was.Frames)/seconds, float64(is.Sound-was.Sound)/seconds/50
				t.Logf("%s: %s of %s: %.1f frames a second, the longest pause %v, %.0f %% of the sound; %+v", what, by, of, fps,
					is.Still.Round(time.Millisecond), 100*sound, is.Bandwidth)
				f(by, of, fps, sound)
			}
		}
	}
	r.takes("begin", 15*time.Second)
	r.set(narrowLink)
	r.takes("the first 5 s of the cut", 5*time.Second)
	sees("then", func(by, of string, fps, sound float64) {
		least, whole := 27.0, 0.98
		if by == narrow || of == narrow {
			least, whole = leastFPS, 0.9
		}
		if of == shown && fps < least || sound < whole {
			t.Errorf("%s sees %s at %.1f frames a second and hears %.0f %%", by, of, fps, 100*sound)
		}
	})
}

// TestCallsLiveBesideRealTCP: a flow of the kernel's TCP that always has something to send does not starve a call.
func TestCallsLiveBesideRealTCP(t *testing.T) {
	longtest.Only(t)
	const rate = 2_000_000
	c := newCall(t, noomtest.Link{Bandwidth: rate, Latency: usualLag})
	c.takes("alone", 7*time.Second)
	flow := part{Role: "drink", Listen: serverIP + ":9000"}
	startPart(t, flow, c.inside("inet")...).awaitEvent("drinks")
	flow.Role = "pour"
	startPart(t, flow, c.inside("a")...)
	c.sees("the first 8 s beside TCP", 8*time.Second)
	got, fps := c.sees("then", 10*time.Second)
	if share := float64(got.bitrate()) / rate; share < 0.2 || fps < leastFPS {
		t.Errorf("%.0f %% beside TCP, %v frames a second", 100*share, fps)
	}
	if share := float64(8*got.tcp) / got.time.Seconds() / rate; share < 0.2 {
		t.Errorf("%.0f %% are left for TCP", 100*share)
	}
}

// call is one over a road, between two members that show each other films.
type call struct {
	*road
	a, b *process
}

func newCall(t *testing.T, link noomtest.Link) *call {
	t.Helper()
	r := newRoad(t, link)
	h := startPart(t, part{Role: "hub", Listen: serverIP + ":80"}, r.inside("inet")...)
	h.awaitEvent("listening")
	join := func(host, name string) *process {
		return startPart(t, part{Role: "member", URL: "ws://" + serverIP, Room: "데모", Name: name, Film: 4_000_000}, r.inside(host)...)
	}
	c := &call{road: r, a: join("a", "지우"), b: join("b", "bob")}
	c.a.awaitConnected(1)
	c.b.awaitConnected(1)
	return c
}

// sees lets time pass, and returns what went over the upload of a and how many frames a second of it could be shown.
func (c *call) sees(what string, d time.Duration) (traffic, float64) {
	c.t.Helper()
	before, _ := c.b.report()
	got := c.takes(what, d)
	after, events := c.b.report()
	own, _ := c.a.report()
	fps := float64(after["지우"].Frames-before["지우"].Frames) / d.Seconds()
	c.t.Logf("%s: %.1f frames a second, the longest pause %v; a says of b: %s, %+v", what, fps,
		after["지우"].Still.Round(time.Millisecond), own["bob"].Quality, own["bob"].Bandwidth)
	if len(events) > 0 {
		c.t.Logf("b says:\n%s", listNews(events))
	}
	return got, fps
}
