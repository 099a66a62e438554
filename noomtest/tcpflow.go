package noomtest

import (
	"slices"
	"time"
)

// Flow is a download or an upload beside the call, of a host with somebody outside the world: one
// TCP connection (CUBIC, RFC 9438) that always has something to send, and shares the queue of the
// host's link with all else. The other end's links have no bounds, the way there takes the latency of
// the network, and [World.Cut] does not concern it.
type Flow struct {
	net      *network
	host     string
	upload   bool
	sender   *cubic
	receiver reassembly

	// Guarded by net.mu, as is all above.
	stopped  bool
	since    time.Time
	ended    time.Time
	received int64 // segments in order, since since
}

// outside is the host at the other end of a Flow.
const outside = "outside"

// UploadTCP begins to send over the upload of a host, until [Flow.Stop] or the end of the world.
func (w *World) UploadTCP(host string) *Flow {
	w.t.Helper()
	return w.flow("UploadTCP", host, true)
}

// DownloadTCP begins to send over the download of a host, until [Flow.Stop] or the end of the world.
func (w *World) DownloadTCP(host string) *Flow {
	w.t.Helper()
	return w.flow("DownloadTCP", host, false)
}

func (w *World) flow(what, host string, upload bool) *Flow {
	w.t.Helper()
	w.place(what, host)
	w.note("%s %s begins", what, host)
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	f := &Flow{net: w.net, host: host, upload: upload, sender: newCubic(), since: time.Now()}
	f.pump(f.since)
	return f
}

// Stop ends the flow. What is under way arrives.
func (f *Flow) Stop() {
	f.net.mu.Lock()
	defer f.net.mu.Unlock()
	if !f.stopped {
		f.stopped, f.ended = true, time.Now()
	}
}

// Bitrate returns what has arrived in order, in bits a second without headers, since the flow began
// or Reset, until it was stopped.
func (f *Flow) Bitrate() int {
	f.net.mu.Lock()
	defer f.net.mu.Unlock()
	until := time.Now()
	if f.stopped {
		until = f.ended
	}
	if d := until.Sub(f.since).Seconds(); d > 0 {
		return int(float64(f.received*segmentBytes*8) / d)
	}
	return 0
}

// Reset begins to count anew, so that what comes next can be judged alone.
func (f *Flow) Reset() {
	f.net.mu.Lock()
	defer f.net.mu.Unlock()
	f.received, f.since = 0, time.Now()
}

// pump sends what the window allows. It needs net.mu, as all below.
func (f *Flow) pump(now time.Time) {
	for !f.stopped {
		number, ok := f.sender.send(now, true)
		if !ok {
			break
		}
		f.send(now, f.upload, segmentBytes+segmentHeader, func(now time.Time) { f.arrive(now, number) })
	}
	f.net.retransmit(f.sender, func() bool { return f.stopped }, f.pump)
}

func (f *Flow) send(now time.Time, upload bool, size int, take func(time.Time)) {
	p := &packet{from: f.host, to: outside, size: size, cross: true, take: take}
	if !upload {
		p.from, p.to = p.to, p.from
	}
	f.net.send(now, p)
}

// arrive takes a segment at the receiver, which acknowledges it.
func (f *Flow) arrive(now time.Time, number int64) {
	before := f.receiver.below
	f.receiver.take(number)
	if !f.stopped {
		f.received += f.receiver.below - before
	}
	below, further := f.receiver.below, slices.Clone(f.receiver.further)
	f.send(now, !f.upload, segmentHeader, func(now time.Time) {
		f.sender.acknowledge(now, below, further)
		f.pump(now)
	})
}

// retransmit has pump called when the sender's timeout is over, unless it is called before. It needs
// n.mu.
func (n *network) retransmit(c *cubic, over func() bool, pump func(time.Time)) {
	due := c.expires
	if due.IsZero() || c.watched {
		return
	}
	c.watched = true
	n.at(due, func(now time.Time) {
		c.watched = false
		if over() {
			return
		}
		c.expire(now)
		pump(now)
	})
}
