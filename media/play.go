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
	// catchUpTime is how late a frame may be and still be sent as if it were not.
	catchUpTime = 500 * time.Millisecond
	// seam is how long the last frame before a jump stands at least: two
	// frames never share a timestamp.
	seam = 5 * time.Millisecond
	// shortestRound is how long a file lasts at least that is played over and
	// over: one of a millisecond would be played a thousand times a second.
	shortestRound = ivfLonely
)

// run plays once the player before it is gone, and ends the tracks if nothing
// more will come.
func (r *reel) run(ctx context.Context, before <-chan struct{}, played chan<- struct{}) {
	if before != nil {
		<-before
	}
	err := r.play(ctx)
	close(played)
	if ctx.Err() == nil {
		r.note(err)
		_ = r.close(r.tracks...) // of a file that was only read
	}
}

// play sends frame after frame until ctx ends or the file does.
func (r *reel) play(ctx context.Context) error {
	var to time.Duration
	select {
	case to = <-r.seeks:
	default:
	}
	f, err := r.jump(to)
	start := time.Now().Add(-f.at) // when the beginning of this round is due
	if r.origin.IsZero() {
		r.origin = start
	}
	var last time.Time // when the latest frame was due
	for err == nil {
		to, what := r.wait(ctx, f.at, start.Add(f.at))
		switch what {
		case wakeStopped:
			return nil
		case wakeSought:
			f, err = r.jump(to)
			start = time.Now().Add(max(0, time.Until(last.Add(seam))) - f.at)
			continue
		}
		if late := time.Since(start.Add(f.at)); late > catchUpTime {
			start = start.Add(late)
		}
		last = start.Add(f.at)
		if f.track == 0 {
			r.keys.passed(f)
		}
		r.tracks[f.track].send(f, last.Sub(r.origin))
		if f, err = r.frames.next(); err != nil && !r.once {
			r.note(err)
			start = start.Add(max(r.frames.end(), shortestRound))
			f, err = r.jump(0)
		}
	}
	if !last.IsZero() { // the last picture is shown as long as the others
		timer := time.NewTimer(time.Until(start.Add(r.frames.end())))
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	return err
}

// jump returns the key frame to go on with.
func (r *reel) jump(to time.Duration) (frame, error) {
	if err := r.frames.seek(to); err != nil {
		return frame{}, err
	}
	return r.frames.next()
}

// What ends a wait.
const (
	wakeDue = iota
	wakeSought
	wakeStopped
)

// wait waits until the frame at that place is due, unless a jump is wanted before.
func (r *reel) wait(ctx context.Context, at time.Duration, until time.Time) (to time.Duration, what int) {
	if r.keys.asked && at-r.keys.latest > keyFrameWait {
		if to, ok := r.keys.back(at, time.Now()); ok {
			return to, wakeSought
		}
	}
	timer := time.NewTimer(time.Until(until))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return 0, wakeStopped
		case to := <-r.seeks:
			return to, wakeSought
		case <-r.asks:
			if to, ok := r.keys.back(at, time.Now()); ok {
				return to, wakeSought
			}
		case <-timer.C:
			if ctx.Err() != nil {
				return 0, wakeStopped
			}
			return 0, wakeDue
		}
	}
}

const (
	// keyFrameWait is how long a key frame that was asked for is waited for.
	keyFrameWait = time.Second
	// backInterval is how long playing goes on before the same key frame is gone back to once more,
	// and twice as long each time: repeated requests do not keep the others from going on.
	backInterval = 10 * time.Second
)

// keys knows where key frames were, and decides when to go back to one.
type keys struct {
	any    bool
	latest time.Duration // where the latest is
	apart  time.Duration // how far two were apart at most; 0: there was one
	went   time.Time     // when latest was gone back to
	times  int           // how often
	asked  bool          // for one that may still come soon
}

// passed takes what is sent.
func (k *keys) passed(f frame) {
	if !f.key || k.any && f.at == k.latest {
		return
	}
	if k.any && f.at > k.latest {
		k.apart = max(k.apart, f.at-k.latest)
	}
	k.any, k.latest, k.times, k.asked = true, f.at, 0, false
}

// back returns where to go for a key frame that is asked for while playing is
// at; false: the next one will do, or may, as long as it is not known how far
// they are apart.
func (k *keys) back(at time.Duration, now time.Time) (time.Duration, bool) {
	soon := k.apart > 0 && k.apart <= keyFrameWait
	k.asked = k.any && k.apart == 0 && at-k.latest <= keyFrameWait
	if !k.any || soon || k.asked || k.times > 0 && now.Sub(k.went) < backInterval<<min(k.times-1, 20) {
		return 0, false
	}
	k.went = now
	k.times++
	return k.latest, true
}

// send packetises one frame and writes it to every binding; since is how long
// after the reel's origin it is due. A write that fails is the binding's
// affair: its connection is closing, and Unbind will follow.
func (s *Source) send(f frame, since time.Duration) {
	s.measure(f)
	s.reel.mu.Lock()
	bindings := s.bindings
	s.reel.mu.Unlock()
	timestamp := s.timestamp + s.ticks(since)
	payloads := s.payloader.Payload(payloadSize, f.data)
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
