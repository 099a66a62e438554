package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"
)

// patch returns b with bytes at a place replaced.
func patch(b []byte, at int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], with)
	return b
}

// page makes an Ogg page; sizes are its segments.
func page(flags byte, serial uint32, sizes []byte, payload []byte) []byte {
	b := make([]byte, 27, 27+len(sizes)+len(payload))
	copy(b, "OggS")
	b[5], b[26] = flags, byte(len(sizes))
	binary.LittleEndian.PutUint32(b[14:], serial)
	b = append(append(b, sizes...), payload...)
	binary.LittleEndian.PutUint32(b[22:], oggSum(b))
	return b
}

func opusHead(channels, family byte) []byte {
	return []byte("OpusHead\x01" + string(channels) + "\x38\x01\x80\xbb\x00\x00\x00\x00" + string(family))
}

var opusTags = append([]byte("OpusTags"), make([]byte, 8)...)

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestFilesThatCannotBePlayed(t *testing.T) {
	vp8, opus := read(t, "testdata/vp8.ivf"), read(t, "testdata/opus.ogg")
	head := page(2, 1, []byte{19}, opusHead(1, 0))
	tags := page(0, 1, []byte{16}, opusTags)
	for _, c := range []struct {
		name string
		data []byte
		want error
		says string
	}{
		{"empty.ivf", nil, ErrEmpty, "empty file"},
		{"header.ivf", vp8[:20], ErrTruncated, "after 20 of 32 bytes"},
		{"magic.ivf", patch(vp8, 0, 'X'), ErrForeign, `begins with "XKIF`},
		{"short.ivf", []byte("hello"), ErrForeign, "hello"},
		{"webm.ivf", join([]byte("\x1a\x45\xdf\xa3"), vp8), ErrForeign, "WebM"},
		{"mp4.ivf", join([]byte("\x00\x00\x00\x20ftypisom"), vp8), ErrForeign, "MP4"},
		{"ogg.ivf", opus, ErrForeign, "an Ogg file"},
		{"version.ivf", patch(vp8, 4, 9), ErrUnsupported, "version 9 of IVF"},
		{"length.ivf", patch(vp8, 6, 3), ErrDamaged, "length as 3"},
		{"long.ivf", patch(vp8, 6, 0xff, 0xff), ErrTruncated, "IVF header"},
		{"h264.ivf", patch(vp8, 8, 'H', '2', '6', '4'), ErrUnsupported, `"H264"`},
		{"timebase.ivf", patch(vp8, 16, 0, 0, 0, 0), ErrDamaged, "time base 1/0"},
		{"noframe.ivf", vp8[:32], ErrEmpty, "no frame"},
		{"frameheader.ivf", vp8[:40], ErrTruncated, "header of frame 0"},
		{"frame.ivf", vp8[:100], ErrTruncated, "frame 0"},
		{"huge.ivf", patch(vp8, 32, 0xff, 0xff, 0xff, 0xff), ErrDamaged, "4294967295 bytes"},
		{"zero.ivf", patch(vp8, 32, 0, 0, 0, 0), ErrDamaged, "0 bytes"},
		{"delta.ivf", patch(vp8, 44, 1), ErrDamaged, "no VP8 key frame"},
		{"novp9.ivf", patch(vp8, 8, 'V', 'P', '9', '0'), ErrDamaged, "no VP9 key frame"},
		{"noav1.ivf", patch(vp8, 8, 'A', 'V', '0', '1'), ErrDamaged, "no AV1 key frame"},

		{"empty.ogg", nil, ErrEmpty, "empty file"},
		{"header.ogg", opus[:20], ErrTruncated, "header of Ogg page 1"},
		{"segments.ogg", opus[:27], ErrTruncated, "header of Ogg page 1"},
		{"page.ogg", opus[:40], ErrTruncated, "Ogg page 1"},
		{"ivf.ogg", vp8, ErrForeign, "an IVF file"},
		{"magic.ogg", patch(opus, 0, 'X'), ErrForeign, "XggS"},
		{"version.ogg", patch(opus, 4, 1), ErrUnsupported, "version 1 of Ogg"},
		{"sum.ogg", patch(opus, 30, 0xaa), ErrDamaged, "checksum of Ogg page 1"},
		{"nohead.ogg", tags, ErrDamaged, "begins no stream"},
		{"vorbis.ogg", page(2, 1, []byte{8}, []byte("\x01vorbis\x00")), ErrUnsupported, "Vorbis"},
		{"other.ogg", page(2, 1, []byte{4}, []byte("abcd")), ErrUnsupported, "unknown codec"},
		{"shorthead.ogg", page(2, 1, []byte{10}, opusHead(1, 0)[:10]), ErrDamaged, "10 bytes"},
		{"silent.ogg", page(2, 1, []byte{19}, opusHead(0, 0)), ErrDamaged, "no channel"},
		{"surround.ogg", page(2, 1, []byte{19}, opusHead(6, 1)), ErrUnsupported, "6 channels"},
		{"notags.ogg", join(head, page(0, 1, []byte{3}, []byte("abc"))), ErrDamaged, "no Opus tags"},
		{"headonly.ogg", head, ErrTruncated, "Opus tags"},
		{"nopacket.ogg", join(head, tags), ErrEmpty, "no frame"},
		{"nolength.ogg", join(head, tags, page(0, 1, []byte{0}, nil)), ErrDamaged, "without a length"},
		{"continued.ogg", join(head, tags, page(1, 1, []byte{1}, []byte{0})), ErrDamaged, "should come"},
		{"cut.ogg", join(head, tags, page(0, 1, []byte{255}, make([]byte, 255))), ErrTruncated, "packet"},
		{"big.ogg", join(head, tags, page(0, 1, []byte{255, 255, 255, 255, 255, 255, 0}, make([]byte, 6*255))), ErrDamaged, "Opus packet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.name)
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			open := OpenIVF
			if strings.HasSuffix(c.name, ".ogg") {
				open = OpenOgg
			}
			_, err := open(path, nil)
			if e, ok := errors.AsType[*FileError](err); !ok || e.Path != path {
				t.Fatalf("%T: %v", err, err)
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%v; want %v, and %q in it", err, c.want, c.says)
			}
			if n := strings.Count(err.Error(), path); n != 1 {
				t.Errorf("the path is in it %d times: %v", n, err)
			}
		})
	}
}

func TestFilesThatCannotBeOpened(t *testing.T) {
	for _, open := range []func(string, *FileOptions) (*Source, error){OpenIVF, OpenOgg} {
		if _, err := open("없음.ivf", nil); !errors.Is(err, fs.ErrNotExist) || err.Error() != "없음.ivf: no such file or directory" {
			t.Error(err)
		}
		directory := t.TempDir()
		if _, err := open(directory, nil); err == nil || err.Error() != directory+": is a directory" {
			t.Error(err)
		}
	}
}

// Damage behind the first frame ends the file there; what comes before is played, over and over,
// and Err reports it.
func TestDamageFurtherOn(t *testing.T) {
	vp8, opus := read(t, "testdata/vp8.ivf"), read(t, "testdata/opus.ogg")
	second := 32 + 12 + int(binary.LittleEndian.Uint32(vp8[32:]))
	for _, c := range []struct {
		name string
		data []byte
		want error
	}{
		{"cut.ivf", vp8[:len(vp8)-10], ErrTruncated},
		{"size.ivf", patch(vp8, second, 0, 0, 0, 0xff), ErrDamaged},
		{"future.ivf", patch(vp8, second+4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), ErrDamaged},
		{"past.ivf", patch(vp8, 36, 5), ErrDamaged},
		{"cut.ogg", opus[:len(opus)-10], ErrTruncated},
		{"sum.ogg", patch(opus, len(opus)-10, ^opus[len(opus)-10]), ErrDamaged},
		{"junk.ogg", join(opus[:len(opus)/2], []byte("junk"), opus[len(opus)/2:]), ErrDamaged},
	} {
		for _, once := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, once), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					open := NewIVF
					if strings.HasSuffix(c.name, ".ogg") {
						open = NewOgg
					}
					s, err := open(bytes.NewReader(c.data), &FileOptions{Once: once})
					if err != nil {
						t.Skip(err) // short enough to be seen at once
					}
					closeLater(t, s)
					p := newPlace("p", webrtc.MimeTypeVP8, webrtc.MimeTypeOpus)
					bind(t, s, p)
					time.Sleep(20 * time.Second)
					if err := s.Err(); !errors.Is(err, c.want) {
						t.Errorf("%v, want %v", err, c.want)
					}
					over := false
					select {
					case <-s.Done():
						over = true
					default:
					}
					if over != once {
						t.Errorf("over: %v", over)
					}
				})
			})
		}
	}
}

// A packet may run over several pages, pages of other streams may lie between,
// and tags may be far longer than any packet.
func TestOggWithEverything(t *testing.T) {
	long := make([]byte, 300)
	long[0], long[299] = 0xfc, 0x77 // 20 ms
	data := join(
		page(2, 9, []byte{8}, []byte("\x80theora\x00")),
		page(2, 1, []byte{19}, opusHead(2, 0)),
		page(0, 9, []byte{1}, []byte{0}),
		page(0, 1, bytes.Repeat([]byte{255}, 255), join(opusTags, make([]byte, 255*255-16))),
		page(1, 1, []byte{10}, make([]byte, 10)),
		page(0, 1, nil, nil),
		page(0, 1, []byte{3, 255}, join([]byte{0xfc, 1, 2}, long[:255])),
		page(0, 9, []byte{1}, []byte{0}),
		page(1, 1, []byte{45}, long[255:]),
		page(4, 1, []byte{2}, []byte{0x08, 3}), // 20 ms of SILK
		[]byte("TAG of a player"),
	)
	r, _, err := readOgg(input{bytes.NewReader(data), nil})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := r.seek(0); err != nil {
			t.Fatal(err)
		}
		for i, want := range [][]byte{{0xfc, 1, 2}, long, {0x08, 3}} {
			f, err := r.next()
			if err != nil || !bytes.Equal(f.data, want) || f.at != time.Duration(i)*20*time.Millisecond {
				t.Fatalf("packet %d: %v at %v, %v", i, f.data, f.at, err)
			}
		}
		if f, err := r.next(); err == nil || err.Error() != "EOF" {
			t.Fatalf("behind the last: %v, %v", f, err)
		}
		if r.end() != 60*time.Millisecond {
			t.Errorf("it lasts %v", r.end())
		}
	}
}

func TestOpusDuration(t *testing.T) {
	for _, c := range []struct {
		packet []byte
		want   time.Duration
	}{
		{[]byte{0xf8}, 20 * time.Millisecond},
		{[]byte{0xe0}, 2500 * time.Microsecond},
		{[]byte{0x18}, 60 * time.Millisecond},
		{[]byte{0x61, 0}, 20 * time.Millisecond},
		{[]byte{0x6a, 0}, 40 * time.Millisecond},
		{[]byte{0xfb, 6}, 120 * time.Millisecond},
		{[]byte{0xfb, 7}, 0},
		{[]byte{0xfb, 0}, 0},
		{[]byte{0xfb}, 0},
		{nil, 0},
	} {
		if got, ok := opusDuration(c.packet); ok != (c.want != 0) || ok && got != c.want {
			t.Errorf("%x lasts %v, %v; want %v", c.packet, got, ok, c.want)
		}
	}
}

// Hidden frames have the timestamp of a shown one; they still need one of
// their own, and the time that follows is not shifted.
func TestEqualTimestampsAreSpread(t *testing.T) {
	vp8 := read(t, "testdata/vp8.ivf")
	second := 32 + 12 + int(binary.LittleEndian.Uint32(vp8[32:]))
	r, _, err := readIVF(input{bytes.NewReader(patch(vp8, second+4, 0)), nil})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []time.Duration{time.Millisecond, 2 * time.Second / 15} {
		if f, err := r.next(); err != nil || f.at != want {
			t.Errorf("frame %d at %v, %v; want %v", i+1, f.at, err, want)
		}
	}
}

func TestTone(t *testing.T) {
	r, _, err := readOgg(input{bytes.NewReader(toneOgg), nil})
	if err != nil {
		t.Fatal(err)
	}
	if len(toneOgg) > 20<<10 {
		t.Errorf("%d bytes", len(toneOgg))
	}
	for {
		if _, err := r.next(); err != nil {
			break
		}
	}
	if r.end() != 2*time.Second {
		t.Errorf("the tone lasts %v; its rhythms fit into 2 s", r.end())
	}
}
