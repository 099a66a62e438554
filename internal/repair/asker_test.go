package repair

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
)

// TestAskerWakesUp: what is missing is asked for soon, twice, and after a pause in which nothing was missing again.
func TestAskerWakesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAsker()
		var mu sync.Mutex
		asked := make(map[uint16][]time.Duration) // since it was missed
		var missed time.Time
		a.BindRTCPWriter(interceptor.RTCPWriterFunc(func(list []rtcp.Packet, _ interceptor.Attributes) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			for _, p := range list {
				for _, pair := range p.(*rtcp.TransportLayerNack).Nacks {
					for _, seq := range pair.PacketList() {
						asked[seq] = append(asked[seq], time.Since(missed))
					}
				}
			}
			return 0, nil
		}))
		defer func() { _ = a.Close() }()
		next := byte(0)
		r := a.BindRemoteStream(&interceptor.StreamInfo{
			SSRC: 9, RTCPFeedback: []interceptor.RTCPFeedback{{Type: "nack"}},
		}, interceptor.RTPReaderFunc(func(b []byte, attrs interceptor.Attributes) (int, interceptor.Attributes, error) {
			return copy(b, []byte{0x80, 0, 0, next, 0}), attrs, nil
		}))
		come := func() {
			if _, _, err := r.Read(make([]byte, 100), nil); err != nil {
				t.Error(err)
			}
			next++
		}
		come()
		for _, pause := range []time.Duration{time.Second, 3 * time.Second, 100 * time.Millisecond, time.Minute} {
			time.Sleep(pause)
			lost := uint16(next)
			next++
			missed = time.Now()
			come()
			for range 20 {
				time.Sleep(50 * time.Millisecond)
				come()
			}
			mu.Lock()
			if got := asked[lost]; len(got) != mostAsks || got[0] < settling || got[0] > interval || got[1]-got[0] > firstWait+interval {
				t.Errorf("after %v: asked for %d after %v", pause, lost, got)
			}
			mu.Unlock()
		}
		if seqs := len(asked); seqs != 4 {
			t.Errorf("asked for %d packets: %v", seqs, asked)
		}
	})
}

// TestRequestsFit: as many packets as are waited for, each in a pair of its own, are asked for once each, in requests that
// pion can write and that fit the MTU.
func TestRequestsFit(t *testing.T) {
	const mtu = 1200
	for _, apart := range []uint16{1, 2, 17, 18} {
		a := NewAsker()
		l := new(losses)
		a.streams[9] = l
		now := start
		var seq uint16 // of what comes; the one before each is missing
		for l.came(seq, now); len(l.missing) < maxMissing; {
			seq += 1 + apart
			for got := seq - apart + 1; got != seq+1; got++ {
				l.came(got, now)
			}
		}
		list, _ := a.requests(now.Add(time.Second))
		asked := make(map[uint16]int)
		for _, p := range list {
			raw, err := p.Marshal()
			if err != nil || len(raw) > mtu {
				t.Fatalf("%d apart: a request of %d bytes: %v", apart, len(raw), err)
			}
			for _, pair := range p.(*rtcp.TransportLayerNack).Nacks {
				for _, seq := range pair.PacketList() {
					asked[seq]++
				}
			}
		}
		for _, m := range l.missing {
			if asked[m.seq] != 1 {
				t.Errorf("%d apart: %d was asked for %d times", apart, m.seq, asked[m.seq])
			}
		}
		if len(asked) != maxMissing || len(list) > 3 {
			t.Errorf("%d apart: asked for %d packets in %d requests", apart, len(asked), len(list))
		}
	}
}

// TestWhatFollowsIsNotMissing: the short way notes packets as the long one does.
func TestWhatFollowsIsNotMissing(t *testing.T) {
	var short, long losses
	for _, seq := range []uint16{65533, 65534, 65535, 0, 1, 4, 5, 6, 3, 7, 7, 9000, 9001, 9003} {
		if !short.follows(seq) {
			short.came(seq, start)
		}
		long.came(seq, start)
		if short.highest != long.highest || !slices.Equal(short.missing, long.missing) {
			t.Fatalf("after %d: %+v, want %+v", seq, short, long)
		}
	}
}
