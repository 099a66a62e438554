package main

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
)

// The link, in bits per second, and when it changes.
const (
	wide, narrow = 2_000_000, 300_000

	cutAt  = 20 * time.Second
	healAt = 40 * time.Second
	endAt  = 60 * time.Second
)

// step is how often it is looked at what happens.
const step = 250 * time.Millisecond

// settled is how long after a change the call should have adapted to it.
const settled = 5 * time.Second

// A call is what was seen of one.
type call struct {
	samples []sample // one each step
	summary string
}

// A sample is what happened in the step that ended at a time. Rates are in bits per second.
type sample struct {
	at       time.Duration
	link     int
	estimate int           // as Peer.Bandwidth has it, once a second
	sent     int           // through the link: pictures, sound, repeats, probes and their headers
	shown    int           // of the pictures that the other end has shown
	queue    time.Duration // the longest wait before the link
	picture  time.Duration // the latest picture, from the source until it was shown; 0: none was shown
}

// calls is how many are played. Where goroutines are scheduled by chance, no two are the same.
const calls = 9

// typical plays some calls and returns the one whose delays are in the middle.
func typical(t *testing.T, seed uint64) call {
	t.Helper()
	list := make([]call, calls)
	for i := range list {
		list[i] = play(t, seed+uint64(i))
	}
	slices.SortFunc(list, func(a, b call) int { return cmp.Compare(a.delays(), b.delays()) })
	return list[calls/2]
}

// delays adds up how late things were.
func (c call) delays() (sum time.Duration) {
	for _, s := range c.samples {
		sum += s.queue + s.picture
	}
	return sum
}

// play has alice show herself to bob over a link that is cut and heals.
func play(t *testing.T, seed uint64) (c call) {
	t.Helper()
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		alice, view := connect(t, w)
		link, meter, stage := wide, w.MeterUpload("alice"), w.MeterUpload("alice")
		frames := 0
		for at := step; at <= endAt; at += step {
			time.Sleep(step)
			traffic, seen := meter.Reset(), view.Reset()
			c.samples = append(c.samples, sample{
				at: at, link: link, estimate: alice.Peers()[0].Bandwidth().Estimate,
				sent: traffic.Bitrate(), shown: seen.Bitrate(),
				queue: traffic.QueueDelay(1), picture: seen.Delay(1),
			})
			frames += seen.Frames
			if at == cutAt {
				link = narrow
				w.SetUpload("alice", noomtest.Link{Bandwidth: link})
			}
			if at == healAt {
				link = wide
				w.SetUpload("alice", noomtest.Link{Bandwidth: link})
			}
			if slices.Contains([]time.Duration{settled, cutAt, cutAt + settled, healAt, healAt + settled, endAt}, at) {
				report := stage.Reset()
				c.summary += fmt.Sprintf("until %v: %v; %.1f pictures a second\n", at, report, float64(frames)/report.Time.Seconds())
				frames = 0
			}
		}
	}, noomtest.WithLatency(30*time.Millisecond), noomtest.WithSeed(seed))
	return c
}

// connect has alice publish a picture, which follows what it is told to make, and a sound. It returns what bob sees.
func connect(t *testing.T, w *noomtest.World) (alice noom.Room, view *noomtest.Viewer) {
	t.Helper()
	alice, bob := w.Join("plots", &noom.Config{Name: "alice"}), w.Join("plots", &noom.Config{Name: "bob"})
	w.SetUpload("alice", noomtest.Link{Bandwidth: wide})
	w.Settle()
	video := w.Video(&noomtest.VideoOptions{Bitrate: narrow})
	_, err := alice.Publish(t.Context(), video, &noom.PublishOptions{
		Encodings: []noom.Encoding{{Track: video, Height: 720, MinBitrate: 30_000, MaxBitrate: 4_000_000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Publish(t.Context(), w.Speech(32_000), nil); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if track := noomtest.Await[noom.TrackAdded](w, bob, nil).Track; track.Name() == "camera" {
			view = w.View(track)
		} else {
			w.Sink(track)
		}
	}
	return alice, view
}
