package media

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/ffmpegtest"
)

// clip makes an H.264 file of two seconds.
func clip(t *testing.T, name, size string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	ffmpegtest.Run(t, "-f", "lavfi", "-i", "testsrc=size="+size+":rate=15", "-t", "2", "-pix_fmt", "yuv420p",
		"-c:v", "libx264", "-bf", "0", "-g", "15", "-f", "h264", path)
	return path
}

// It is sent as it is, recorded, and decodes to as many pictures; the second
// clip on the same track is turned and bigger.
func TestH264PlaysAndIsRecorded(t *testing.T) {
	paths := []string{clip(t, "작은.h264", "160x120"), clip(t, "큰.h264", "200x320")}
	f := create(t, "h264.mkv")
	recordClips(t, f, Record, paths...)
	plays(t, f.Name(), "h264")
	if frames := count(t, f.Name()); frames != 60 {
		t.Errorf("%d pictures, want 60", frames)
	}
	for tag, paths := range map[string][]string{"avc3": paths, "avc1": paths[:1]} {
		f := create(t, "h264.mp4")
		recordClips(t, f, RecordMP4, paths...)
		plays(t, f.Name(), "h264")
		if frames := count(t, f.Name()); frames != 30*len(paths) {
			t.Errorf("%d pictures, want %d", frames, 30*len(paths))
		}
		if tags := probe(t, f.Name(), "stream=codec_tag_string"); !slices.Equal(tags, []string{tag}) {
			t.Errorf("it is an %s, want an %s", tags, tag)
		}
	}
}

// recordClips records H.264 files one behind the other on one track.
func recordClips(t *testing.T, f *os.File, record func(context.Context, io.Writer) *Recording, paths ...string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := record(t.Context(), f)
		w := (*wire)(nil)
		for _, path := range paths {
			s, err := OpenH264(path, &FileOptions{Once: true, FPS: 15})
			if err != nil {
				t.Fatal(err)
			}
			if w == nil {
				w = newWire(t, "camera", s)
				w.codecs[0].SDPFmtpLine = "packetization-mode=1;profile-level-id=64001f"
				r.Add(who("지우"), w)
			}
			if _, err := s.Bind(w); err != nil {
				t.Fatal(err)
			}
			<-s.Done()
			time.Sleep(time.Second)
			if err := s.Err(); err != nil {
				t.Error(err)
			}
		}
		close(w.packets)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestH264FilesThatCannotBePlayed(t *testing.T) {
	for _, c := range []struct {
		data string
		want error
	}{
		{"", ErrEmpty},
		{"DKIF", ErrForeign},
		{"\x00\x00\x00", ErrForeign},
		{"\x00\x00\x01", ErrEmpty},
		{"\x00\x00\x01\x65\x88\x00\x00", ErrDamaged},
		{"\x00\x00\x01\x67\x42\x00\x1f\x00\x00\x01\x68\x01\x02\x03\x00\x00\x01\x65\x88\x01\x02", ErrDamaged},
		{"\x00\x00\x01" + string(bytes.Repeat([]byte{1}, maxFrame+1)), ErrDamaged},
	} {
		_, err := NewH264(bytes.NewReader([]byte(c.data)), nil)
		if _, ok := errors.AsType[*FileError](err); !ok || !errors.Is(err, c.want) {
			t.Errorf("%.20q: %v, want %v", c.data, err, c.want)
		}
	}
}

func TestH264ProfileIsKept(t *testing.T) {
	f := format{mime: webrtc.MimeTypeH264, profile: "4d001f"}
	offer := newPlace("p", webrtc.MimeTypeH264, webrtc.MimeTypeH264, webrtc.MimeTypeH264).codecs
	offer[1].SDPFmtpLine = "packetization-mode=1;profile-level-id=42e01f"
	if c, ok := f.choose(offer); ok {
		t.Errorf("main was sent as %q", c.SDPFmtpLine)
	}
	offer[2].SDPFmtpLine = "packetization-mode=1;profile-level-id=64001F"
	if c, ok := f.choose(offer); !ok || c.PayloadType != 98 {
		t.Errorf("main was not sent as high: %v", c)
	}
}

func FuzzH264(f *testing.F) {
	f.Add([]byte("\x00\x00\x01\x67\x42\xe0\x1f\xda\x05\x07\xc4\x00\x00\x01\x68\xce\x06\xe2\x00\x00\x01\x65\x88\x84\x00\x00\x01\x41\x9a\x24"))
	f.Add([]byte("\x00\x00\x00\x01\x09\xf0"))
	c := camera{}
	f.Add(startCodes(append([][]byte{c.sps(0, 10), c.pps(0, 0), c.pps(1, 0)}, c.group(1, 3)...)...))
	f.Add(startCodes(append([][]byte{c.pps(0, 0), c.sps(0, 10)}, append(c.group(0, 2), c.slice(0x01, sliceB, 0, 2, 0))...)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = costs(t, b, one(readH264(nil)))
		if from, how, err := readH264(nil)(input{bytes.NewReader(b), nil}); err == nil {
			playAll(t, from, how, maxFrame+1)
		}
		_, _, _ = sizeH264(b)
		_, _, _, _ = sizeAV1(b)
	})
}
