package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/ffmpegtest"
)

// film makes a file of two seconds, 15 pictures a second and sound in packets
// of 20 ms.
func film(t *testing.T, name string, codec ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	args := []string{"-f", "lavfi", "-i", "testsrc=size=160x120:rate=15", "-f", "lavfi", "-i", "sine=440:r=48000", "-t", "2", "-pix_fmt", "yuv420p", "-g", "15"}
	ffmpegtest.Run(t, append(append(args, codec...), path)...)
	return path
}

// Every codec, from files as FFmpeg writes them: nothing is lost, all of it
// comes when it should, and round follows round.
func TestWebMPlays(t *testing.T) {
	opus := []string{"-c:a", "libopus", "-b:a", "24k"}
	for _, c := range []struct {
		name, mime string
		args       []string
	}{
		{"필름.webm", webrtc.MimeTypeVP8, append(opus, "-c:v", "libvpx", "-auto-alt-ref", "0")},
		{"vp9.webm", webrtc.MimeTypeVP9, append(opus, "-c:v", "libvpx-vp9", "-lag-in-frames", "0")},
		{"av1.mkv", webrtc.MimeTypeAV1, append(opus, "-c:v", "libaom-av1", "-cpu-used", "8", "-lag-in-frames", "0")},
		{"h264.mkv", webrtc.MimeTypeH264, append(opus, "-c:v", "libx264", "-bf", "0")},
	} {
		path := film(t, c.name, c.args...)
		synctest.Test(t, func(t *testing.T) {
			f, err := OpenWebM(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if f.Duration().Round(100*time.Millisecond) != 2*time.Second {
				t.Errorf("%s: it lasts %v", c.name, f.Duration())
			}
			picture, sound := newPlace("v", allVideo...), newPlace("a", webrtc.MimeTypeOpus)
			for i := range picture.codecs {
				if picture.codecs[i].MimeType == webrtc.MimeTypeH264 {
					picture.codecs[i].SDPFmtpLine = "packetization-mode=1;profile-level-id=64001f"
				}
			}
			if codec := bind(t, f.Video(), picture); codec.MimeType != c.mime {
				t.Errorf("%s: bound as %s", c.name, codec.MimeType)
			}
			bind(t, f.Audio(), sound)
			time.Sleep(20*time.Second - time.Millisecond)
			if err := errors.Join(f.Close(), f.Err()); err != nil {
				t.Error(err)
			}
			<-f.Done()
			if n := frameCount(picture.got()); n < 292 || n > 300 { // a round is as long as the longer track
				t.Errorf("%s: %d pictures in 20 s, want 300", c.name, n)
			}
			if n := frameCount(sound.got()); n < 980 || n > 1010 {
				t.Errorf("%s: %d packets of sound in 20 s, want 1000", c.name, n)
			}
			contiguous(t, picture.got(), 90000)
			contiguous(t, sound.got(), 48000)
		})
	}
}

// What FFmpeg muxed together plays as the files apart do.
func TestFilmIsItsParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		whole, err := OpenWebM("testdata/film.webm", &FileOptions{Once: true})
		if err != nil {
			t.Fatal(err)
		}
		apart, err := OpenFilm(&FileOptions{Once: true}, "testdata/opus.ogg", "testdata/vp8.ivf")
		if err != nil {
			t.Fatal(err)
		}
		var got [2][2][]arrival
		for i, f := range []*Film{whole, apart} {
			picture, sound := newPlace("v", webrtc.MimeTypeVP8), newPlace("a", webrtc.MimeTypeOpus)
			bind(t, f.Tracks()[1], sound)
			bind(t, f.Tracks()[0], picture)
			<-f.Done()
			if err := f.Err(); err != nil {
				t.Error(err)
			}
			got[i] = [2][]arrival{picture.got(), sound.got()}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		}
		for track := range 2 {
			a, b := got[0][track], got[1][track]
			if len(a) != len(b) || len(a) < 45 {
				t.Fatalf("track %d: %d packets and %d", track, len(a), len(b))
			}
			for i := range a {
				skew := a[i].at.Sub(got[0][0][0].at) - b[i].at.Sub(got[1][0][0].at)
				if !bytes.Equal(a[i].payload[6:], b[i].payload[6:]) || skew.Abs() > 8*time.Millisecond {
					t.Fatalf("track %d: packet %d differs, or is %v off", track, i, skew)
				}
			}
		}
	})
}

// Flash and beep leave the film together: what Record wrote, played, and
// recorded once more.
func TestFilmInSync(t *testing.T) {
	path := film(t, "flash.webm", "-vf", "drawbox=color=black:t=fill,drawbox=color=white:t=fill:enable='lt(mod(t,1),0.1)'",
		"-af", "volume='lt(mod(t,1),0.1)':eval=frame,volume=8", "-c:v", "libvpx", "-auto-alt-ref", "0", "-c:a", "libopus")
	out := create(t, "again.webm")
	synctest.Test(t, func(t *testing.T) {
		f, err := OpenWebM(path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r := Record(t.Context(), out)
		wires := map[*wire]*Source{}
		for _, s := range f.Tracks() {
			w := newWire(t, s.ID(), s)
			w.clock = time.Hour
			wires[w] = s
		}
		play(t, r, 9500*time.Millisecond, wires)
		if err := errors.Join(r.Close(), f.Close()); err != nil {
			t.Error(err)
		}
	})
	plays(t, out.Name(), "vp8", "opus")
	inSync(t, ffmpegtest.Flashes(t, out.Name()), ffmpegtest.Beeps(t, out.Name()), 8)
}

func TestFilmSeeks(t *testing.T) {
	indexed := read(t, "testdata/film.webm")
	bare := bytes.ReplaceAll(indexed, []byte("\x1c\x53\xbb\x6b"), []byte("\x1c\x53\xbb\x6c")) // no cues
	for i, file := range [][]byte{indexed, bare} {
		synctest.Test(t, func(t *testing.T) {
			f, err := NewWebM(bytes.NewReader(file), &FileOptions{Once: true})
			if err != nil {
				t.Fatal(err)
			}
			picture, sound := newPlace("v", webrtc.MimeTypeVP8), newPlace("a", webrtc.MimeTypeOpus)
			bind(t, f.Video(), picture)
			bind(t, f.Audio(), sound)
			time.Sleep(290 * time.Millisecond)
			f.Seek(2500 * time.Millisecond)
			<-f.Done()
			w, ok := f.reel.frames.(*webm)
			if !ok || (len(w.cues) > 0) != (i == 0) {
				t.Errorf("the index was not used as it should: %T", f.reel.frames)
			}
			keys := keysAt(t, picture.got())
			if len(keys) != 2 || (keys[1]-290*time.Millisecond).Abs() > 20*time.Millisecond {
				t.Errorf("key frames at %v, want 0s and some 290ms", keys)
			}
			lasted := sound.got()[len(sound.got())-1].at.Sub(picture.got()[0].at)
			if n := frameCount(picture.got()); n != 5+15 || lasted < 1200*time.Millisecond || lasted > 1300*time.Millisecond {
				t.Errorf("%d pictures and %v of sound, want 20 and 1.29 s", n, lasted)
			}
			contiguous(t, picture.got(), 90000)
		})
	}
}

// The picture stands after the first second of twenty: a jump goes by the sound
// there, and brings nothing that is earlier. The first frame is hours in.
func TestFilmSeeksWithoutPicture(t *testing.T) {
	const begins = 10 * time.Hour
	file, err := os.Create(filepath.Join(t.TempDir(), "멈춤.webm"))
	if err != nil {
		t.Fatal(err)
	}
	closeLater(t, file)
	mux := newMatroska(file)
	camera, microphone := &stream{name: "camera", format: recordFormats["vp8"]}, &stream{name: "microphone", format: recordFormats["opus"]}
	drawn, err := (&pattern{fill: white, fps: 1}).next()
	if err != nil {
		t.Fatal(err)
	}
	still := drawn.data
	if err = errors.Join(mux.add(camera, still), mux.add(microphone, silence)); err != nil {
		t.Fatal(err)
	}
	for at := time.Duration(0); at < 20*time.Second; at += 20 * time.Millisecond {
		if at <= time.Second && at%(100*time.Millisecond) == 0 {
			err = errors.Join(err, mux.write(picture{camera, begins + at, true, still}))
		}
		if heard := at - 40*time.Millisecond; heard >= 0 { // it lies behind the picture of its time
			err = errors.Join(err, mux.write(picture{microphone, begins + heard, true, silence}))
		}
	}
	if err = errors.Join(err, mux.close()); err != nil {
		t.Fatal(err)
	}
	from, _, err := readWebM(input{file, nil})
	if err != nil {
		t.Fatal(err)
	}
	for to, want := range map[time.Duration]frame{
		0:                       {track: 0, at: 0},
		550 * time.Millisecond:  {track: 0, at: 500 * time.Millisecond},
		2500 * time.Millisecond: {track: 0, at: time.Second},
		15 * time.Second:        {track: 1, at: 15 * time.Second},
		time.Hour:               {track: 1, at: 19940 * time.Millisecond},
	} {
		if failed := from.seek(to); failed != nil {
			t.Fatal(failed)
		}
		found := false
		for range 3 {
			f, failed := from.next()
			if failed != nil {
				break // the last
			}
			found = found || f.track == want.track && f.at == want.at
			if f.at < want.at {
				t.Errorf("at %v: track %d at %v, which is too early", to, f.track, f.at)
			}
		}
		if !found {
			t.Errorf("at %v: not track %d at %v", to, want.track, want.at)
		}
	}
}

// A recorder that was killed leaves what plays here too.
func TestCutOffFilm(t *testing.T) {
	file := read(t, "testdata/film.webm")
	synctest.Test(t, func(t *testing.T) {
		f, err := NewWebM(bytes.NewReader(file[:len(file)*2/3]), &FileOptions{Once: true})
		if err != nil {
			t.Fatal(err)
		}
		picture := newPlace("v", webrtc.MimeTypeVP8)
		bind(t, f.Video(), picture)
		<-f.Done()
		if n := frameCount(picture.got()); n < 20 || !errors.Is(f.Err(), ErrTruncated) {
			t.Errorf("%d pictures, then %v", n, f.Err())
		}
	})
}

// piece makes an element whose size is not checked.
func piece(id uint32, size uint64, data ...byte) []byte {
	b := appendID(nil, id)
	b = binary.BigEndian.AppendUint64(b, size|1<<56)
	return append(b, data...)
}

func TestWebMFilesThatCannotBePlayed(t *testing.T) {
	whole := read(t, "testdata/film.webm")
	cluster := bytes.Index(whole, []byte("\x1f\x43\xb6\x75"))
	head := whole[:cluster]
	kind := element(ebmlHeader, text(ebmlDocType, "webm"))
	entry := func(parts ...[]byte) []byte {
		return join(kind, piece(mkvSegment, 1<<56-1), element(mkvTracks, element(mkvTrackEntry, parts...)))
	}
	vp8 := entry(number(mkvTrackNumber, 1), number(mkvTrackType, 1), text(mkvCodecID, "V_VP8"))
	block := func(at uint64, data string) []byte {
		return join(piece(mkvCluster, 1<<56-1), number(mkvTimestamp, at), element(mkvSimpleBlock, []byte("\x81\x00\x00\x80"+data)))
	}
	key := "\x10\x00\x00\x9d\x01\x2a\x10\x00\x10\x00"
	for i, c := range []struct {
		data []byte
		want error
		says string
	}{
		{nil, ErrEmpty, "empty file"},
		{[]byte("\x1a\x45\xdf"), ErrForeign, ""},
		{read(t, "testdata/vp8.ivf"), ErrForeign, "IVF"},
		{read(t, "testdata/opus.ogg"), ErrForeign, "Ogg"},
		{head, ErrEmpty, "with a head"},
		{head[:len(head)/2], ErrTruncated, ""},
		{whole[:cluster+20], ErrTruncated, ""},
		{join(element(ebmlHeader, text(ebmlDocType, "아님")), head), ErrForeign, "EBML of type"},
		{piece(ebmlHeader, 1<<55), ErrDamaged, "36028797018963968 bytes"},
		{piece(ebmlHeader, 1<<56-1), ErrDamaged, "no size"},
		{join(kind, piece(mkvSegment, 1<<55), piece(mkvTracks, 1<<40)), ErrDamaged, ""},
		{join(kind, piece(mkvSegment, 1<<55), piece(mkvTracks, 1<<19)), ErrTruncated, ""},
		{join(kind, piece(mkvSegment, 1<<55), piece(ebmlVoid, 1<<55)), ErrTruncated, ""},
		{join(kind, []byte{0, 0, 0}), ErrDamaged, "no element begins"},
		{join(kind, element(mkvInfo, number(mkvScale, 0))), ErrDamaged, "unit of time"},
		{join(kind, element(mkvCluster)), ErrDamaged, "before any"},
		{join(kind, element(mkvTracks)), ErrDamaged, "neither"},
		{entry(number(mkvTrackType, 2), text(mkvCodecID, "A_AAC")), ErrUnsupported, "A_AAC"},
		{entry(number(mkvTrackType, 1), text(mkvCodecID, "V_VP8"), element(mkvEncodings)), ErrUnsupported, "ffmpeg"},
		{entry(number(mkvTrackType, 1), text(mkvCodecID, "V_MPEG4/ISO/AVC"), element(mkvCodecPrivate, []byte("\x01\x42\x00\x1f\xff\xe1\xff\xff"))), ErrDamaged, "H.264"},
		{entry(number(mkvTrackType, 2), text(mkvCodecID, "A_OPUS"), element(mkvCodecPrivate, opusHead(6, 1))), ErrUnsupported, "6 channels"},
		{join(vp8, block(0, "\x31\x00\x00")), ErrDamaged, "without a key frame"},
		{join(vp8, block(1<<62, key)), ErrDamaged, "a time of"},
		{join(vp8, piece(mkvCluster, 1<<56-1), piece(mkvSimpleBlock, 1<<55, 0x81)), ErrDamaged, ""},
		{join(vp8, block(36_000_000, key)), nil, ""}, // ten hours in, it begins
		{join(vp8, piece(mkvCluster, 8), element(mkvSimpleBlock, []byte{0x81})), ErrDamaged, "block"},
		{join(vp8, element(mkvSimpleBlock, []byte("\x81\x00\x00\x86\xff\xff"))), ErrEmpty, ""},
	} {
		f, err := NewWebM(bytes.NewReader(c.data), nil)
		if err == nil {
			closeLater(t, f)
		}
		if _, ok := errors.AsType[*FileError](err); ok != (c.want != nil) || !errors.Is(err, c.want) || c.want != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("file %d: %v, want %v with %q", i, err, c.want, c.says)
		}
	}
}

// A frame two months on ends the film there.
func TestTwoMonthsOn(t *testing.T) {
	whole := read(t, "testdata/film.webm")
	at := bytes.LastIndex(whole, []byte("\x1f\x43\xb6\x75"))
	far := join(whole[:at], piece(mkvCluster, 1<<56-1), number(mkvTimestamp, 60*24*3600*1000), element(mkvSimpleBlock, []byte("\x82\x00\x00\x80\xf8\xff\xfe")))
	synctest.Test(t, func(t *testing.T) {
		f, err := NewWebM(bytes.NewReader(far), &FileOptions{Once: true})
		if err != nil {
			t.Fatal(err)
		}
		bind(t, f.Audio(), newPlace("a", webrtc.MimeTypeOpus))
		start := time.Now()
		<-f.Done()
		if lasted := time.Since(start); lasted > 3*time.Second || !errors.Is(f.Err(), ErrDamaged) {
			t.Errorf("it played for %v, then %v", lasted, f.Err())
		}
	})
}

// Names do not matter, and a film needs tracks that go together.
func TestOpenFilm(t *testing.T) {
	dir := t.TempDir()
	for from, to := range map[string]string{"film.webm": "a.ivf", "vp8.ivf": "b.ogg", "opus.ogg": "c.webm", "README.md": "d.ivf"} {
		if err := os.WriteFile(filepath.Join(dir, to), read(t, "testdata/"+from), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for names, want := range map[string]string{
		"a.ivf": "video audio", "b.ogg": "video", "c.webm": "audio", "b.ogg c.webm": "video audio",
		"d.ivf": "another kind of file", "a.ivf b.ogg": "a second video track", "없음.ivf": "no such file", "": "no file",
	} {
		var paths []string
		for name := range strings.FieldsSeq(names) {
			paths = append(paths, filepath.Join(dir, name))
		}
		f, err := OpenFilm(nil, paths...)
		got := fmt.Sprint(err)
		if err == nil {
			var kinds []string
			for _, s := range f.Tracks() {
				kinds = append(kinds, s.ID())
			}
			got = strings.Join(kinds, " ")
			closeLater(t, f)
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: %s, want %s", names, got, want)
		}
	}
}

func TestLacing(t *testing.T) {
	for _, c := range []struct {
		kind byte
		data string
		want string
	}{
		{laceNone, "abc", "[abc]"},
		{laceXiph, "\x02\x01\x02abbccc", "[a bb ccc]"},
		{laceXiph, "\x01\xff\x00" + strings.Repeat("x", 256), "[" + strings.Repeat("x", 255) + " x]"},
		{laceFixed, "\x02abcdef", "[ab cd ef]"},
		{laceEBML, "\x02\x81\xc0abbccc", "[a bb ccc]"},
		{laceEBML, "\x01\x83", "cut"},
		{laceEBML, "\x02\x81\x80a", "cut"},
		{laceXiph, "\x01\xff", "cut"},
		{laceXiph, "", "cut"},
		{laceFixed, "", "cut"},
	} {
		parts, ok := lacedParts(c.kind, []byte(c.data))
		got := fmt.Sprintf("%s", parts)
		if !ok {
			got = "cut"
		}
		if got != c.want {
			t.Errorf("lacing %d of %q: %s, want %s", c.kind, c.data, got, c.want)
		}
	}
}

func FuzzWebM(f *testing.F) {
	whole := read(f, "testdata/film.webm")
	f.Add(whole[:4000])
	kind := element(ebmlHeader, text(ebmlDocType, "matroska"))
	tracks := element(mkvTracks,
		element(mkvTrackEntry, number(mkvTrackNumber, 1), number(mkvTrackType, 1), text(mkvCodecID, "V_MPEG4/ISO/AVC"),
			element(mkvCodecPrivate, []byte("\x01\x42\xe0\x1f\xff\xe1\x00\x09\x67\x42\xe0\x1f\xda\x05\x07\xc4\x00\x01\x00\x04\x68\xce\x06\xe2"))),
		element(mkvTrackEntry, number(mkvTrackNumber, 2), number(mkvTrackType, 2), text(mkvCodecID, "A_OPUS")))
	cluster := element(mkvCluster, number(mkvTimestamp, 5),
		element(mkvSimpleBlock, []byte("\x82\x00\x00\x86\x01\x83\xf8\xff\xfe\xf8\xff\xfe")),
		element(mkvBlockGroup, element(mkvBlock, []byte("\x81\x00\x01\x00\x00\x00\x00\x04\x65\x88\x84\x00"))))
	cues := element(mkvCues, element(mkvCuePoint, number(mkvCueTime, 5), element(mkvCueTracks, number(mkvCueTrack, 1), number(mkvCueCluster, 1))))
	f.Add(join(kind, piece(mkvSegment, 1<<56-1), cues, tracks, cluster))
	f.Add(join(kind, tracks, cluster, cluster))
	c := camera{}
	f.Add(mkvH264(nil, startCodes(c.sps(0, 10), c.pps(0, 0), c.group(0, 1)[0]), startCodes(c.group(0, 2)[1])))
	f.Add(mkvH264(avcRecord(c.sps(0, 10), c.pps(0, 0)), withLengths(4, c.group(0, 1)...)))
	f.Fuzz(func(t *testing.T, b []byte) {
		_ = costs(t, b, readWebM)
		from, formats, err := readWebM(input{bytes.NewReader(b), nil})
		if err != nil {
			return
		}
		for _, at := range []time.Duration{0, time.Second, time.Hour} {
			if err := from.seek(at); err != nil {
				t.Fatalf("seek in a file that could be opened: %v", err)
			}
			last := [2]time.Duration{-1, -1}
			for {
				next, err := from.next()
				if err != nil {
					break
				}
				if next.at <= last[next.track] || from.end() < next.at || len(next.data) > maxFrame || len(next.data) == 0 {
					t.Fatalf("a frame of %d bytes at %v behind %v, end %v", len(next.data), next.at, last[next.track], from.end())
				}
				last[next.track] = next.at
				packetise(t, formats[next.track].payloader(), next.data)
			}
		}
	})
}

// What lies before the first frame is read to open a film, and not again in
// each round.
func TestRoundsBeginAtTheFirstFrame(t *testing.T) {
	entry := element(mkvTrackEntry, number(mkvTrackNumber, 1), number(mkvTrackType, 1), text(mkvCodecID, "V_VP8"))
	key := []byte("\x81\x00\x00\x80\x10\x00\x00\x9d\x01\x2a\x10\x00\x10\x00")
	inter := []byte("\x81\x00\x00\x00\x11\x00\x00")
	file := join(element(ebmlHeader, text(ebmlDocType, "webm")), element(mkvTracks, entry), piece(mkvCluster, 1<<56-1), number(mkvTimestamp, 5000),
		bytes.Repeat(element(mkvSimpleBlock, inter), 30_000), element(mkvSimpleBlock, key))
	m := &meter{ReadSeeker: bytes.NewReader(file)}
	w, _, err := readWebM(input{m, nil})
	if err != nil {
		t.Fatal(err)
	}
	m.bytes = 0
	for _, at := range []time.Duration{0, time.Second} {
		if err := w.seek(at); err != nil {
			t.Fatal(err)
		}
		if f, err := w.next(); err != nil || !f.key || f.at != 0 {
			t.Errorf("from %v: a frame at %v, %v", at, f.at, err)
		}
	}
	if m.bytes > 64<<10 {
		t.Errorf("%d bytes of %d were read for two rounds of one frame", m.bytes, len(file))
	}
}
