package repair

import (
	"runtime"
	"testing"

	"github.com/pion/interceptor"
	"github.com/pion/rtp"
)

// BenchmarkHistory measures what is kept of one track that eight connections send, by pion's responder and by an Answerer:
// the bytes of all connections, and objects for a packet and connection.
func BenchmarkHistory(b *testing.B) {
	const connections, kept = 8, 2 * mostSent
	wire := interceptor.RTPWriterFunc(func(_ *rtp.Header, p []byte, _ interceptor.Attributes) (int, error) { return len(p), nil })
	for name, answers := range map[string]func() interceptor.Interceptor{
		"pion": func() interceptor.Interceptor { return pionsAnswers(b) },
		"noom": func() interceptor.Interceptor { return NewAnswerer() },
	} {
		b.Run(name, func(b *testing.B) {
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			var all []interceptor.Interceptor
			var writers []interceptor.RTPWriter
			lenders := make([]Lender, connections)
			for i := range lenders {
				one := answers()
				if a, ok := one.(*Answerer); ok {
					a.Borrow(ours, &lenders[i])
				}
				all = append(all, one)
				writers = append(writers, one.BindLocalStream(streamInfo(true), wire))
			}
			source := make([]byte, 1100)
			h := rtp.Header{Version: 2, SSRC: ours}
			send := func() {
				h.SequenceNumber++
				p := copyOf(source) // as the source's copy for all
				for i, w := range writers {
					lenders[i].Lend(p)
					_, _ = w.Write(&h, p.Bytes(), nil)
					lenders[i].Lend(nil)
				}
				p.Release()
			}
			for range kept {
				send()
			}
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&after)
			held := float64(after.HeapAlloc - before.HeapAlloc)
			runtime.ReadMemStats(&before)
			n := 0
			for b.Loop() {
				send()
				n++
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(held/connections, "B/connection")
			b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(n)/connections, "mallocs/packet")
			for _, one := range all {
				_ = one.Close()
			}
		})
	}
}
