package media

import (
	"bytes"
	"testing"

	"github.com/pion/rtp"
)

// playAll reads everything there is, as a player does, and checks what a
// player relies on.
func playAll(t *testing.T, from frames, f format, most int) {
	t.Helper()
	for range 2 {
		if err := from.rewind(); err != nil {
			t.Fatalf("rewind of a file that could be opened: %v", err)
		}
		payloader, last := f.payloader(), frame{at: -1}
		for {
			next, err := from.next()
			if err != nil {
				break
			}
			if next.at <= last.at || from.end() < next.at || len(next.data) > most || len(next.data) == 0 {
				t.Fatalf("a frame of %d bytes at %v behind %v, end %v", len(next.data), next.at, last.at, from.end())
			}
			last = next
			packetise(t, payloader, next.data)
		}
	}
}

func packetise(t *testing.T, payloader rtp.Payloader, data []byte) {
	t.Helper()
	for _, payload := range payloader.Payload(payloadSize, data) {
		if len(payload) > maxOpus {
			t.Fatalf("a payload of %d bytes", len(payload))
		}
	}
}

func FuzzIVF(f *testing.F) {
	for _, name := range []string{"vp8", "vp9", "av1"} {
		b := read(f, "testdata/"+name+".ivf")
		f.Add(b[:min(len(b), 4000)])
		f.Add(b[:32])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		if from, how, err := readIVF(input{bytes.NewReader(b), nil}); err == nil {
			playAll(t, from, how, maxFrame)
		}
	})
}

func FuzzOgg(f *testing.F) {
	f.Add(read(f, "testdata/opus.ogg")[:2000])
	f.Add(page(2, 1, []byte{19}, opusHead(1, 0)))
	f.Add(join(page(2, 1, []byte{19}, opusHead(1, 0)), page(0, 1, []byte{16}, opusTags), page(4, 1, []byte{2, 255}, make([]byte, 257))))
	f.Fuzz(func(t *testing.T, b []byte) {
		// Make the checksums right, so that the search gets past them.
		for at := 0; ; {
			i := bytes.Index(b[at:], []byte("OggS"))
			if i < 0 || at+i+27 > len(b) {
				break
			}
			at += i
			end := at + 27 + int(b[at+26])
			for _, size := range b[at+27 : min(end, len(b))] {
				end += int(size)
			}
			if end > len(b) {
				break
			}
			fix := page(b[at+5], 0, nil, nil)
			copy(fix, b[at:at+27])
			clear(b[at+22 : at+26])
			sum := oggSum(b[at:end])
			b[at+22], b[at+23], b[at+24], b[at+25] = byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24)
			at = end
		}
		if from, how, err := readOgg(input{bytes.NewReader(b), nil}); err == nil {
			playAll(t, from, how, maxOpus)
		}
	})
}
