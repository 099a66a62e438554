package ws

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"noom/signal"
)

// A script is a connection on which certain bytes come, and whatever is written
// is kept.
type script struct {
	net.Conn

	in, out bytes.Buffer
}

func (s *script) Read(p []byte) (int, error)       { return s.in.Read(p) }
func (s *script) Write(p []byte) (int, error)      { return s.out.Write(p) }
func (s *script) Close() error                     { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }

// FuzzFraming gives bytes to a hub's end and to the library's own reader, which
// must find the same messages in them, as far as a hub reads.
func FuzzFraming(f *testing.F) {
	masked := func(op ws.OpCode, final bool, payload string) []byte {
		return ws.MustCompileFrame(ws.MaskFrameWith(ws.NewFrame(op, final, []byte(payload)), [4]byte{1, 2, 3, 4}))
	}
	join := `{"type":"join","room":"데모"}`
	for _, frames := range [][][]byte{
		{masked(ws.OpText, true, join), masked(ws.OpText, true, "")},
		{masked(ws.OpText, false, join[:3]), masked(ws.OpPing, true, "들려요?"), masked(ws.OpContinuation, true, join[3:])},
		{masked(ws.OpPong, true, ""), masked(ws.OpText, true, strings.Repeat("x", 300)), masked(ws.OpClose, true, "\x03\xe8bye")},
		{masked(ws.OpText, true, strings.Repeat("x", signal.MaxFrame)), masked(ws.OpText, true, strings.Repeat("x", signal.MaxFrame+1))},
		{masked(ws.OpBinary, true, join), masked(ws.OpText, true, join)},
		{masked(ws.OpText, true, join), masked(ws.OpContinuation, true, join)},
		{ws.MustCompileFrame(ws.NewTextFrame([]byte(join)))},
		{masked(ws.OpClose, true, "\x03\xee")},
		{{0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4}},
	} {
		f.Add(bytes.Join(frames, nil))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		conn := &script{in: *bytes.NewBuffer(bytes.Clone(input))}
		l := newServed(conn, nil, "", netip.Addr{})
		want := wsutil.Reader{Source: bytes.NewReader(input), State: ws.StateServerSide, MaxMessageSize: signal.MaxFrame}
		for {
			text, err := l.message()
			if err != nil {
				if !l.agreed { // behind a close frame the library reads on
					stopped(t, err, &want)
				}
				break
			}
			if other, err := next(&want); err != nil || !bytes.Equal(text, other) {
				t.Fatalf("%q; the library reads %q, %v", text, other, err)
			}
			l.release()
		}
		answers(t, conn.out.Bytes())
	})
}

// next reads the next text message with the library alone.
func next(r *wsutil.Reader) ([]byte, error) {
	for {
		h, err := r.NextFrame()
		switch {
		case err != nil:
			return nil, err
		case h.OpCode.IsControl():
			if err = r.Discard(); err != nil {
				return nil, err
			}
		default:
			return io.ReadAll(r)
		}
	}
}

// stopped checks that a hub's end stopped for a reason of its own, or where the
// library finds nothing more either.
func stopped(t *testing.T, why error, r *wsutil.Reader) {
	t.Helper()
	_, refused := errors.AsType[*signal.Error](why)      // binary, or too big
	_, violation := errors.AsType[ws.ProtocolError](why) // the library does not look at what a close frame says
	if refused || violation {
		return
	}
	if text, err := next(r); err == nil {
		t.Fatalf("%v, where the library reads %q", why, text)
	}
}

// answers checks that what a hub's end writes is control frames, and nothing
// behind a close frame.
func answers(t *testing.T, out []byte) {
	t.Helper()
	for r := bytes.NewReader(out); r.Len() > 0; {
		h, err := ws.ReadHeader(r)
		if err != nil || !h.OpCode.IsControl() || h.Masked || int(h.Length) > r.Len() {
			t.Fatalf("it wrote %q: %+v, %v", out, h, err)
		}
		_, _ = r.Seek(h.Length, io.SeekCurrent) // there are as many
		if h.OpCode == ws.OpClose && r.Len() > 0 {
			t.Fatalf("it wrote %q behind a close frame", out[len(out)-r.Len():])
		}
	}
}
