package pion

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/gcc"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

const mediaSSRC, repairSSRC = 1, 2

// newInterceptor returns what a factory makes.
func newInterceptor(t *testing.T, f interceptor.Factory, err error) interceptor.Interceptor {
	t.Helper()
	must(t, err)
	i, err := f.NewInterceptor("")
	must(t, err)
	t.Cleanup(func() { must(t, i.Close()) })
	return i
}

// streamWith is a stream of video with NACKs and retransmissions.
func streamWith(ssrc uint32) *interceptor.StreamInfo {
	return &interceptor.StreamInfo{
		SSRC: ssrc, ClockRate: 90000, PayloadType: 96, SSRCRetransmission: repairSSRC, PayloadTypeRetransmission: 97,
		RTCPFeedback: []interceptor.RTCPFeedback{{Type: "nack"}},
	}
}

// packet returns a packet of a source.
func packet(t *testing.T, ssrc uint32, number uint16, payload ...byte) []byte {
	t.Helper()
	raw, err := (&rtp.Packet{Header: rtp.Header{Version: 2, SSRC: ssrc, SequenceNumber: number}, Payload: payload}).Marshal()
	must(t, err)
	return raw
}

// TestRepairedIsAskedForAgain: the generator asks for a packet that a retransmission has brought.
func TestRepairedIsAskedForAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := nack.NewGeneratorInterceptor(nack.WithGeneratorLoggerFactory(quiet()))
		generator := newInterceptor(t, f, err)
		var asked atomic.Int32
		generator.BindRTCPWriter(interceptor.RTCPWriterFunc(func([]rtcp.Packet, interceptor.Attributes) (int, error) {
			asked.Add(1)
			return 0, nil
		}))
		receive := func(ssrc uint32) func(raw []byte) {
			var next []byte
			r := generator.BindRemoteStream(streamWith(ssrc), interceptor.RTPReaderFunc(
				func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
					return copy(b, next), a, nil
				}))
			return func(raw []byte) {
				next = raw
				_, _, err := r.Read(make([]byte, 1500), nil)
				must(t, err)
			}
		}
		video, repair := receive(mediaSSRC), receive(repairSSRC)
		for _, number := range []uint16{1, 2, 4, 5} {
			video(packet(t, mediaSSRC, number))
		}
		time.Sleep(150 * time.Millisecond)
		if n := asked.Load(); n != 1 {
			t.Fatalf("the generator has asked %d times", n)
		}
		repair(packet(t, repairSSRC, 1, 0, 3)) // RFC 4588: the first two bytes are the number of the lost one
		time.Sleep(time.Second)
		t.Logf("asked for %d times after the repair", asked.Load()-1)
		stillWrong(t, asked.Load() > 1, "internal/repair: Asker")
	})
}

// TestHistoryIsCopied: the responder makes objects for each packet, in each connection that one track is sent over.
func TestHistoryIsCopied(t *testing.T) {
	const connections = 8
	wire := interceptor.RTPWriterFunc(func(_ *rtp.Header, p []byte, _ interceptor.Attributes) (int, error) { return len(p), nil })
	var writers []interceptor.RTPWriter
	for range connections {
		f, err := nack.NewResponderInterceptor(nack.WithResponderLoggerFactory(quiet()))
		writers = append(writers, newInterceptor(t, f, err).BindLocalStream(streamWith(mediaSSRC), wire))
	}
	h, payload := rtp.Header{Version: 2, SSRC: mediaSSRC}, make([]byte, 1100)
	send := func() {
		h.SequenceNumber++
		for _, w := range writers {
			_, err := w.Write(&h, payload, nil)
			must(t, err)
		}
	}
	for range 4096 { // more than it keeps
		send()
	}
	made := testing.AllocsPerRun(1000, send) / connections
	t.Logf("%.1f objects for a packet and connection", made)
	stillWrong(t, made >= 1, "internal/repair: Answerer, as far as it shares payloads")
}

// TestReportsAllocate: the interceptor for receiver reports makes objects for each packet that comes.
func TestReportsAllocate(t *testing.T) {
	f, err := report.NewReceiverInterceptor(report.WithReceiverLoggerFactory(quiet()))
	raw := packet(t, mediaSSRC, 1, make([]byte, 1100)...)
	r := newInterceptor(t, f, err).BindRemoteStream(streamWith(mediaSSRC), interceptor.RTPReaderFunc(
		func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
			return copy(b, raw), a, nil
		}))
	buffer := make([]byte, 1500)
	made := testing.AllocsPerRun(1000, func() {
		raw[3]++
		_, _, err := r.Read(buffer, nil)
		must(t, err)
	})
	t.Logf("%.1f objects for a packet", made)
	stillWrong(t, made >= 1, "internal/reports")
}

// TestPacersRefuseRetransmissions: with a congestion controller, retransmissions (RFC 4588) are not sent.
func TestPacersRefuseRetransmissions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, pacer := range map[string]gcc.Pacer{"none": gcc.NewNoOpPacer(), "leaky bucket": gcc.NewLeakyBucketPacer(1_000_000)} {
			bwe, err := gcc.NewSendSideBWE(gcc.SendSideBWEPacer(pacer), gcc.WithLoggerFactory(quiet()))
			must(t, err)
			sent := map[uint32]int{}
			w := bwe.AddStream(streamWith(mediaSSRC), interceptor.RTPWriterFunc(
				func(h *rtp.Header, p []byte, _ interceptor.Attributes) (int, error) {
					sent[h.SSRC]++
					return len(p), nil
				}))
			for _, ssrc := range []uint32{mediaSSRC, repairSSRC} {
				_, err := w.Write(&rtp.Header{Version: 2, SSRC: ssrc}, make([]byte, 100), interceptor.Attributes{})
				t.Logf("%s: source %d: %v", name, ssrc, err)
			}
			time.Sleep(time.Second)
			must(t, bwe.Close())
			if sent[mediaSSRC] != 1 {
				t.Fatalf("%s: %v", name, sent)
			}
			stillWrong(t, sent[repairSSRC] == 0, "internal/traffic, which paces retransmissions too")
		}
	})
}
