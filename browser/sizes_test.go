package browser_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/rtp"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/internal/packet"
	"noom/media"
)

// viewer notes how high the pictures of a track are, as its packets say, and whether they are whole.
type viewer struct {
	height   atomic.Int32 // of the latest picture
	packets  atomic.Int32
	pictures atomic.Int32
	breaks   atomic.Int32 // gaps in the numbers
	unmarked atomic.Int32 // pictures whose last packet has no marker
	sources  atomic.Int32 // how often another SSRC came
}

// watch has a viewer follow a track.
func watch(t *testing.T, track noom.RemoteTrack) *viewer {
	t.Helper()
	tap := track.Tap()
	t.Cleanup(func() { _ = tap.Close() }) // never fails
	v := &viewer{}
	go func() {
		var sizes packet.SizeReader
		var before *rtp.Packet
		layer, highest := 0, 0
		for {
			p, err := tap.ReadRTP()
			if err != nil {
				return
			}
			if before == nil {
				sizes = packet.NewSizeReader(track.Codec().MimeType)
			} else {
				if p.SSRC != before.SSRC {
					v.sources.Add(1)
				}
				ahead := int16(p.SequenceNumber - before.SequenceNumber)
				if ahead <= 0 { // it came late, or twice
					continue
				}
				if ahead > 1 {
					v.breaks.Add(1)
				}
				if p.Timestamp != before.Timestamp {
					layer, highest = highest, 0
					v.pictures.Add(1)
					if !before.Marker {
						v.unmarked.Add(1)
					}
				}
			}
			if s, ok := sizes.Read(&p.Header, p.Payload); ok {
				highest = max(highest, int(s.ID))
			}
			if heights := sizes.Heights(); layer < len(heights) {
				v.height.Store(int32(heights[layer]))
			}
			v.packets.Add(1)
			before = p
		}
	}()
	return v
}

// waitFor waits for pictures of that height.
func (v *viewer) waitFor(t *testing.T, what string, height int32) {
	t.Helper()
	began := time.Now()
	for v.height.Load() != height {
		if time.Since(began) > time.Minute {
			t.Fatalf("%s: pictures are %d pixels high, want %d", what, v.height.Load(), height)
		}
		<-time.After(10 * time.Millisecond)
	}
	t.Logf("%s: %d pixels after %v, %d packets", what, height, time.Since(began).Round(10*time.Millisecond), v.packets.Load())
}

// wide makes the picture of a camera as high as three sizes need, the smallest of which has 136 pixels.
const wide = camera + encodes + `
	window.wide = () => {
		const canvas = Object.assign(document.createElement('canvas'), { width: 960, height: 544 });
		const context = canvas.getContext('2d');
		setInterval(() => {
			for (let i = 0; i < 20; i++) {
				context.fillStyle = 'hsl(' + Math.random() * 360 + ' 80% 50%)';
				context.fillRect(Math.random() * 960, Math.random() * 544, 90 * Math.random(), 60 * Math.random());
			}
		}, 100);
		return canvas.captureStream(10).getVideoTracks()[0];
	};
	window.foreign = () => { // a page that makes what it makes, whatever is wanted, and leaves out pictures rather than pixels
		const set = RTCRtpSender.prototype.setParameters;
		RTCRtpSender.prototype.setParameters = function () {
			return set.call(this, Object.assign(this.getParameters(), { degradationPreference: 'maintain-resolution' }));
		};
	};`

// TestSeveralEncodings: of a page that offers its picture in several encodings, a member in Go receives the one that it
// wants, as one track without a break.
func TestSeveralEncodings(t *testing.T) {
	t.Parallel()
	for i, test := range []struct {
		kind  browsertest.Kind
		codec string
	}{{browsertest.Chromium, "VP8"}, {browsertest.Chromium, "H264"}, {browsertest.Firefox, "VP8"}} {
		t.Run(fmt.Sprint(test.kind, " ", test.codec), func(t *testing.T) {
			if i > 0 {
				longtest.Only(t)
			}
			testSeveralEncodings(t, test.kind, test.codec)
		})
	}
}

func testSeveralEncodings(t *testing.T, kind browsertest.Kind, codec string) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), wide)
	tab.Do(fmt.Sprintf(`encodes('%s', [{ rid: 'l', scaleResolutionDownBy: 4 }, { rid: 'm', scaleResolutionDownBy: 2 }, { rid: 'h' }]);
		enter('지우', { tracks: [wide()] })`, codec))
	room := joinOver(t, l, nil)
	track := trackOf(t, room)
	v := watch(t, track)
	track.Want(100)
	v.waitFor(t, "a small one", 136)
	track.Want(-1)
	v.waitFor(t, "all of it", 544)
	track.Want(272)
	v.waitFor(t, "one in between", 272)
	track.Want(-1)
	v.waitFor(t, "all of it once more", 544)
	tab.Do(`window.largest = async (active) => {
		const sender = made[0].getSenders().find((each) => each.getParameters().encodings.length === 3);
		const parameters = sender.getParameters();
		parameters.encodings[2].active = active;
		await sender.setParameters(parameters);
	}, largest(false)`)
	v.waitFor(t, "the largest that comes", 272)
	tab.Do(`largest(true)`)
	v.waitFor(t, "the largest again", 544)
	track.Want(0)
	tab.Wait("nothing is sent", `(async () => {
		const sent = async () => [...(await made[0].getStats()).values()].reduce((n, s) => n + (s.packetsSent ?? 0), 0);
		const before = await sent();
		await new Promise((resolve) => setTimeout(resolve, 500));
		return (await sent()) === before;
	})()`)
	track.Want(100)
	v.waitFor(t, "a small one again", 136)
	if n := v.sources.Load(); n > 0 {
		t.Errorf("%d other sources", n)
	}
	if n := len(room.Peers()[0].Tracks()); n != 1 {
		t.Errorf("%d tracks", n)
	}
	if n := browsertest.Eval[int](tab, `connections`); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
}

// TestEncodingsAreOffered: a page that offers its picture in several encodings does so whoever is there first, and whatever
// comes from the other.
func TestEncodingsAreOffered(t *testing.T) {
	t.Parallel()
	for _, first := range []string{"page", "Go"} {
		t.Run(first+" first", func(t *testing.T) {
			l := newLab(t)
			tab := l.open(browsertest.Chromium.Start(t), wide)
			enter := `encodes('VP8', [{ rid: 'l', scaleResolutionDownBy: 4 }, { rid: 'm', scaleResolutionDownBy: 2 }, { rid: 'h' }]);
				enter('지우', { tracks: [wide()] })`
			if first == "page" {
				tab.Do(enter)
			}
			room := joinWith(t, l, &noom.Config{Name: "고퍼"}, media.Tone(), media.TestPattern(nil))
			if first == "Go" {
				tab.Do(enter)
			}
			track := trackOf(t, room)
			v := watch(t, track)
			track.Want(100)
			v.waitFor(t, "a small one", 136)
			track.Want(-1)
			v.waitFor(t, "all of it", 544)
			tab.Wait("what comes from Go", `other().tracks.length === 2 && moving()`)
		})
	}
}

// TestSizesInOneStream: of a page that sends its picture in several sizes in one stream, whatever is wanted, a member
// in Go receives those up to the one that it wants, without gaps, and may publish what it gets.
func TestSizesInOneStream(t *testing.T) {
	longtest.Only(t)
	for _, test := range []struct{ codec, mode string }{{"VP9", "L3T3_KEY"}, {"VP9", "L3T3"}, {"AV1", "L3T3"}, {"AV1", "L3T3_KEY"}} {
		t.Run(test.codec+" "+test.mode, func(t *testing.T) { testSizesInOneStream(t, test.codec, test.mode) })
	}
}

func testSizesInOneStream(t *testing.T, codec, mode string) {
	t.Helper()
	l := newLab(t)
	tab := l.open(browsertest.Chromium.Start(t), wide)
	tab.Do(fmt.Sprintf(`foreign(); encodes('%s', [{ scalabilityMode: '%s' }]); enter('지우', { tracks: [wide()] })`, codec, mode))
	room := joinOver(t, l, nil)
	track := trackOf(t, room)
	v := watch(t, track)
	v.waitFor(t, "all of it", 544)
	if _, err := room.Publish(t.Context(), noom.Forward(track), &noom.PublishOptions{Name: "다시"}); err != nil {
		t.Fatal(err)
	}
	tab.Wait("the track", `other().tracks.length === 1`)
	tab.Do(`other().tracks[0].attach(document.body.appendChild(document.createElement('video'))), undefined`)
	shows := func(height int) {
		t.Helper()
		tab.Wait(fmt.Sprintf("a picture of %d", height), fmt.Sprintf(`(async () => {
			const s = async () => [...(await other().stats()).values()].find((s) => s.type === 'inbound-rtp');
			const before = await s();
			await new Promise((resolve) => setTimeout(resolve, 1000));
			const now = await s();
			return Math.abs(now.frameHeight - %d) < 2 && now.framesDecoded - before.framesDecoded > 3;
		})()`, height))
	}
	shows(544)
	track.Want(100)
	v.waitFor(t, "a small one", 136)
	pictures, breaks, unmarked := v.pictures.Load(), v.breaks.Load(), v.unmarked.Load()
	shows(136)
	pictures, breaks, unmarked = v.pictures.Load()-pictures, v.breaks.Load()-breaks, v.unmarked.Load()-unmarked
	if breaks > pictures/2 || unmarked > breaks {
		t.Errorf("what is left out of %d pictures leaves %d gaps, and %d without a marker", pictures, breaks, unmarked)
	}
	track.Want(272)
	v.waitFor(t, "one in between", 272)
	shows(272)
	track.Want(-1)
	v.waitFor(t, "all of it again", 544)
	shows(544)
	if n := v.sources.Load(); n > 0 {
		t.Errorf("%d other sources", n)
	}
}
