package browser_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	pionmedia "github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/ffmpegtest"
	"noom/internal/longtest"
	"noom/media"
	"noom/transport/ws"
)

const clip = "../media/testdata/vp8.ivf" // 160 by 120, 15 frames a second, a key frame every 15

// projector writes the frames of clip over and over, the way an application does.
func projector(ctx context.Context, t *testing.T, write func(frame []byte, lasts time.Duration) error) {
	t.Helper()
	file, err := os.ReadFile(clip)
	if err != nil {
		t.Error(err)
		return
	}
	ticker := time.NewTicker(time.Second / 15)
	defer ticker.Stop()
	for ctx.Err() == nil {
		frames, _, err := ivfreader.NewWith(bytes.NewReader(file))
		if err != nil {
			t.Error(err)
			return
		}
		for {
			frame, _, err := frames.ParseNextFrame()
			if err != nil {
				break // the clip is over
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if err := write(frame, time.Second/15); err != nil {
				t.Error(err)
			}
		}
	}
}

// sources are one of every kind of VP8 source, of two sizes.
func sources(ctx context.Context, t *testing.T, running *sync.WaitGroup) []webrtc.TrackLocal {
	t.Helper()
	vp8 := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90000}
	samples, err := webrtc.NewTrackLocalStaticSample(vp8, "samples", "app")
	if err != nil {
		t.Fatal(err)
	}
	running.Go(func() {
		projector(ctx, t, func(frame []byte, lasts time.Duration) error {
			return samples.WriteSample(pionmedia.Sample{Data: frame, Duration: lasts})
		})
	})
	packets, err := webrtc.NewTrackLocalStaticRTP(vp8, "packets", "app")
	if err != nil {
		t.Fatal(err)
	}
	packetizer := rtp.NewPacketizer(1200, 77, 1, &codecs.VP8Payloader{EnablePictureID: true}, rtp.NewRandomSequencer(), 90000)
	running.Go(func() {
		projector(ctx, t, func(frame []byte, lasts time.Duration) error {
			for _, p := range packetizer.Packetize(frame, uint32(lasts.Milliseconds()*90)) {
				if failed := packets.WriteRTP(p); failed != nil {
					return failed
				}
			}
			return nil
		})
	})
	ivf, err := media.OpenIVF(clip, nil)
	if err != nil {
		t.Fatal(err)
	}
	all := []webrtc.TrackLocal{samples, packets}
	for _, s := range []*media.Source{ivf, media.TestPattern(nil), media.TestPattern(&media.PatternOptions{FPS: 30})} {
		t.Cleanup(func() { _ = s.Close() }) // nothing to lose
		all = append(all, s)
	}
	return all
}

// Two hundred swaps (thirty, unless long tests are asked for) in Go among every kind
// of source of one codec, in any order, with changes of size: the picture in a page
// goes on and, on a machine that is ours alone, never stands still. Frames are
// judged by their RTP timestamps, which a busy machine does not stretch; but a page
// that gets no time is shown none of them, so the longest that a timer of its own
// was late is taken off.
func TestSwapsSeen(t *testing.T) { browsertest.EachKindAloneIfAsked(t, testSwapsSeen) }

func testSwapsSeen(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	swaps := 30
	if longtest.Asked() {
		swaps = 200
	}
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	tab.Do(`enter('지우')`)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer stop()
	tracks := sources(ctx, t, &running)
	room, err := noom.Join(ctx, ws.Dialer{URL: l.url()}, "데모", &noom.Config{Tracks: []noom.LocalTrack{{Track: tracks[0]}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = room.Leave(context.Background()) }() // the test is over
	tab.Wait("the picture", `other().tracks.length === 1`)
	tab.Do(`
		window.seen = { frames: 0, sizes: new Set(), longest: 0, waited: 0, late: 0 };
		let ticked = performance.now();
		setInterval(() => {
			const now = performance.now();
			seen.late = Math.max(seen.late, now - ticked - 20);
			ticked = now;
		}, 20);
		window.screen1 = Object.assign(document.createElement('video'), { muted: true, autoplay: true, srcObject: other().tracks[0].stream });
		document.body.append(screen1);
		let last;
		const look = (now, frame) => {
			seen.frames++;
			seen.sizes.add(frame.width + 'x' + frame.height);
			if (last) {
				seen.longest = Math.max(seen.longest, ((frame.rtpTimestamp - last.rtpTimestamp) >>> 0) / 90);
				seen.waited = Math.max(seen.waited, now - last.now);
			}
			last = { now, rtpTimestamp: frame.rtpTimestamp };
			screen1.requestVideoFrameCallback(look);
		};
		screen1.requestVideoFrameCallback(look);`)
	tab.Wait("the first frames", `seen.frames > 10`)
	random := rand.New(rand.NewPCG(1, 2))
	camera := room.Senders()[0]
	for i := range swaps {
		if err := camera.ReplaceTrack(tracks[random.IntN(len(tracks))]); err != nil {
			t.Fatal(err)
		}
		pause := 400
		if i%2 == 0 {
			pause = 30 // the first frame of the last source is not decoded yet
		}
		<-time.After(time.Duration(random.IntN(pause)) * time.Millisecond)
	}
	before := browsertest.Eval[int](tab, `seen.frames`)
	tab.Wait("frames behind the last swap", fmt.Sprintf(`seen.frames > %d`, before+10))
	longest := browsertest.Eval[float64](tab, `seen.longest`)
	late := browsertest.Eval[float64](tab, `seen.late`)
	t.Logf("%d frames of %s, no more than %.0f ms apart in the stream and %.0f ms on the screen; a timer was %.0f ms late", before,
		browsertest.Eval[string](tab, `[...seen.sizes].join(' and ')`), longest, browsertest.Eval[float64](tab, `seen.waited`), late)
	if longest-late > 500 && longtest.Asked() {
		t.Errorf("the picture stood still for %.0f ms", longest)
	}
	if n := browsertest.Eval[int](tab, `seen.sizes.size`); n != 2 {
		t.Errorf("%d sizes were seen, want 2", n)
	}
	if n := browsertest.Eval[int](tab, `connections`); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
	tab.Do(`room.leave()`)
}

// TestOtherCodecsSeen: a member in Go swaps its camera through all codecs that the browser decodes. The page has the same
// track all the time, over one connection, and its picture goes on.
func TestOtherCodecsSeen(t *testing.T) { browsertest.EachKindIfAsked(t, testOtherCodecsSeen) }

func testOtherCodecsSeen(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	h264 := filepath.Join(t.TempDir(), "clip.h264")
	ffmpegtest.Run(t, "-f", "lavfi", "-i", "testsrc=size=160x120:rate=15", "-t", "4", "-pix_fmt", "yuv420p",
		"-c:v", "libx264", "-profile:v", "baseline", "-g", "15", "-bf", "0", h264)
	open := func(codec string) *media.Source {
		source, err := media.OpenIVF("../media/testdata/"+codec+".ivf", nil)
		if codec == "h264" {
			source, err = media.OpenH264(h264, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = source.Close() }) // nothing to lose
		return source
	}
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	known := browsertest.Eval[string](tab, `RTCRtpReceiver.getCapabilities('video').codecs.map((c) => c.mimeType.slice(6).toLowerCase()).join()`)
	tab.Do(`enter('지우')`)
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{
		Tracks: []noom.LocalTrack{{Track: open("vp8")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = room.Leave(context.Background()) }() // the test is over
	tab.Wait("the picture", `other().tracks.length === 1`)
	tab.Do(`
		window.seen = { frames: 0, changes: 0, added: 0, waited: 0 };
		window.camera = other().tracks[0];
		room.addEventListener('trackchanged', ({ track }) => { if (track === camera) seen.changes++; });
		room.addEventListener('trackadded', () => seen.added++);
		window.screen1 = camera.attach();
		document.body.append(screen1);
		let last = performance.now();
		const look = (now) => {
			seen.frames++;
			seen.waited = Math.max(seen.waited, now - last);
			last = now;
			screen1.requestVideoFrameCallback(look);
		};
		screen1.requestVideoFrameCallback(look);`)
	tab.Wait("the first frames", `seen.frames > 10`)
	tab.Do(`seen.waited = 0`)
	changes, sent := 0, "vp8"
	for _, codec := range []string{"h264", "vp8", "vp9", "av1", "h264"} {
		if !strings.Contains(known, codec) {
			t.Logf("%s is not decoded here", codec)
			continue
		}
		if codec == sent {
			continue // the one between is not decoded here
		}
		sent = codec
		if err := room.Senders()[0].ReplaceTrack(open(codec)); err != nil {
			t.Fatal(err)
		}
		changes++
		tab.Wait("another section for "+codec, fmt.Sprintf(`seen.changes === %d`, changes))
		before := browsertest.Eval[int](tab, `seen.frames`)
		tab.Wait("frames in "+codec, fmt.Sprintf(`seen.frames > %d`, before+30))
		t.Logf("%s: the picture stood still for %.0f ms at most", codec, browsertest.Eval[float64](tab, `seen.waited`))
		tab.Do(`seen.waited = 0`)
	}
	if n := browsertest.Eval[int](tab, `connections`); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
	if same := browsertest.Eval[bool](tab, `other().tracks.length === 1 && other().tracks[0] === camera && seen.added === 0`); !same {
		t.Error("the page has another track")
	}
	tab.Do(`room.leave()`)
}
