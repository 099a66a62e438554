package noomtest

import (
	"fmt"
	"math"
	"time"
)

// Link is one direction of the way between a host and the rest of the network, such as a home's
// upload. Packets wait in its queue, are sent at its bandwidth, may get lost, and take its latency.
// The zero Link lets everything through at once. What [WithLatency], [WithLoss] and their like say of
// the network comes on top of it.
type Link struct {
	// Bandwidth is what it sends, in bits a second, headers of IP and UDP included (28 bytes a
	// packet). The default, 0, is no bound.
	Bandwidth int
	// Queue bounds the time that a packet waits until it is sent: one that would wait longer is
	// dropped (drop-tail). The default is 200 ms. It has no meaning without a Bandwidth.
	Queue time.Duration
	// QueueBytes bounds the bytes that wait instead, as the buffer of a router does, whose time
	// becomes longer when the bandwidth falls. The default, 0, leaves it to Queue.
	QueueBytes int
	// Latency is how long a packet takes once it is sent, and Jitter at most how much longer, drawn
	// for each packet. Packets keep their order on a link; with [WithJitter] they overtake each other.
	Latency, Jitter time.Duration
	// Loss is the share of packets, 0 to 1, that get lost once they are sent, as on a radio.
	Loss float64
	// Burst is how many packets in a row a loss takes in the mean (the model of Gilbert and
	// Elliott, which loses all in its bad state). Up to 1, the default, each packet is lost or not by
	// itself. A Loss above Burst/(Burst+1) has longer bursts.
	Burst float64
}

// usualQueue is that of a Link that says nothing of it.
const usualQueue = 200 * time.Millisecond

// header is what IPv4 and UDP add to a packet.
const header = 28

// String returns what the link bounds and does, for the transcript.
func (l Link) String() string {
	s := "no bound"
	if l.Bandwidth > 0 {
		s = fmt.Sprintf("%d kbit/s", l.Bandwidth/1000)
		if l.QueueBytes > 0 {
			s += fmt.Sprintf(", queue of %d bytes", l.QueueBytes)
		} else {
			s += fmt.Sprintf(", queue of %v", l.queue())
		}
	}
	if l.Latency > 0 || l.Jitter > 0 {
		s += fmt.Sprintf(", takes %v to %v", l.Latency, l.Latency+l.Jitter)
	}
	if l.Loss > 0 {
		s += fmt.Sprintf(", loses %g %%, %g in a row", 100*l.Loss, max(1, l.Burst))
	}
	return s
}

func (l Link) queue() time.Duration {
	if l.Queue == 0 {
		return usualQueue
	}
	return l.Queue
}

// wrong says what is no value for a field, "" if each is.
func (l Link) wrong() string {
	switch {
	case l.Bandwidth < 0 || l.QueueBytes < 0 || l.Queue < 0 || l.Latency < 0 || l.Jitter < 0 || l.Burst < 0:
		return "a negative value; 0 is the default"
	case l.Loss < 0 || l.Loss > 1 || math.IsNaN(l.Loss):
		return fmt.Sprintf("a Loss of %v; it is a share from 0 to 1", l.Loss)
	}
	return ""
}

// SetUpload sets what a host sends over, from now on: packets that wait in its queue stay there, and
// leave at the new bandwidth. The host keeps it when its address changes. To cut a host off, use
// [World.Cut].
func (w *World) SetUpload(host string, l Link) {
	w.t.Helper()
	w.setLink("SetUpload", way{host, up}, l)
}

// SetDownload sets what a host receives over, as SetUpload.
func (w *World) SetDownload(host string, l Link) {
	w.t.Helper()
	w.setLink("SetDownload", way{host, down}, l)
}

func (w *World) setLink(what string, of way, l Link) {
	w.t.Helper()
	w.place(what, of.host)
	if wrong := l.wrong(); wrong != "" {
		w.t.Fatalf("noomtest: %s of %s: %s", what, of.host, wrong)
	}
	w.note("%s %s: %v", what, of.host, l)
	w.net.mu.Lock()
	defer w.net.mu.Unlock()
	g, now := w.net.makeGate(of), time.Now()
	g.change(now, l)
	w.net.watch(g)
}
