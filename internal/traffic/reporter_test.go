package traffic

import (
	"encoding/binary"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/sdp/v3"
)

// reporting is a Reporter, what it reads from and what it sends.
type reporting struct {
	*Reporter
	t    *testing.T
	read interceptor.RTPReader
	next []byte // the packet to be read

	mu   sync.Mutex
	sent map[uint16]time.Time // when the first report on a packet was sent
	at   []time.Time          // of all reports
}

func newReporting(t *testing.T) *reporting {
	t.Helper()
	r := &reporting{Reporter: NewReporter(), t: t, sent: make(map[uint16]time.Time)}
	r.recorder.sender = 7
	r.BindRTCPWriter(interceptor.RTCPWriterFunc(func(list []rtcp.Packet, _ interceptor.Attributes) (int, error) {
		for _, p := range list {
			raw, err := p.Marshal()
			must(t, err)
			r.mu.Lock()
			r.at = append(r.at, time.Now())
			for n := range judged(t, [][]byte{raw}) {
				if r.sent[n].IsZero() {
					r.sent[n] = time.Now()
				}
			}
			r.mu.Unlock()
		}
		return 0, nil
	}))
	r.read = r.BindRemoteStream(&interceptor.StreamInfo{
		SSRC: 9, RTPHeaderExtensions: []interceptor.RTPHeaderExtension{{URI: sdp.TransportCCURI, ID: 3}},
	}, interceptor.RTPReaderFunc(func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
		return copy(b, r.next), a, nil
	}))
	t.Cleanup(func() { must(t, r.Close()) })
	return r
}

// arrive has a packet arrive.
func (r *reporting) arrive(number uint16) {
	r.t.Helper()
	h := rtp.Header{Version: 2, SSRC: 9}
	must(r.t, h.SetExtension(3, binary.BigEndian.AppendUint16(nil, number)))
	raw, err := h.Marshal()
	must(r.t, err)
	r.next = raw
	n, _, err := r.read.Read(make([]byte, 1500), nil)
	if must(r.t, err); n != len(raw) {
		r.t.Errorf("%d bytes of %d were read", n, len(raw))
	}
}

// TestReportsAreOnTime: each packet is reported soon, by the next ones or when none come, and reports are few.
func TestReportsAreOnTime(t *testing.T) {
	for _, gap := range []time.Duration{5, 33, 250, 1000} {
		synctest.Test(t, func(t *testing.T) {
			r := newReporting(t)
			came := make(map[uint16]time.Time)
			began, number := time.Now(), uint16(65530)
			for time.Since(began) < 10*time.Second {
				for range 4 { // a picture
					came[number] = time.Now()
					r.arrive(number)
					number++
				}
				time.Sleep(gap * time.Millisecond)
			}
			time.Sleep(time.Second)
			must(t, r.Close())
			for n, at := range came {
				if late := r.sent[n].Sub(at); late < 0 || late > reportEvery+tailAfter {
					t.Errorf("every %d ms: packet %d was reported %v late", gap, n, late)
				}
			}
			if got := len(r.at); got > 2*int(10*time.Second/reportEvery) || gap < 50 && got > 101 {
				t.Errorf("every %d ms: %d reports in 10 s", gap, got)
			}
			if got, want := slices.Sorted(maps.Keys(r.sent)), slices.Sorted(maps.Keys(came)); !slices.Equal(got, want) {
				t.Errorf("every %d ms: reported %v, want %v", gap, got, want)
			}
		})
	}
}

// TestReportsAreBounded: a peer that sends in an order that takes a report for each packet gets few of them.
func TestReportsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReporting(t)
		for start := range uint16(2) {
			for n := start; n < 1000; n += 2 {
				r.arrive(n)
			}
			time.Sleep(20 * time.Second)
		}
		r.arrive(1000)
		must(t, r.Close())
		for i, at := range r.at[min(mostReports, len(r.at)):] {
			if at.Sub(r.at[i]) < reportEvery {
				t.Fatalf("%d reports within %v", mostReports+1, at.Sub(r.at[i]))
			}
		}
	})
}

// TestPacketsWithoutANumber are no business of a Reporter.
func TestPacketsWithoutANumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newReporting(t)
		r.next = []byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2}
		for range 100 {
			_, _, err := r.read.Read(make([]byte, 1500), nil)
			must(t, err)
			time.Sleep(10 * time.Millisecond)
		}
		if len(r.at) > 0 {
			t.Errorf("%d reports on nothing", len(r.at))
		}
	})
}
