package browser_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/ffmpegtest"
	"noom/internal/longtest"
	"noom/media"
	"noom/transport/ws"
)

// tape records the two tracks of a page that publishes them by js, and returns
// the file.
func tape(t *testing.T, l *lab, tab *browsertest.Tab, js string, lasts time.Duration) string {
	t.Helper()
	return take{name: "call.webm", enter: `enter('지우')`, publish: js, lasts: lasts}.tape(t, l, tab)
}

// take says what tape does.
type take struct {
	name    string // of the file, which says what kind it is
	enter   string // of the page, before the recorder comes; empty: publish does it
	publish string // of the page, when the recorder is there
	lasts   time.Duration
}

func (f take) tape(t *testing.T, l *lab, tab *browsertest.Tab) string {
	t.Helper()
	config, begin := &noom.Config{Name: "recorder"}, media.Record
	if filepath.Ext(f.name) == ".mp4" {
		config.PreferredCodecs, begin = media.MP4Codecs(), media.RecordMP4
	}
	if f.enter != "" {
		tab.Do(f.enter)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	room, err := noom.Join(ctx, ws.Dialer{URL: l.url()}, "데모", config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = room.Leave(context.Background()) }() // the file is what counts
	if f.enter != "" {
		connected(tab)
	}
	path := filepath.Join(t.TempDir(), f.name)
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	recording := begin(ctx, file)
	tab.Do(f.publish)
	flows := make(chan string, 2)
	for tracks := 0; tracks < 2; {
		event, err := room.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := event.(noom.TrackAdded); ok {
			recording.Add(e.Peer, e.Track)
			go firstPacket(e.Track, flows)
			tracks++
		}
	}
	for range cap(flows) { // a camera may begin late
		<-flows
	}
	<-time.After(f.lasts)
	if err := recording.Close(); err != nil {
		t.Error(err)
	}
	if err := file.Close(); err != nil {
		t.Error(err)
	}
	tab.Do(`room.leave(); hush()`)
	return path
}

// What a page sends of its camera and microphone can be recorded in Go: FFmpeg
// decodes all of it, and it lasts as long as it did.
func TestRecordPage(t *testing.T) { browsertest.EachKindIfAsked(t, testRecordPage) }

func testRecordPage(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	path := tape(t, l, tab, `(async () => {
		const stream = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480 } });
		for (const track of stream.getTracks()) room.publish(track);
	})()`, 5*time.Second)
	streams := strings.Fields(string(ffmpegtest.Tool(t, "ffprobe", "-show_entries", "stream=codec_name", "-of", "csv=p=0", path)))
	slices.Sort(streams)
	if !slices.Equal(streams, []string{"opus", "vp8"}) {
		t.Errorf("streams %v", streams)
	}
	ffmpegtest.Run(t, "-i", path, "-map", "0", "-enc_time_base", "-1", "-f", "null", "-") // times as they are
	lasts, err := time.ParseDuration(strings.TrimSpace(string(ffmpegtest.Tool(t, "ffprobe", "-show_entries", "format=duration", "-of", "csv=p=0", path))) + "s")
	if err != nil || lasts < 4*time.Second {
		t.Errorf("it lasts %v, %v", lasts, err)
	}
	t.Logf("%v of %v", lasts, streams)
}

// A page sends a recorder of MP4 what that takes, whether it offers its tracks or answers with them.
func TestRecordPageMP4(t *testing.T) { browsertest.EachKindIfAsked(t, testRecordPageMP4) }

func testRecordPageMP4(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	const camera = `await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 640, height: 480 } })`
	l := newLab(t)
	b := kind.Start(t)
	want := []string{"h264"}
	if kind == browsertest.Firefox {
		want = append(want, "vp9") // OpenH264 is a plugin, which it fetches
	}
	for name, film := range map[string]take{
		"the page offers":       {enter: `enter('지우')`, publish: `(async () => { for (const track of (` + camera + `).getTracks()) room.publish(track); })()`},
		"the recorder reserves": {publish: `(async () => { await enter('지우', { tracks: (` + camera + `).getTracks() }); })()`},
	} {
		t.Run(name, func(t *testing.T) {
			film.name, film.lasts = "통화.mp4", 5*time.Second
			path := film.tape(t, l, l.open(b, ""))
			streams := strings.Fields(string(ffmpegtest.Tool(t, "ffprobe", "-count_frames", "-show_entries", "stream=codec_name,nb_read_frames", "-of", "csv=p=0", path)))
			codecs := make(map[string]int) // and how many frames there are
			for _, stream := range streams {
				codec, frames, _ := strings.Cut(stream, ",")
				codecs[codec], _ = strconv.Atoi(frames)
			}
			delete(codecs, "opus")
			for codec, frames := range codecs {
				if !slices.Contains(want, codec) || frames < 15 { // Chromium's camera takes five in a second
					t.Errorf("%d pictures in %s, want many in %v", frames, codec, want)
				}
			}
			if len(streams) != 2 || len(codecs) != 1 {
				t.Errorf("there is %q in it, want sound and a picture", streams)
			}
			ffmpegtest.Run(t, "-i", path, "-map", "0", "-enc_time_base", "-1", "-f", "null", "-") // times as they are
			t.Logf("%v", streams)
		})
	}
}

// What was recorded as MP4 plays in a page, from its beginning and from where it jumps to.
func TestPagePlaysMP4(t *testing.T) { browsertest.EachKindIfAsked(t, testPagePlaysMP4) }

func testPagePlaysMP4(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	folder := t.TempDir()
	path := callInMP4(t, l, folder)
	files := httptest.NewServer(http.FileServer(http.Dir(folder)))
	defer files.Close()
	tab := l.open(kind.Start(t), "")
	tab.Do(`(async () => {
		window.video = Object.assign(document.createElement('video'), { muted: true, src: '` + files.URL + "/" + filepath.Base(path) + `' });
		document.body.append(video);
		await video.play();
	})()`)
	tab.Wait("the picture plays", `video.currentTime > 1 && video.videoWidth === 160`)
	if lasts := browsertest.Eval[float64](tab, `video.duration`); lasts < 4 || lasts > 60 {
		t.Errorf("it lasts %v s", lasts)
	}
	tab.Do(`video.currentTime = video.duration - 1.5`)
	tab.Wait("it plays to its end from a jump on", `video.ended`)
	if complaint := browsertest.Eval[string](tab, `video.error ? video.error.message : ''`); complaint != "" {
		t.Error(complaint)
	}
}

// callInMP4 records what a member sends in H.264 and Opus for some seconds.
func callInMP4(t *testing.T, l *lab, folder string) (path string) {
	t.Helper()
	clip := filepath.Join(t.TempDir(), "사진.h264")
	ffmpegtest.Run(t, "-f", "lavfi", "-i", "testsrc=size=160x120:rate=15", "-t", "2", "-pix_fmt", "yuv420p",
		"-c:v", "libx264", "-profile:v", "baseline", "-g", "15", "-f", "h264", clip)
	picture, err := media.OpenH264(clip, &media.FileOptions{FPS: 15})
	if err != nil {
		t.Fatal(err)
	}
	sound := media.Tone()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	join := func(config *noom.Config) noom.Room {
		room, joinErr := noom.Join(ctx, ws.Dialer{URL: l.url()}, "데모", config)
		if joinErr != nil {
			t.Fatal(joinErr)
		}
		go func() {
			for range room.Events(ctx) { // which would wait for us otherwise
				continue
			}
		}()
		return room
	}
	sender := join(&noom.Config{Name: "지우", Tracks: []noom.LocalTrack{{Track: picture}, {Track: sound}}})
	recorder := join(&noom.Config{Name: "recorder"})
	path = filepath.Join(folder, "call.mp4")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	recording := media.RecordMP4(ctx, file)
	media.AddRoom(recording, recorder)
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	var began time.Time
	for began.IsZero() || time.Since(began) < 6*time.Second {
		<-look.C
		if info, err := file.Stat(); err == nil && info.Size() > 0 && began.IsZero() { // the head, with the first frame
			began = time.Now()
		}
	}
	_ = recorder.Leave(context.Background()) // the file is what counts
	_ = sender.Leave(context.Background())
	if err := errors.Join(recording.Close(), picture.Close(), sound.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
	return path
}

// A page that flashes and beeps together still does so in the recording, within
// 40 ms. What counts is the median, because a busy machine makes the page itself late
// with one or the other. Where the page or its sound stumbles that is buffered for good,
// which only the page's half is seen of, and nothing can be said: so one of three will do.
func TestRecordPageInSync(t *testing.T) {
	longtest.Only(t)
	browsertest.EachKindAlone(t, testRecordPageInSync)
}

func testRecordPageInSync(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	judged := false
	for range 3 {
		median, late := filmed(t, kind)
		switch apart := median.Abs(); {
		case late > 40:
			t.Logf("the page itself was late by %.0f ms", late)
		case apart <= 40*time.Millisecond:
			return
		default:
			judged = true
			t.Logf("picture and sound are %v apart", apart)
		}
	}
	if !judged {
		t.Fatal("this machine has too much else to do to judge by its clock: run the test alone")
	}
	t.Error("picture and sound are apart")
}

// filmed records such a page, and says by how much its picture is behind its sound
// and by how many milliseconds the page's own clock has stumbled.
func filmed(t *testing.T, kind browsertest.Kind) (median time.Duration, late float64) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	path := tape(t, l, tab, `(() => {
		const canvas = Object.assign(document.createElement('canvas'), { width: 160, height: 120 });
		const context = canvas.getContext('2d');
		const sound = new AudioContext();
		const [oscillator, gain, out] = [sound.createOscillator(), sound.createGain(), sound.createMediaStreamDestination()];
		oscillator.connect(gain).connect(out);
		gain.gain.value = 0;
		oscillator.start();
		let n = 0;
		let last = performance.now();
		window.late = 0; // the most by which the page's own clock stumbled, ms
		const clock = setInterval(() => {
			const on = n++ % 25 < 4; // every second, for 160 ms
			context.fillStyle = on ? 'white' : 'black';
			context.fillRect(0, 0, 160, 120);
			context.fillStyle = n % 2 ? 'gray' : 'silver';
			context.fillRect(0, 0, 8, 8);
			gain.gain.value = on ? 1 : 0;
			late = Math.max(late, performance.now() - last - 40);
			last = performance.now();
		}, 40);
		room.publish(canvas.captureStream().getVideoTracks()[0]);
		room.publish(out.stream.getAudioTracks()[0]);
		window.stopFlashing = () => { clearInterval(clock); sound.close(); };
	})()`, 12*time.Second)
	tab.Do(`stopFlashing()`)
	late = browsertest.Eval[float64](tab, `late`)
	ffmpegtest.Run(t, "-i", path, "-map", "0", "-enc_time_base", "-1", "-f", "null", "-") // times as they are
	flashes, beeps := ffmpegtest.Flashes(t, path), ffmpegtest.Beeps(t, path)
	t.Logf("flashes %v, beeps %v", flashes, beeps)
	var offsets []time.Duration
	for _, flash := range flashes {
		for _, beep := range beeps {
			if d := flash - beep; d.Abs() < 300*time.Millisecond {
				offsets = append(offsets, d)
			}
		}
	}
	if len(offsets) < 6 {
		t.Fatalf("only %d pairs", len(offsets))
	}
	slices.Sort(offsets)
	median = offsets[len(offsets)/2]
	t.Logf("picture behind sound by %v at the median, %v to %v", median, offsets[0], offsets[len(offsets)-1])
	return median, late
}
