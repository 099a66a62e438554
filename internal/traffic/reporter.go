package traffic

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/sdp/v3"

	"noom/internal/alarm"
)

const (
	reportEvery = 100 * time.Millisecond // while packets come
	tailAfter   = 200 * time.Millisecond // for the last packets before a pause
	mostReports = 8                      // at once: one has room for all that 20 Mbit/s bring
)

// Reporter reports to the peer of one connection when its packets arrived
// (draft-holmer-rmcat-transport-wide-cc-extensions-01). The packet that makes a report due has it sent, because then this
// end is awake anyway: the processor time of a report is that of waking up. An alarm reports what is left when no more come.
type Reporter struct {
	interceptor.NoOp
	// Immutable.
	began time.Time
	alarm *alarm.Alarm // set while there is something to watch

	mu       sync.Mutex // a leaf lock, but for the alarm: nothing outside is called while it is held
	writer   interceptor.RTCPWriter
	recorder recorder
	reported time.Duration // when a report was last sent
	oldest   time.Duration // when the first packet arrived that is not reported
	watched  bool          // the alarm is set
}

// NewReporter returns a Reporter for one connection.
func NewReporter() *Reporter {
	r := &Reporter{began: time.Now(), recorder: recorder{sender: rand.Uint32()}, reported: -reportEvery}
	r.alarm = alarm.New(r.watch)
	return r
}

// NewInterceptor implements interceptor.Factory. pion calls it once, because a Reporter belongs to one connection.
func (r *Reporter) NewInterceptor(string) (interceptor.Interceptor, error) { return r, nil }

// BindRemoteStream implements interceptor.Interceptor.
func (r *Reporter) BindRemoteStream(info *interceptor.StreamInfo, next interceptor.RTPReader) interceptor.RTPReader {
	id := uint8(0)
	for _, e := range info.RTPHeaderExtensions {
		if e.URI == sdp.TransportCCURI && e.ID > 0 && e.ID < 256 {
			id = uint8(e.ID)
		}
	}
	if id == 0 {
		return next
	}
	return interceptor.RTPReaderFunc(func(b []byte, attrs interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, attrs, err := next.Read(b, attrs)
		if err == nil {
			if number, ok := numberIn(b[:n], id); ok {
				r.arrived(info.SSRC, number)
			}
		}
		return n, attrs, err
	})
}

// arrived notes a packet, and reports if that is due.
func (r *Reporter) arrived(stream uint32, number uint16) {
	now := time.Since(r.began)
	r.mu.Lock()
	if r.recorder.arrived(stream, number, now) {
		r.oldest = now
	}
	due := now-r.reported >= reportEvery
	reports := r.take(due, now)
	if !due && !r.watched {
		r.watched = true
		r.alarm.Set(tailAfter)
	}
	w := r.writer
	r.mu.Unlock()
	send(w, reports)
}

// take returns the reports that are to be sent, if they are due. It needs r.mu.
func (r *Reporter) take(due bool, now time.Duration) (reports []rtcp.Packet) {
	if !due || r.writer == nil {
		return nil
	}
	r.reported = now
	for range mostReports {
		p := r.recorder.report()
		if p == nil {
			break
		}
		raw := rtcp.RawPacket(p)
		reports = append(reports, &raw)
	}
	return reports
}

func send(w interceptor.RTCPWriter, reports []rtcp.Packet) {
	for i := range reports { // each in a packet of its own, which has its size
		_, _ = w.Write(reports[i:i+1], nil) // an error means that the connection is closed
	}
}

// BindRTCPWriter implements interceptor.Interceptor.
func (r *Reporter) BindRTCPWriter(w interceptor.RTCPWriter) interceptor.RTCPWriter {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writer = w
	return w
}

// Close implements interceptor.Interceptor.
func (r *Reporter) Close() error {
	r.alarm.Close()
	return nil
}

// watch reports what has waited for long. It returns after what time to do so again; 0: there is nothing to watch.
func (r *Reporter) watch() time.Duration {
	now := time.Since(r.began)
	r.mu.Lock()
	due := r.recorder.pending() && now-max(r.oldest, r.reported) >= reportEvery
	reports := r.take(due, now)
	r.watched = r.recorder.pending() || now-r.reported < tailAfter
	again, w := r.watched, r.writer
	r.mu.Unlock()
	send(w, reports)
	if !again {
		return 0
	}
	return tailAfter
}
