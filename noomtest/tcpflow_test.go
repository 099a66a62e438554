package noomtest_test

import (
	"testing"
	"time"

	"noom/noomtest"
)

// TestFlow: a flow fills a link and its queue, two share it, and one comes back after an outage.
func TestFlow(t *testing.T) {
	for name, upload := range map[string]bool{"upload": true, "download": false} {
		noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
			link := noomtest.Link{Bandwidth: 2_000_000, Latency: 20 * time.Millisecond}
			w.Config("alice")
			set, begin, meter := w.SetUpload, w.UploadTCP, w.MeterUpload
			if !upload {
				set, begin, meter = w.SetDownload, w.DownloadTCP, w.MeterDownload
			}
			set("alice", link)
			m := meter("alice")
			a := begin("alice")
			time.Sleep(20 * time.Second)
			if bits := a.Bitrate(); !near(float64(bits), 1_900_000, 0.05) {
				t.Errorf("%s: %d bit/s", name, bits)
			}
			b := begin("alice")
			time.Sleep(20 * time.Second)
			a.Reset()
			b.Reset()
			time.Sleep(time.Minute)
			if x, y := a.Bitrate(), b.Bitrate(); x+y < 1_850_000 || x < 500_000 || y < 500_000 {
				t.Errorf("%s: two flows have %d and %d bit/s", name, x, y)
			}
			b.Stop()
			b.Reset()
			link.Loss = 1
			set("alice", link)
			time.Sleep(5 * time.Second)
			a.Reset()
			time.Sleep(2 * time.Second)
			if bits := a.Bitrate(); bits > 10_000 {
				t.Errorf("%s: %d bit/s get through an outage", name, bits)
			}
			link.Loss = 0
			set("alice", link)
			time.Sleep(10 * time.Second)
			a.Reset()
			time.Sleep(10 * time.Second)
			if x, y := a.Bitrate(), b.Bitrate(); !near(float64(x), 1_900_000, 0.05) || y != 0 {
				t.Errorf("%s: %d bit/s after an outage, %d of a flow that was stopped", name, x, y)
			}
			if r := m.Report(); r.Sent != 0 {
				t.Errorf("%s: the meter counts flows: %v", name, r)
			}
		})
	}
}

// TestFlowFillsQueue: packets of others wait behind those of a flow, and get lost with them.
func TestFlowFillsQueue(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		s := newStream(t, w)
		w.SetUpload("alice", noomtest.Link{Bandwidth: 1_000_000})
		m := w.MeterUpload("alice")
		f := w.UploadTCP("alice")
		time.Sleep(5 * time.Second)
		m.Reset()
		s.play(t, 100_000, 20*time.Second)
		if r := m.Reset(); r.QueueDelay(0.5) < 100*time.Millisecond || r.QueueDelay(1) > 215*time.Millisecond || r.Full == 0 {
			t.Errorf("beside a flow: %v", r)
		}
		f.Stop()
		time.Sleep(time.Second)
		m.Reset()
		s.play(t, 100_000, 20*time.Second)
		if r := m.Report(); r.QueueDelay(1) > 0 || r.Full > 0 {
			t.Errorf("after the flow: %v", r)
		}
	})
}
