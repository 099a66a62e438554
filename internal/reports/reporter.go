package reports

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"noom/internal/packet"
)

// interval is how often a Reporter reports.
const interval = time.Second

// Reporter reports on the streams of one connection, both ways. It is an interceptor, which pion calls from many
// goroutines.
type Reporter struct {
	interceptor.NoOp
	self    uint32 // SSRC of receiver reports. Immutable.
	done    chan struct{}
	closing sync.Once
	running sync.WaitGroup

	mu       sync.Mutex // a leaf lock: nothing outside is called while it is held
	sent     map[uint32]*sent
	received map[uint32]*received
}

// Factory makes a Reporter for each connection. It is an interceptor.Factory.
type Factory struct{}

// NewInterceptor implements interceptor.Factory.
func (Factory) NewInterceptor(string) (interceptor.Interceptor, error) {
	return &Reporter{
		self: rand.Uint32(), done: make(chan struct{}), sent: make(map[uint32]*sent), received: make(map[uint32]*received),
	}, nil
}

// BindLocalStream implements interceptor.Interceptor.
func (r *Reporter) BindLocalStream(info *interceptor.StreamInfo, w interceptor.RTPWriter) interceptor.RTPWriter {
	s := &sent{ssrc: info.SSRC, clockRate: float64(info.ClockRate)}
	r.mu.Lock()
	r.sent[info.SSRC] = s
	r.mu.Unlock()
	return interceptor.RTPWriterFunc(func(h *rtp.Header, payload []byte, attrs interceptor.Attributes) (int, error) {
		if h.SSRC == s.ssrc {
			now := time.Now()
			r.mu.Lock()
			s.take(h.SequenceNumber, h.Timestamp, len(payload), now)
			r.mu.Unlock()
		}
		return w.Write(h, payload, attrs)
	})
}

// UnbindLocalStream implements interceptor.Interceptor.
func (r *Reporter) UnbindLocalStream(info *interceptor.StreamInfo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sent, info.SSRC)
}

// BindRemoteStream implements interceptor.Interceptor.
func (r *Reporter) BindRemoteStream(info *interceptor.StreamInfo, from interceptor.RTPReader) interceptor.RTPReader {
	s := &received{ssrc: info.SSRC, clockRate: float64(info.ClockRate)}
	r.mu.Lock()
	r.received[info.SSRC] = s
	r.mu.Unlock()
	return interceptor.RTPReaderFunc(func(b []byte, attrs interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, attrs, err := from.Read(b, attrs)
		if err == nil && n >= 8 { // RFC 3550 section 5.1
			now := time.Now()
			r.mu.Lock()
			s.take(binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint32(b[4:]), now)
			r.mu.Unlock()
		}
		return n, attrs, err
	})
}

// UnbindRemoteStream implements interceptor.Interceptor.
func (r *Reporter) UnbindRemoteStream(info *interceptor.StreamInfo) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.received, info.SSRC)
}

// BindRTCPReader implements interceptor.Interceptor.
func (r *Reporter) BindRTCPReader(from interceptor.RTCPReader) interceptor.RTCPReader {
	return interceptor.RTCPReaderFunc(func(b []byte, attrs interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, attrs, err := from.Read(b, attrs)
		if err == nil {
			r.came(b[:n], time.Now())
		}
		return n, attrs, err
	})
}

// came takes a compound RTCP packet.
func (r *Reporter) came(compound []byte, now time.Time) {
	for p, rest := packet.CutRTCP(compound); p != nil; p, rest = packet.CutRTCP(rest) {
		source, ntp, ok := packet.SenderReport(p)
		if !ok {
			continue
		}
		r.mu.Lock()
		if s := r.received[source]; s != nil {
			s.senderReport(ntp, now)
		}
		r.mu.Unlock()
	}
}

// BindRTCPWriter implements interceptor.Interceptor. It starts the goroutine that reports, which ends with Close.
func (r *Reporter) BindRTCPWriter(w interceptor.RTCPWriter) interceptor.RTCPWriter {
	r.running.Go(func() { r.run(w) })
	return w
}

// Close implements interceptor.Interceptor.
func (r *Reporter) Close() error {
	r.closing.Do(func() { close(r.done) })
	r.running.Wait()
	return nil
}

func (r *Reporter) run(w interceptor.RTCPWriter) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-r.done:
			return
		case now := <-ticker.C:
			list := r.reports(now)
			for i := range list { // each in a packet of its own: pion hands it to the stream that it is about
				_, _ = w.Write(list[i:i+1], nil) // an error means that the connection is closed
			}
		}
	}
}

// reports returns what to report now.
func (r *Reporter) reports(now time.Time) (list []rtcp.Packet) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.received {
		list = append(list, &rtcp.ReceiverReport{SSRC: r.self, Reports: []rtcp.ReceptionReport{s.report(now)}})
	}
	for _, s := range r.sent {
		if report := s.report(now); report != nil {
			list = append(list, report)
		}
	}
	return list
}
