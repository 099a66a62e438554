package bandwidth

import "time"

// loss is the share of packets that are lost.
type loss struct {
	share float64 // over about half a second
	slow  float64 // over about three, without that behind a queue
	at    time.Duration
	quick tally
	long  tally
}

type tally struct{ got, gone float64 } // packets, fading

// add takes in a report. Behind a queue, loss is no question.
func (l *loss) add(now time.Duration, r *report, queue bool) {
	since := max(now-l.at, 0).Seconds()
	l.at = max(now, l.at)
	l.share = l.quick.add(r, max(0, 1-2*since))
	if queue {
		r = &report{}
	}
	l.slow = l.long.add(r, max(0, 1-since/3))
}

func (t *tally) add(r *report, fade float64) float64 {
	t.got = t.got*fade + float64(r.got)
	t.gone = max(t.gone*fade+float64(r.missed-r.late), 0)
	if all := t.got + t.gone; all > 0 {
		return t.gone / all
	}
	return 0
}
