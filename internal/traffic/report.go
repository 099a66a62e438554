package traffic

import (
	"encoding/binary"
	"time"

	"noom/internal/bandwidth"
	"noom/internal/packet"
)

// What a peer may report in a second; what is more is ignored. Peers send some 20.
const (
	reportRate  = 100
	reportBurst = 200
	maxArrivals = 8192 // the latest packets, of which reports are believed
)

const maxREMB = 10_000_000_000 // bits per second

// RTCP (RFC 3550 section 6.1, RFC 4585 section 6.1, draft-alvestrand-rmcat-remb-03).
const (
	typeSenderReport   = 200
	typeReceiverReport = 201
	typeTransport      = 205
	typePayload        = 206
	formatWide         = 15 // of typeTransport
	formatLayer        = 15 // of typePayload: REMB and others

	senderInfo  = 28 // bytes before the blocks of a sender report
	receiverTop = 8
	blockSize   = 24
	rembTop     = 20
)

// Report takes one RTCP packet that waits for pion in the buffer of one of our streams. It reports whether pion need not
// read it. A packet about several streams comes once for each, so that only what is about that stream counts.
func (c *Control) Report(source uint32, p []byte) (taken bool) {
	if len(p) < 8 {
		return false
	}
	now := time.Now()
	switch count := p[0] & 0x1f; p[1] {
	case typeSenderReport:
		c.blocks(source, p, senderInfo, int(count), now)
	case typeReceiverReport:
		c.blocks(source, p, receiverTop, int(count), now)
	case typeTransport:
		if count == formatWide {
			c.wide(p, now)
			return !c.share
		}
	case typePayload:
		if count == formatLayer {
			c.remb(source, p, now)
		}
	}
	return false
}

// blocks takes the reports on what the peer received (RFC 3550 section 6.4.1).
func (c *Control) blocks(source uint32, p []byte, at, count int, now time.Time) {
	for ; count > 0 && at+blockSize <= len(p); count, at = count-1, at+blockSize {
		b := p[at:]
		if binary.BigEndian.Uint32(b) != source {
			continue
		}
		loss := float64(b[4]) / 256
		rtt, _ := packet.RoundTrip(binary.BigEndian.Uint32(b[16:]), binary.BigEndian.Uint32(b[20:]), now)
		c.mu.Lock()
		if s := c.streams[source]; s != nil && s.flows {
			c.estimator.ReceiverReport(now, loss, rtt)
		}
		c.mu.Unlock()
		return
	}
}

// remb takes the peer's own estimate.
func (c *Control) remb(source uint32, p []byte, now time.Time) {
	if len(p) < rembTop+4 || string(p[12:16]) != "REMB" || binary.BigEndian.Uint32(p[rembTop:]) != source {
		return
	}
	exponent, mantissa := p[17]>>2, uint64(p[17]&3)<<16|uint64(p[18])<<8|uint64(p[19])
	if mantissa == 0 || exponent > 40 || mantissa<<exponent > maxREMB {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.estimator.REMB(now, int(mantissa<<exponent))
}

// wide takes transport-wide feedback.
func (c *Control) wide(p []byte, now time.Time) {
	r, ok := readWide(p)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reports.take(now, 1, reportBurst, reportRate) {
		return
	}
	base := c.clock.unwrap(r.reference, now)
	behind := uint16(c.next) - r.first
	if behind == 0 {
		return // it was not sent
	}
	c.arrivals = r.arrivals(c.next-int64(behind), c.next, base, c.arrivals[:0])
	c.estimator.Report(now, c.arrivals)
}

// peerClock unwraps the times of reports, which are of 24 bits, 64 ms each. A peer whose clock does not go as ours is
// taken by ours. The zero peerClock has seen none.
type peerClock struct {
	started bool
	last    int32
	base    time.Duration
	at      time.Time
}

const (
	referenceUnit = 64 * time.Millisecond
	clockStart    = time.Hour // so that what is reported late is not before 0
	mostDrift     = 10 * time.Second
)

func (k *peerClock) unwrap(reference int32, now time.Time) time.Duration {
	if !k.started {
		*k = peerClock{true, reference, clockStart, now}
		return k.base
	}
	step := time.Duration((reference-k.last)<<8>>8) * referenceUnit
	passed := now.Sub(k.at)
	if drift := step - passed; drift > mostDrift || drift < -mostDrift {
		step = passed
	}
	if step <= 0 { // a report that was overtaken
		return k.base + step
	}
	k.last, k.base, k.at = reference, k.base+step, now
	return k.base
}

// wideReport is transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).
type wideReport struct {
	first     uint16
	count     int
	reference int32
	body      []byte // chunks and deltas
}

func readWide(p []byte) (r wideReport, ok bool) {
	if end := 4 * (int(binary.BigEndian.Uint16(p[2:])) + 1); end < len(p) {
		p = p[:end]
	}
	if p[0]&0x20 != 0 && len(p) > 0 { // padding
		p = p[:max(0, len(p)-int(p[len(p)-1]))]
	}
	if len(p) < 20 {
		return r, false
	}
	return wideReport{
		first: binary.BigEndian.Uint16(p[12:]), count: int(binary.BigEndian.Uint16(p[14:])),
		reference: int32(p[16])<<16 | int32(p[17])<<8 | int32(p[18]), body: p[20:],
	}, true
}

// Statuses of packets.
const (
	statusMissing = iota
	statusSmall   // delta of one byte
	statusLarge   // of two, signed
	deltaUnit     = 250 * time.Microsecond
)

// arrivals appends what the report says of the packets from number first up to before next.
func (r *wideReport) arrivals(first, next int64, base time.Duration, list []bandwidth.Arrival) []bandwidth.Arrival {
	chunks, deltas, ok := r.split()
	if !ok {
		return list
	}
	number, oldest, at := first, next-maxArrivals, base
	last := min(first+int64(r.count), next)
	for ; len(chunks) > 0; chunks = chunks[2:] {
		chunk := binary.BigEndian.Uint16(chunks)
		for i := range lengthOf(chunk) {
			status := statusIn(chunk, i)
			if number >= last || status > statusLarge || len(deltas) < status {
				return list
			}
			switch status {
			case statusSmall:
				at += time.Duration(deltas[0]) * deltaUnit
			case statusLarge:
				at += time.Duration(int16(binary.BigEndian.Uint16(deltas))) * deltaUnit
			}
			deltas = deltas[status:] // a status is the size of its delta
			if number >= oldest {
				list = append(list, bandwidth.Arrival{Number: number, At: at, Received: status != statusMissing})
			}
			number++
		}
	}
	return list
}

// split returns the chunks, which say the statuses of all packets, and the deltas behind them.
func (r *wideReport) split() (chunks, deltas []byte, ok bool) {
	at := 0
	for said := 0; said < r.count; at += 2 {
		if at+2 > len(r.body) {
			return nil, nil, false
		}
		length := lengthOf(binary.BigEndian.Uint16(r.body[at:]))
		if length == 0 {
			return nil, nil, false
		}
		said += length
	}
	return r.body[:at], r.body[at:], true
}

// lengthOf returns how many packets a chunk is about: of one status, or 14 or 7 of one or two bits each.
func lengthOf(chunk uint16) int {
	switch {
	case chunk&0x8000 == 0:
		return int(chunk & 0x1fff)
	case chunk&0x4000 == 0:
		return 14
	}
	return 7
}

// statusIn returns the status of the packet i of a chunk.
func statusIn(chunk uint16, i int) int {
	switch {
	case chunk&0x8000 == 0:
		return int(chunk>>13) & 3
	case chunk&0x4000 == 0:
		return int(chunk>>(13-i)) & 1
	}
	return int(chunk>>(12-2*i)) & 3
}
