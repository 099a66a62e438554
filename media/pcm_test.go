package media

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"
)

// counting is an encoder that keeps its samples for itself.
type counting struct {
	rate, frames int
	last         []int16
	closed       bool
	err          error
}

func (c *counting) Rate() int    { return c.rate }
func (c *counting) Close() error { c.closed = true; return nil }

func (c *counting) Encode(pcm []int16) ([]byte, error) {
	c.frames++
	c.last = append(c.last[:0], pcm...)
	return silence, c.err
}

// A second and 10 ms: 51 packets, 20 ms apart, the last filled with silence.
func TestPCM(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &counting{rate: 16000}
		s, err := NewPCM(bytes.NewReader(bytes.Repeat([]byte{0x34, 0x12}, 16160)), e)
		if err != nil {
			t.Fatal(err)
		}
		p := newPlace("p", webrtc.MimeTypeOpus)
		bind(t, s, p)
		<-s.Done()
		synctest.Wait() // until the encoder is closed, too
		contiguous(t, p.got(), 48000)
		if n := len(p.got()); n != 51 || e.frames != 51 || !e.closed || s.Err() != nil {
			t.Errorf("%d packets of %d frames, closed: %v, %v", n, e.frames, e.closed, s.Err())
		}
		if level, ok := s.AudioLevel(); level != -20 || !ok { // the last frame is half silent
			t.Errorf("%d dBov, %v, want -20", level, ok)
		}
		if len(e.last) != 320 || e.last[159] != 0x1234 || e.last[160] != 0 {
			t.Errorf("the last frame is %x", e.last)
		}
	})
}

func TestPCMThatCannotBePlayed(t *testing.T) {
	if _, err := NewPCM(&bytes.Buffer{}, nil); !errors.Is(err, ErrNoEncoder) {
		t.Errorf("without an encoder: %v", err)
	}
	if _, err := NewPCM(&bytes.Buffer{}, &counting{rate: 44100}); err == nil {
		t.Error("44100 Hz was taken")
	}
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		s, err := NewPCM(bytes.NewReader(make([]byte, 10000)), &counting{rate: 16000, err: broken})
		if err != nil {
			t.Fatal(err)
		}
		bind(t, s, newPlace("p", webrtc.MimeTypeOpus))
		<-s.Done()
		if err := s.Err(); !errors.Is(err, broken) {
			t.Errorf("%v, want what the encoder says", err)
		}
		time.Sleep(time.Second)
	})
}
