package record

import (
	"bytes"
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"noom"
	"noom/cmd/noom/command"
	"noom/internal/ffmpegtest"
	"noom/media"
	"noom/signal/hub"
	"noom/transport/ws"
)

// output is what the command prints.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func serve(t *testing.T) (url string) {
	t.Helper()
	server := httptest.NewServer(ws.Handler(hub.New(nil), nil))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http")
}

// begin runs the command. Its exit code comes out of the channel.
func begin(t *testing.T, args ...string) (out, errs *output, code <-chan int) {
	t.Helper()
	out, errs = new(output), new(output)
	exited := make(chan int, 1)
	go func() { exited <- Command().Run(t.Context(), args, command.Streams{Out: out, Err: errs}) }()
	return out, errs, exited
}

// says waits until the command has printed that.
func says(t *testing.T, what string, out, errs *output, exited <-chan int) {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for !strings.Contains(out.String(), what) {
		select {
		case <-look.C:
		case code := <-exited:
			t.Fatalf("it ends with %d: %s%s", code, out, errs)
		}
	}
}

// preferred is a description, in JSON, of which the first format of pictures is H.264.
var preferred = regexp.MustCompile(`m=video \d+ \S+ 37 .*a=rtpmap:37 H264/90000`)

// The name decides what kind of file it is. What that does not hold is left out, which is said at once, and at the end.
func TestRecordMP4(t *testing.T) {
	url, file := serve(t), filepath.Join(t.TempDir(), "통화.MP4")
	pattern, tone := media.TestPattern(nil), media.Tone()
	defer func() { _ = pattern.Close() }() // nothing to lose
	defer func() { _ = tone.Close() }()    // nothing to lose
	var asked atomic.Bool                  // for H.264 rather than VP8
	room, err := noom.Join(t.Context(), ws.Dialer{URL: url}, "데모", &noom.Config{
		Name: "지우", Tracks: []noom.LocalTrack{{Track: pattern}, {Track: tone}}, TraceBodies: true, Trace: func(e noom.Trace) {
			if e.Kind == noom.TraceReceived && preferred.Match(e.Message.Body) {
				asked.Store(true)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	out, errs, exited := begin(t, "-url", url, "-room", "데모", "-out", file)
	const leftOut = "media: record 지우: camera: vp8 cannot be recorded here: MP4 takes H.264, VP9, AV1 and Opus"
	says(t, "\nwarning: "+leftOut, out, errs, exited)
	<-time.After(2 * time.Second)
	_ = room.Leave(context.Background()) // it is over for us
	if code := <-exited; code != 1 || !strings.Contains(errs.String(), leftOut) || strings.Count(out.String(), leftOut) != 1 {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if !asked.Load() {
		t.Error("nobody was asked for what MP4 takes")
	}
	if codecs := string(ffmpegtest.Tool(t, "ffprobe", "-show_entries", "stream=codec_name:format=format_name", "-of", "csv=p=0", file)); !strings.HasPrefix(codecs, "opus\n") || !strings.Contains(codecs, "mp4") {
		t.Errorf("there is %q in it", codecs)
	}
}

// A call is recorded from its beginning until the others have left, with a line of how far it is and one of what there
// is in the end.
func TestRecord(t *testing.T) {
	url, file := serve(t), filepath.Join(t.TempDir(), "통화.webm")
	pattern, tone := media.TestPattern(nil), media.Tone()
	defer func() { _ = pattern.Close() }() // nothing to lose
	defer func() { _ = tone.Close() }()    // nothing to lose
	room, err := noom.Join(t.Context(), ws.Dialer{URL: url}, "데모", &noom.Config{Name: "지우", Tracks: []noom.LocalTrack{{Track: pattern}, {Track: tone}}})
	if err != nil {
		t.Fatal(err)
	}
	out, errs, exited := begin(t, "-url", url, "-room", "데모", "-out", file)
	for e := range room.Events(t.Context()) {
		if e, ok := e.(noom.PeerJoined); ok && e.Peer.Name() != "recorder" {
			t.Errorf("it is called %q", e.Peer.Name())
		}
		if e, ok := e.(noom.PeerStateChanged); ok && e.State == noom.PeerConnected {
			break
		}
	}
	says(t, "\nrecording: ", out, errs, exited)
	_ = room.Leave(context.Background()) // it is over for us
	if code := <-exited; code != 0 || errs.String() != "" {
		t.Errorf("exit code %d, %s", code, errs)
	}
	lines := regexp.MustCompile(`^recording "데모" into .*통화\.webm\n(recording: \d+s, [\d.]+ (KiB|MiB|bytes), of 1\n)+recorded .*통화\.webm: \d+s, [\d.]+ (KiB|MiB)\n$`)
	if !lines.MatchString(out.String()) {
		t.Errorf("it says %q", out)
	}
	info, err := os.Stat(file)
	if err != nil || info.Size() < 10_000 || info.Mode().Perm() != 0o600 {
		t.Errorf("%+v, %v", info, err)
	}
	if _, err = exec.LookPath("ffmpeg"); err != nil {
		t.Skip("SKIPPED: there is no ffmpeg here to check the file with")
	}
	complaints, err := exec.CommandContext(t.Context(), "ffmpeg", "-v", "error", "-nostdin", "-i", file, "-map", "0:v", "-map", "0:a", "-enc_time_base", "-1", "-f", "null", "-").CombinedOutput()
	if err != nil || len(complaints) > 0 {
		t.Errorf("%v: %s", err, complaints)
	}
}

// An empty room leaves no file, and -duration ends it.
func TestNothingToRecord(t *testing.T) {
	file := filepath.Join(t.TempDir(), "빈.webm")
	out, errs, exited := begin(t, "-url", serve(t), "-out", file, "-duration", "200ms")
	if code := <-exited; code != 0 || errs.String() != "" || !strings.Contains(out.String(), "nothing to record came") {
		t.Errorf("exit code %d, %s%s", code, out, errs)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("there is a file: %v", err)
	}
}

func TestRefused(t *testing.T) {
	there := filepath.Join(t.TempDir(), "있음.webm")
	if err := os.WriteFile(there, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	fresh := filepath.Join(t.TempDir(), "x.webm")
	for says, args := range map[string][]string{
		"있음.webm is there already":       {"-out", there},
		"-out: open /없음/x.webm: no such": {"-out", "/없음/x.webm"},
		"-url: ":                         {"-url", closed.URL, "-out", fresh},
	} {
		out, errs, exited := begin(t, args...)
		if code := <-exited; code != 1 || !strings.Contains(errs.String(), says) || strings.Count(errs.String(), "\n") != 1 || out.String() != "" {
			t.Errorf("%q: exit code %d, %q, %q", args, code, out, errs)
		}
	}
	if _, err := os.Stat(fresh); !os.IsNotExist(err) {
		t.Errorf("a file was left behind: %v", err)
	}
}

func TestFileName(t *testing.T) {
	at := time.Date(2026, 11, 29, 9, 8, 7, 0, time.UTC)
	for room, want := range map[string]string{
		"데모 방":     "데모_방_2026-11-29_09.08.07.webm",
		"../etc/x": "_etc_x_2026-11-29_09.08.07.webm",
		"-rf":      "rf_2026-11-29_09.08.07.webm",
		"..":       "_2026-11-29_09.08.07.webm",
	} {
		if got := fileName(room, at); got != want {
			t.Errorf("%q: %q, want %q", room, got, want)
		}
	}
}
