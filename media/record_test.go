package media

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/ffmpegtest"
)

// who is a member.
type who string

func (w who) ID() string   { return string(w) }
func (w who) Name() string { return string(w) }

// wire carries a Source's packets to the recording, as a peer's track does. Its fields are set
// before it is used.
type wire struct {
	*place
	name    string
	codec   webrtc.RTPCodecParameters
	delay   time.Duration          // of each packet
	lose    func(*rtp.Packet) bool // whether a packet is lost
	offset  uint32                 // added to timestamps
	clock   time.Duration          // the sender's is ahead by so much; 0: it has none
	packets chan sent

	mu       sync.Mutex
	asked    int
	sentAt   time.Time
	sentTime uint32
	sent     int
}

type sent struct {
	*rtp.Packet
	at time.Time
}

func newWire(t *testing.T, name string, s *Source) *wire {
	t.Helper()
	c := s.Codec()
	w := &wire{name: name, packets: make(chan sent, 1000), place: newPlace(name, c.MimeType), lose: func(*rtp.Packet) bool { return false }}
	w.place.codecs[0].RTPCodecCapability = c
	w.codec = w.place.codecs[0]
	return w
}

func (w *wire) Name() string                         { return w.name }
func (w *wire) Kind() webrtc.RTPCodecType            { return webrtc.RTPCodecTypeVideo }
func (w *wire) Codec() webrtc.RTPCodecParameters     { return w.codec }
func (w *wire) WriteStream() webrtc.TrackLocalWriter { return w }

func (w *wire) RequestKeyframe() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return nil
}

func (w *wire) requests() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked
}

func (w *wire) sentSoFar() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

func (w *wire) WriteRTP(h *rtp.Header, payload []byte) (int, error) {
	p := &rtp.Packet{Header: *h, Payload: payload}
	p.Timestamp += w.offset
	w.mu.Lock()
	w.sentAt, w.sentTime = time.Now().Add(w.clock), p.Timestamp
	w.sent++
	w.mu.Unlock()
	if !w.lose(p) {
		w.packets <- sent{p, time.Now()}
	}
	return len(payload), nil
}

func (w *wire) ReadRTP() (*rtp.Packet, error) {
	p, ok := <-w.packets
	if !ok {
		return nil, io.EOF
	}
	time.Sleep(time.Until(p.at.Add(w.delay)))
	return p.Packet, nil
}

func (w *wire) SenderTime(uint32) (time.Time, uint32, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sentAt, w.sentTime, w.clock != 0
}

// play lets sources play into a recording for a while, and ends them.
func play(t *testing.T, r *Recording, lasts time.Duration, wires map[*wire]*Source) {
	t.Helper()
	for w, s := range wires {
		r.Add(who("지우"), w)
		if _, err := s.Bind(w); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(lasts)
	for w, s := range wires {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		time.Sleep(w.delay)
		synctest.Wait()
		close(w.packets)
	}
	synctest.Wait()
}

func open(t *testing.T, path string) *Source {
	t.Helper()
	f := map[string]func(string, *FileOptions) (*Source, error){".ivf": OpenIVF, ".ogg": OpenOgg, ".h264": OpenH264}[filepath.Ext(path)]
	s, err := f(path, &FileOptions{FPS: 25})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// plays checks that a file decodes without a complaint, and what is in it.
func plays(t *testing.T, path string, codecs ...string) {
	t.Helper()
	ffmpegtest.Run(t, "-i", path, "-map", "0", "-enc_time_base", "-1", "-f", "null", "-") // times as they are
	found := strings.Fields(string(ffmpegtest.Tool(t, "ffprobe", "-show_entries", "stream=codec_name", "-of", "csv=p=0", path)))
	if len(found) != len(codecs) {
		t.Fatalf("streams %q, want %q", found, codecs)
	}
	for _, c := range codecs {
		if !strings.Contains(strings.Join(found, " "), c) {
			t.Errorf("streams %q, want %q", found, codecs)
		}
	}
}

func create(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), name))
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, f)
	return f
}

func TestRecordPlays(t *testing.T) {
	for _, codec := range []string{"vp8", "vp9", "av1"} {
		for _, seekable := range []bool{true, false} {
			f := create(t, "통화.webm")
			synctest.Test(t, func(t *testing.T) {
				var w io.Writer = f
				if !seekable {
					w = struct{ io.Writer }{f}
				}
				r := Record(t.Context(), w)
				picture, sound := open(t, "testdata/"+codec+".ivf"), open(t, "testdata/opus.ogg")
				play(t, r, 7*time.Second, map[*wire]*Source{newWire(t, "camera", picture): picture, newWire(t, "microphone", sound): sound})
				if err := r.Close(); err != nil {
					t.Fatal(err)
				}
			})
			plays(t, f.Name(), codec, "opus")
			if frames := count(t, f.Name()); frames < 104 || frames > 106 {
				t.Errorf("%s: %d frames in 7 s, want 105", codec, frames)
			}
			if seekable {
				lasts := strings.TrimSpace(string(ffmpegtest.Tool(t, "ffprobe", "-show_entries", "format=duration", "-of", "csv=p=0", f.Name())))
				if !strings.HasPrefix(lasts, "7.0") && !strings.HasPrefix(lasts, "6.9") {
					t.Errorf("%s: lasts %s, want 7 s", codec, lasts)
				}
				ffmpegtest.Run(t, "-ss", "5", "-i", f.Name(), "-f", "null", "-") // seeks by the cues
			}
		}
	}
}

// count decodes the picture and counts its frames.
func count(t *testing.T, path string) int {
	t.Helper()
	return bytes.Count(ffmpegtest.Run(t, "-i", path, "-map", "0:v", "-f", "framecrc", "-"), []byte("\n0,"))
}

// The clip flashes and beeps once a second, for a tenth of one. The picture arrives 300 ms later
// than the sound; the sender's clock shows that they belong together.
func TestRecordInSync(t *testing.T) {
	video, audio := flashAndBeep(t, "10")
	for _, c := range []struct {
		name, codec, video string
		record             func(context.Context, io.Writer) *Recording
	}{{"sync.webm", "vp8", video, Record}, {"sync.mp4", "h264", toH264(t, video), RecordMP4}} {
		f := create(t, c.name)
		synctest.Test(t, func(t *testing.T) {
			r := c.record(t.Context(), f)
			picture, sound := open(t, c.video), open(t, audio)
			camera, microphone := newWire(t, "camera", picture), newWire(t, "microphone", sound)
			camera.delay, camera.clock, camera.offset = 300*time.Millisecond, -time.Hour, 1<<32-90000
			microphone.clock = -time.Hour
			play(t, r, 9900*time.Millisecond, map[*wire]*Source{camera: picture, microphone: sound})
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		})
		plays(t, f.Name(), c.codec, "opus")
		inSync(t, ffmpegtest.Flashes(t, f.Name()), ffmpegtest.Beeps(t, f.Name()), 9)
	}
}

// toH264 encodes a picture again, with 25 frames a second and a key frame in each.
func toH264(t *testing.T, video string) string {
	t.Helper()
	path := strings.TrimSuffix(video, filepath.Ext(video)) + ".h264"
	ffmpegtest.Run(t, "-i", video, "-pix_fmt", "yuv420p", "-c:v", "libx264", "-bf", "0", "-g", "25", "-f", "h264", path)
	return path
}

// flashAndBeep makes a picture of so many seconds that flashes once a second, for a
// tenth of one, and a sound that beeps with it.
func flashAndBeep(t *testing.T, seconds string) (video, audio string) {
	t.Helper()
	dir := t.TempDir()
	video, audio = filepath.Join(dir, "flash.ivf"), filepath.Join(dir, "beep.ogg")
	ffmpegtest.Run(t, "-f", "lavfi", "-i", "color=black:s=160x120:r=25", "-t", seconds, "-vf", "drawbox=color=white:t=fill:enable='lt(mod(t,1),0.1)'",
		"-c:v", "libvpx", "-b:v", "100k", "-g", "25", "-auto-alt-ref", "0", video)
	ffmpegtest.Run(t, "-f", "lavfi", "-i", "aevalsrc='0.5*sin(2*PI*1000*t)*lt(mod(t,1),0.1)':s=48000", "-t", seconds, "-c:a", "libopus", audio)
	return video, audio
}

// inSync checks that each flash has a beep within 40 ms, of at least so many.
func inSync(t *testing.T, flashes, beeps []time.Duration, least int) {
	t.Helper()
	if len(flashes) < least || len(beeps) < least {
		t.Fatalf("flashes at %v, beeps at %v", flashes, beeps)
	}
	for _, flash := range flashes[1:] {
		nearest := time.Hour
		for _, beep := range beeps {
			if d := (flash - beep).Abs(); d < nearest {
				nearest = d
			}
		}
		if nearest > 40*time.Millisecond {
			t.Errorf("the flash at %v is %v from the nearest beep", flash, nearest)
		}
	}
}

// Packets are lost, doubled and come in disorder; what is written decodes.
func TestRecordOverLoss(t *testing.T) {
	f := create(t, "loss.webm")
	synctest.Test(t, func(t *testing.T) {
		r := Record(t.Context(), f)
		picture, sound := open(t, "testdata/vp8.ivf"), open(t, "testdata/opus.ogg")
		camera, microphone := newWire(t, "camera", picture), newWire(t, "microphone", sound)
		worse := func(w *wire) func(p *rtp.Packet) bool {
			chance := rand.New(rand.NewPCG(1, 2))
			return func(p *rtp.Packet) bool {
				if n := chance.IntN(100); n < 5 { // late
					time.AfterFunc(70*time.Millisecond, func() { w.packets <- sent{p, time.Now()} })
					return true
				} else if n < 8 {
					w.packets <- sent{p, time.Now()}
				} else if n < 11 {
					return true
				}
				return false
			}
		}
		camera.lose, microphone.lose = worse(camera), worse(microphone)
		play(t, r, 30*time.Second, map[*wire]*Source{camera: picture, microphone: sound})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if camera.requests() < 2 {
			t.Errorf("a key frame was asked for %d times", camera.requests())
		}
	})
	plays(t, f.Name(), "vp8", "opus")
	if frames := count(t, f.Name()); frames < 100 || frames > 445 {
		t.Errorf("%d frames of 450", frames)
	}
}

// People come and go, sizes change, sound is muted, a track is swapped for one
// of another size: one file.
func TestRecordCall(t *testing.T) {
	f := create(t, "call.webm")
	dir := t.TempDir()
	big := filepath.Join(dir, "big.ivf")
	ffmpegtest.Run(t, "-f", "lavfi", "-i", "testsrc=size=320x240:rate=15", "-t", "2", "-c:v", "libvpx", "-b:v", "200k", "-g", "15", "-auto-alt-ref", "0", big)
	synctest.Test(t, func(t *testing.T) {
		r := Record(t.Context(), f)
		sound := open(t, "testdata/opus.ogg")
		microphone := newWire(t, "microphone", sound)
		var wait sync.WaitGroup
		wait.Go(func() { play(t, r, 12*time.Second, map[*wire]*Source{microphone: sound}) })
		time.Sleep(3 * time.Second)
		small, large := open(t, "testdata/vp8.ivf"), open(t, big)
		camera := newWire(t, "camera", small)
		r.Add(who("민수"), camera)
		if _, err := small.Bind(camera); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if err := small.Close(); err != nil { // a pause, as mute is, then another picture
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		if _, err := large.Bind(camera); err != nil {
			t.Fatal(err)
		}
		if err := sound.Unbind(microphone); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		if _, err := sound.Bind(microphone); err != nil {
			t.Error(err)
		}
		wait.Wait()
		if err := large.Close(); err != nil {
			t.Error(err)
		}
		still, err := r.Still(camera)
		if err != nil || still.Bounds().Dx() != 320 {
			t.Errorf("still: %v, %v", still, err)
		}
		close(camera.packets)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
	plays(t, f.Name(), "vp8", "opus")
	if names := string(ffmpegtest.Tool(t, "ffprobe", "-show_entries", "stream_tags=title", "-of", "csv=p=0", f.Name())); names != "지우: microphone\n민수: camera\n" {
		t.Errorf("names %q", names)
	}
	if frames := count(t, f.Name()); frames < 90 {
		t.Errorf("%d frames", frames)
	}
}

func TestRecordIVFAndOgg(t *testing.T) {
	for _, codec := range []string{"vp8", "vp9", "av1", "opus"} {
		ext, record := ".ivf", RecordIVF
		if codec == "opus" {
			ext, record = ".ogg", RecordOgg
		}
		f := create(t, "out"+ext)
		synctest.Test(t, func(t *testing.T) {
			s := open(t, "testdata/"+codec+ext)
			r := record(t.Context(), f)
			play(t, r, 5*time.Second, map[*wire]*Source{newWire(t, "a", s): s})
			other := TestPattern(nil)
			play(t, r, time.Second, map[*wire]*Source{newWire(t, "b", other): other})
			if err := r.Close(); !errors.Is(err, ErrFull) && !errors.Is(err, ErrCodec) {
				t.Errorf("a second track: %v", err)
			}
			again := open(t, f.Name()) // we can play it ourselves
			if err := again.Close(); err != nil {
				t.Error(err)
			}
		})
		plays(t, f.Name(), codec)
	}
}

// disk takes so many bytes.
type disk struct{ left int }

var errFullDisk = errors.New("no space left")

func (d *disk) Write(b []byte) (int, error) {
	if d.left -= len(b); d.left < 0 {
		return 0, errFullDisk
	}
	return len(b), nil
}

// A full disk and a reader that has gone end the recording, and it says so.
func TestRecordToWhatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gone, pipe := io.Pipe()
		if err := gone.Close(); err != nil {
			t.Fatal(err)
		}
		for w, want := range map[io.Writer]error{&disk{20000}: errFullDisk, pipe: io.ErrClosedPipe} {
			r := Record(t.Context(), w)
			s := TestPattern(nil)
			camera := newWire(t, "camera", s)
			r.Add(who("a"), camera)
			if _, err := s.Bind(camera); err != nil {
				t.Fatal(err)
			}
			<-r.Done()
			if err := r.Close(); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			close(camera.packets)
		}
	})
}

// A file that cannot be rewritten takes no later tracks.
func TestRecordLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := Record(t.Context(), &bytes.Buffer{})
		early, late := TestPattern(nil), TestPattern(nil)
		play(t, r, 5*time.Second, map[*wire]*Source{newWire(t, "camera", early): early})
		play(t, r, 5*time.Second, map[*wire]*Source{newWire(t, "screen", late): late})
		if err := r.Close(); !errors.Is(err, ErrLate) || !strings.Contains(err.Error(), "지우: screen") {
			t.Error(err)
		}
	})
}

// A recording ends with its context, without waiting for its tracks.
func TestRecordEndsWithContext(t *testing.T) {
	f := create(t, "a.webm")
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := Record(ctx, f)
		s := TestPattern(nil)
		w := newWire(t, "camera", s)
		r.Add(who("a"), w)
		if _, err := s.Bind(w); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		cancel()
		<-r.Done()
		if err := r.Err(); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		close(w.packets)
	})
	plays(t, f.Name(), "vp8")
}

// A file without its end, as a killed program leaves it, plays.
func TestRecordKilled(t *testing.T) {
	f := create(t, "killed.webm")
	synctest.Test(t, func(t *testing.T) {
		r := Record(t.Context(), f)
		picture, sound := open(t, "testdata/vp8.ivf"), open(t, "testdata/opus.ogg")
		a, b := newWire(t, "camera", picture), newWire(t, "microphone", sound)
		var before []byte
		time.AfterFunc(6*time.Second, func() { before = read(t, f.Name()) })
		play(t, r, 7*time.Second, map[*wire]*Source{a: picture, b: sound})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(f.Name(), before, 0o600); err != nil {
			t.Fatal(err)
		}
	})
	plays(t, f.Name(), "vp8", "opus")
	if frames := count(t, f.Name()); frames < 50 {
		t.Errorf("%d frames are left of 90", frames)
	}
}
