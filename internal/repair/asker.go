package repair

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"

	"noom/internal/alarm"
)

const (
	interval  = 50 * time.Millisecond // how often an Asker looks for what is missing
	firstLook = 20 * time.Millisecond // after something was missed, if nothing was before

	// mostPairs is how many pairs one request holds, each of which names up to 17 packets. So it has at most 1024 bytes,
	// and fits a path's MTU with what SRTP, TURN and IP add. pion refuses to write more than 253.
	mostPairs = 253
)

// Asker asks the peer of one connection for the packets that were lost. It is an interceptor, which pion calls from many
// goroutines.
type Asker struct {
	interceptor.NoOp
	// Immutable.
	self  uint32       // SSRC of requests
	alarm *alarm.Alarm // set while there is something to look for

	mu      sync.Mutex // a leaf lock, but for the alarm: nothing outside is called while it is held
	writer  interceptor.RTCPWriter
	streams map[uint32]*losses
	looking bool // the alarm is set
}

// NewAsker returns an Asker for one connection.
func NewAsker() *Asker {
	a := &Asker{self: rand.Uint32(), streams: make(map[uint32]*losses)}
	a.alarm = alarm.New(a.look)
	return a
}

// NewInterceptor implements interceptor.Factory. pion calls it once, because an Asker belongs to one connection.
func (a *Asker) NewInterceptor(string) (interceptor.Interceptor, error) { return a, nil }

// Repaired reports that a packet of a stream has come by retransmission.
func (a *Asker) Repaired(stream uint32, seq uint16) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.streams[stream]; l != nil {
		l.repaired(seq, now)
	}
}

// BindRemoteStream implements interceptor.Interceptor: it notes what comes on streams that can be repaired.
func (a *Asker) BindRemoteStream(info *interceptor.StreamInfo, r interceptor.RTPReader) interceptor.RTPReader {
	if !repairs(info) {
		return r
	}
	l := new(losses)
	a.mu.Lock()
	a.streams[info.SSRC] = l
	a.mu.Unlock()
	return interceptor.RTPReaderFunc(func(b []byte, attrs interceptor.Attributes) (int, interceptor.Attributes, error) {
		n, attrs, err := r.Read(b, attrs)
		if err != nil || n < 4 {
			return n, attrs, err
		}
		a.came(l, uint16(b[2])<<8|uint16(b[3])) // RFC 3550 section 5.1
		return n, attrs, nil
	})
}

// came takes a packet of a stream. If some are missing it sets the alarm, which is not set otherwise: to look for nothing
// costs more than all else here.
func (a *Asker) came(l *losses, seq uint16) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l.follows(seq) {
		return
	}
	l.came(seq, time.Now())
	if a.looking || len(l.missing) == 0 {
		return
	}
	a.looking = true
	a.alarm.Set(firstLook)
}

// repairs reports whether the sender of a stream agreed to repeat what is asked for.
func repairs(info *interceptor.StreamInfo) bool {
	for _, f := range info.RTCPFeedback {
		if f.Type == webrtc.TypeRTCPFBNACK && f.Parameter == "" {
			return true
		}
	}
	return false
}

// UnbindRemoteStream implements interceptor.Interceptor.
func (a *Asker) UnbindRemoteStream(info *interceptor.StreamInfo) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.streams, info.SSRC)
}

// BindRTCPWriter implements interceptor.Interceptor.
func (a *Asker) BindRTCPWriter(w interceptor.RTCPWriter) interceptor.RTCPWriter {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.writer = w
	return w
}

// Close implements interceptor.Interceptor.
func (a *Asker) Close() error {
	a.alarm.Close()
	return nil
}

// look asks for what is missing, and returns after what time to do so again; 0: nothing is.
func (a *Asker) look() time.Duration {
	requests, again := a.requests(time.Now())
	a.mu.Lock()
	w := a.writer
	a.mu.Unlock()
	for i := range requests {
		_, _ = w.Write(requests[i:i+1], nil) // an error means that the connection is closed
	}
	if !again {
		return 0
	}
	return interval
}

// requests returns what to send now. again reports whether something is still missing.
func (a *Asker) requests(now time.Time) (list []rtcp.Packet, again bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for stream, l := range a.streams {
		pairs := rtcp.NackPairsFromSequenceNumbers(l.due(now, nil))
		for some := range slices.Chunk(pairs, mostPairs) {
			list = append(list, &rtcp.TransportLayerNack{SenderSSRC: a.self, MediaSSRC: stream, Nacks: some})
		}
		again = again || len(l.missing) > 0
	}
	a.looking = again
	return list, again
}
