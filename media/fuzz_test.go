package media

import (
	"bytes"
	"testing"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/pion/rtp"
)

// playAll reads everything there is, as a player does, and checks what a
// player relies on.
func playAll(t *testing.T, from frames, f format, most int) {
	t.Helper()
	for range 2 {
		if err := from.seek(0); err != nil {
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

// one makes what reads a film of what reads one track.
func one(read func(input) (frames, format, error)) func(input) (frames, []format, error) {
	return func(in input) (frames, []format, error) {
		from, f, err := read(in)
		return from, []format{f}, err
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
		_ = costs(t, b, one(readIVF))
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
		_ = costs(t, b, one(readOgg))
		if from, how, err := readOgg(input{bytes.NewReader(b), nil}); err == nil {
			playAll(t, from, how, maxOpus)
		}
	})
}

// FuzzRecord gives a recording what a hostile peer may send: the first byte
// chooses the codec and the kind of file; each packet that follows has its length, then its flags
// (marker, a gap before it, a new timestamp), then its payload.
func FuzzRecord(f *testing.F) {
	names := []string{"opus", "vp8", "vp9", "av1", "h264"}
	for i := range 2 * len(names) {
		f.Add([]byte{byte(i), 9, 1, 0x10, 0x10, 0, 0, 0x9d, 1, 0x2a, 9, 1, 0x67, 1})
	}
	f.Add([]byte("\x04\x0a\x00\x67\x42\xe0\x1f\xda\x05\x07\xc4\x00\x00\x05\x00\x68\xce\x06\xe2\x04\x01\x65\x88\x84\x00"))
	f.Add([]byte("\x09\x0a\x00\x67\x42\xe0\x1f\xda\x05\x07\xc4\x00\x00\x05\x00\x68\xce\x06\xe2\x04\x01\x65\x88\x84\x00"))
	f.Add([]byte("\x04\x02\x00\x67\x42\x03\x00\x68\xce\x06\x04\x01\x65\x88\x84\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		first := &rtp.Packet{}
		a := newAssembler(first, &stream{name: "지우: camera", format: recordFormats[names[int(b[0])%len(names)]]})
		written := &file{}
		var mux muxer = newMatroska(written)
		isMP4 := int(b[0])/len(names)%2 == 1
		if isMP4 {
			mux = newMP4(written)
		}
		var now time.Duration
		for b = b[1:]; len(b) > 2; {
			size := min(int(b[0]), len(b)-2)
			p := &rtp.Packet{Payload: b[2 : 2+size]}
			p.Marker = b[1]&1 != 0
			first.SequenceNumber += 1 + uint16(b[1]>>1&1)
			first.Timestamp += 3000 * uint32(b[1]>>2&1)
			p.SequenceNumber, p.Timestamp = first.SequenceNumber, first.Timestamp
			b = b[2+size:]
			now += 20 * time.Millisecond
			for _, u := range a.push(p, now) {
				if a.stream.number == 0 && mux.add(a.stream, u.data) != nil {
					return
				}
				if err := mux.write(picture{a.stream, now, u.key, u.data}); err != nil {
					t.Fatal(err)
				}
				if u.key && a.stream.format.codec == "vp8" {
					_, _ = decodeVP8(u.data)
				}
			}
		}
		if err := mux.close(); err != nil {
			t.Fatal(err)
		}
		if _, err := mp4.DecodeFile(bytes.NewReader(written.b)); isMP4 && err != nil {
			t.Fatal(err)
		}
	})
}
