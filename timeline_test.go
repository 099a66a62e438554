package noom_test

import (
	"context"
	"errors"
	"net/http/httptrace"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"

	"noom"
	"noom/noomtest"
	"noom/signal"
)

// step is a step of a Timeline, and after how many trips, one way, it is reached.
type step struct {
	name  string
	at    time.Time
	trips int
}

// stepsOf are those of a Timeline that follow from trips, of which there are trips[0] to the first, and so on.
func stepsOf(l noom.Timeline, trips ...int) []step {
	steps := []step{
		{"offer", l.Offer, 0},
		{"answer", l.Answer, 0},
		{"check", l.Check, 0},
		{"ICE", l.ICE, 0},
		{"DTLS", l.DTLS, 0},
		{"media", l.Media, 0},
	}
	for i := range steps {
		steps[i].trips = trips[i]
	}
	return steps
}

// hum sends sound every millisecond until the test ends, so that the first packet never waits for the source.
func hum(t *testing.T) []noom.LocalTrack {
	t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus}, "hum", "test")
	must(t, err)
	ctx := t.Context()
	go func() {
		ticker := time.NewTicker(time.Millisecond)
		defer ticker.Stop()
		for ctx.Err() == nil {
			_ = track.WriteSample(media.Sample{Data: []byte{0xf8, 0xff, 0xfe}, Duration: 20 * time.Millisecond})
			select {
			case <-ticker.C:
			case <-ctx.Done(): // no time passes any longer
			}
		}
	}()
	return []noom.LocalTrack{{Name: "hum", Track: track}}
}

// TestTripsToFirstMedia counts the trips that joining takes, each half a round trip: with signaling and media on the
// same network, time passes in nothing else.
func TestTripsToFirstMedia(t *testing.T) {
	const latency = 50 * time.Millisecond
	const oneWay = latency + 137*time.Microsecond // see inWorld
	inWorld(t, latency, func(t *testing.T, w *world) {
		resident := w.join("r", "지우", &noom.Config{Tracks: hum(t)})
		newcomer := w.join("r", "bob", &noom.Config{Tracks: hum(t)})
		until(t, newcomer, connected)
		time.Sleep(time.Second)
		here, there := peerOf(t, newcomer, resident).Timeline(), peerOf(t, resident, newcomer).Timeline()
		if !here.Resolved.IsZero() || there.Joined.After(here.Began) {
			t.Errorf("there was no name to look up, and the resident came first: %+v, %+v", here, there)
		}
		steps := append([]step{{"hub", here.Hub, 0}, {"joined", here.Joined, 2}}, stepsOf(here, 0, 4, 6, 8, 10, 12)...)
		for i, steps := range [][]step{steps, stepsOf(there, 2, 2, 5, 7, 11, 11)} {
			for _, s := range steps {
				late := s.at.Sub(here.Began) - time.Duration(s.trips)*oneWay
				if late < 0 || late > oneWay/4 { // candidates are gathered for some ms before they are sent
					t.Errorf("%s: %s after %v, want %d trips of %v", []string{"newcomer", "resident"}[i], s.name, s.at.Sub(here.Began), s.trips, oneWay)
				}
			}
		}
	}, noomtest.WithSignalingLatency(oneWay))
}

// TestTimelineOfRebuild: a new connection begins anew with the offer, and the steps of joining stay.
func TestTimelineOfRebuild(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, b, connected)
		p := peerOf(t, b, a)
		before := p.Timeline()
		time.Sleep(time.Second)
		must(t, p.RestartICE(t.Context()))
		time.Sleep(time.Second)
		if after := p.Timeline(); after != before || !after.Media.IsZero() {
			t.Errorf("a restart, without media, has made %+v of %+v", after, before)
		}
		breakUp(p)
		until(t, b, connected)
		time.Sleep(time.Second)
		after := p.Timeline()
		if after.Began != before.Began || after.Joined != before.Joined || !after.Offer.After(before.DTLS) ||
			!after.Check.After(after.Offer) || !after.DTLS.After(after.ICE) {
			t.Errorf("a rebuild has made %+v of %+v", after, before)
		}
		must(t, a.Leave(t.Context()))
		until[noom.PeerLeft](t, b, nil)
		time.Sleep(time.Second)
		if gone := p.Timeline(); !gone.Offer.IsZero() || gone.Joined != before.Joined {
			t.Errorf("a peer that is gone has %+v", gone)
		}
	})
}

// TestTimelineOfDialer: what a Dialer reports of looking names up counts once, if it was found.
func TestTimelineOfDialer(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		w.join("r", "a", nil)
		found := func(ctx context.Context, err error) {
			time.Sleep(time.Second)
			httptrace.ContextClientTrace(ctx).DNSDone(httptrace.DNSDoneInfo{Err: err})
		}
		b := w.joinBy(signal.DialerFunc(func(ctx context.Context) (noom.Signaler, error) {
			found(ctx, errors.New("no such host"))
			found(ctx, nil)
			found(ctx, nil)
			return w.nearHub().Dial(ctx)
		}), "r", "b", nil)
		l := b.Peers()[0].Timeline()
		if l.Resolved.Sub(l.Began) != 2*time.Second || l.Hub.Sub(l.Began) != 3*time.Second {
			t.Errorf("got %+v", l)
		}
	})
}
