package bandwidth

import (
	"testing"
	"time"
)

// coarsePath sends at the target over a link of rate for length; once a second a
// receiver report tells what share was too much.
func coarsePath(e *Estimator, rate float64, length time.Duration, each func(now time.Time)) {
	for at := time.Duration(0); at < length; at += 10 * ms {
		now := start.Add(at)
		e.Sent(Packet{Number: int64(at), Size: e.Target() / 800, Sent: now})
		if at%time.Second == 0 && at > 0 {
			e.ReceiverReport(now, max(0, 1-rate/float64(e.Target())), 50*ms)
		}
		if each != nil {
			each(now)
		}
		if at%(50*ms) == 0 {
			e.Tick(now)
		}
	}
}

func TestReceiverReports(t *testing.T) {
	for _, rate := range []float64{100e3, 1e6} {
		e := New(Config{})
		coarsePath(e, rate, 60*time.Second, nil)
		if got := float64(e.Target()); got < 0.75*rate || got > 1.25*rate {
			t.Errorf("on a path of %.0f bit/s the target is %.0f", rate, got)
		}
	}
}

func TestREMB(t *testing.T) {
	e := New(Config{})
	coarsePath(e, 5e6, 20*time.Second, func(now time.Time) { e.REMB(now, 200_000) })
	if e.Target() != 200_000 {
		t.Errorf("with a REMB of 200,000 the target is %d", e.Target())
	}
	before := e.Target()
	e.REMB(start.Add(20*time.Second), 1<<60)
	if got := e.Target(); got > before*2 {
		t.Errorf("an absurd REMB raises the target from %d to %d at once", before, got)
	}
}

// TestREMBBesideReports: what a peer says in transport-wide reports is better.
func TestREMBBesideReports(t *testing.T) {
	w := (&world{seed: 1, up: link{rate: 1e6, delay: 30 * ms, queue: 200 * ms}, script: func(w *world, now time.Duration) {
		if now > time.Second {
			w.e.REMB(start.Add(now), 60_000)
			w.e.ReceiverReport(start.Add(now), 0.5, 10*ms)
		}
	}}).run(15 * time.Second)
	if r := w.sum(8, 15); r.rate < 0.85e6 {
		t.Errorf("%.0f bit/s pass", r.rate)
	}
}

// TestWhenSilenceBegins: where nobody reports, the target is halved again and again, after 0.7 s if the peer reports on the whole
// transport, and after 7 s if it has never done so: receiver reports may come that seldom.
func TestWhenSilenceBegins(t *testing.T) {
	for _, c := range []struct {
		name   string
		report func(e *Estimator, now time.Time)
		first  time.Duration // when the target is halved
	}{
		{"no report", func(*Estimator, time.Time) {}, 7 * time.Second},
		{"receiver reports", func(e *Estimator, now time.Time) { e.ReceiverReport(now, 0, 0) }, 7 * time.Second},
		{"transport-wide reports", func(e *Estimator, now time.Time) {
			e.Report(now, []Arrival{{Number: 0, At: time.Hour, Received: true}})
		}, 700 * ms},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := New(Config{})
			e.Sent(Packet{Number: 0, Size: 1000, Sent: start})
			c.report(e, start)
			before := e.Target()
			var halved []time.Duration
			for at := time.Duration(0); at < 10*time.Second; at += 10 * ms {
				now := start.Add(at)
				e.Sent(Packet{Number: int64(at), Size: 1000, Sent: now})
				e.Tick(now)
				if e.Target() < before {
					halved, before = append(halved, at), e.Target()
				}
			}
			if len(halved) < 4 || halved[0] != c.first || halved[1] != c.first+halving {
				t.Errorf("halved after %v", halved)
			}
		})
	}
}
