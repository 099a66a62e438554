package media

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pion/opus"
)

// opusPacket packs frames of 20 ms into one packet, in the way that code says:
// 0 to 2 as RFC 6716 numbers them, 3 with sizes, 4 of equal size; padding goes
// behind them.
func opusPacket(code int, padding int, frames ...[]byte) []byte {
	const toc = 0xf8
	size := func(b []byte, n int) []byte {
		if n < 252 {
			return append(b, byte(n))
		}
		return append(b, byte(252+n&3), byte((n-252-n&3)/4))
	}
	b := []byte{toc | byte(min(code, 3))}
	if code == 2 {
		b = size(b, len(frames[0]))
	}
	if code >= 3 {
		flags := byte(len(frames))
		if code == 3 {
			flags |= 0x80
		}
		if padding > 0 {
			flags |= 0x40
		}
		b = append(b, flags)
		for rest := padding; rest > 0; rest -= 254 {
			b = append(b, byte(min(rest, 255)))
			if rest == 255 {
				b = append(b, 1)
			}
		}
		for _, f := range frames[:len(frames)-1] {
			if code == 3 {
				b = size(b, len(f))
			}
		}
	}
	for _, f := range frames {
		b = append(b, f...)
	}
	return append(b, make([]byte, padding)...)
}

func TestOpusTooLongForADatagram(t *testing.T) {
	random := rand.New(rand.NewPCG(12, 18))
	some := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	for name, c := range map[string]struct {
		packet []byte
		frames [][]byte // nil: it is sent as it is
	}{
		"short":               {opusPacket(4, 0, some(300), some(300), some(300)), nil},
		"two of a size":       {opusPacket(1, 0, some(700), some(700)), [][]byte{{}, {}}},
		"two":                 {opusPacket(2, 0, some(251), some(1275)), [][]byte{{}, {}}},
		"two, the first long": {opusPacket(2, 0, some(1275), some(3)), [][]byte{{}, {}}},
		"six":                 {opusPacket(3, 0, some(700), some(252), some(0), some(1), some(1275), some(255)), make([][]byte, 6)},
		"six of a size":       {opusPacket(4, 0, some(320), some(320), some(320), some(320), some(320), some(320)), make([][]byte, 6)},
		"one with padding":    {opusPacket(4, 1300, some(77)), make([][]byte, 1)},
		"three and padding":   {opusPacket(3, 600, some(500), some(99), some(400)), make([][]byte, 3)},
	} {
		parts := sendableOpus(c.packet)
		if c.frames == nil {
			if len(parts) != 1 || !bytes.Equal(parts[0], c.packet) {
				t.Errorf("%s: %d parts", name, len(parts))
			}
			continue
		}
		whole, _ := opusDuration(c.packet)
		var sum time.Duration
		var bytesOf []byte
		for _, p := range parts {
			lasts, ok := opusDuration(p)
			if sum += lasts; !ok || len(p) > maxOpus || p[0]&3 != 0 {
				t.Errorf("%s: a part of %d bytes, %v", name, len(p), lasts)
			}
			bytesOf = append(bytesOf, p[1:]...)
		}
		if len(parts) != len(c.frames) || sum != whole || !bytes.Contains(c.packet, bytesOf) {
			t.Errorf("%s: %d parts that last %v, want %d and %v", name, len(parts), sum, len(c.frames), whole)
		}
	}
	for name, packet := range map[string][]byte{
		"a frame of 1300 bytes":        opusPacket(0, 0, some(1300)),
		"two that do not halve":        opusPacket(1, 0, some(700), some(701)),
		"a size beyond its end":        append([]byte{0xfa, 255, 255}, some(1200)...),
		"padding beyond its end":       append([]byte{0xfb, 0x41}, bytes.Repeat([]byte{255}, 1300)...),
		"padding beyond what is left":  join([]byte{0xfb, 0x41}, bytes.Repeat([]byte{255}, 6), make([]byte, 1290)),
		"sizes beyond its end":         append([]byte{0xfb, 0x86}, bytes.Repeat([]byte{255}, 1300)...),
		"no frame":                     append([]byte{0xfb, 0}, some(1300)...),
		"more than 120 ms":             append([]byte{0xfb, 7}, some(1300)...),
		"no byte":                      nil,
		"three that cannot be divided": append([]byte{0xfb, 3}, some(1300)...),
	} {
		if parts := sendableOpus(packet); parts != nil {
			t.Errorf("%s: taken for %d packets", name, len(parts))
		}
	}
}

// Packets of 60 ms at a rate of music, in both containers: what a decoder makes
// of the parts is what it makes of the whole.
func TestLongOpusPlays(t *testing.T) {
	var singles, threes [][]byte
	r, _, err := readOgg(input{bytes.NewReader(toneOgg), nil})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		var frames [][]byte
		for range 3 {
			f, err := r.next()
			if err != nil {
				t.Fatal(err)
			}
			singles = append(singles, bytes.Clone(f.data))
			frames = append(frames, bytes.Clone(f.data[1:]))
		}
		whole := opusPacket(3, 1200, frames...) // as bits that the encoder had to spend
		whole[0] |= singles[0][0] &^ 3
		threes = append(threes, whole)
	}
	long := make([]byte, 2000) // longer than any, yet no packet
	ogg := join(page(2, 1, []byte{19}, opusHead(1, 0)), page(0, 1, []byte{16}, opusTags))
	webm := join(element(ebmlHeader, text(ebmlDocType, "webm")), element(mkvTracks, element(mkvTrackEntry,
		number(mkvTrackNumber, 1), number(mkvTrackType, 2), text(mkvCodecID, "A_OPUS"))))
	for i, p := range threes {
		if i == 5 {
			ogg = join(ogg, page(0, 1, []byte{255, 255, 255, 255, 255, 255, 255, 215}, long))
			webm = join(webm, element(mkvSimpleBlock, []byte("\x81\x00\x00\x80"), long))
		}
		ogg = join(ogg, page(0, 1, append(bytes.Repeat([]byte{255}, len(p)/255), byte(len(p)%255)), p))
		webm = join(webm, element(mkvCluster, number(mkvTimestamp, uint64(60*i)), element(mkvSimpleBlock, []byte("\x81\x00\x00\x80"), p)))
	}
	for name, open := range map[string]func() (frames, error){
		"Ogg":  func() (frames, error) { f, _, err := readOgg(input{bytes.NewReader(ogg), nil}); return f, err },
		"WebM": func() (frames, error) { f, _, err := readWebM(input{bytes.NewReader(webm), nil}); return f, err },
	} {
		from, err := open()
		if err != nil {
			t.Fatal(err)
		}
		all, err := allFrames(t, from)
		if len(all) != 30 {
			t.Fatalf("%s: %d packets, then %v", name, len(all), err)
		}
		a, b := decoder(t), decoder(t)
		for i, f := range all {
			lost := time.Duration(0)
			if name == "Ogg" && i >= 15 {
				lost = 10 * time.Millisecond // as the packet that is none says it lasts
			}
			if want := time.Duration(i)*20*time.Millisecond + lost; f.at != want {
				t.Errorf("%s: packet %d at %v, want %v", name, i, f.at, want)
			}
			if x, y := a(f.data), b(singles[i]); x != y {
				t.Errorf("%s: packet %d sounds different", name, i)
			}
		}
	}
}

// decoder returns what distinguishes sounds.
func decoder(t *testing.T) func(packet []byte) string {
	t.Helper()
	d, err := opus.NewDecoderWithOutput(48000, 1)
	if err != nil {
		t.Fatal(err)
	}
	return func(packet []byte) string {
		pcm := make([]int16, 960)
		if _, err := d.DecodeToInt16(packet, pcm); err != nil {
			t.Error(err)
		}
		return fmt.Sprint(pcm)
	}
}
