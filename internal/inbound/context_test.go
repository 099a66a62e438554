package inbound

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// contextReader is what a track and a tap have in common.
type contextReader interface {
	ReadRTP() (*rtp.Packet, error)
	ReadRTPContext(ctx context.Context) (*rtp.Packet, error)
	Dropped() int
}

var contextReaders = map[string]func(*Track) contextReader{
	"a track": func(t *Track) contextReader { return t },
	"a tap":   func(t *Track) contextReader { return t.Tap() },
}

// TestReadersWithAContext: the end of a context ends a reader that waits, and one that never catches up, and no other.
// Neither loses a packet.
func TestReadersWithAContext(t *testing.T) {
	for what, reader := range contextReaders {
		synctest.Test(t, func(t *testing.T) {
			in := &Inbound{}
			track := NewTrack("a", "마이크", webrtc.RTPCodecTypeAudio, false)
			in.Assign(track)
			r := reader(track)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			other := make(chan *rtp.Packet, 1)
			go func() {
				p, _ := r.ReadRTP()
				other <- p
			}()
			began := time.Now()
			if _, err := r.ReadRTPContext(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
				t.Errorf("%s: %v after %v, want the end of the context after a minute", what, err, time.Since(began))
			}
			synctest.Wait()
			if len(other) > 0 {
				t.Errorf("%s: the end of a context ended another reader", what)
			}
			track.push(in, numberedPacket(1), nil)
			if p := <-other; p == nil || p.SequenceNumber != 1 {
				t.Errorf("%s: the other reader got %v", what, p)
			}
			track.push(in, numberedPacket(2), nil)
			if _, err := r.ReadRTPContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: %v, though a packet waits: a slow reader would never learn of the end", what, err)
			}
			if p, err := r.ReadRTPContext(t.Context()); err != nil || p.SequenceNumber != 2 {
				t.Errorf("%s: %v, %v, want the packet that waits", what, p, err)
			}
			track.End()
			if _, err := r.ReadRTPContext(t.Context()); !errors.Is(err, io.EOF) {
				t.Errorf("%s: %v, want io.EOF", what, err)
			}
		})
	}
}

// TestDropped: a reader knows how many packets it has missed, and gets the others in order, however its ring has grown.
func TestDropped(t *testing.T) {
	for what, reader := range contextReaders {
		in := &Inbound{}
		track := NewTrack("a", "마이크", webrtc.RTPCodecTypeAudio, false)
		in.Assign(track)
		r, sent, got := reader(track), 0, 0
		send := func(n int) {
			for range n {
				track.push(in, numberedPacket(sent), nil)
				sent++
			}
		}
		read := func(n int) {
			t.Helper()
			for range n {
				if p, err := r.ReadRTP(); err != nil || p.SequenceNumber != uint16(got) {
					t.Fatalf("%s: %v, %v, want %d", what, p, err, got)
				}
				got++
			}
		}
		for range 40 { // more come than are read, so that the oldest is anywhere in the ring when that grows
			send(17)
			read(5)
		}
		send(trackRing - (sent - got))
		if n := r.Dropped(); n != 0 {
			t.Errorf("%s: %d packets were dropped while there was room", what, n)
		}
		send(7)
		if n := r.Dropped(); n != 7 {
			t.Errorf("%s: %d packets were dropped, want 7", what, n)
		}
		got += 7
		read(trackRing)
		if late := track.Tap(); late.Dropped() != 0 {
			t.Errorf("a tap that was made later has missed %d", late.Dropped())
		}
	}
}
