// Package bandwidth estimates what a connection's path takes. It is a pure
// machine: what was sent, what the peer reports and the time come in as
// arguments, bits per second come out. It has no goroutine, clock or lock; one
// owner calls it.
//
// Reports come as transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-
// extensions-01), which has a time per packet. The estimate then follows the
// queue that stands in the path: the least one-way delay of a report above the
// least of the last 20 s. Loss alone is congestion only where sending less
// reduces it. Beside flows that fill the queue (TCP) the estimate does not fall
// below what a TCP flow would have at the same loss (RFC 5348, RFC 9438). For
// peers without such feedback the loss in receiver reports (RFC 3550, section
// 6.4) and REMB (draft-alvestrand-rmcat-remb-03) say less.
//
// What a peer reports is bounded by what was sent: claims of receipt of what was
// never sent, or twice, and times that no path has are ignored.
package bandwidth

import "time"

// Config is what an estimator starts with, in bits per second.
type Config struct {
	Start   int // the first target; default 300,000
	Floor   int // the least target; default 30,000
	Ceiling int // the largest target; default 20,000,000
}

// Packet is one that was sent. All of them count alike: what repeats and probes
// take, pictures cannot have.
type Packet struct {
	Number int64     // transport-wide, unwrapped
	Size   int       // bytes on the wire
	Sent   time.Time // when it left
	Probe  bool      // padding, or a repeat that was sent only to probe
	Repeat bool      // a retransmission (RFC 4588)
}

// Arrival is what a report says about one packet.
type Arrival struct {
	Number   int64         // as in Packet
	At       time.Duration // on the peer's clock, unwrapped; without meaning if not Received
	Received bool
}

// State is what an estimator knows, for statistics.
type State struct {
	Estimate  int           // bits per second that may be sent
	Acked     int           // bits per second that arrive
	Loss      float64       // of what is sent, 0 to 1
	RoundTrip time.Duration // smoothed; 0: not known yet
	Queue     time.Duration // that stands in the path
}

// Estimator estimates the bandwidth of one connection. Its memory is bounded.
type Estimator struct {
	config Config
	epoch  time.Time     // the first time that came in
	now    time.Duration // since epoch, never less than before

	history history
	sent    meter // by our clock
	made    meter // of sent, what is no probe
	acked   meter // by the peer's clock
	delay   delay
	loss    loss
	fair    fair
	trip    time.Duration // round trip, smoothed

	newest    time.Duration // when the newest packet was sent that has arrived
	span      time.Duration // by how much the last report moved newest
	spanBytes int           // of the packets in the last report

	detailed time.Duration // the last transport-wide report; 0: never
	beside   float64       // bits per second that other connections of the room send

	control control
	drain   drain
	foreign foreign
	noise   noise
	silence silence
	probe   probe
	coarse  coarse
}

// New returns an estimator. Values of c that are zero or negative are the
// defaults; the start is moved between floor and ceiling.
func New(c Config) *Estimator {
	if c.Start <= 0 {
		c.Start = 300_000
	}
	if c.Floor <= 0 {
		c.Floor = 30_000
	}
	if c.Ceiling <= 0 {
		c.Ceiling = 20_000_000
	}
	c.Ceiling = max(c.Ceiling, c.Floor)
	e := &Estimator{config: c}
	e.setTarget(float64(c.Start))
	return e
}

// Sent takes in a packet that was sent. Numbers that go backwards are allowed.
func (e *Estimator) Sent(p Packet) {
	at := e.time(p.Sent)
	size := min(max(p.Size, 0), largestPacket)
	e.history.add(p.Number, at, size)
	e.sent.add(at, size)
	if p.Probe {
		e.probe.padded(at)
	} else {
		e.made.add(at, size)
	}
	e.silence.sent(at)
}

// Report takes in a transport-wide report. What it says of packets that are not
// known, or were reported already, is ignored.
func (e *Estimator) Report(now time.Time, list []Arrival) {
	at := e.time(now)
	if e.knows(list) {
		e.silence.heard(e, true)
	}
	r := report{least: never}
	for i := range list {
		e.take(&list[i], &r)
	}
	if r.got == 0 && r.missed == 0 {
		return
	}
	e.detailed = max(at, 1)
	e.loss.add(at, &r, e.drain.on || e.foreign.on || e.delay.queue > large)
	e.fair.add(at, &r, e.trip)
	if r.got == 0 {
		return
	}
	e.delay.size = r.leastSize
	if e.foreign.on {
		e.delay.keep(at)
	}
	if e.delay.add(at, r.least) {
		e.acked.reset()
	}
	for i := range list {
		e.measure(&list[i])
	}
	e.smoothTrip(at - r.newestSent)
	e.span = max(r.newestSent-e.newest, 0)
	e.newest += e.span
	e.spanBytes = r.bytes
	e.control.decide(e, at)
	e.probe.judge(e, at)
}

// Want says what the sources could use in all, in bits per second: there is no
// probing beyond it. At first, and with 0 or less, nothing is wanted.
func (e *Estimator) Want(bps int) { e.probe.want = float64(max(bps, 0)) }

// Beside says how many bits per second other connections send that probably share a path with this one, such as those of
// the same room. Negative values are 0.
func (e *Estimator) Beside(bps int) { e.beside = float64(max(bps, 0)) }

// Tick tells the time. It is to be called every 50 to 100 ms.
func (e *Estimator) Tick(now time.Time) {
	at := e.time(now)
	e.silence.tick(e, at)
	e.probe.tick(e, at)
}

// Target is how many bits per second may be sent, all included. It is never
// below the floor nor above the ceiling.
func (e *Estimator) Target() int { return int(e.control.target) }

// Padding is how many bits per second are to be sent in all, now, as a probe; 0
// is no probe. Where the sources send less, padding or repeats fill the rest, evenly
// and in packets that take at most 20 ms of it, so that sound does not wait behind them.
func (e *Estimator) Padding() int { return int(e.probe.rate) }

// Overfull reports whether a queue stands in the path that is ours: what is sent beyond the target makes it longer.
func (e *Estimator) Overfull() bool {
	return e.delay.queue > overfull && !e.foreign.on && !e.foreign.lately(e.now)
}

// State is what is known, for statistics.
func (e *Estimator) State() State {
	return State{
		Estimate: e.Target(), Acked: int(e.control.acked), Loss: e.loss.share,
		RoundTrip: e.trip, Queue: e.delay.queue,
	}
}

// time is t since the first time that came in; e.now never goes back.
func (e *Estimator) time(t time.Time) time.Duration {
	if e.epoch.IsZero() {
		e.epoch = t.Add(-time.Second) // so that 0 is never
	}
	at := max(t.Sub(e.epoch), 0)
	e.now = max(e.now, at)
	return at
}

func (e *Estimator) setTarget(bps float64) {
	e.control.target = min(max(bps, float64(e.config.Floor)), float64(e.config.Ceiling))
}

// serial is how long the packet with the least delay takes on a narrow link: it is no queue.
func (e *Estimator) serial() time.Duration {
	rate := max(e.control.acked, e.control.ceiling, 10_000)
	return min(time.Duration(float64(e.delay.size*8)/rate*1e9), 30*time.Millisecond)
}

// room is how long a queue may be beyond others on a path where a few packets that come at once are one already.
func (e *Estimator) room() time.Duration {
	if e.control.target < narrow {
		return 25 * time.Millisecond
	}
	return 0
}

func (e *Estimator) smoothTrip(sample time.Duration) {
	switch {
	case sample <= 0 || sample > longestTrip:
	case e.trip == 0:
		e.trip = sample
	default:
		e.trip += (sample - e.trip) / 4
	}
}
