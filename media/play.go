package media

import (
	"context"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

const (
	// payloadSize leaves room for RTP, SRTP and header extensions in the
	// 1280 bytes that any path carries.
	payloadSize = 1188
	// catchUp is how late a frame may be and still be sent as if it were not.
	catchUp = 500 * time.Millisecond
)

// run plays once the player before it is gone, and ends the Source if nothing
// more will come.
func (s *Source) run(ctx context.Context, before <-chan struct{}, played chan<- struct{}) {
	if before != nil {
		<-before
	}
	err := s.play(ctx)
	close(played)
	if ctx.Err() == nil {
		s.note(err)
		_ = s.Close() // of a file that was only read
	}
}

// play sends frame after frame until ctx ends or the file does.
func (s *Source) play(ctx context.Context) error {
	if err := s.frames.rewind(); err != nil {
		return err
	}
	start := time.Now() // when the first frame of this round is due
	if s.origin.IsZero() {
		s.origin = start
	}
	for fresh := true; ; fresh = false {
		f, err := s.frames.next()
		if err != nil {
			if s.once || fresh {
				return err
			}
			s.note(err)
			start = start.Add(s.frames.end())
			if err = s.frames.rewind(); err != nil {
				return err
			}
			if f, err = s.frames.next(); err != nil {
				return err
			}
		}
		if !wait(ctx, start.Add(f.at)) {
			return nil
		}
		if late := time.Since(start.Add(f.at)); late > catchUp {
			start = start.Add(late)
		}
		s.send(f.data, start.Add(f.at))
	}
}

// wait waits for due, or returns false when ctx ends first.
func wait(ctx context.Context, due time.Time) bool {
	ahead := time.Until(due)
	if ahead <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(ahead)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// send packetises one frame and writes it to every binding. A write that fails
// is the binding's affair: its connection is closing, and Unbind will follow.
func (s *Source) send(data []byte, due time.Time) {
	s.mu.Lock()
	bindings := s.bindings
	s.mu.Unlock()
	timestamp := s.timestamp + s.ticks(due.Sub(s.origin))
	payloads := s.payloader.Payload(payloadSize, data)
	picture := s.format.kind() == webrtc.RTPCodecTypeVideo
	for i, payload := range payloads {
		for _, b := range bindings {
			header := rtp.Header{
				Version:        2,
				Marker:         picture && i == len(payloads)-1,
				PayloadType:    b.payloadType,
				SequenceNumber: s.sequence,
				Timestamp:      timestamp,
				SSRC:           b.ssrc,
			}
			_, _ = b.to.WriteRTP(&header, payload)
		}
		s.sequence++
	}
}

// ticks converts to RTP timestamp units, rounding to the nearest, without
// overflow for as long as a Duration lasts.
func (s *Source) ticks(d time.Duration) uint32 {
	seconds, rest := int64(d/time.Second), int64(d%time.Second)
	return uint32(seconds*s.format.clock + (rest*s.format.clock+int64(time.Second)/2)/int64(time.Second))
}
