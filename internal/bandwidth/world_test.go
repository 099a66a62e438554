package bandwidth

import (
	"math/rand/v2"
	"slices"
	"time"
)

// world is one connection of ours over a link, perhaps with TCP flows beside it.
type world struct {
	seed     uint64
	up       link
	back     time.Duration // one-way delay of the reports
	interval time.Duration // of the reports; default 50 to 100 ms, by the seed
	most     float64       // what the source can use, bits per second; 0: all
	want     int           // told to the estimator; default most or 20 Mbit/s
	mute     bool          // there is no sound
	keys     bool          // a key frame 5 times as large every 5 s
	lag      bool          // the source follows the target up to 750 ms late, twice a second
	config   Config
	tcp      []*cubic
	script   func(w *world, now time.Duration)                 // is called every ms
	lie      func(now time.Duration, list []Arrival) []Arrival // changes reports
	limit    float64                                           // of the source, as most, but may change
	trace    func(now time.Duration, w *world)

	e        *Estimator
	now      time.Duration
	rng      *rand.Rand
	seen     float64 // the target, each 250 ms
	follows  float64 // what the source makes of it
	number   int64
	queue    float64 // bytes that the pacer holds
	frame    time.Duration
	frames   int
	pace     float64 // bytes that may go now
	fill     float64 // bytes of padding that are due
	sound    time.Duration
	heard    map[int64]time.Duration
	reported int64
	highest  int64
	late     []int64
	flying   []flyingReport
	nextRep  time.Duration
	nextTick time.Duration
	bins     []binOf
}

type flyingReport struct {
	due  time.Duration
	list []Arrival
}

// binOf is what happened in 100 ms.
type binOf struct {
	sent, lost int
	bits       float64
	others     float64
	waits      []time.Duration
	target     float64
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

const skew = 1234567 * time.Second // the peer's clock

func (w *world) run(length time.Duration) *world {
	w.rng = rand.New(rand.NewPCG(w.seed, 99))
	w.up.rng = rand.New(rand.NewPCG(w.seed, 7))
	if w.back == 0 {
		w.back = w.up.delay
	}
	if w.interval == 0 {
		w.interval = time.Duration(50+w.rng.IntN(51)) * ms
	}
	if w.want == 0 {
		w.want = 20_000_000
	}
	w.limit = w.most
	w.heard = map[int64]time.Duration{}
	w.e = New(w.config)
	w.e.Want(w.want)
	w.highest, w.reported = -1, -1
	w.frame = time.Duration(w.rng.IntN(33)) * ms
	w.nextRep = time.Duration(w.rng.IntN(50)) * ms
	w.bins = make([]binOf, length/(100*ms)+1)
	for w.now < length {
		w.now += ms
		if w.script != nil {
			w.script(w, w.now)
		}
		w.source()
		for _, c := range w.tcp {
			c.step(w.now, &w.up)
		}
		for _, p := range w.up.step(w.now) {
			w.arrive(p)
		}
		w.report()
		if w.now >= w.nextTick {
			w.nextTick = w.now + 50*ms
			w.e.Tick(start.Add(w.now))
			w.bin().target = float64(w.e.Target())
			if w.trace != nil {
				w.trace(w.now, w)
			}
		}
	}
	return w
}

func (w *world) bin() *binOf { return &w.bins[w.now/(100*ms)] }

// source makes 30 frames a second by the target and sound of 50 packets a second;
// the pictures go out paced at 1.5 times the target.
func (w *world) source() {
	target := float64(w.e.Target())
	if w.now >= w.frame {
		w.frame += 33333 * time.Microsecond
		rate := w.aim(target)
		if w.limit > 0 {
			rate = min(rate, w.limit)
		}
		if rate = max(rate-32_000, 10_000); w.limit == 1 { // paused
			rate = 0
		}
		size := rate / 8 / 30 * (0.85 + 0.3*w.rng.Float64())
		if w.keys {
			size *= 150.0 / 154
			if w.frames%150 == 0 {
				size *= 5
			}
		}
		w.frames++
		w.queue += size
	}
	if w.now >= w.sound {
		w.sound += 20 * ms
		if !w.mute {
			w.send(80, false)
		}
	}
	pace := 1.5 * target
	if w.e.Overfull() {
		pace = target
	}
	w.pace = min(w.pace+pace/8000, max(1200, pace/4000))
	for w.queue > 0 && w.pace >= min(w.queue, 1200) {
		size := max(min(w.queue, 1200), 60)
		w.queue = max(w.queue-size, 0)
		w.pace -= size
		w.send(int(size), false)
	}
	padding := float64(w.e.Padding())
	if padding == 0 {
		w.fill = 0
		return
	}
	w.fill += padding / 8000
	for piece := min(max(padding*0.02/8, 100), 1200); w.fill >= piece; {
		w.send(int(piece), true)
	}
}

// aim is the rate that the source makes.
func (w *world) aim(target float64) float64 {
	if !w.lag {
		return target
	}
	if w.now%(500*ms) < 34*ms || w.follows == 0 {
		w.follows = max(w.seen, 50_000)
	}
	if w.now%(250*ms) < 34*ms {
		w.seen = target
	}
	return w.follows
}

func (w *world) send(size int, probe bool) {
	b := w.bin()
	b.sent++
	w.e.Sent(Packet{Number: w.number, Size: size, Sent: start.Add(w.now), Probe: probe})
	if !w.up.pass(&parcel{number: w.number, size: size, sent: w.now}) {
		b.lost++
	}
	w.number++
	w.fill = max(w.fill-float64(size), -1200)
}

func (w *world) arrive(p *parcel) {
	b := w.bin()
	if p.flow > 0 {
		b.others += float64(p.size * 8)
		for _, c := range w.tcp {
			if c.id == p.flow {
				c.acks = append(c.acks, ack{w.now + w.back, p.number, p.sent})
			}
		}
		return
	}
	b.bits += float64(p.size * 8)
	b.waits = append(b.waits, p.wait)
	w.heard[p.number] = p.due + skew
	if p.number <= w.reported {
		w.late = append(w.late, p.number)
	}
	w.highest = max(w.highest, p.number)
}

func (w *world) report() {
	if w.now >= w.nextRep {
		w.nextRep += w.interval
		var list []Arrival
		slices.Sort(w.late)
		for _, n := range w.late {
			list = append(list, Arrival{Number: n, At: w.heard[n], Received: true})
			delete(w.heard, n)
		}
		w.late = w.late[:0]
		for n := w.reported + 1; n <= w.highest; n++ {
			at, ok := w.heard[n]
			delete(w.heard, n)
			list = append(list, Arrival{Number: n, At: at, Received: ok})
		}
		w.reported = w.highest
		if w.lie != nil {
			list = w.lie(w.now, list)
		}
		if len(list) > 0 {
			w.flying = append(w.flying, flyingReport{w.now + w.back, list})
		}
	}
	for len(w.flying) > 0 && w.flying[0].due <= w.now {
		w.e.Report(start.Add(w.now), w.flying[0].list)
		w.flying = w.flying[1:]
	}
}

// result sums up a stretch of time, in seconds.
type result struct {
	rate, others, loss, target float64
	p50, p95, top              time.Duration
}

func (w *world) sum(from, to float64) (r result) {
	var waits []time.Duration
	var sent, lost int
	lo, hi := int(from*10), min(int(to*10), len(w.bins))
	for _, b := range w.bins[lo:hi] {
		r.rate += b.bits
		r.others += b.others
		r.target += b.target
		sent, lost = sent+b.sent, lost+b.lost
		waits = append(waits, b.waits...)
	}
	n := float64(hi - lo)
	r.rate, r.others, r.target = r.rate*10/n, r.others*10/n, r.target/n
	if sent > 0 {
		r.loss = float64(lost) / float64(sent)
	}
	if len(waits) > 0 {
		slices.Sort(waits)
		r.p50, r.p95, r.top = waits[len(waits)/2], waits[len(waits)*95/100], waits[len(waits)-1]
	}
	return r
}

// reach is after how many seconds from from the rate over 1 s is bps or more.
func (w *world) reach(from, to, bps float64) float64 {
	for s := from; s+1 <= to; s += 0.1 {
		if w.sum(s, s+1).rate >= bps {
			return s + 1 - from
		}
	}
	return 1000
}
