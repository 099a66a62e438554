package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noom/internal/ffmpegtest"
)

// probe returns what ffprobe says of a file, a line each, without blanks.
func probe(t *testing.T, path, entries string, more ...string) []string {
	t.Helper()
	args := append([]string{"-show_entries", entries, "-of", "csv=p=0"}, append(more, path)...)
	return strings.Fields(strings.ReplaceAll(string(ffmpegtest.Tool(t, "ffprobe", args...)), " ", "_"))
}

// recordMP4 records a picture and a sound for a while.
func recordMP4(t *testing.T, w io.Writer, video string, lasts time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := RecordMP4(t.Context(), w)
		picture, sound := open(t, video), open(t, "testdata/opus.ogg")
		play(t, r, lasts, map[*wire]*Source{newWire(t, "camera", picture): picture, newWire(t, "microphone", sound): sound})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestRecordMP4Plays(t *testing.T) {
	for _, video := range []string{clip(t, "사진.h264", "160x120"), "testdata/vp9.ivf", "testdata/av1.ivf"} {
		codec, want := strings.TrimSuffix(filepath.Base(video), ".ivf"), 105
		if filepath.Ext(video) == ".h264" {
			codec, want = "h264", 175
		}
		for _, seekable := range []bool{true, false} {
			f := create(t, "통화.mp4")
			var w io.Writer = f
			if !seekable {
				w = struct{ io.Writer }{f}
			}
			recordMP4(t, w, video, 7*time.Second)
			plays(t, f.Name(), codec, "opus")
			if frames := count(t, f.Name()); frames < want-1 || frames > want+1 {
				t.Errorf("%s: %d frames in 7 s, want %d", codec, frames, want)
			}
			if names := probe(t, f.Name(), "stream_tags=handler_name"); len(names) != 2 || !slices.Contains(names, "지우:_camera") {
				t.Errorf("%s: names %q", codec, names)
			}
			ffmpegtest.Run(t, "-ss", "5", "-i", f.Name(), "-f", "null", "-")
			if !seekable {
				continue
			}
			if lasts := probe(t, f.Name(), "format=duration")[0]; !strings.HasPrefix(lasts, "7.0") && !strings.HasPrefix(lasts, "6.9") {
				t.Errorf("%s: lasts %s, want 7 s", codec, lasts)
			}
		}
	}
}

// boxes returns where the boxes of a file begin, from the first that is no part of the head on, and
// where the last one ends.
func boxes(t *testing.T, b []byte) (names []string, starts []int) {
	t.Helper()
	for at := 0; at < len(b); at += int(binary.BigEndian.Uint32(b[at:])) {
		if at >= mp4Head {
			names, starts = append(names, string(b[at+4:at+8])), append(starts, at)
		}
	}
	return names, append(starts, len(b))
}

// packetsIn counts what can be read of a file that may end anywhere.
func packetsIn(t *testing.T, in io.Reader, path string) (video, audio int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ffprobe", "-v", "quiet", "-show_entries", "packet=codec_type", "-of", "csv=p=0", path)
	cmd.Stdin = in
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("ffprobe: %v", err)
	}
	return bytes.Count(out, []byte("video")), bytes.Count(out, []byte("audio"))
}

// smallDisk is a file of so many bytes at most.
type smallDisk struct {
	file
	size int
}

func (d *smallDisk) Write(b []byte) (int, error) {
	n, err := d.file.Write(b[:max(0, min(len(b), d.size-int(d.at)))])
	if n < len(b) {
		err = errFullDisk
	}
	return n, err
}

// muxMP4 writes five seconds of picture and sound.
func muxMP4(t *testing.T, w io.Writer) error {
	t.Helper()
	m := newMP4(w)
	streams := []*stream{{name: "창", format: recordFormats["vp9"]}, {name: "소리", format: recordFormats["opus"]}}
	frames, _ := picturesOf(t, "video/VP9")
	packets, _ := picturesOf(t, "audio/opus")
	for i := range 75 {
		at, data := time.Duration(i)*time.Second/15, frames[i%15]
		due := []picture{{streams[0], at, recordFormats["vp9"].key(data), data}}
		for k := range 3 {
			due = append(due, picture{streams[1], at + time.Duration(k)*20*time.Millisecond, true, packets[k]})
		}
		for _, p := range due {
			if p.stream.number == 0 {
				if err := m.add(p.stream, p.data); err != nil {
					t.Fatal(err)
				}
			}
			if err := m.write(p); err != nil {
				return err
			}
		}
	}
	return m.close()
}

// Wherever writing ends, all whole fragments before that play; and wherever a file is cut off later.
func TestMP4EndsAnywhere(t *testing.T) {
	path := create(t, "끝.mp4").Name()
	end := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	whole := &smallDisk{size: 1 << 30}
	if err := muxMP4(t, whole); err != nil {
		t.Fatal(err)
	}
	end(whole.b)
	plays(t, path, "vp9", "opus")
	names, starts := boxes(t, whole.b)
	if kinds := strings.Join(names, " "); kinds != strings.Repeat("moof mdat ", len(names)/2)+"mfra" || len(names) < 9 {
		t.Fatalf("its boxes are %s", kinds)
	}
	for _, i := range []int{2, 6} {
		end(whole.b[:starts[i]])
		plays(t, path, "vp9", "opus") // without a complaint
		video, audio := packetsIn(t, nil, path)
		if fragments := i / 2; video < 14*fragments || audio < 42*fragments {
			t.Errorf("of %d fragments, %d pictures and %d packets of sound are left", fragments, video, audio)
		}
		table := int(binary.BigEndian.Uint32(whole.b[starts[i]:]))
		for _, at := range []int{1, 8, table / 2, table - 1, table + 100} {
			disk := &smallDisk{size: starts[i] + at}
			if err := muxMP4(t, disk); !errors.Is(err, errFullDisk) {
				t.Fatal(err)
			}
			end(disk.b)
			if v, a := packetsIn(t, nil, path); v < video || a < audio {
				t.Errorf("full %d bytes into a fragment: %d pictures and %d packets of sound are left, %d and %d lie whole before it", at, v, a, video, audio)
			}
		}
		// Inside a table ffmpeg reads on only if it cannot look further ahead.
		if v, a := packetsIn(t, bytes.NewReader(whole.b[:starts[i]+table/2]), "-"); v < video || a < audio {
			t.Errorf("cut off in a table: %d pictures and %d packets of sound are left, %d and %d lie whole before it", v, a, video, audio)
		}
	}
}

// What stands still and is mute for seconds does so in the file, and picture and sound are in
// sync behind it.
func TestMP4KeepsPauses(t *testing.T) {
	const from, to = 2300 * time.Millisecond, 9 * time.Second // when a key frame comes
	video, audio := flashAndBeep(t, "13")
	video = toH264(t, video)
	f := create(t, "쉼.mp4")
	synctest.Test(t, func(t *testing.T) {
		r := RecordMP4(t.Context(), f)
		picture, sound := open(t, video), open(t, audio)
		camera, microphone := newWire(t, "camera", picture), newWire(t, "microphone", sound)
		standStill(camera, from, to)
		standStill(microphone, from, to)
		play(t, r, 12900*time.Millisecond, map[*wire]*Source{camera: picture, microphone: sound})
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
	plays(t, f.Name(), "h264", "opus")
	for _, kind := range []string{"v", "a"} {
		var last, longest, where time.Duration
		for _, text := range probe(t, f.Name(), "packet=pts_time", "-select_streams", kind) {
			at, err := time.ParseDuration(strings.Trim(text, ",") + "s")
			if err != nil {
				t.Fatal(err)
			}
			if at-last > longest {
				longest, where = at-last, last
			}
			last = at
		}
		if (longest-(to-from)).Abs() > 100*time.Millisecond || (where-from).Abs() > 100*time.Millisecond || last < 12800*time.Millisecond {
			t.Errorf("%s: the longest pause is of %v at %v, and it ends at %v", kind, longest, where, last)
		}
	}
	inSync(t, ffmpegtest.Flashes(t, f.Name()), ffmpegtest.Beeps(t, f.Name()), 5)
}

// scale notes how much was written, and how much at once.
type scale struct{ most, whole int }

func (s *scale) Write(b []byte) (int, error) {
	s.most, s.whole = max(s.most, len(b)), s.whole+len(b)
	return len(b), nil
}

// Tracks and fragments have an end.
func TestMP4Bounds(t *testing.T) {
	picture, _ := picturesOf(t, "video/VP9")
	camera := func(name string) *stream { return &stream{name: name, format: recordFormats["vp9"]} }
	memory := &file{}
	m := newMP4(memory)
	for i := range mp4MaxTracks {
		if err := m.add(camera("카메라 "+strconv.Itoa(i)), picture[0]); err != nil {
			t.Fatalf("track %d: %v", i, err)
		}
	}
	if err := m.add(camera("한 대 더"), picture[0]); !errors.Is(err, ErrFull) {
		t.Errorf("a track too many: %v", err)
	}
	m = newMP4(&file{})
	if err := m.add(camera(strings.Repeat("긴", mp4Head)), picture[0]); !errors.Is(err, ErrFull) {
		t.Errorf("a name that fills the head: %v", err)
	}

	written := &scale{}
	m = newMP4(written)
	s, sound := camera("창"), &stream{name: "소리", format: recordFormats["opus"]}
	for _, s := range []*stream{s, sound} {
		if err := m.add(s, picture[0]); err != nil {
			t.Fatal(err)
		}
	}
	big := make([]byte, 200<<10)
	for i := range 3000 { // within three seconds
		at := time.Duration(i) * time.Millisecond
		if err := m.write(picturesAt(s, at, big)); err != nil {
			t.Fatal(err)
		}
		if err := m.write(picturesAt(sound, at, []byte{0xf8})); err != nil {
			t.Fatal(err)
		}
		if held := m.size + m.early.bytes; held > maxSettling+len(big)+frameCost {
			t.Fatalf("it holds %d bytes", held)
		}
	}
	if written.most > clusterSize+2*len(big) || written.whole < 2900*len(big) {
		t.Errorf("it writes up to %d bytes at once, %d in all", written.most, written.whole)
	}
	if err := m.add(camera("늦음"), picture[0]); !errors.Is(err, ErrLate) {
		t.Errorf("a track behind the head: %v", err)
	}
}

func picturesAt(s *stream, at time.Duration, data []byte) picture {
	return picture{stream: s, at: at, data: data}
}

// A room may be silent over a holiday: times go on beyond 32 bits.
func TestMP4OverAHoliday(t *testing.T) {
	frames, _ := picturesOf(t, "video/VP9")
	f := create(t, "휴일.mp4")
	m := newMP4(f)
	s := &stream{name: "창", format: recordFormats["vp9"]}
	if err := m.add(s, frames[0]); err != nil {
		t.Fatal(err)
	}
	const holiday = 25 * 24 * time.Hour
	for _, at := range []time.Duration{0, holiday, holiday + time.Second} {
		if err := m.write(picture{s, at, true, frames[0]}); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.close(); err != nil {
		t.Fatal(err)
	}
	if times := probe(t, f.Name(), "packet=pts_time"); !slices.Equal(times, []string{"0.000000", "2160000.000000", "2160001.000000"}) {
		t.Errorf("the times are %q", times)
	}
}
