package media

import (
	"context"
	"fmt"
	"time"

	"github.com/pion/opus"
)

// Sound is a stretch of a track as PCM.
type Sound struct {
	// At is when it was said, counted from the track's first packet by the
	// sender's clock. A sender whose timestamps stand still while it says nothing
	// leaves no gap in At, but in Made.
	At time.Duration
	// Made is when its first sample was made, on this machine's clock with its monotonic reading:
	// one line of time for all speakers. Sort by it to put what several said in order. It never
	// goes back within a Listener. It is later than the truth by the shortest time that this
	// speaker's sound takes to arrive, mostly 10 to 100 ms, so of two speakers it is right within
	// the difference of these. The senders' clocks do not matter, nor do pauses of half a second
	// and more that their timestamps do not show; shorter ones are noticed after two seconds. Sound
	// that the network held up for longer than half a second has the time at which it arrived; what
	// comes after it is right again.
	Made time.Time
	// PCM is mono, 16 bits, at the rate that Listen was asked for. It is good
	// until the next call of Next.
	PCM []int16
}

// Listener makes PCM of a track in Opus. All but Close and Dropped
// belongs to one goroutine.
type Listener struct {
	track   Track
	in      packets
	rate    int
	decoder opus.Decoder
	start   time.Time // when the first packet arrived
	order   reorder
	line    line
	ready   []duePacket

	payloadType uint8 // that was found to be Opus; 0: none was yet
	ssrc        uint32
	ticks       int64 // of the latest timestamp, at 48 kHz
	latest      uint32
	end         time.Duration // of the latest sound
	made        time.Time     // of the latest sound
	pcm         []int16
}

// duePacket is the packet to decode next.
type duePacket struct {
	timestamp uint32
	payload   []byte
	made      time.Duration // since start
}

// maxSilence bounds the silence that stands for what was lost.
const maxSilence = time.Second

// Listen decodes a track in Opus, for speech recognition and the like; rate is 8000, 12000, 16000
// (which most recognisers need), 24000 or 48000 samples a second. It takes no cgo, and some 7 ms of
// CPU for a second of sound. What is listened to can be recorded, too.
//
//	ear, err := media.Listen(track, 16000)
//	if err != nil {
//		return err
//	}
//	defer ear.Close()
//	for {
//		sound, err := ear.Next()
//		if err != nil {
//			return err // io.EOF: the track is over
//		}
//		transcribe(sound.At, sound.PCM)
//	}
func Listen(t Track, rate int) (*Listener, error) {
	l := &Listener{track: t, rate: rate}
	l.line.recent.span = listenSpan
	var err error
	if l.decoder, err = opus.NewDecoderWithOutput(rate, 1); err != nil {
		return nil, fmt.Errorf("media: listen to %s at %d Hz, want 8000, 12000, 16000, 24000 or 48000: %w", t.Name(), rate, err)
	}
	l.in = tap(t)
	return l, nil
}

// Close ends the Listener of a track that has a Tap: Next, also one that waits,
// returns io.EOF. It may be called more than once, from anywhere, and never fails.
func (l *Listener) Close() error { return l.in.Close() }

// Dropped returns how many packets were lost since Listen because Next was called
// too late: more than 512 of them, some ten seconds, had to wait. They are as if the
// network had lost them. It may be called from anywhere. Of a track without a Tap it
// is 0.
func (l *Listener) Dropped() int { return l.in.Dropped() }

// Next waits for more and returns it. Sound that was lost, up to a second of
// it, is silence; behind a longer pause At jumps. Errors: io.EOF at the track's
// end, and one that wraps [ErrCodec] if the track is not in Opus.
func (l *Listener) Next() (Sound, error) { return l.NextContext(context.Background()) }

// NextContext is Next until ctx ends; the Listener goes on after that. A track
// without a Tap notices the end of ctx only when a packet comes. Errors: those
// of Next, ctx's.
func (l *Listener) NextContext(ctx context.Context) (Sound, error) {
	for {
		for len(l.ready) > 0 {
			p := l.ready[0]
			l.ready = l.ready[1:]
			if s, ok := l.decode(p); ok {
				return s, nil
			}
		}
		if err := l.read(ctx); err != nil {
			return Sound{}, err
		}
	}
}

// read waits for a packet.
func (l *Listener) read(ctx context.Context) error {
	p, err := l.in.ReadRTPContext(ctx)
	if err != nil {
		return err
	}
	if l.payloadType != p.PayloadType {
		codec := l.track.Codec()
		if uint8(codec.PayloadType) != p.PayloadType {
			return nil // older than a change of codec
		}
		if codecName(codec.MimeType) != "opus" {
			return fmt.Errorf("media: listen to %s: %s %w", l.track.Name(), codec.MimeType, ErrCodec)
		}
		l.payloadType = p.PayloadType
	}
	came := cameAt(l.in)
	if l.start.IsZero() {
		l.start, l.latest = came, p.Timestamp
	}
	if !l.line.began || l.ssrc != p.SSRC {
		l.line.restart(opusClock)
		l.ssrc = p.SSRC
	}
	l.ready = l.ready[:0]
	for _, p := range l.order.push(p, came.Sub(l.start)) {
		if p.Packet != nil && len(p.Payload) > 0 {
			l.line.push(picture{}, p.Timestamp, p.came)
			l.line.decide(p.came, true) // later ones are not waited for
			l.ready = append(l.ready, duePacket{p.Timestamp, p.Payload, l.line.target()})
			l.line.drop()
		}
	}
	return nil
}

const (
	opusClock = 48000
	// listenSpan makes the line forget within two seconds how quick packets were:
	// it need not run evenly, and cannot look ahead.
	listenSpan = 250 * time.Millisecond
)

// decode returns a packet's sound behind the silence before it. What cannot be
// decoded is as if it were lost.
func (l *Listener) decode(p duePacket) (Sound, bool) {
	lasts, ok := opusDuration(p.payload)
	if !ok {
		return Sound{}, false
	}
	at := l.at(p.timestamp)
	silence := 0
	if gap := at - l.end; gap > 0 && gap <= maxSilence {
		silence = l.samples(gap)
		at = l.end
	}
	whole := silence + l.samples(lasts)
	if cap(l.pcm) < whole {
		l.pcm = make([]int16, whole)
	}
	l.pcm = l.pcm[:whole]
	clear(l.pcm[:silence])
	n, err := l.decoder.DecodeToInt16(p.payload, l.pcm[silence:])
	if err != nil || n == 0 {
		return Sound{}, false
	}
	s := Sound{
		At: at, PCM: l.pcm[:min(silence+n, whole)],
		Made: l.start.Add(p.made - time.Duration(silence)*time.Second/time.Duration(l.rate)),
	}
	if s.Made.Before(l.made) {
		s.Made = l.made
	}
	l.made = s.Made
	l.end = at + time.Duration(len(s.PCM))*time.Second/time.Duration(l.rate)
	return s, true
}

// at returns when something is due. A timestamp that goes back or an hour on belongs to a stream
// that began again.
func (l *Listener) at(timestamp uint32) time.Duration {
	const hour = opusClock * 3600
	step := int64(int32(timestamp - l.latest))
	l.latest = timestamp
	if step < 0 || step > hour {
		l.ticks = int64(l.end) * opusClock / int64(time.Second)
	} else {
		l.ticks += step
	}
	return time.Duration(l.ticks) * time.Second / opusClock
}

func (l *Listener) samples(d time.Duration) int { return int(d * time.Duration(l.rate) / time.Second) }
