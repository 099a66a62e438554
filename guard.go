package noom

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/bits"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/transport/v5/packetio"
	"golang.org/x/time/rate"

	"noom/internal/fault"
)

// What one connection may make pion keep and do. 64 sections have 128 sources
// each way, with their retransmissions.
const (
	maxSources     = 512     // of RTP, and again of RTCP: who is spoken of, and who speaks
	maxSpeakers    = 4096    // who speaks RTCP, in clear and to nobody
	maxSourceBytes = 1 << 20 // unread, of one source
	maxRTPBytes    = 8 << 20 // of all
	maxRTCPBytes   = 1 << 20

	reportRate  = 1000 // RTCP packets a second, counted for each source they speak of
	reportBurst = 4000

	// Packets sent again, as often as a receiver on a bad path asks for them:
	// pion's asks about 12 times for each.
	resendShare = 4 // for each packet sent
	maxResends  = 4000
)

// guard bounds what the peer of one connection can make pion keep, by packets
// under ever new sources, and send, by asking for retransmissions. It makes pion's buffers, and
// is an interceptor that counts what is sent. pion calls it from many goroutines.
type guard struct {
	fault func(error) // called once

	mu      sync.Mutex
	told    bool
	sources [2]int              // buffers made, of RTP and RTCP
	bytes   [2]int              // unread in them
	senders map[uint32]struct{} // of RTCP
	heard   map[uint32]struct{} // of RTCP, as seen on the socket
	reports *rate.Limiter
	resends int // that may be asked for
}

func newGuard(fault func(error)) *guard {
	return &guard{
		fault: fault, senders: make(map[uint32]struct{}), heard: make(map[uint32]struct{}),
		reports: rate.NewLimiter(reportRate, reportBurst), resends: maxResends,
	}
}

// tell says what the peer does, once. It needs g.mu.
func (g *guard) tell(format string, args ...any) {
	if !g.told {
		g.told = true
		g.fault(fmt.Errorf("%w: "+format, append([]any{fault.Rules}, args...)...))
	}
}

// buffer is pion's BufferFactory: it is called for each new source.
func (g *guard) buffer(kind packetio.BufferPacketType, _ uint32) io.ReadWriteCloser {
	g.mu.Lock()
	defer g.mu.Unlock()
	of, most := 0, maxRTPBytes
	if kind == packetio.RTCPBufferPacket {
		of, most = 1, maxRTCPBytes
	}
	if g.sources[of]++; g.sources[of] > maxSources {
		g.tell("more than %d sources", maxSources)
		return sourceSink{}
	}
	b := &sourceBuffer{guard: g, of: of, most: most, inner: packetio.NewBuffer()}
	b.inner.SetLimitSize(maxSourceBytes)
	return b
}

// sourceSink is where packets of sources beyond the bound go.
type sourceSink struct{}

func (sourceSink) Read([]byte) (int, error)    { return 0, io.EOF }
func (sourceSink) Write(p []byte) (int, error) { return len(p), nil }
func (sourceSink) Close() error                { return nil }

// sourceBuffer holds the packets of one source until they are read, as pion's
// own does.
type sourceBuffer struct {
	guard    *guard
	of, most int
	inner    *packetio.Buffer
}

func (b *sourceBuffer) Read(p []byte) (int, error) {
	n, _, err := b.ReadWithAttributes(p, nil)
	return n, err
}

func (b *sourceBuffer) ReadWithAttributes(p []byte, attrs packetio.Attributes) (int, packetio.Attributes, error) {
	n, attrs, err := b.inner.Read(p, attrs)
	b.guard.mu.Lock()
	b.guard.bytes[b.of] = max(0, b.guard.bytes[b.of]-n)
	b.guard.mu.Unlock()
	return n, attrs, err
}

func (b *sourceBuffer) Write(p []byte) (int, error) { return b.WriteWithAttributes(p, nil) }

func (b *sourceBuffer) WriteWithAttributes(p []byte, attrs packetio.Attributes) (int, error) {
	if !b.guard.takes(b.of, b.most, p, time.Now()) {
		return 0, packetio.ErrFull // which pion ignores
	}
	n, err := b.inner.Write(p, attrs)
	if err != nil {
		b.guard.mu.Lock()
		b.guard.bytes[b.of] -= len(p)
		b.guard.mu.Unlock()
	}
	return n, err
}

func (b *sourceBuffer) Close() error {
	b.guard.mu.Lock()
	b.guard.bytes[b.of] = max(0, b.guard.bytes[b.of]-b.inner.Size())
	b.guard.mu.Unlock()
	return b.inner.Close()
}

func (b *sourceBuffer) SetReadDeadline(t time.Time) error { return b.inner.SetReadDeadline(t) }

// takes reports whether a packet may wait to be read, and counts it.
func (g *guard) takes(of, most int, p []byte, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if of == 1 && !g.takesReport(p, now) || g.bytes[of]+len(p) > most {
		return false
	}
	g.bytes[of] += len(p)
	return true
}

// takesReport judges one RTCP packet. It needs g.mu.
func (g *guard) takesReport(p []byte, now time.Time) bool {
	if len(p) < 8 || !g.reports.AllowN(now, 1) {
		return false
	}
	from := binary.BigEndian.Uint32(p[4:])
	if _, known := g.senders[from]; !known {
		if len(g.senders) >= maxSources {
			g.tell("RTCP of more than %d sources", maxSources)
			return false
		}
		g.senders[from] = struct{}{}
	}
	asked := resendsAsked(p)
	if asked > g.resends {
		return false
	}
	g.resends -= asked
	return true
}

// arrived takes a packet from the peer's address, before pion does. A report about nobody
// reaches no buffer, but pion keeps its sender's replay window for good. SRTCP leaves the
// sender in clear (RFC 3711 section 3.4).
func (g *guard) arrived(p []byte) {
	if !isRTCP(p) {
		return
	}
	from := binary.BigEndian.Uint32(p[4:])
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.heard[from]; known {
		return
	}
	if len(g.heard) >= maxSpeakers {
		g.tell("RTCP of more than %d sources", maxSpeakers)
		return
	}
	g.heard[from] = struct{}{}
}

// isRTCP tells RTCP from RTP (RFC 5761 section 4).
func isRTCP(p []byte) bool { return len(p) >= 8 && p[0]>>6 == 2 && p[1] >= 192 && p[1] <= 223 }

// resendsAsked returns how many packets a generic NACK asks for (RFC 4585 section 6.2.1).
func resendsAsked(p []byte) (n int) {
	if p[1] != uint8(rtcp.TypeTransportSpecificFeedback) || p[0]&0x1f != rtcp.FormatTLN {
		return 0
	}
	for at := 12; at+4 <= len(p); at += 4 {
		n += 1 + bits.OnesCount16(binary.BigEndian.Uint16(p[at+2:]))
	}
	return n
}

// NewInterceptor implements interceptor.Factory: a guard is of one connection.
func (g *guard) NewInterceptor(string) (interceptor.Interceptor, error) {
	return &sentCounter{guard: g}, nil
}

// sentCounter counts what is sent for the first time.
type sentCounter struct {
	interceptor.NoOp
	guard *guard
}

func (c *sentCounter) BindLocalStream(_ *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, a interceptor.Attributes) (int, error) {
		c.guard.sent()
		return w.Write(h, payload, a)
	})
}

// sent counts one packet.
func (g *guard) sent() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.resends = min(g.resends+resendShare, maxResends)
}
