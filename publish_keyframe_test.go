package noom_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/mediatest"
	"noom/internal/packet"
)

// How often a camera is asked for a key frame at most, and what one peer can ask for: so many
// at once, then one in so long.
const (
	keyframeInterval = 500 * time.Millisecond
	keyframeBurst    = 4
	keyframeEvery    = 4 * time.Second
)

// thrifty is a camera that makes no key frame but those it is asked for, the first one
// included: 25 frames a second, each of two packets, from Bind to Unbind.
type thrifty struct {
	deaf int // so many requests are not heeded

	mu        sync.Mutex
	requests  int
	keyframes int
	bindings  map[string]chan struct{} // closed by Unbind
	running   sync.WaitGroup
}

func newThrifty() *thrifty { return &thrifty{bindings: map[string]chan struct{}{}} }

func (c *thrifty) ID() string                { return "thrifty" }
func (c *thrifty) StreamID() string          { return "thrifty" }
func (c *thrifty) RID() string               { return "" }
func (c *thrifty) Kind() webrtc.RTPCodecType { return webrtc.RTPCodecTypeVideo }

func (c *thrifty) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	stop := make(chan struct{})
	c.mu.Lock()
	c.bindings[ctx.ID()] = stop
	c.mu.Unlock()
	wanted := make(chan struct{}, 1)
	c.running.Go(func() { c.listen(ctx.RTCPReader(), wanted) })
	c.running.Go(func() { c.film(ctx.WriteStream(), wanted, stop) })
	for _, codec := range ctx.CodecParameters() {
		if codec.MimeType == webrtc.MimeTypeVP8 {
			return codec, nil
		}
	}
	return webrtc.RTPCodecParameters{}, errors.New("VP8 alone")
}

func (c *thrifty) Unbind(ctx webrtc.TrackLocalContext) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if stop := c.bindings[ctx.ID()]; stop != nil {
		close(stop)
		delete(c.bindings, ctx.ID())
	}
	return nil
}

func (c *thrifty) listen(r interceptor.RTCPReader, wanted chan<- struct{}) {
	buf := make([]byte, 1500)
	for {
		n, _, err := r.Read(buf, nil)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil || len(packets) != 1 {
			continue
		}
		c.mu.Lock()
		c.requests++
		heeds := c.requests > c.deaf
		c.mu.Unlock()
		if heeds {
			select {
			case wanted <- struct{}{}:
			default:
			}
		}
	}
}

func (c *thrifty) film(stream webrtc.TrackLocalWriter, wanted <-chan struct{}, stop <-chan struct{}) {
	packetizer := rtp.NewPacketizer(1200, 96, 7, &codecs.VP8Payloader{}, rtp.NewRandomSequencer(), 90000)
	ticker := time.NewTicker(mediatest.FrameTime)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
		}
		frame := bytes.Repeat([]byte{1}, 2000)
		select {
		case <-wanted:
			c.mu.Lock()
			c.keyframes++
			c.mu.Unlock()
			frame[0] = 0
		default:
		}
		for _, p := range packetizer.Packetize(frame, 3600) {
			_, _ = stream.WriteRTP(&p.Header, p.Payload)
		}
	}
}

func (c *thrifty) counts() (requests, keyframes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests, c.keyframes
}

// shown waits until r sees from's track of that name, which begins with a key frame,
// and returns how long that took.
func shown(t *testing.T, r, from noom.Room, name string) time.Duration {
	t.Helper()
	start := time.Now()
	for time.Since(start) < 20*time.Second {
		for _, track := range peerOf(t, r, from).Tracks() {
			if track.Name() == name && track.Codec().MimeType != "" {
				return time.Since(start)
			}
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s is never shown %s", r.Self().Name, name)
	return 0
}

// pictured returns a function that waits for the next key frame of a track of r's.
func pictured(t *testing.T, r, from noom.Room) func(within time.Duration) {
	t.Helper()
	p := peerOf(t, r, from)
	tap := p.Tracks()[0].Tap()
	came := make(chan struct{}, 1000)
	go func() {
		for {
			p, err := tap.ReadRTP()
			if err != nil {
				return
			}
			if packet.KeyframeStart(webrtc.MimeTypeVP8)(p.Payload) {
				came <- struct{}{}
			}
		}
	}()
	t.Cleanup(func() { _ = tap.Close() })
	return func(within time.Duration) {
		t.Helper()
		for len(came) > 0 {
			<-came
		}
		select {
		case <-came:
		case <-time.After(within):
			t.Fatalf("no key frame within %v", within)
		}
	}
}

// However a leg begins, a source that makes key frames on request alone is asked for
// one: at once, where it can flow at once.
func TestEveryBeginningAsksForAKeyframe(t *testing.T) {
	const soon = 400 * time.Millisecond // a few trips of 10 ms, and a frame or two
	for name, begin := range map[string]func(t *testing.T, w *world, a, b noom.Room, c *thrifty){
		"before the connection": func(t *testing.T, w *world, _, b noom.Room, c *thrifty) {
			d := w.join("r", "d", &noom.Config{Tracks: []noom.LocalTrack{{Name: "video", Track: c}}})
			until(t, d, connected)
			if took := shown(t, b, d, "video"); took > soon {
				t.Errorf("shown after %v", took)
			}
		},
		"while the connection comes up": func(t *testing.T, w *world, _, b noom.Room, _ *thrifty) {
			d := w.join("r", "d", nil)
			for i := range 8 {
				time.Sleep(time.Duration(i) * 3 * time.Millisecond)
				track := newThrifty()
				_, err := d.Publish(t.Context(), track, &noom.PublishOptions{Name: fmt.Sprint(i)})
				must(t, err)
			}
			until(t, d, connected)
			time.Sleep(soon)
			for i := range 8 {
				if took := shown(t, b, d, fmt.Sprint(i)); took > soon {
					t.Errorf("%d: shown after %v", i, took)
				}
			}
		},
		"in mid-call": func(t *testing.T, _ *world, a, b noom.Room, c *thrifty) {
			_, err := a.Publish(t.Context(), c, nil)
			must(t, err)
			if took := shown(t, b, a, "camera"); took > soon {
				t.Errorf("shown after %v", took)
			}
			if requests, _ := c.counts(); requests != 1 {
				t.Errorf("asked %d times", requests)
			}
		},
		"for one peer alone": func(t *testing.T, _ *world, a, b noom.Room, c *thrifty) {
			_, err := peerOf(t, a, b).Publish(t.Context(), c, nil)
			must(t, err)
			if took := shown(t, b, a, "camera"); took > soon {
				t.Errorf("shown after %v", took)
			}
		},
		"in a section used before": func(t *testing.T, _ *world, a, b noom.Room, c *thrifty) {
			for i := range 6 { // more often than a peer's budget would allow
				s, err := a.Publish(t.Context(), c, &noom.PublishOptions{Name: fmt.Sprint("take ", i)})
				must(t, err)
				if took := shown(t, b, a, fmt.Sprint("take ", i)); took > soon {
					t.Errorf("take %d: shown after %v", i, took)
				}
				must(t, s.Close())
				time.Sleep(100 * time.Millisecond)
			}
		},
		"after a rebuild": func(t *testing.T, _ *world, a, b noom.Room, c *thrifty) {
			_, err := a.Publish(t.Context(), c, nil)
			must(t, err)
			shown(t, b, a, "camera")
			for i, r := range []noom.Room{a, b} {
				next := pictured(t, b, a)
				breakUp(peerOf(t, r, []noom.Room{b, a}[i]))
				next(5 * time.Second)
			}
		},
		"behind mute": func(t *testing.T, _ *world, a, b noom.Room, c *thrifty) {
			s, err := a.Publish(t.Context(), c, nil)
			must(t, err)
			shown(t, b, a, "camera")
			next := pictured(t, b, a)
			for range 6 {
				must(t, s.SetMuted(true))
				time.Sleep(time.Second)
				must(t, s.SetMuted(false))
				next(soon)
			}
		},
		"published muted": func(t *testing.T, _ *world, a, b noom.Room, c *thrifty) {
			s, err := a.Publish(t.Context(), c, nil)
			must(t, err)
			must(t, s.SetMuted(true))
			until[noom.TrackAdded](t, b, nil)
			time.Sleep(time.Second)
			next := pictured(t, b, a)
			must(t, s.SetMuted(false))
			next(soon)
		},
		"behind a swap": func(t *testing.T, _ *world, a, b noom.Room, c *thrifty) {
			s, err := a.Publish(t.Context(), c, nil)
			must(t, err)
			shown(t, b, a, "camera")
			next := pictured(t, b, a)
			for range 6 {
				must(t, s.ReplaceTrack(newThrifty()))
				next(soon)
			}
		},
		"behind a pause": func(t *testing.T, _ *world, a, b noom.Room, c *thrifty) {
			s, err := a.Publish(t.Context(), c, nil)
			must(t, err)
			shown(t, b, a, "camera")
			next := pictured(t, b, a)
			must(t, s.ReplaceTrack(nil))
			time.Sleep(time.Second)
			must(t, s.ReplaceTrack(c))
			next(soon)
		},
		"for newcomers, one behind the other": func(t *testing.T, w *world, a, b noom.Room, c *thrifty) {
			_, err := a.Publish(t.Context(), c, nil)
			must(t, err)
			shown(t, b, a, "camera")
			time.Sleep(2 * time.Second)
			before, _ := c.counts()
			var late []noom.Room
			for i := range 3 {
				late = append(late, w.join("r", fmt.Sprint(i), nil))
				time.Sleep(30 * time.Millisecond)
			}
			for i, r := range late {
				until(t, r, connected)
				if took := shown(t, r, a, "camera"); took > keyframeInterval+soon {
					t.Errorf("newcomer %d: shown after %v", i, took)
				}
			}
			if requests, _ := c.counts(); requests-before > 2 {
				t.Errorf("asked %d times for three who came at once", requests-before)
			}
		},
		"of a source that is slow to listen": func(t *testing.T, _ *world, a, b noom.Room, c *thrifty) {
			c.deaf = 3
			_, err := a.Publish(t.Context(), c, nil)
			must(t, err)
			if took := shown(t, b, a, "camera"); took > 5*time.Second {
				t.Errorf("shown after %v", took)
			}
			time.Sleep(time.Minute)
			if requests, _ := c.counts(); requests != 4 {
				t.Errorf("asked %d times, want 4", requests)
			}
		},
		"of a source that never listens": func(t *testing.T, _ *world, a, b noom.Room, c *thrifty) {
			c.deaf = 1 << 30
			s, err := a.Publish(t.Context(), c, nil)
			must(t, err)
			time.Sleep(time.Minute)
			if requests, _ := c.counts(); requests < 10 || requests > 20 {
				t.Errorf("asked %d times in a minute", requests)
			}
			must(t, b.Leave(t.Context()))
			time.Sleep(10 * time.Second)
			before, _ := c.counts()
			time.Sleep(time.Minute)
			if after, _ := c.counts(); after != before {
				t.Errorf("asked %d times while nobody is there", after-before)
			}
			must(t, s.Close())
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
				a, b := w.join("r", "a", nil), w.join("r", "b", nil)
				until(t, a, connected)
				until(t, b, connected)
				c := newThrifty()
				begin(t, w, a, b, c)
				for _, r := range w.rooms {
					must(t, r.Leave(context.Background()))
				}
				c.running.Wait()
			})
		})
	}
}

// A connection made over the old one, with no hub, begins with a key frame too.
func TestHandoverAsksForAKeyframe(t *testing.T) {
	inCall(t, func(t *testing.T, a, b noom.Room) {
		c := newThrifty()
		must(t, a.Senders()[0].ReplaceTrack(c))
		next := pictured(t, b, a)
		next(time.Second)
		before := peerOf(t, b, a).Connection()
		must(t, peerOf(t, a, b).RestartICE(t.Context()))
		for deadline := time.Now().Add(5 * time.Second); peerOf(t, b, a).Connection() == before; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("no new connection was made")
			}
		}
		next(2 * time.Second)
		must(t, a.Senders()[0].Close())
		c.running.Wait()
	})
}

// One peer that asks without end costs the others a few key frames, and then one in
// several seconds: over new connections, a track published again, and a new stay under the
// same identity. A newcomer is served at once all the same.
func TestKeyframeStormOfOnePeer(t *testing.T) {
	inWorld(t, 10*time.Millisecond, func(t *testing.T, w *world) {
		c := newThrifty()
		a := w.join("r", "a", nil)
		s, err := a.Publish(t.Context(), c, nil)
		must(t, err)
		identity := noom.NewIdentity()
		storm := func(r noom.Room, lasts time.Duration) {
			fir := false
			for end := time.Now().Add(lasts); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
				for _, track := range peerOf(t, r, a).Tracks() {
					if remote := track.Track(); remote != nil {
						_ = track.RequestKeyframe() // it may be between two connections
						pc := peerOf(t, r, a).Connection()
						if fir = !fir; fir && pc != nil {
							ssrc := uint32(remote.SSRC())
							_ = pc.WriteRTCP([]rtcp.Packet{&rtcp.FullIntraRequest{
								MediaSSRC: ssrc, FIR: []rtcp.FIREntry{{SSRC: ssrc, SequenceNumber: uint8(time.Now().UnixMilli())}},
							}})
						}
					}
				}
			}
		}
		start := time.Now()
		b := w.join("r", "b", &noom.Config{Identity: identity})
		until(t, b, connected)
		shown(t, b, a, "camera")
		storm(b, 20*time.Second)
		for range 3 {
			breakUp(peerOf(t, b, a))
			storm(b, 5*time.Second)
		}
		must(t, b.Leave(t.Context()))
		b = w.join("r", "b", &noom.Config{Identity: identity})
		until(t, b, connected)
		storm(b, 20*time.Second)
		must(t, s.Close())
		s, err = a.Publish(t.Context(), c, nil)
		must(t, err)
		storm(b, 20*time.Second)
		elapsed := time.Since(start)
		_, keyframes := c.counts()
		// The burst, what came in since, and those with which the source began again: when the first one came, and
		// when we published it again.
		if most := keyframeBurst + int(elapsed/keyframeEvery) + 2; keyframes > most || keyframes < most/2 {
			t.Errorf("%d key frames in %v, want up to %d", keyframes, elapsed, most)
		}
		d := w.join("r", "d", nil)
		until(t, d, connected)
		if took := shown(t, d, a, "camera"); took > keyframeInterval+400*time.Millisecond {
			t.Errorf("a newcomer is shown the picture after %v", took)
		}
		must(t, s.Close())
		c.running.Wait()
		synctest.Wait()
	})
}
