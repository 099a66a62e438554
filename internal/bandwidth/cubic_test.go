package bandwidth

import (
	"math"
	"time"
)

const segment = 1500 // bytes of a TCP packet on the wire

// cubic is a TCP flow with CUBIC (RFC 9438) that always has something to send.
type cubic struct {
	id      int
	from    time.Duration // when it begins
	window  float64       // segments
	slow    float64       // slow start below it
	most    float64       // the window before the last loss
	reno    float64       // what Reno would have
	epoch   time.Duration
	next    int64
	acked   int64 // all below arrived or are given up
	until   int64 // losses below it are of the same event
	trip    time.Duration
	lastAck time.Duration
	acks    []ack
	got     map[int64]bool
}

type ack struct {
	at   time.Duration
	seq  int64
	sent time.Duration
}

func newCubic(id int, from time.Duration) *cubic {
	return &cubic{id: id, from: from, window: 10, slow: math.Inf(1), got: map[int64]bool{}}
}

// step takes in the acknowledgements up to now and sends what the window allows.
func (c *cubic) step(now time.Duration, l *link) {
	if now < c.from {
		return
	}
	for len(c.acks) > 0 && c.acks[0].at <= now {
		c.onAck(now, c.acks[0])
		c.acks = c.acks[1:]
	}
	if c.next > c.acked && now-c.lastAck > max(time.Second, 3*c.trip) {
		c.slow, c.window, c.acked, c.epoch, c.lastAck = max(c.window/2, 2), 1, c.next, 0, now // timeout
		clear(c.got)
	}
	for n := 0; float64(c.next-c.acked-int64(len(c.got))) < c.window && n < 20; n++ {
		if c.next == c.acked {
			c.lastAck = now
		}
		l.pass(&parcel{flow: c.id, number: c.next, size: segment, sent: now})
		c.next++
	}
}

func (c *cubic) onAck(now time.Duration, a ack) {
	c.lastAck = now
	c.trip = now - a.sent
	if a.seq < c.acked {
		return
	}
	c.got[a.seq] = true
	for c.got[c.acked] {
		delete(c.got, c.acked)
		c.acked++
	}
	if a.seq >= c.acked+3 { // a gap of three packets: lost
		if c.acked >= c.until {
			c.until = c.next
			c.most, c.slow = c.window, max(c.window*0.7, 2)
			c.window = c.slow
			c.epoch = 0
		}
		c.acked++
		for c.got[c.acked] {
			delete(c.got, c.acked)
			c.acked++
		}
	}
	if c.acked < c.until {
		return
	}
	if c.window < c.slow {
		c.window++
		return
	}
	if c.epoch == 0 {
		c.epoch, c.reno = now, c.window
		c.most = max(c.most, c.window)
	}
	t := (now - c.epoch + c.trip).Seconds()
	k := math.Cbrt(c.most * 0.3 / 0.4)
	aim := 0.4*(t-k)*(t-k)*(t-k) + c.most
	c.reno += 0.53 / c.window
	aim = min(max(aim, c.reno), 1.5*c.window)
	if aim > c.window {
		c.window += (aim - c.window) / c.window
	}
}
