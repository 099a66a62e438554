package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/rtcp"
	"github.com/pion/webrtc/v4"
)

// asking is a place that asks for key frames.
type asking struct {
	*place
	asks chan rtcp.Packet
}

func newAsking(mime string) *asking {
	return &asking{newPlace("p", mime), make(chan rtcp.Packet)}
}

func (a *asking) RTCPReader() interceptor.RTCPReader {
	return interceptor.RTCPReaderFunc(func(b []byte, _ interceptor.Attributes) (int, interceptor.Attributes, error) {
		p, ok := <-a.asks
		if !ok {
			return 0, nil, io.EOF
		}
		raw, err := p.Marshal()
		return copy(b, raw), nil, err
	})
}

// oneKeyFrame makes an IVF file of so many frames at 15 a second whose first
// alone is a key frame.
func oneKeyFrame(t *testing.T, frames int) []byte {
	t.Helper()
	whole := read(t, "testdata/vp8.ivf")
	key := 12 + int(binary.LittleEndian.Uint32(whole[32:]))
	delta := whole[32+key:]
	delta = delta[:12+int(binary.LittleEndian.Uint32(delta))]
	file := bytes.Clone(whole[:32+key])
	for i := 1; i < frames; i++ {
		at := len(file)
		file = append(file, delta...)
		binary.LittleEndian.PutUint64(file[at+4:], uint64(i))
	}
	return file
}

// keysAt returns when key frames came, since the first packet.
func keysAt(t *testing.T, packets []arrival) (at []time.Duration) {
	t.Helper()
	for i, p := range packets {
		if (i == 0 || p.Timestamp != packets[i-1].Timestamp) && keyFrame(t, packets, p.Timestamp) {
			at = append(at, p.at.Sub(packets[0].at))
		}
	}
	return at
}

// A request gets a key frame at once, where the next is far; repeated requests do not keep the film
// from going on.
func TestKeyFrameOnRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewIVF(bytes.NewReader(oneKeyFrame(t, 60*15)), &FileOptions{Once: true})
		if err != nil {
			t.Fatal(err)
		}
		p := newAsking(webrtc.MimeTypeVP8)
		if _, err := s.Bind(p); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		time.Sleep(3 * time.Second)
		p.asks <- &rtcp.ReceiverReport{}
		for range 8 {
			p.asks <- &rtcp.PictureLossIndication{}
			time.Sleep(500 * time.Millisecond)
		}
		time.Sleep(8 * time.Second)
		p.asks <- &rtcp.FullIntraRequest{FIR: []rtcp.FIREntry{{SSRC: 7}}}
		<-s.Done()
		close(p.asks)
		keys := keysAt(t, p.got())
		if len(keys) != 3 || keys[1].Round(seam) != 3*time.Second+seam || keys[2].Truncate(time.Second) != 15*time.Second {
			t.Errorf("key frames at %v, want 0s, 3s and 15s", keys)
		}
		if lasted := time.Since(start); lasted < 74*time.Second || lasted > 76*time.Second {
			t.Errorf("a minute lasted %v, with 15 s twice", lasted)
		}
		contiguous(t, p.got(), 90000)
	})
}

// A request at the beginning, when it is not known how far the next key frame is, waits for it for
// a second.
func TestKeyFrameThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := NewIVF(bytes.NewReader(oneKeyFrame(t, 60*15)), nil)
		if err != nil {
			t.Fatal(err)
		}
		p := newAsking(webrtc.MimeTypeVP8)
		if _, err := s.Bind(p); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
		p.asks <- &rtcp.PictureLossIndication{}
		time.Sleep(5 * time.Second)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		close(p.asks)
		if keys := keysAt(t, p.got()); len(keys) != 2 || keys[1] < keyFrameWait || keys[1] > keyFrameWait+100*time.Millisecond {
			t.Errorf("key frames at %v, want 0s and some 1s", keys)
		}
	})
}

// Where key frames are frequent, no receiver is disturbed.
func TestKeyFrameThatComesAnyway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, "testdata/vp8.ivf")
		p := newAsking(webrtc.MimeTypeVP8)
		if _, err := s.Bind(p); err != nil {
			t.Fatal(err)
		}
		for range 2 { // before it is known how far they are apart, and after
			time.Sleep(750 * time.Millisecond)
			p.asks <- &rtcp.PictureLossIndication{}
		}
		time.Sleep(time.Second)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		close(p.asks)
		if keys := keysAt(t, p.got()); len(keys) != 3 || keys[2] != 2*time.Second {
			t.Errorf("key frames at %v, want one a second", keys)
		}
	})
}

func TestSeek(t *testing.T) {
	for _, path := range []string{"testdata/vp8.ivf", "testdata/opus.ogg"} {
		synctest.Test(t, func(t *testing.T) {
			s := open(t, path)
			p := newPlace("p", s.Codec().MimeType)
			s.Seek(2500 * time.Millisecond) // before it plays
			bind(t, s, p)
			time.Sleep(90 * time.Millisecond)
			s.Seek(1100 * time.Millisecond)
			synctest.Wait()
			time.Sleep(100 * time.Millisecond)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			want := map[string][]time.Duration{
				"testdata/vp8.ivf":  {2 * time.Second, time.Second},
				"testdata/opus.ogg": {2500 * time.Millisecond, 1100 * time.Millisecond},
			}[path]
			for i, after := range []time.Duration{0, 90 * time.Millisecond} {
				first, payload := frameAt(t, path, want[i]), []byte(nil)
				for _, a := range p.got() {
					if a.at.Sub(p.got()[0].at) >= after {
						payload = a.payload
						break
					}
				}
				if len(payload) < 20 || !bytes.Contains(first, payload[len(payload)-16:]) {
					t.Errorf("%s: playing did not go on at %v", path, want[i])
				}
			}
		})
	}
}

// frameAt returns the frame of a file that is due at a time.
func frameAt(t *testing.T, path string, at time.Duration) []byte {
	t.Helper()
	s := open(t, path)
	closeLater(t, s)
	for {
		f, err := s.reel.frames.next()
		if err != nil {
			t.Fatalf("%s: no frame at %v: %v", path, at, err)
		}
		if f.at == at {
			return bytes.Clone(f.data)
		}
	}
}

// A peer that asks for a key frame, again and again, does not have a large file
// read from its beginning: the latest is known.
func TestBackToTheLatestKeyFrame(t *testing.T) {
	c := camera{}
	big := func(frame []byte, i int) []byte { return join(frame, bytes.Repeat([]byte{byte(i) | 0x80}, 5000)) }
	ivf := read(t, "testdata/vp8.ivf")[:32]
	units, blocks := [][]byte{c.sps(0, 10), c.pps(0, 0)}, [][]byte(nil)
	for i := range 100 {
		frame, unit := big([]byte("\x11\x00\x00"), i), big(c.slice(0x41, sliceP, 0, uint32(i%30), uint32(2*(i%30))), i)
		if i%30 == 0 {
			frame, unit = big([]byte("\x10\x00\x00\x9d\x01\x2a\x10\x00\x10\x00"), i), big(c.slice(0x65, sliceI, 0, 0, 0), i)
		}
		ivf = join(ivf, []byte{byte(len(frame)), byte(len(frame) >> 8), 0, 0, byte(i), 0, 0, 0, 0, 0, 0, 0}, frame)
		units = append(units, unit)
		blocks = append(blocks, withLengths(4, unit))
	}
	blocks[0] = join(withLengths(4, units[:2]...), blocks[0])
	for name, file := range map[string][]byte{"IVF": ivf, "H.264": startCodes(units...), "Matroska": mkvH264(nil, blocks...)} {
		m := &meter{ReadSeeker: bytes.NewReader(file)}
		from, _, err := readAny(input{m, nil}, nil)
		if err != nil {
			t.Fatal(err)
		}
		all, err := allFrames(t, from)
		if len(all) != 100 || !errors.Is(err, io.EOF) {
			t.Fatalf("%s: %d frames, %v", name, len(all), err)
		}
		for range 3 {
			m.bytes = 0
			if err := from.seek(all[90].at); err != nil {
				t.Fatal(err)
			}
			for i, want := range all[90:] {
				f, err := from.next()
				if err != nil || f.at != want.at || f.key != (i == 0) || !bytes.Equal(f.data, want.data) {
					t.Fatalf("%s: frame %d behind the jump is at %v, want %v: %v", name, i, f.at, want.at, err)
				}
			}
			if m.bytes > 150_000 {
				t.Errorf("%s: %d bytes of %d were read again", name, m.bytes, len(file))
			}
		}
		if err := from.seek(all[40].at); err != nil { // not that one
			t.Fatal(err)
		}
		if f, err := from.next(); err != nil || f.at != all[30].at || !bytes.Equal(f.data, all[30].data) {
			t.Errorf("%s: a jump further back goes to %v: %v", name, f.at, err)
		}
	}
}

// A file that lasts a millisecond is not sent a thousand times a second.
func TestShortestRound(t *testing.T) {
	file := oneKeyFrame(t, 2)
	second := 32 + 12 + int(binary.LittleEndian.Uint32(file[32:]))
	clear(file[second+4 : second+12]) // both at once
	synctest.Test(t, func(t *testing.T) {
		s, err := NewIVF(bytes.NewReader(file), nil)
		if err != nil {
			t.Fatal(err)
		}
		p := newPlace("p", webrtc.MimeTypeVP8)
		bind(t, s, p)
		time.Sleep(10 * time.Second)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if n := frameCount(p.got()); n < 500 || n > 700 {
			t.Errorf("%d frames in ten seconds", n)
		}
	})
}
