package http

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"slices"
	"strconv"
	"testing"
	"testing/iotest"

	"noom/signal"
)

// FuzzBatch gives bytes to the hub's end as a batch: what it reads is what it would write.
func FuzzBatch(f *testing.F) {
	for _, b := range []batch{
		{first: 1},
		{got: 7, first: 3, frames: [][]byte{[]byte(`{"type":"ping"}`), []byte("{}\n{\"a\":\r\n1}"), {}}},
		{got: maxNumber, first: maxNumber, end: &ending{}},
		{first: 1, frames: [][]byte{bytes.Repeat([]byte("x"), signal.MaxFrame)}, end: &ending{signal.CodeTooSlow}},
	} {
		f.Add(b.append(nil))
	}
	for _, text := range []string{"", "\n", "0 0\n", "0 1", "01 1\n", "0 1\n-1\n", "0 1\n5\nab", "0 1\n65537\n", "0 1\nclose \n", "0 1\nclose x\ny", "0 1 2\n", "9007199254740992 1\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b, e := parseBatch(text)
		if e != nil {
			if e.Code != signal.CodeMalformed && e.Code != signal.CodeTooBig {
				t.Fatalf("refused with %v", e)
			}
			return
		}
		if again := b.append(nil); !bytes.Equal(again, text) {
			t.Fatalf("%q is read and written as %q", text, again)
		}
		for _, frame := range b.frames {
			if len(frame) > signal.MaxFrame {
				t.Fatalf("a frame of %d bytes", len(frame))
			}
		}
	})
}

// FuzzEvents gives bytes to a member's end as a response: it reads the same in pieces of one byte,
// keeps its bounds, and reads again what a hub would write of it.
func FuzzEvents(f *testing.F) {
	f.Add([]byte(streamHello + "id: 1\ndata: {\"type\":\"ping\"}\n\n"))
	f.Add(appendEnding(appendEvent(appendEvent(nil, 1, []byte("{}\n{\"a\":\r\n1}")), 2, []byte("{}\n\n{}")), 3, &ending{signal.CodeKicked}))
	f.Add([]byte("id: 5\r\ndata:x\r\ndata\r\n\r\nid: 6\nevent: close\ndata: no code\n\n"))
	f.Add([]byte("id: 1\nevent: base64\ndata: !\n\n"))
	f.Add([]byte("id: 1\nevent: other\ndata: x\n\nid: 0\n"))
	f.Add(append([]byte("data: "), bytes.Repeat([]byte("x"), mostEvent+100)...))
	f.Add(bytes.Repeat([]byte("data: 0123456789abcdef0123456789abcdef\n"), 3000))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := readEvents(bytes.NewReader(text))
		slowly, other := readEvents(iotest.OneByteReader(bytes.NewReader(text)))
		if !reflect.DeepEqual(got, slowly) || (err == nil) != (other == nil) {
			t.Fatalf("%d events, %v; byte by byte %d, %v", len(got), err, len(slowly), other)
		}
		if broken, is := errors.AsType[*signal.Error](err); err != nil && (!is || broken.Code != signal.CodeMalformed && broken.Code != signal.CodeTooBig) {
			t.Fatal(err)
		}
		var again []byte
		for _, e := range got {
			switch {
			case len(e.frame) > signal.MaxFrame:
				t.Fatalf("a frame of %d bytes", len(e.frame))
			case e.end != nil:
				again = appendEnding(again, e.number, e.end)
			default:
				again = appendEvent(again, e.number, e.frame)
			}
		}
		if reread, err := readEvents(bytes.NewReader(again)); err != nil || !slices.EqualFunc(reread, got, sameEvent) {
			t.Fatalf("%q is read again as %v, %v", again, reread, err)
		}
	})
}

func sameEvent(a, b event) bool {
	return a.number == b.number && bytes.Equal(a.frame, b.frame) && reflect.DeepEqual(a.end, b.end)
}

// readEvents reads all.
func readEvents(in io.Reader) (list []event, err error) {
	r := newEventReader(in)
	for {
		e, err := r.next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return list, err
		}
		list = append(list, e)
	}
}

// FuzzFlow drives what is sent in one direction, with acknowledgements of any kind, beside the plainest
// model of it: all that was ever sent.
func FuzzFlow(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0x81, 0, 0x83, 0x40})
	f.Fuzz(func(t *testing.T, steps []byte) {
		var x flow
		var all [][]byte
		has := int64(0)
		for i, step := range steps {
			switch {
			case step >= 0x80:
				number := int64(step & 0x7f)
				_, ok := x.acknowledge(number)
				if ok != (number <= x.last()) {
					t.Fatalf("step %d: %d of %d: %v", i, number, x.last(), ok)
				}
				if ok {
					has = max(has, min(number, int64(len(all))))
				}
			case step == 0x40:
				x.end = new(ending)
			case x.end == nil && x.fits(int(step)):
				all = append(all, bytes.Repeat([]byte{byte(i)}, int(step)))
				x.push(all[len(all)-1])
			}
			first, frames, _ := x.after(has, 100)
			if first != has+1 || int64(len(all)) > has && (len(frames) == 0 || !slices.EqualFunc(frames, all[has:int(has)+len(frames)], bytes.Equal)) {
				t.Fatalf("step %d: behind %d of %d there are %d from %d on", i, has, len(all), len(frames), first)
			}
		}
	})
}

// FuzzSession gives a session batches with any numbers: a hub receives each frame once and in order,
// up to where something cannot be, and what is held is what has not been received, and no body of a
// request.
func FuzzSession(f *testing.F) {
	f.Add([]byte{1, 3, 1, 3, 3, 2, 5, 1, 0, 0, 9, 9})
	f.Add([]byte{0, 3, 0x43, 2})
	f.Fuzz(func(t *testing.T, steps []byte) {
		h := &table{maxSessions: 1, maxHeld: 1 << 20, sessions: make(map[string]*session), shares: make(map[netip.Prefix]*share)}
		s := &session{table: h, ended: make(chan struct{})}
		s.init("")
		h.add(s)
		received, sent := int64(0), int64(0)
		var body []byte
		for ; len(steps) >= 2; steps = steps[2:] {
			b := batch{first: int64(steps[0]&0x1f) + 1, end: nil}
			for i := range int64(steps[1] & 7) {
				b.frames = append(b.frames, strconv.AppendInt(nil, b.first+i, 10))
				sent = max(sent, b.first+i)
			}
			if steps[1]&0x80 != 0 {
				b.end = new(ending)
			}
			before := s.up
			body = b.append(body[:0])
			b, e := parseBatch(body)
			if e != nil {
				t.Fatal(e)
			}
			r, _, e := s.takeSome(&b)
			clear(body)
			if (e != nil) != (b.first > before+1) || e == nil && (r.Taken < before || r.Taken > sent) {
				t.Fatalf("behind %d a batch from %d on: %+v, %v", before, b.first, r, e)
			}
			if steps[0]&0x40 == 0 {
				continue
			}
			for frame, err, is := s.pop(); is && err == nil; frame, err, is = s.pop() {
				if received++; string(frame) != strconv.FormatInt(received, 10) {
					t.Fatalf("received %s, want %d", frame, received)
				}
			}
			if held := h.held.Load(); held != 0 || received > s.up {
				t.Fatalf("%d bytes are held, %d of %d are received", held, received, s.up)
			}
		}
		s.Abort()
		if held := h.held.Load(); held != 0 || len(h.sessions) != 0 || len(h.shares) != 0 {
			t.Fatalf("%d bytes, %d sessions and %d addresses are left", held, len(h.sessions), len(h.shares))
		}
	})
}
