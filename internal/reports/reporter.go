package reports

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"

	"noom/internal/alarm"
	"noom/internal/packet"
)

// interval is how often a Reporter reports.
const interval = time.Second

// Reporter reports on the streams of one connection, both ways. It is an interceptor, which pion calls from many
// goroutines.
type Reporter struct {
	interceptor.NoOp
	self  uint32       // SSRC of receiver reports. Immutable.
	began time.Time    // Immutable. Reports are due each interval since then.
	alarm *alarm.Alarm // set while there is something to report on

	mu       sync.Mutex // a leaf lock, but for the alarm: nothing outside is called while it is held
	writer   interceptor.RTCPWriter
	reports  bool // the alarm is set
	sent     map[uint32]*sent
	received map[uint32]*received
}

// Factory makes a Reporter for each connection. It is an interceptor.Factory.
type Factory struct{}

// NewInterceptor implements interceptor.Factory.
func (Factory) NewInterceptor(string) (interceptor.Interceptor, error) {
	r := &Reporter{
		self: rand.Uint32(), began: time.Now(), sent: make(map[uint32]*sent), received: make(map[uint32]*received),
	}
	r.alarm = alarm.New(r.report)
	return r, nil
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
			r.rouse(now)
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
	r.rouse(time.Now())
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

// BindRTCPWriter implements interceptor.Interceptor.
func (r *Reporter) BindRTCPWriter(w interceptor.RTCPWriter) interceptor.RTCPWriter {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writer = w
	r.rouse(time.Now())
	return w
}

// Close implements interceptor.Interceptor.
func (r *Reporter) Close() error {
	r.alarm.Close()
	return nil
}

// rouse has reports sent from the next time on at which they are due. It needs r.mu.
func (r *Reporter) rouse(now time.Time) {
	if r.writer != nil && !r.reports {
		r.reports = true
		r.alarm.Set(r.untilDue(now))
	}
}

// untilDue returns how long it takes until reports are due.
func (r *Reporter) untilDue(now time.Time) time.Duration { return interval - now.Sub(r.began)%interval }

// report reports, and returns after what time to do so again; 0: there is nothing to report on.
func (r *Reporter) report() time.Duration {
	list, w := r.list(time.Now())
	for i := range list { // each in a packet of its own: pion hands it to the stream that it is about
		_, _ = w.Write(list[i:i+1], nil) // an error means that the connection is closed
	}
	if len(list) == 0 {
		return 0
	}
	return r.untilDue(time.Now())
}

// list returns what to report now.
func (r *Reporter) list(now time.Time) (list []rtcp.Packet, w interceptor.RTCPWriter) {
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
	r.reports = len(list) > 0
	return list, r.writer
}
