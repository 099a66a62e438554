package hub_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

// BenchmarkStalledReader measures, over WebSocket, how long a chat of 4 KB takes to
// 99 members before and after the hundredth stops reading: on a quiet machine
// that must not move by 50 ms. One iteration is a chat; -benchtime 2500x fills what
// lies between hub and stalled member, and sees that cut. TestOneOfAHundredStops
// is the same in virtual time.
func BenchmarkStalledReader(b *testing.B) {
	h := hub.New(&hub.Config{Limits: signal.Limits{Members: 100, Rate: 1 << 30}, QueueBytes: 256 << 10})
	server := httptest.NewServer(ws.Handler(h, nil))
	defer server.Close()
	defer func() { _ = h.Shutdown(context.Background()) }() // everyone reads until then
	d := ws.Dialer{URL: server.URL}
	stalled := join(b, d, "r", "stalled")
	const readers = 99
	heard := make(chan time.Duration, readers)
	var members []*member
	for i := range readers {
		m := join(b, d, "r", fmt.Sprint(i))
		members = append(members, m)
		go func() {
			for {
				f, err := m.link.Receive(context.Background())
				if err != nil {
					return
				}
				if f.Type == signal.TypeChat {
					var at int64
					_, _ = fmt.Sscan(f.Text[:20], &at) // it is ours
					heard <- time.Duration(time.Now().UnixNano() - at)
				}
			}
		}()
	}
	text := make([]byte, 4000)
	for i := range text {
		text[i] = 'x'
	}
	round := func(chats int) (median, p99 time.Duration) {
		var all []time.Duration
		for i := range chats {
			members[i%readers].send(signal.Message{
				Type: signal.TypeChat, ID: signal.NewSession(), Text: fmt.Sprintf("%019d %s", time.Now().UnixNano(), text),
			})
			for range readers {
				all = append(all, <-heard)
			}
		}
		slices.Sort(all)
		return all[len(all)/2], all[len(all)*99/100]
	}
	// Until here its welcomes wait in the socket; now it reads, then no more.
	reading, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			if f, err := stalled.link.Receive(context.Background()); err != nil || f.Type == signal.TypeChat && reading.Err() != nil {
				return
			}
		}
	}()
	before, before99 := round(200)
	stop()
	b.ResetTimer()
	after, after99 := round(b.N)
	b.StopTimer()
	<-stopped
	b.ReportMetric(float64(before.Microseconds()), "before-p50-µs")
	b.ReportMetric(float64(after.Microseconds()), "after-p50-µs")
	b.ReportMetric(float64(before99.Microseconds()), "before-p99-µs")
	b.ReportMetric(float64(after99.Microseconds()), "after-p99-µs")
	b.ReportMetric(float64(h.Stats().Ended["too_slow"]), "cut")
}
