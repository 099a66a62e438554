package media

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"
)

// meter counts what is read of a file.
type meter struct {
	io.ReadSeeker
	bytes, calls int
}

func (m *meter) Read(b []byte) (int, error) {
	n, err := m.ReadSeeker.Read(b)
	m.bytes += n
	m.calls++
	return n, err
}

func (m *meter) Seek(at int64, from int) (int64, error) {
	m.calls++
	return m.ReadSeeker.Seek(at, from)
}

const (
	// bombFixed is what a file may cost however short it is: buffers, and the
	// largest frame that is put together out of pieces.
	bombFixed = 256 << 10
	// bombMemory is what may be allocated for a byte of a file, in total, to open it and read it
	// through.
	bombMemory = 16
	// bombRounds is how often a file may be read to open it, and how often for
	// each jump: up to a place and back, by an index that lies and then without.
	bombRounds = 4
)

func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// costs checks that to open a file, to play it and to jump about in it costs no
// more than it has bytes, and returns what opening gave.
func costs(t *testing.T, b []byte, read func(input) (frames, []format, error)) error {
	t.Helper()
	m := &meter{ReadSeeker: bytes.NewReader(b)}
	before := allocated()
	spent := func(doing string, rounds int) {
		t.Helper()
		if most := rounds * (len(b) + 128<<10); m.bytes > most || m.calls > most/100 {
			t.Errorf("%s: %d bytes were read in %d calls, of a file of %d", doing, m.bytes, m.calls, len(b))
		}
		if now := allocated() - before; now > uint64(rounds*(bombMemory*len(b)+bombFixed)) {
			t.Errorf("%s: %d KiB were allocated for a file of %d bytes", doing, now>>10, len(b))
		}
	}
	from, _, err := read(input{m, nil})
	spent("opening", bombRounds)
	if err != nil {
		return err
	}
	rounds := bombRounds
	for _, at := range []time.Duration{0, time.Second, time.Hour} {
		if err := from.seek(at); err != nil {
			t.Fatalf("a jump in a file that could be opened: %v", err)
		}
		n := 0
		made := 0
		for {
			f, err := from.next()
			if err != nil {
				break
			}
			if n++; n > len(b) {
				t.Fatalf("%d frames in %d bytes", n, len(b))
			}
			made += len(f.data)
		}
		if made > len(b)+2*maxSets*n {
			t.Errorf("%d frames of %d bytes in all, of a file of %d", n, made, len(b))
		}
		rounds += bombRounds
		spent("playing from "+at.String(), rounds)
	}
	return nil
}

func readWhatever(in input) (frames, []format, error) { return readAny(in, nil) }

// sendsLittle checks that the packets of the first frames of a file are no more
// than these.
func sendsLittle(t *testing.T, b []byte) {
	t.Helper()
	from, formats, err := readWhatever(input{bytes.NewReader(b), nil})
	if err == nil {
		err = from.seek(0)
	}
	for range 20 {
		var f frame
		if err == nil {
			f, err = from.next()
		}
		if err != nil {
			return
		}
		sent, payloads := 0, formats[f.track].payloader().Payload(payloadSize, f.data)
		for _, p := range payloads {
			sent += cap(p)
		}
		if sent > 3*len(f.data)+(maxOBUs+1)*payloadSize || len(payloads) > maxUnits+len(f.data)/payloadSize {
			t.Errorf("%d packets of %d bytes for a frame of %d", len(payloads), sent, len(f.data))
		}
	}
}

// Files that are made to cost far more than they are: each is opened, played or
// refused in words at the cost of its size.
func TestBombs(t *testing.T) {
	repeat := func(n int, unit ...[]byte) []byte { return bytes.Repeat(join(unit...), n) }
	const many = 8_000
	kind := element(ebmlHeader, text(ebmlDocType, "matroska"))
	segment := piece(mkvSegment, 1<<56-1)
	entry := func(number byte, codec string, kind byte, private []byte) []byte {
		return element(mkvTrackEntry, element(mkvTrackNumber, []byte{number}), element(mkvTrackType, []byte{kind}), text(mkvCodecID, codec), element(mkvCodecPrivate, private))
	}
	mkv := func(codec string, private []byte, blocks ...[]byte) []byte {
		return join(kind, segment, element(mkvTracks, entry(1, codec, 1, private)), piece(mkvCluster, 1<<56-1), join(blocks...))
	}
	simple := func(data ...[]byte) []byte { return element(mkvSimpleBlock, []byte("\x81\x00\x00\x80"), join(data...)) }
	vp8 := "\x10\x00\x00\x9d\x01\x2a\x10\x00\x10\x00"
	c := camera{}
	sps, pps := c.sps(0, 10), c.pps(0, 0)
	idr := c.slice(0x65, sliceI, 0, 0, 0)
	var sets [][]byte // as many as are remembered
	for i := range uint32(256) {
		sets = append(sets, append(c.pps(i, 0), bytes.Repeat([]byte{0xaa}, 20)...))
	}
	all := join(startCodes(sps), startCodes(sets...))
	bigPPS := bytes.Repeat([]byte{0x68}, 60_000)
	record := join(avcRecord(sps, pps)[:6], avcRecord(sps, bigPPS)[6:])
	sequence := []byte("\x0a\x0b\x00\x00\x00\x2c\xcf\x7f\x00\x00\x00\x00\x00")
	cue := func(at, where uint64) []byte {
		return element(mkvCuePoint, element(mkvCueTime, []byte{byte(at)}), element(mkvCueTracks, element(mkvCueTrack, []byte{1}), element(mkvCueCluster, []byte{byte(where)})))
	}
	ivf := func(codec string, frames ...[]byte) []byte {
		b := patch(read(t, "testdata/vp8.ivf")[:32], 8, []byte(codec)...)
		for i, f := range frames {
			b = join(b, []byte{byte(len(f)), byte(len(f) >> 8), byte(len(f) >> 16), 0, byte(i), byte(i >> 8), 0, 0, 0, 0, 0, 0}, f)
		}
		return b
	}
	tiny := make([][]byte, many)
	for i := range tiny {
		tiny[i] = []byte{0xa2}
	}
	for name, b := range map[string][]byte{
		"a group of empty elements":                    mkv("V_VP8", nil, element(mkvBlockGroup, repeat(many, []byte{ebmlVoid, 0x80}))),
		"empty elements":                               mkv("V_VP8", nil, repeat(many, []byte{ebmlVoid, 0x80}), simple([]byte(vp8))),
		"empty elements in the head":                   join(kind, repeat(many, []byte{ebmlVoid, 0x80}), mkv("V_VP8", nil, simple([]byte(vp8)))),
		"segments and clusters without end":            mkv("V_VP8", nil, repeat(many, piece(mkvSegment, 1<<56-1), piece(mkvCluster, 1<<56-1)), simple([]byte(vp8))),
		"heads within the head":                        join(kind, repeat(many/10, element(mkvInfo, number(mkvScale, 1000000)), element(mkvTracks, entry(1, "V_VP8", 1, nil))), piece(mkvCluster, 1<<56-1), simple([]byte(vp8))),
		"tracks":                                       join(kind, element(mkvTracks, repeat(many, entry(1, "V_MPEG4/ISO/AVC", 1, avcRecord(sps, pps)))), piece(mkvCluster, 1<<56-1), simple(withLengths(4, idr))),
		"tracks that cannot be sent":                   join(kind, element(mkvTracks, repeat(many, entry(1, "V_THEORA", 1, nil)))),
		"a CodecPrivate without end":                   join(kind, segment, element(mkvTracks, entry(1, "V_VP8", 1, nil)[:20], piece(mkvCodecPrivate, 1<<40))),
		"frames of no byte":                            mkv("V_VP8", nil, repeat(many, element(mkvSimpleBlock, []byte("\x81\x00\x00\x84\xff")))),
		"laces of no byte":                             mkv("V_VP8", nil, repeat(many/40, element(mkvSimpleBlock, []byte("\x81\x00\x00\x82\xff"), make([]byte, 255)))),
		"laces of a size":                              mkv("V_VP8", nil, repeat(many/40, element(mkvSimpleBlock, []byte("\x81\x00\x00\x86\xff\x80"), repeat(254, []byte{0xbf})))),
		"empty blocks":                                 mkv("V_VP8", nil, simple([]byte(vp8)), repeat(many, element(mkvSimpleBlock, []byte("\x81\x00\x00\x80")))),
		"times":                                        mkv("V_VP8", nil, repeat(many, element(mkvTimestamp, nil)), simple([]byte(vp8))),
		"a time of 300 KB":                             mkv("V_VP8", nil, element(mkvTimestamp, make([]byte, 300_000)), simple([]byte(vp8))),
		"H.264 sets before each of many units":         mkv("V_MPEG4/ISO/AVC", record, simple(withLengths(4, sps, pps), repeat(many, withLengths(4, []byte{0x65})))),
		"H.264 sets before each of many pictures":      mkv("V_MPEG4/ISO/AVC", all, repeat(many, simple(withLengths(4, idr)))),
		"H.264 sets that change with each picture":     mkv("V_MPEG4/ISO/AVC", all, repeat(many/4, simple(withLengths(4, sps, idr)), simple(withLengths(4, c.sps(0, 11), idr)))),
		"H.264 units within a unit":                    mkv("V_MPEG4/ISO/AVC", avcRecord(sps, pps), simple(withLengths(4, idr)), simple(withLengths(4, repeat(many, []byte{0, 0, 1, 0x65})))),
		"H.264 without an IDR picture":                 mkv("V_MPEG4/ISO/AVC", avcRecord(sps, pps), repeat(many, simple(withLengths(4, c.slice(0x41, sliceP, 0, 1, 2))))),
		"an AV1 header before each of many pictures":   mkv("V_AV1", join([]byte("\x81\x00\x00\x00\x0a\xa0\x1f"), make([]byte, 4000)), repeat(many, simple([]byte{0x32, 0}))),
		"one of 100 KB":                                mkv("V_AV1", join([]byte("\x81\x00\x00\x00\x0a\xa0\x8d\x06"), make([]byte, 100_000)), repeat(many/8, simple([]byte{0x32, 0}))),
		"cues that lead back":                          join(kind, segment, element(mkvCues, repeat(many, cue(0, 1))), element(mkvTracks, entry(1, "V_VP8", 1, nil)), piece(mkvCluster, 1<<56-1), simple([]byte(vp8))),
		"an index that lies where the pictures are":    join(kind, segment, element(mkvSeekHead, element(mkvSeek, element(mkvSeekID, appendID(nil, mkvCues)), number(mkvSeekPosition, 0))), element(mkvTracks, entry(1, "V_VP8", 1, nil)), piece(mkvCluster, 1<<56-1), repeat(many, simple([]byte(vp8)))),
		"elements that are almost as long as a buffer": mkv("V_VP8", nil, repeat(50, element(ebmlVoid, make([]byte, 32<<10))), simple([]byte(vp8))),
		"IVF frames of one byte":                       ivf("VP90", tiny...),
		"IVF with a frame that is not there":           join(ivf("VP80", []byte(vp8)), []byte("\x00\x00\x40\x00\x01\x00\x00\x00\x00\x00\x00\x00")),
		"IVF, AV1 of many parts":                       ivf("AV01", join(sequence, repeat(many, []byte{0x0a, 0}))),
		"Ogg pages of nothing":                         join(link(1, 'a', 3)[:47+44+31], repeat(many, page(0, 1, nil, nil))),
		"Ogg packets of nothing":                       join(link(1, 'a', 3)[:47+44+31], repeat(many/40, page(0, 1, make([]byte, 255), nil))),
		"Ogg streams of others":                        repeat(many, page(2, 1, nil, nil)),
		"Ogg streams in a chain":                       repeat(many/40, link(1, 'a', 1)),
		"Ogg packets of 60 KB":                         join(link(1, 'a', 3)[:47+44+31], repeat(5, page(0, 1, bytes.Repeat([]byte{255}, 255), bytes.Repeat([]byte{0xfb}, 255*255)), page(1, 1, []byte{1}, []byte{1}))),
		"a byte stream of zeros":                       join(startCodes(sps, pps, idr), make([]byte, 500_000)),
		"start codes":                                  repeat(many, startCode),
		"units of one byte":                            join(startCodes(sps, pps), repeat(many, startCode, []byte{6})),
		"slices of one byte":                           join(startCodes(sps, pps), repeat(many, startCode, []byte{0x65})),
		"sets without a picture":                       repeat(many/4, startCodes(sps, pps)),
		"sets before each of many pictures":            join(all, repeat(many, startCodes(idr))),
		"sets that change with each picture":           join(all, repeat(many/4, startCodes(sps, idr, c.sps(0, 11), idr))),
		"a byte stream without an IDR picture":         join(startCodes(sps, pps), repeat(many, startCodes(c.slice(0x41, sliceP, 0, 1, 2)))),
	} {
		err := costs(t, b, readWhatever)
		if err == nil {
			sendsLittle(t, b)
		}
		if t.Failed() {
			t.Fatalf("that was %s, of %d bytes: %v", name, len(b), err)
		}
		known := err == nil
		for _, e := range []error{ErrEmpty, ErrForeign, ErrTruncated, ErrDamaged, ErrUnsupported} {
			known = known || errors.Is(err, e)
		}
		if !known || err != nil && (strings.Contains(err.Error(), "\n") || len(err.Error()) > 200) {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s, %d KiB: %v", name, len(b)>>10, err)
	}
}
