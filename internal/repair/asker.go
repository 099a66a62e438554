package repair

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
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
	done    chan struct{}
	missed  chan struct{} // of one: there is something to look for
	closing sync.Once
	running sync.WaitGroup

	mu      sync.Mutex // a leaf lock: nothing outside is called while it is held
	streams map[uint32]*losses
	looking bool // the goroutine looks
}

// NewAsker returns an Asker for one connection.
func NewAsker() *Asker {
	return &Asker{done: make(chan struct{}), missed: make(chan struct{}, 1), streams: make(map[uint32]*losses)}
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

// came takes a packet of a stream. If some are missing it has the goroutine look, which sleeps otherwise: to wake it up
// for nothing costs more than all else here.
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
	select {
	case a.missed <- struct{}{}:
	default:
	}
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

// BindRTCPWriter implements interceptor.Interceptor. It starts the goroutine that asks, which ends with Close.
func (a *Asker) BindRTCPWriter(w interceptor.RTCPWriter) interceptor.RTCPWriter {
	a.running.Go(func() { a.run(w) })
	return w
}

// Close implements interceptor.Interceptor.
func (a *Asker) Close() error {
	a.closing.Do(func() { close(a.done) })
	a.running.Wait()
	return nil
}

func (a *Asker) run(w interceptor.RTCPWriter) {
	self := rand.Uint32()
	timer := time.NewTimer(interval)
	defer timer.Stop()
	for {
		select {
		case <-a.done:
			return
		case <-a.missed:
			timer.Reset(firstLook)
		case now := <-timer.C:
			requests, again := a.requests(self, now)
			for _, request := range requests {
				_, _ = w.Write([]rtcp.Packet{request}, nil) // an error means that the connection is closed
			}
			if again {
				timer.Reset(interval)
			}
		}
	}
}

// requests returns what to send now. again reports whether something is still missing.
func (a *Asker) requests(self uint32, now time.Time) (list []rtcp.Packet, again bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for stream, l := range a.streams {
		pairs := rtcp.NackPairsFromSequenceNumbers(l.due(now, nil))
		for some := range slices.Chunk(pairs, mostPairs) {
			list = append(list, &rtcp.TransportLayerNack{SenderSSRC: self, MediaSSRC: stream, Nacks: some})
		}
		again = again || len(l.missing) > 0
	}
	a.looking = again
	return list, again
}
