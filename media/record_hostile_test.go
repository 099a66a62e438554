package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// What a peer sends in order to fill the memory of a recorder is given up at the size of a picture.
func TestRecordingHoldsNoMoreThanAPicture(t *testing.T) {
	fragment := func(header, first byte) func(i int) []byte {
		return func(i int) []byte {
			b := make([]byte, 1200)
			if b[0], b[1] = header, first; i == 0 {
				b[1] |= 0x80
			}
			return b
		}
	}
	key := func(begin []byte, then func(i int) []byte) func(i int) []byte {
		return func(i int) []byte {
			if i == 0 {
				return begin
			}
			return then(i)
		}
	}
	full := func(b ...byte) func(int) []byte { return func(int) []byte { return append(b, make([]byte, 1180)...) } }
	c := camera{}
	sps := c.sps(0, 10)
	begin := join([]byte{24, 0, byte(len(sps))}, sps)
	for name, f := range map[string]struct {
		codec string
		next  func(i int) []byte
	}{
		"a fragment without end":  {"h264", key(begin, fragment(28, 5))},
		"units of no byte":        {"h264", key(begin, func(int) []byte { return join([]byte{24}, make([]byte, 1199)) })},
		"VP8 without a marker":    {"vp8", key([]byte("\x10\x10\x00\x00\x9d\x01\x2a\x10\x00\x10\x00"), full(0))},
		"VP9 without a marker":    {"vp9", key([]byte("\x08\x82\x49\x83\x42\x00"), full(0))},
		"an OBU without end":      {"av1", key([]byte("\x58\x0a\x01\x00"), full(0xc0|0x10))},
		"OBUs of one byte in AV1": {"av1", key([]byte("\x18\x0a\x01\x00"), func(int) []byte { return join([]byte{0x00}, bytes.Repeat([]byte{1, 0x30}, 590)) })},
	} {
		a := newAssembler(&rtp.Packet{}, &stream{format: recordFormats[f.codec]})
		before, most := heap(), 0
		for i := range 8000 { // 9 MB
			p := &rtp.Packet{Header: rtp.Header{SequenceNumber: uint16(i), Timestamp: 7}, Payload: f.next(i)}
			if units := a.push(p, 0); len(units) > 0 {
				t.Errorf("%s: a picture of %d bytes", name, len(units[0].data))
			}
			most = max(most, cap(a.data))
		}
		if a.data != nil || most > 2*maxFrame {
			t.Errorf("%s: %d bytes are held, once %d", name, len(a.data), most)
		}
		if held := int64(heap()) - int64(before); held > 1<<20 {
			t.Errorf("%s: %d KiB are left", name, held>>10)
		}
		runtime.KeepAlive(a)
	}
}

// Nor do many frames of one byte whose time stands still.
func TestQueueOfTinyFrames(t *testing.T) {
	var q queue
	for range 200_000 {
		q.insert(picture{data: []byte{0xf8}})
		for q.bytes > maxSettling {
			q.take()
		}
	}
	if len(q.frames) > 20_000 {
		t.Errorf("%d frames wait", len(q.frames))
	}
	for len(q.frames) > 0 {
		q.take()
	}
	if q.bytes != 0 {
		t.Errorf("no frame has %d bytes", q.bytes)
	}
}

// A still costs what came, not what its header says.
func TestStillOfNothing(t *testing.T) {
	frame := []byte("\x10\x02\x00\x9d\x01\x2a\x00\x00\x00\x00" + "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for _, size := range [][2]uint16{{7680, 4320}, {16383, 16383}, {16383, 1}, {1600, 1600}} {
		binary.LittleEndian.PutUint16(frame[6:], size[0])
		binary.LittleEndian.PutUint16(frame[8:], size[1])
		before := allocated()
		if _, err := decodeVP8(frame); err == nil {
			t.Errorf("a still of %v in %d bytes", size, len(frame))
		}
		if cost := allocated() - before; cost > 64<<10 {
			t.Errorf("a still of %v that is not there cost %d KiB", size, cost>>10)
		}
	}
}

// A sender whose parameter sets came once, long before: what it sends later is
// recorded, also behind a loss, and plays from each key frame.
func TestRecordParametersOnce(t *testing.T) {
	c := camera{}
	for _, apart := range []bool{false, true} {
		memory := &file{}
		synctest.Test(t, func(t *testing.T) {
			r := Record(t.Context(), memory)
			w := &wire{place: newPlace("v", webrtc.MimeTypeH264), name: "camera", packets: make(chan sent, 1000)}
			w.codecs[0].ClockRate = 90000
			w.codec = w.codecs[0]
			r.Add(who("혜린"), w)
			h := rtp.Header{Version: 2, PayloadType: 96, SSRC: 5}
			send := func(marker bool, payload []byte) {
				p := &rtp.Packet{Header: h, Payload: payload}
				p.Marker = marker
				h.SequenceNumber++
				w.packets <- sent{p, time.Now()}
			}
			send(false, c.sps(0, 10))
			send(apart, c.pps(0, 0))
			for i, unit := range append(c.group(0, 20), c.group(0, 20)...) {
				h.Timestamp += 6000
				if i == 10 {
					h.SequenceNumber++ // one is lost, and with it the rest of the group
				}
				if i == 20 { // in two fragments
					send(false, append([]byte{0x7c, 0x80 | nalIDR}, unit[1:6]...))
					unit = append([]byte{0x7c, 0x40 | nalIDR}, unit[6:]...)
				}
				send(true, unit)
				time.Sleep(time.Second / 15)
			}
			close(w.packets)
			synctest.Wait()
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		})
		from, _, err := readWebM(input{bytes.NewReader(memory.b), nil})
		if err != nil {
			t.Fatalf("sets apart %v: %v", apart, err)
		}
		all, err := allFrames(t, from)
		keys := ""
		for i, f := range all {
			if f.key {
				keys += fmt.Sprintf("%d%v ", i, kinds(f.data))
			}
		}
		if len(all) != 30 || keys != "0[7 8 5] 10[7 8 5] " || !errors.Is(err, io.EOF) {
			t.Errorf("sets apart %v: %d pictures, keys %s, then %v", apart, len(all), keys, err)
		}
	}
}
