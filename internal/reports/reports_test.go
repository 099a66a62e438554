package reports

import (
	"errors"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/report"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// pions makes pion's two interceptors.
func pions(tb testing.TB) interceptor.Interceptor {
	tb.Helper()
	var r interceptor.Registry
	in, err := report.NewReceiverInterceptor()
	must(tb, err)
	out, err := report.NewSenderInterceptor()
	must(tb, err)
	r.Add(in)
	r.Add(out)
	both, err := r.Build("")
	must(tb, err)
	return both
}

func newReporter(tb testing.TB) interceptor.Interceptor {
	tb.Helper()
	r, err := Factory{}.NewInterceptor("")
	must(tb, err)
	return r
}

// reported has i send and receive 10,000 packets, and returns its reports.
func reported(t *testing.T, i interceptor.Interceptor, loss float64) (list []rtcp.Packet) {
	t.Helper()
	var mu sync.Mutex
	i.BindRTCPWriter(interceptor.RTCPWriterFunc(func(some []rtcp.Packet, _ interceptor.Attributes) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, some...)
		return 0, nil
	}))
	info := &interceptor.StreamInfo{SSRC: 7, SSRCRetransmission: 8, ClockRate: 90000}
	w := i.BindLocalStream(info, interceptor.RTPWriterFunc(
		func(_ *rtp.Header, p []byte, _ interceptor.Attributes) (int, error) { return len(p), nil }))
	var next []byte
	r := i.BindRemoteStream(info, interceptor.RTPReaderFunc(
		func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
			return copy(b, next), a, nil
		}))
	var compound []byte
	control := i.BindRTCPReader(interceptor.RTCPReaderFunc(
		func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
			if compound == nil {
				return 0, a, io.EOF
			}
			return copy(b, compound), a, nil
		}))
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 1500)
	for n := range 10_000 {
		p := rtp.Packet{
			Header:  rtp.Header{Version: 2, SSRC: 7, SequenceNumber: uint16(60_000 + n), Timestamp: 90 * uint32(n/4*4)},
			Payload: make([]byte, rng.IntN(1000)),
		}
		_, _ = w.Write(&p.Header, p.Payload, nil)
		raw, err := p.Marshal()
		must(t, err)
		if next = raw; rng.Float64() >= loss {
			_, _, _ = r.Read(b, nil)
		}
		if n%2500 == 0 {
			compound, err = rtcp.Marshal([]rtcp.Packet{
				&rtcp.ReceiverReport{SSRC: 7}, &rtcp.SenderReport{SSRC: 7, NTPTime: uint64(n+1) << 30},
			})
			must(t, err)
			_, _, _ = control.Read(b, nil)
		}
		time.Sleep(time.Duration(rng.IntN(2000)) * time.Microsecond)
	}
	compound = nil
	if _, _, err := control.Read(b, nil); !errors.Is(err, io.EOF) {
		t.Errorf("an error became %v", err)
	}
	must(t, i.Close())
	i.UnbindLocalStream(info)
	i.UnbindRemoteStream(info)
	return list
}

// TestReportsAreThoseOfPion: of the same packets and losses, every report has the numbers that pion's interceptors say,
// except the SSRC of who receives.
func TestReportsAreThoseOfPion(t *testing.T) {
	for _, loss := range []float64{0, 0.05, 0.5} {
		var received [2][]rtcp.ReceptionReport
		var sent [2][]rtcp.SenderReport
		for i, create := range []func(testing.TB) interceptor.Interceptor{pions, newReporter} {
			synctest.Test(t, func(t *testing.T) { // all clocks begin at the same time
				for _, p := range reported(t, create(t), loss) {
					switch p := p.(type) {
					case *rtcp.ReceiverReport:
						received[i] = append(received[i], p.Reports...)
					case *rtcp.SenderReport:
						p.NTPTime >>= 16 // pion rounds the rest
						sent[i] = append(sent[i], *p)
					}
				}
			})
		}
		if len(received[0]) < 8 || !reflect.DeepEqual(received[1], received[0]) {
			t.Errorf("received\n%+v, with pion\n%+v", received[1], received[0])
		}
		if len(sent[0]) < 8 || !reflect.DeepEqual(sent[1], sent[0]) {
			t.Errorf("sent\n%+v, with pion\n%+v", sent[1], sent[0])
		}
	}
}

// TestLateIsNotLost: what comes late is no longer counted as lost, and a stream that goes on elsewhere has lost nothing.
func TestLateIsNotLost(t *testing.T) {
	r := received{ssrc: 7, clockRate: 90000}
	now := time.Unix(1e9, 0)
	for _, step := range []struct {
		seq      uint16
		lost     uint32
		fraction uint8
		highest  uint32
	}{
		{65534, 0, 0, 65534},
		{1, 2, 170, 1<<16 + 1}, // 65535 and 0 are missing
		{65535, 1, 0, 1<<16 + 1},
		{2, 1, 0, 1<<16 + 2},
		{0, 0, 0, 1<<16 + 2},
		{4, 1, 128, 1<<16 + 4},
		{20_000, 1, 0, 1<<16 + 20_000},
		{20_001, 1, 0, 1<<16 + 20_001},
		{10_000, 1, 0, 2<<16 + 10_000},
		{10_002, 2, 128, 2<<16 + 10_002},
	} {
		r.take(step.seq, 0, now)
		if b := r.report(now); b.TotalLost != step.lost || b.FractionLost != step.fraction || b.LastSequenceNumber != step.highest {
			t.Errorf("after %d: %d lost, %d/256, highest %d; want %+v", step.seq, b.TotalLost, b.FractionLost, b.LastSequenceNumber, step)
		}
	}
}

// TestRetransmissionsAreNotReported: they are no packets of the stream that they repair.
func TestRetransmissionsAreNotReported(t *testing.T) {
	i := newReporter(t)
	w := i.BindLocalStream(&interceptor.StreamInfo{SSRC: 7, ClockRate: 90000}, interceptor.RTPWriterFunc(
		func(_ *rtp.Header, p []byte, _ interceptor.Attributes) (int, error) { return len(p), nil }))
	for _, ssrc := range []uint32{7, 8, 7} {
		_, _ = w.Write(&rtp.Header{SSRC: ssrc, SequenceNumber: uint16(ssrc)}, make([]byte, 10), nil)
	}
	list, _ := i.(*Reporter).list(time.Now())
	if len(list) != 1 {
		t.Fatalf("%d reports", len(list))
	}
	if r, ok := list[0].(*rtcp.SenderReport); !ok || r.PacketCount != 2 || r.OctetCount != 20 {
		t.Errorf("%v", list)
	}
}

// TestReportsKeepTheirTimes: they are due each second since the connection was made, whenever streams begin. While there are
// none, nothing happens.
func TestReportsKeepTheirTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i, began := newReporter(t), time.Now()
		var at []time.Duration
		i.BindRTCPWriter(interceptor.RTCPWriterFunc(func([]rtcp.Packet, interceptor.Attributes) (int, error) {
			at = append(at, time.Since(began))
			return 0, nil
		}))
		rests := func() bool {
			r := i.(*Reporter)
			r.mu.Lock()
			defer r.mu.Unlock()
			return !r.reports
		}
		received, sent := &interceptor.StreamInfo{SSRC: 7, ClockRate: 90000}, &interceptor.StreamInfo{SSRC: 8, ClockRate: 90000}
		w := i.BindLocalStream(sent, interceptor.RTPWriterFunc(
			func(_ *rtp.Header, p []byte, _ interceptor.Attributes) (int, error) { return len(p), nil }))
		time.Sleep(2300 * time.Millisecond)
		if !rests() {
			t.Error("it does not rest without a packet")
		}
		i.BindRemoteStream(received, nil)
		time.Sleep(2 * time.Second) // until 4.3 s
		i.UnbindRemoteStream(received)
		time.Sleep(3 * time.Second)
		if !rests() {
			t.Error("it does not rest again")
		}
		_, _ = w.Write(&rtp.Header{SSRC: 8}, nil, nil) // at 7.3 s
		time.Sleep(2 * time.Second)
		must(t, i.Close())
		time.Sleep(2 * time.Second)
		if want := []time.Duration{3 * time.Second, 4 * time.Second, 8 * time.Second, 9 * time.Second}; !slices.Equal(at, want) {
			t.Errorf("it reported at %v, want %v", at, want)
		}
	})
}

// BenchmarkReceived measures a packet that is received, with pion's interceptors and with a Reporter.
func BenchmarkReceived(b *testing.B) {
	h := rtp.Header{Version: 2, SSRC: 7}
	_ = h.SetExtension(3, []byte{1, 2})
	raw, err := (&rtp.Packet{Header: h, Payload: make([]byte, 1100)}).Marshal()
	must(b, err)
	for name, create := range map[string]func(testing.TB) interceptor.Interceptor{"pion": pions, "noom": newReporter} {
		b.Run(name, func(b *testing.B) {
			r := create(b).BindRemoteStream(&interceptor.StreamInfo{SSRC: 7, ClockRate: 90000}, interceptor.RTPReaderFunc(
				func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
					return copy(b, raw), a, nil
				}))
			var buf [1500]byte
			b.ReportAllocs()
			for b.Loop() {
				raw[3]++
				_, _, _ = r.Read(buf[:], nil)
			}
		})
	}
}
