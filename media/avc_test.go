package media

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// bitWriter writes the bits of H.264's headers.
type bitWriter struct {
	b    []byte
	room int
}

func (w *bitWriter) bits(v uint32, n int) *bitWriter {
	for i := n - 1; i >= 0; i-- {
		if w.room == 0 {
			w.b, w.room = append(w.b, 0), 8
		}
		w.room--
		w.b[len(w.b)-1] |= byte(v>>i&1) << w.room
	}
	return w
}

// golomb writes Exp-Golomb numbers.
func (w *bitWriter) golomb(all ...uint32) *bitWriter {
	for _, v := range all {
		n := 0
		for (v+1)>>n > 1 {
			n++
		}
		w.bits(0, n).bits(v+1, n+1)
	}
	return w
}

// nal ends a unit and escapes what looks like a start code in it.
func (w *bitWriter) nal(header byte) []byte {
	w.bits(1, 1)
	out, zeros := []byte{header}, 0
	for _, v := range w.b {
		if zeros >= 2 && v <= 3 {
			out, zeros = append(out, 3), 0
		}
		if out = append(out, v); v == 0 {
			zeros++
		} else {
			zeros = 0
		}
	}
	return out
}

// camera makes streams that look like H.264 down to the headers of slices.
type camera struct {
	order  uint32 // how it codes the times of display
	fields bool
}

func (c camera) sps(id, columns uint32) []byte {
	w := (&bitWriter{}).bits(77, 8).bits(0, 8).bits(31, 8).golomb(id, 0, c.order)
	switch c.order {
	case 0:
		w.golomb(4)
	case 1:
		w.bits(0, 1).golomb(1, 0, 1, 2)
	}
	w.golomb(4).bits(0, 1).golomb(columns-1, 7)
	if c.fields {
		w.bits(0, 2)
	} else {
		w.bits(1, 1)
	}
	return w.bits(1, 1).bits(0, 2).nal(0x67)
}

func (camera) pps(id, of uint32) []byte {
	return (&bitWriter{}).golomb(id, of).bits(0, 2).golomb(0, 0, 0).bits(0, 3).golomb(0, 0, 0).bits(0, 3).nal(0x68)
}

const (
	sliceP = 5
	sliceB = 6
	sliceI = 7
)

// slice makes the first slice of a picture that is shown at that place.
func (c camera) slice(header byte, kind, pps, number, shown uint32) []byte {
	w := (&bitWriter{}).golomb(0, kind, pps).bits(number%16, 4)
	if c.fields {
		w.bits(1, 1).bits(shown&1, 1)
	}
	if header&0x1f == nalIDR {
		w.golomb(0)
	}
	if c.order == 0 {
		w.bits(shown%256, 8)
	}
	return w.golomb(3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5).nal(header)
}

// group makes pictures behind an IDR picture, one slice each.
func (c camera) group(pps uint32, pictures int) (all [][]byte) {
	for i := range pictures {
		header, kind := byte(0x41), uint32(sliceP)
		if i == 0 {
			header, kind = 0x65, sliceI
		}
		all = append(all, c.slice(header, kind, pps, uint32(i), uint32(2*i)))
	}
	return all
}

// startCodes puts start codes of both kinds before units.
func startCodes(units ...[]byte) (b []byte) {
	for i, unit := range units {
		if i%2 == 0 {
			b = append(b, 0)
		}
		b = append(append(b, startCode...), unit...)
	}
	return b
}

// allFrames reads all frames of a file, and what ends it.
func allFrames(t *testing.T, from frames) (all []frame, err error) {
	t.Helper()
	if err := from.seek(0); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := from.next()
		if err != nil {
			return all, err
		}
		f.data = bytes.Clone(f.data)
		all = append(all, f)
	}
}

// kinds returns the types of the units in a frame.
func kinds(data []byte) (all []int) {
	for nal := range unitsIn(data) {
		all = append(all, int(nal[0]&0x1f))
	}
	return all
}

// Sets that stand once, change on the way, or are several: before each IDR
// picture are all that were seen.
func TestParameterSetsBeforeEachIDR(t *testing.T) {
	c := camera{}
	sei, delimiter, prefix := []byte{6, 5, 1, 7, 0x80}, []byte{9, 0x10}, []byte{14, 0x80, 1, 2}
	units := [][]byte{c.sps(0, 10), c.pps(0, 0)}
	units = append(units, c.group(0, 3)...)
	units = append(units, c.group(0, 2)...)                           // without sets
	units = append(units, delimiter, c.sps(0, 20), c.pps(0, 0), sei)  // others in their place
	units = append(units, c.group(0, 2)...)                           //
	units = append(units, c.pps(7, 3), c.sps(3, 30))                  // further ones, in disorder
	units = append(units, c.slice(0x41, sliceP, 7, 1, 6), prefix)     //
	units = append(units, c.group(7, 1)...)                           //
	units = append(units, delimiter, sei, []byte{12, 255, 255, 0x80}) // and padding
	units = append(units, c.group(0, 1)...)
	r, _, err := readH264(nil)(input{bytes.NewReader(startCodes(units...)), nil})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // once more from the beginning, without what was seen at the end
		all, err := allFrames(t, r)
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		var got []string
		for _, f := range all {
			s := fmt.Sprint(kinds(f.data))
			if f.key {
				for nal := range unitsIn(f.data) {
					if q, err := parseSPS(nal); err == nil && nal[0]&0x1f == nalSPS {
						s += fmt.Sprint(" ", q.width)
					}
				}
			}
			got = append(got, s)
		}
		want := []string{
			"[7 8 5] 160", "[1]", "[1]", "[7 8 5] 160", "[1]", "[7 8 6 5] 320", "[1]", "[8 7 1]", "[7 7 8 8 5] 320 480", "[7 7 8 8 6 5] 320 480",
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q, want\n%q", got, want)
		}
		if all[2].at != time.Second/15 {
			t.Errorf("the third picture is at %v", all[2].at)
		}
	}
}

// What is absurdly much is sent as it is, and not kept.
func TestParameterSetsWithoutEnd(t *testing.T) {
	c := camera{}
	a := &avc{}
	a.restore(nil)
	for range 2 {
		for i := range uint32(256) {
			a.remember(append(c.pps(i, 0), bytes.Repeat([]byte{byte(i)}, 20+int(i))...))
		}
		if n := len(a.sets()); n > maxSets || n < maxSets-300 {
			t.Errorf("%d bytes of parameter sets are kept, at most %d", n, maxSets)
		}
	}
	a.remember(append(c.pps(0, 0), make([]byte, maxSets)...))
	if bytes.Contains(a.sets(), make([]byte, 100)) {
		t.Error("a set that is longer than all may be is kept")
	}
}

// A newcomer does not throw the others back, and a jump goes no further back than it must.
func TestNewcomerToParametersOnce(t *testing.T) {
	c := camera{}
	units := [][]byte{c.sps(0, 10), c.pps(0, 0)}
	for range 5 {
		units = append(units, c.group(0, 20)...)
	}
	file := startCodes(units...)
	synctest.Test(t, func(t *testing.T) {
		for _, to := range []time.Duration{0, 3500 * time.Millisecond} {
			s, err := NewH264(bytes.NewReader(file), &FileOptions{Once: true, FPS: 20})
			if err != nil {
				t.Fatal(err)
			}
			s.Seek(to)
			p := newAsking(webrtc.MimeTypeH264)
			p.codecs[0].SDPFmtpLine = "packetization-mode=1;profile-level-id=64001f"
			if _, err := s.Bind(p); err != nil {
				t.Fatal(err)
			}
			time.Sleep(1400 * time.Millisecond)
			p.asks <- &rtcp.PictureLossIndication{}
			<-s.Done()
			close(p.asks)
			if n := frameCount(p.got()); n != 100-int(to/time.Second)*20 || s.Err() != nil {
				t.Errorf("from %v %d pictures were sent, %v", to, n, s.Err())
			}
		}
	})
}

// mkvH264 makes a Matroska file of blocks, 20 a second.
func mkvH264(private []byte, blocks ...[]byte) []byte {
	entry := [][]byte{number(mkvTrackNumber, 1), number(mkvTrackType, 1), text(mkvCodecID, "V_MPEG4/ISO/AVC")}
	if private != nil {
		entry = append(entry, element(mkvCodecPrivate, private))
	}
	file := join(element(ebmlHeader, text(ebmlDocType, "matroska")), piece(mkvSegment, 1<<56-1), element(mkvTracks, element(mkvTrackEntry, entry...)))
	for i, block := range blocks {
		file = join(file, element(mkvCluster, number(mkvTimestamp, uint64(50*i)), element(mkvSimpleBlock, []byte("\x81\x00\x00\x00"), block)))
	}
	return file
}

func withLengths(width int, units ...[]byte) (b []byte) {
	for _, unit := range units {
		for i := width - 1; i >= 0; i-- {
			b = append(b, byte(len(unit)>>(8*i)))
		}
		b = append(b, unit...)
	}
	return b
}

func TestH264InMatroska(t *testing.T) {
	c := camera{}
	sps, pps := c.sps(0, 10), c.pps(0, 0)
	g := append(c.group(0, 2), c.group(0, 2)...)
	long := append(bytes.Clone(g[1]), bytes.Repeat([]byte{0xaa}, 300-len(g[1]))...) // its length looks like a start code
	record := func(lengths byte) []byte {
		b := avcRecord(sps, pps)
		b[4] = 0xfc | (lengths - 1)
		return b
	}
	for name, file := range map[string][]byte{
		"start codes, nothing before":  mkvH264(nil, startCodes(sps, pps, g[0]), startCodes(long), startCodes(g[2]), startCodes(g[3])),
		"lengths, nothing before":      mkvH264(nil, withLengths(4, sps, pps, g[0]), withLengths(4, long), withLengths(4, g[2]), withLengths(4, g[3])),
		"start codes before":           mkvH264(startCodes(sps, pps), startCodes(g[0]), startCodes(long), startCodes(g[2]), startCodes(g[3])),
		"a record, but start codes":    mkvH264(record(4), startCodes(g[0]), startCodes(long), startCodes(g[2]), startCodes(g[3])),
		"a record, lengths of 4 bytes": mkvH264(record(4), withLengths(4, g[0]), withLengths(4, long), withLengths(4, g[2]), withLengths(4, g[3])),
		"a record, lengths of 2 bytes": mkvH264(record(2), withLengths(2, g[0]), withLengths(2, long), withLengths(2, sps, g[2]), withLengths(2, g[3])),
	} {
		r, formats, err := readWebM(input{bytes.NewReader(file), nil})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if formats[0].profile != "4d001f" {
			t.Errorf("%s: profile %s", name, formats[0].profile)
		}
		for range 2 {
			all, err := allFrames(t, r)
			var got []string
			for _, f := range all {
				got = append(got, fmt.Sprint(kinds(f.data), f.key, f.at))
			}
			want := "[7 8 5] true 0s,[1] false 50ms,[7 8 5] true 100ms,[1] false 150ms"
			if strings.Join(got, ",") != want || !errors.Is(err, io.EOF) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		if err := r.seek(120 * time.Millisecond); err != nil {
			t.Error(err)
		}
		if f, err := r.next(); err != nil || f.at != 100*time.Millisecond {
			t.Errorf("%s: a jump goes to %v, %v", name, f.at, err)
		}
	}
}

// What is shown in another order than it is stored in cannot be sent; B slices
// in order can.
func TestBFrames(t *testing.T) {
	many := camera{}.group(0, aheadPictures+20)
	for _, c := range []struct {
		name   string
		camera camera
		of     func(c camera) [][]byte
		want   error // nil: it plays
		plays  int   // pictures before that; 0: it is not opened
	}{
		{"in order", camera{}, func(c camera) [][]byte { return c.group(0, 300) }, nil, 300},
		{"between its references", camera{}, func(c camera) [][]byte {
			return append(c.group(0, 2), c.slice(0x41, sliceP, 0, 2, 8), c.slice(0x01, sliceB, 0, 3, 6), c.slice(0x41, sliceP, 0, 3, 10))
		}, ErrUnsupported, 0},
		{"that others refer to, across a wrap", camera{}, func(c camera) [][]byte {
			return append(c.group(0, 127), c.slice(0x41, sliceP, 0, 2, 260), c.slice(0x41, sliceB, 0, 3, 254))
		}, ErrUnsupported, 0},
		{"that are shown as they come", camera{}, func(c camera) [][]byte {
			return append(c.group(0, 2), c.slice(0x41, sliceB, 0, 2, 4), c.slice(0x41, sliceB, 0, 3, 6))
		}, nil, 4},
		{"that are shown as they come, across a wrap", camera{}, func(c camera) [][]byte {
			return append(c.group(0, 127), c.slice(0x41, sliceB, 0, 2, 254), c.slice(0x41, sliceB, 0, 3, 256), c.slice(0x01, sliceB, 0, 3, 258))
		}, nil, 130},
		{"late", camera{}, func(c camera) [][]byte {
			return append(many, c.slice(0x41, sliceP, 0, 1, 2*aheadPictures+60), c.slice(0x01, sliceB, 0, 2, 2*aheadPictures+50))
		}, ErrUnsupported, aheadPictures + 21},
		{"whose order is coded by cycles", camera{order: 1}, func(c camera) [][]byte {
			return append(c.group(0, 2), c.slice(0x01, sliceB, 0, 2, 0))
		}, ErrUnsupported, 0},
		{"cycles without", camera{order: 1}, func(c camera) [][]byte { return c.group(0, 4) }, nil, 4},
		{"whose order is that of the file", camera{order: 2}, func(c camera) [][]byte {
			return append(c.group(0, 2), c.slice(0x01, sliceB, 0, 2, 0))
		}, nil, 3},
	} {
		units := c.of(c.camera)
		sets := [][]byte{c.camera.sps(0, 10), c.camera.pps(0, 0)}
		blocks := [][]byte{withLengths(4, append(sets, units[0])...)}
		for _, unit := range units[1:] {
			blocks = append(blocks, withLengths(4, unit))
		}
		for kind, open := range map[string]func() (frames, error){
			"byte stream": func() (frames, error) {
				r, _, err := readH264(nil)(input{bytes.NewReader(startCodes(append(sets, units...)...)), nil})
				return r, err
			},
			"Matroska": func() (frames, error) {
				r, _, err := readWebM(input{bytes.NewReader(mkvH264(nil, blocks...)), nil})
				return r, err
			},
		} {
			r, err := open()
			n := 0
			if err == nil {
				var all []frame
				all, err = allFrames(t, r)
				n = len(all)
			}
			if want := max(c.plays, 0); n != want || c.want == nil && !errors.Is(err, io.EOF) || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("B-frames %s in a %s: %d pictures of %d, then %v", c.name, kind, n, want, err)
			}
			if c.want != nil && !strings.Contains(err.Error(), "B-frames") {
				t.Errorf("%s: it says %v", c.name, err)
			}
		}
	}
}

// Two fields take as long as the frame that they are.
func TestFields(t *testing.T) {
	c := camera{fields: true}
	units := [][]byte{
		c.sps(0, 10), c.pps(0, 0), c.slice(0x65, sliceI, 0, 0, 0), c.slice(0x41, sliceP, 0, 0, 1), c.slice(0x41, sliceP, 0, 1, 2), c.slice(0x41, sliceP, 0, 1, 3),
	}
	r, _, err := readH264(&FileOptions{FPS: 25})(input{bytes.NewReader(startCodes(units...)), nil})
	if err != nil {
		t.Fatal(err)
	}
	all, err := allFrames(t, r)
	if len(all) != 4 || all[3].at != 60*time.Millisecond || r.end() != 80*time.Millisecond {
		t.Errorf("%d fields, the last at %v, and over at %v: %v", len(all), all[len(all)-1].at, r.end(), err)
	}
}

// Playing begins with the first IDR picture that can be decoded. Where there is
// none, as in a stream that is refreshed bit by bit and was cut, it says so.
func TestH264ThatBeginsInTheMiddle(t *testing.T) {
	c := camera{}
	sets := [][]byte{c.sps(0, 10), c.pps(0, 0)}
	recovery := []byte{6, 6, 1, 0xc4, 0x80}
	tail := c.group(0, 30)[1:]
	for name, f := range map[string]struct {
		units [][]byte
		want  error
		plays int
	}{
		"cut":                {slices.Concat(tail[:3], sets, c.group(0, 4)), nil, 4},
		"sets come late":     {slices.Concat(c.group(0, 3), sets, c.group(0, 5)), nil, 5},
		"recovery points":    {slices.Concat(sets, [][]byte{recovery}, tail[:9], [][]byte{recovery}, tail[9:]), ErrUnsupported, 0},
		"refreshed from IDR": {slices.Concat(sets, c.group(0, 1), tail[:9], [][]byte{recovery}, tail[9:]), nil, 30},
		"no sets":            {c.group(0, 9), ErrDamaged, 0},
		"sets of others":     {slices.Concat([][]byte{c.sps(1, 9), c.pps(1, 1)}, c.group(0, 9)), ErrDamaged, 0},
		"for ever":           {slices.Concat(sets, slices.Repeat(tail, 40), c.group(0, 9)), ErrUnsupported, 0},
	} {
		r, _, err := readH264(nil)(input{bytes.NewReader(startCodes(f.units...)), nil})
		if err == nil {
			var all []frame
			if all, err = allFrames(t, r); len(all) != f.plays || all[0].at != 0 || !all[0].key {
				t.Errorf("%s: %d pictures, the first at %v", name, len(all), all[0].at)
			}
		}
		if f.want == nil && !errors.Is(err, io.EOF) || f.want != nil && !errors.Is(err, f.want) {
			t.Errorf("%s: %v, want %v", name, err, f.want)
		}
	}
}

// Colours that browsers do not decode are refused in words.
func TestH264Colours(t *testing.T) {
	c := camera{}
	high := func(chroma, depth uint32) []byte {
		return (&bitWriter{}).bits(100, 8).bits(31, 16).golomb(0, chroma, depth, depth).bits(0, 2).golomb(0, 0, 4, 1).
			bits(0, 1).golomb(9, 7).bits(1, 1).bits(1, 1).bits(0, 2).nal(0x67)
	}
	for _, f := range []struct {
		chroma, depth uint32
		ok            bool
	}{{1, 0, true}, {2, 0, false}, {1, 2, false}, {0, 0, false}} {
		_, _, err := readH264(nil)(input{bytes.NewReader(startCodes(append([][]byte{high(f.chroma, f.depth), c.pps(0, 0)}, c.group(0, 2)...)...)), nil})
		if f.ok != (err == nil) || !f.ok && (!errors.Is(err, ErrUnsupported) || !strings.Contains(err.Error(), "yuv420p")) {
			t.Errorf("colours %d with %d bits more: %v", f.chroma, f.depth, err)
		}
	}
}
