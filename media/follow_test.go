package media

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"noom/internal/ffmpegtest"
)

// house is a room.
type house struct {
	mu    sync.Mutex
	peers []*guest
	over  chan struct{}
}

// guest is a peer in it.
type guest struct {
	who
	mu     sync.Mutex
	tracks []*wire
}

func (h *house) Done() <-chan struct{} { return h.over }

func (h *house) Peers() []*guest {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.peers)
}

func (h *house) set(peers ...*guest) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.peers = peers
}

func (g *guest) Tracks() []*wire {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.tracks)
}

// send lets a guest send something for a while and then take the track away.
func (g *guest) send(t *testing.T, name string, s *Source, lasts time.Duration) {
	t.Helper()
	w := newWire(t, name, s)
	g.mu.Lock()
	g.tracks = append(g.tracks, w)
	g.mu.Unlock()
	if _, err := s.Bind(w); err != nil {
		t.Error(err)
	}
	time.Sleep(lasts)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	g.mu.Lock()
	g.tracks = slices.DeleteFunc(g.tracks, func(other *wire) bool { return other == w })
	g.mu.Unlock()
	close(w.packets)
}

// Everyone in the room is recorded, from their first frame on, tracks that come later too; a member
// that leaves and comes back continues in the same track; with the room the recording ends.
func TestRecordRoom(t *testing.T) {
	for want, ids := range map[string][]string{
		"민수: microphone,지우: camera,지우: screen": nil,
		"지우: camera,지우: screen":                {"지우"},
	} {
		f := create(t, "통화.webm")
		synctest.Test(t, func(t *testing.T) {
			h := &house{over: make(chan struct{})}
			r := RecordRoom(t.Context(), f, h, ids...)
			time.Sleep(time.Second)
			a, b, again := &guest{who: "지우"}, &guest{who: "민수"}, &guest{who: "지우"}
			h.set(a, b)
			var wait sync.WaitGroup
			wait.Go(func() { b.send(t, "microphone", open(t, "testdata/opus.ogg"), 10*time.Second) })
			a.send(t, "camera", open(t, "testdata/vp8.ivf"), 2*time.Second)
			a.send(t, "screen", TestPattern(nil), 2*time.Second)
			h.set(b)
			time.Sleep(2 * time.Second)
			h.set(b, again)
			again.send(t, "camera", open(t, "testdata/vp8.ivf"), 2*time.Second)
			wait.Wait()
			close(h.over)
			<-r.Done()
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		})
		titles := slices.Sorted(strings.Lines(string(ffmpegtest.Tool(t, "ffprobe", "-show_entries", "stream_tags=title", "-of", "csv=p=0", f.Name()))))
		if got := strings.ReplaceAll(strings.TrimSpace(strings.Join(titles, "")), "\n", ","); got != want {
			t.Errorf("tracks %s, want %s", got, want)
		}
		ffmpegtest.Run(t, "-i", f.Name(), "-map", "0", "-enc_time_base", "-1", "-f", "null", "-") // times as they are
		camera := ffmpegtest.Run(t, "-i", f.Name(), "-map", "0:m:title:지우: camera", "-c", "copy", "-f", "framecrc", "-")
		if frames := bytes.Count(camera, []byte("\n0,")); frames < 60 || frames > 62 {
			t.Errorf("%d pictures of the camera, want all 60", frames)
		}
	}
}

func TestRecordPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := &guest{who: "지우"}
		r := RecordPeer(t.Context(), nowhere{}, a)
		a.send(t, "camera", TestPattern(nil), 3*time.Second)
		a.send(t, "microphone", Tone(), 3*time.Second)
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		mux, ok := r.mux.(*matroska)
		if !ok || len(mux.tracks) != 2 {
			t.Errorf("%d tracks, want two", len(mux.tracks))
		}
	})
}

// A disk that is full ends the recording and nothing else.
func TestRecordOnFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skipf("SKIPPED: no full disk here: %v", err)
	}
	closeLater(t, full)
	for _, w := range []io.Writer{full, struct{ io.Writer }{full}} {
		synctest.Test(t, func(t *testing.T) {
			r := Record(t.Context(), w)
			s := TestPattern(nil)
			camera := newWire(t, "camera", s)
			r.Add(who("지우"), camera)
			if _, err := s.Bind(camera); err != nil {
				t.Fatal(err)
			}
			<-r.Done()
			err := r.Err()
			if _, ok := errors.AsType[*WriteError](err); !ok || !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%v, want a WriteError that is ENOSPC", err)
			}
			before := camera.sentSoFar()
			time.Sleep(10 * time.Second)
			if sent := camera.sentSoFar() - before; sent < 100 {
				t.Errorf("the camera sent %d packets after that", sent)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

const recordInto = "NOOM_TEST_RECORD_INTO"

// The program dies in the middle, by a signal that it cannot catch; what it
// has written until then can be read, decoded and played.
func TestRecordKilledForReal(t *testing.T) {
	if path := os.Getenv(recordInto); path != "" {
		recordForEver(t, path)
		return
	}
	if testing.Short() {
		t.Skip("a recording in real time")
	}
	recordUntilKilled(t, "죽음.mp4", mp4Head, "vp9")
	path := recordUntilKilled(t, "죽음.webm", mkvHead, "vp8")
	f, err := OpenWebM(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, f)
	if len(f.Tracks()) != 2 {
		t.Errorf("%d tracks", len(f.Tracks()))
	}
}

// recordUntilKilled lets another process record until there is more than a head of that size, kills
// it and returns the file.
func recordUntilKilled(t *testing.T, name string, head int64, codec string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), name)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRecordKilledForReal$")
	child.Env = append(os.Environ(), recordInto+"="+path)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(60 * time.Second); ; <-tick.C {
		if info, err := os.Stat(path); err == nil && info.Size() > head+30000 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing was recorded in a minute")
		}
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the program ended with %v", err)
	}
	plays(t, path, codec, "opus")
	if frames := count(t, path); frames < 30 {
		t.Errorf("%s: %d pictures are left", name, frames)
	}
	return path
}

func recordForEver(t *testing.T, path string) {
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	r, picture := Record(t.Context(), file), TestPattern(nil)
	if filepath.Ext(path) == ".mp4" {
		r, picture = RecordMP4(t.Context(), file), open(t, "testdata/vp9.ivf")
	}
	for _, s := range []*Source{picture, Tone()} {
		w := newWire(t, s.ID(), s)
		r.Add(who("지우"), w)
		if _, err := s.Bind(w); err != nil {
			t.Fatal(err)
		}
	}
	<-r.Done()
}

// A member that comes under ever new names for as long as a recording lasts does not take more and
// more memory.
func TestStrangersAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Record(t.Context(), &bytes.Buffer{})
		visit := func(who who, track string, s *Source) {
			w := newWire(t, track, s)
			r.Add(who, w)
			if _, err := s.Bind(w); err != nil {
				t.Fatal(err)
			}
			time.Sleep(100 * time.Millisecond)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			close(w.packets)
			synctest.Wait()
		}
		for n := range maxGone + 20 {
			visit(who(fmt.Sprint("손님 ", n)), "microphone", Tone())
			visit(who("지우"), fmt.Sprint("microphone ", n), Tone())
		}
		r.mu.Lock()
		strangers, tracks := len(r.origins), len(r.origins["지우"].retired)
		r.mu.Unlock()
		if strangers > maxGone+1 || tracks > maxGone {
			t.Errorf("%d who have gone are remembered, and %d tracks of one", strangers, tracks)
		}
		if err := r.Close(); err != nil && !errors.Is(err, ErrFull) && !errors.Is(err, ErrLate) {
			t.Error(err)
		}
	})
}
