package voice

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom"
)

// Publisher is what a [Speaker] speaks to: a [noom.Room] for everyone in it, or a [noom.Peer] for that member alone.
type Publisher interface {
	Publish(ctx context.Context, t webrtc.TrackLocal, o *noom.PublishOptions) (noom.Sender, error)
}

// SpeakerOptions says how a [Speaker] speaks; nil works.
type SpeakerOptions struct {
	// Name is the name of the track. Empty: voice. Speakers to one peer should have different ones.
	Name string
	// Rate is how many samples a second Write and Say take, 8000 to 48000 in steps of 25. 0: 24000. Where the codec has
	// another rate the sound is resampled.
	Rate int
	// Codec is what is sent. Empty: Opus. A peer that does not take it does not get the track.
	Codec Codec
	// Bitrate is that of Opus at most, in bits a second, 8000 to 64000; a connection that takes less gets less. 0: 32000.
	Bitrate int
	// Buffer bounds the sound that waits to be sent, 100 ms to 10 min. 0: one minute.
	Buffer time.Duration
}

// Bounds and defaults of SpeakerOptions.
const (
	usualRate   = 24000
	usualBuffer = time.Minute
	leastBuffer = 100 * time.Millisecond
	mostBuffer  = 10 * time.Minute
)

const (
	// sayAhead is how much of what Say reads waits to be sent.
	sayAhead = 100 * time.Millisecond
	// fadeOut is for how long sound that Flush cuts goes on, ever softer, so that it does not click.
	fadeOut = 5 * time.Millisecond
)

// Errors of a [Speaker].
var (
	// ErrFull is what Write returns if not all of the sound had room.
	ErrFull = errors.New("voice: the buffer of the speaker is full; wait for Played, or use Say")
	// ErrFlushed is what Say returns after Flush.
	ErrFlushed = errors.New("voice: flushed")
	// ErrOptions is the identity of errors about options out of their bounds.
	ErrOptions = errors.New("voice: options")
)

// Speaker sends speech to a room or to one peer, as one track. Its methods may be called from anywhere.
//
// A packet leaves each 20 ms. Sound that comes too late is preceded by silence and never made up for; a second after the
// last of it nothing is sent any longer. As long as the track goes to nobody ([noom.Sender].Receivers), sound waits.
// Close a Speaker that is no longer needed.
type Speaker struct {
	// Immutable.
	rate     int // of Write
	limit    int // samples that may wait, at the encoder's rate
	bitrate  int
	format   format
	encoder  Encoder // used by run alone
	to       Publisher
	sender   noom.Sender
	done     chan struct{}
	saying   chan struct{} // holds a token while a Say speaks
	sequence uint16        // of run
	start    uint32        // timestamp of the first frame

	level  atomic.Int32 // of the frame that is being sent
	target atomic.Int64 // bits a second

	mu        sync.Mutex
	queue     []int16 // at the encoder's rate
	resampler *Resampler
	playout   playout
	bindings  []speakerBinding // replaced, never changed in place
	running   bool             // run runs
	changed   chan struct{}    // closed when the queue has changed; nil: nobody waits
	flushes   int
	written   time.Duration
	flushed   time.Duration
	closed    bool
	err       error
}

// speakerBinding is one place to send to.
type speakerBinding struct {
	id          string
	ssrc        uint32
	payloadType uint8
	to          webrtc.TrackLocalWriter
}

// NewSpeaker publishes a track for speech. ctx bounds the publishing alone. Errors: those of Publish, and those that
// wrap [ErrCodec], [ErrRate] or [ErrOptions] about o.
func NewSpeaker(ctx context.Context, to Publisher, o *SpeakerOptions) (*Speaker, error) {
	if o == nil {
		o = &SpeakerOptions{}
	}
	s, err := newSpeaker(*o)
	if err != nil {
		return nil, err
	}
	s.to = to
	name := o.Name
	if name == "" {
		name = "voice"
	}
	sender, err := to.Publish(ctx, (*speakerTrack)(s), &noom.PublishOptions{Name: name})
	if err != nil {
		return nil, fmt.Errorf("voice: %w", err)
	}
	s.sender = sender // nothing reads it before there is sound
	return s, nil
}

func newSpeaker(o SpeakerOptions) (*Speaker, error) {
	if o.Rate == 0 {
		o.Rate = usualRate
	}
	if o.Codec == "" {
		o.Codec = Opus
	}
	if o.Bitrate == 0 {
		o.Bitrate = usualBitrate
	}
	if o.Buffer == 0 {
		o.Buffer = usualBuffer
	}
	if o.Buffer < leastBuffer || o.Buffer > mostBuffer {
		return nil, fmt.Errorf("%w: Buffer of %v, want %v to %v", ErrOptions, o.Buffer, leastBuffer, mostBuffer)
	}
	encoder, err := NewEncoder(o.Codec, encoderRate(o.Codec, o.Rate), o.Bitrate)
	if err != nil {
		return nil, err
	}
	resampler, err := NewResampler(o.Rate, encoder.Rate())
	if err != nil {
		return nil, err
	}
	f := formats[o.Codec]
	s := &Speaker{
		rate: o.Rate, limit: samplesOf(o.Buffer, encoder.Rate()), bitrate: o.Bitrate, format: f,
		encoder: encoder, done: make(chan struct{}), saying: make(chan struct{}, 1),
		sequence: uint16(rand.Uint32()), start: rand.Uint32(), resampler: resampler,
	}
	s.level.Store(silence)
	return s, nil
}

// encoderRate is the rate of a codec that takes sound of another rate with the least work and without a loss.
func encoderRate(c Codec, rate int) int {
	rates := formats[c].rates
	if len(rates) == 0 || slices.Contains(rates, rate) {
		return rate
	}
	best := rates[0]
	for _, r := range rates {
		if r >= rate && (best < rate || r < best) {
			best = r
		}
	}
	return best
}

// Sender returns what was published, to mute it for example.
func (s *Speaker) Sender() noom.Sender { return s.sender }

// Rate returns how many samples a second Write and Say take.
func (s *Speaker) Rate() int { return s.rate }

// Write adds mono sound to what is to be said. It never waits: it takes as much as has room and returns how many
// samples that were, with [ErrFull] if not all. Other errors: [noom.ErrClosed]; what the encoder could not do.
func (s *Speaker) Write(pcm []int16) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.write(pcm)
}

// write is Write. It needs s.mu.
func (s *Speaker) write(pcm []int16) (n int, err error) {
	if s.closed {
		return 0, s.over()
	}
	room := (s.limit - len(s.queue)) * s.rate / s.encoder.Rate()
	if n = min(len(pcm), max(room, 0)); n < len(pcm) {
		err = ErrFull
	}
	s.queue = append(s.queue, s.resampler.Process(pcm[:n])...)
	s.written += timeOf(n, s.rate)
	s.begin()
	return n, err
}

func (s *Speaker) over() error {
	if s.err != nil {
		return s.err
	}
	return noom.ErrClosed
}

// Say speaks what r gives as samples of 16 bits, little endian, mono, and returns when all of it was sent. It reads no
// further ahead than a tenth of a second. Of several calls one speaks at a time, in any order. Errors: [ErrFlushed]
// after Flush; ctx's, and then the sound that waits is flushed; [noom.ErrClosed]; those of r. It waits for a Read that
// blocks, and for somebody who gets the track: so ctx should end when the peer goes.
func (s *Speaker) Say(ctx context.Context, r io.Reader) error {
	s.mu.Lock()
	flushes := s.flushes
	s.mu.Unlock()
	select {
	case s.saying <- struct{}{}:
		defer func() { <-s.saying }()
	case <-ctx.Done():
		return ctx.Err()
	case <-s.done:
		return noom.ErrClosed
	}
	err := s.say(ctx, r, flushes)
	if ctx.Err() != nil && err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.flushes == flushes { // else what waits is somebody else's
			s.flush()
		}
	}
	return err
}

func (s *Speaker) say(ctx context.Context, r io.Reader, flushes int) error {
	raw := make([]byte, 2*samplesOf(frameTime, s.rate))
	pcm := make([]int16, len(raw)/2)
	for {
		n, err := io.ReadFull(r, raw)
		for i := range n / 2 {
			pcm[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		if wrong := s.put(ctx, pcm[:n/2], flushes); wrong != nil {
			return wrong
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return s.await(ctx, flushes, 0)
		case err != nil:
			return err
		}
	}
}

// put adds sound once little enough waits.
func (s *Speaker) put(ctx context.Context, pcm []int16, flushes int) error {
	for len(pcm) > 0 {
		if err := s.await(ctx, flushes, samplesOf(sayAhead, s.encoder.Rate())-samplesOf(frameTime, s.encoder.Rate())); err != nil {
			return err
		}
		s.mu.Lock()
		if s.flushes != flushes {
			s.mu.Unlock()
			return ErrFlushed
		}
		n, err := s.write(pcm)
		s.mu.Unlock()
		if pcm = pcm[n:]; err != nil && !errors.Is(err, ErrFull) {
			return err
		}
	}
	return nil
}

// await waits until at most so many samples wait to be sent.
func (s *Speaker) await(ctx context.Context, flushes, most int) error {
	for {
		s.mu.Lock()
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed, waiting := s.changed, len(s.queue)
		flushed, closed, over := s.flushes != flushes, s.closed, s.over()
		s.mu.Unlock()
		switch {
		case closed:
			return over
		case flushed:
			return ErrFlushed
		case ctx.Err() != nil:
			return ctx.Err()
		case waiting <= most:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// change lets those that wait look again. It needs s.mu.
func (s *Speaker) change() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// Flush stops speaking: what waits is dropped, and what is sent is silence within 40 ms. A Say that speaks returns
// [ErrFlushed]. Flush returns how much was dropped; [Played] then says how much was heard.
func (s *Speaker) Flush() (dropped time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.flush()
}

// flush is Flush. It needs s.mu.
func (s *Speaker) flush() (dropped time.Duration) {
	kept := min(len(s.queue), samplesOf(fadeOut, s.encoder.Rate()))
	for i := range kept {
		s.queue[i] = int16(int(s.queue[i]) * (kept - i) / kept)
	}
	dropped = timeOf(len(s.queue)-kept, s.encoder.Rate())
	s.queue = s.queue[:kept]
	s.flushed += dropped
	s.flushes++
	if r, err := NewResampler(s.rate, s.encoder.Rate()); err == nil { // nothing of the old sound is left in it
		s.resampler = r
	}
	s.change()
	return dropped
}

// Played is how far a [Speaker] has come, as durations of sound since it was made. Silence that it sends because
// there is no sound does not count.
type Played struct {
	// Written is what Write and Say took.
	Written time.Duration
	// Sent is what has left.
	Sent time.Duration
	// Heard is what a listener can have heard at most: what was sent half a round trip ago. Of several listeners it is the
	// nearest one's. A listener's own buffer makes it later by 20 to 200 ms.
	Heard time.Duration
	// Flushed is what Flush has dropped.
	Flushed time.Duration
}

// Played returns how far the speaker has come. To know how much of an answer somebody heard, take the difference of
// Heard at its beginning and when it was interrupted.
func (s *Speaker) Played() Played {
	way := s.roundTrip() / 2
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return Played{Written: s.written, Sent: s.playout.sound, Heard: s.playout.heard(now, way), Flushed: s.flushed}
}

// roundTrip returns the shortest to somebody who listens, 0 if none is known.
func (s *Speaker) roundTrip() (shortest time.Duration) {
	peers := []noom.Peer{}
	switch to := s.to.(type) {
	case interface{ Peers() []noom.Peer }:
		peers = to.Peers()
	case noom.Peer:
		peers = append(peers, to)
	}
	for _, p := range peers {
		if trip := p.Bandwidth().RoundTrip; trip > 0 && (shortest == 0 || trip < shortest) {
			shortest = trip
		}
	}
	return shortest
}

// Close unpublishes the track and drops what waits. It may be called more than once.
func (s *Speaker) Close() error {
	s.end(nil)
	if s.sender == nil {
		return nil
	}
	return s.sender.Close()
}

// end ends the speaker because of err, which may be nil.
func (s *Speaker) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed, s.err, s.queue = true, err, nil
	s.change()
	close(s.done)
}

// begin starts run if there is sound and somebody to send it to. It needs s.mu.
func (s *Speaker) begin() {
	if !s.running && !s.closed && len(s.bindings) > 0 && len(s.queue) > 0 {
		s.running = true
		go s.run()
	}
}

// run sends a frame each 20 ms until there is nothing to send.
func (s *Speaker) run() {
	frame := make([]int16, samplesOf(frameTime, s.encoder.Rate()))
	for {
		heard := s.sender.Receivers() > 0
		s.mu.Lock()
		now := time.Now()
		if s.closed || len(s.bindings) == 0 || !heard && len(s.queue) == 0 {
			s.running = false
			s.mu.Unlock()
			return
		}
		step := playoutStep{wait: frameTime}
		if heard {
			step = s.playout.next(now, len(s.queue) > 0)
		}
		if step.rest {
			s.running = false
			s.mu.Unlock()
			return
		}
		if step.wait > 0 {
			s.mu.Unlock()
			time.Sleep(step.wait)
			continue
		}
		n := copy(frame, s.queue)
		clear(frame[n:])
		if n < len(frame) && n > 0 {
			soften(frame[:n])
		}
		s.queue = s.queue[:copy(s.queue, s.queue[n:])]
		s.playout.sent(now, timeOf(n, s.encoder.Rate()))
		bindings := s.bindings
		s.change()
		s.mu.Unlock()
		if err := s.send(frame, step, bindings); err != nil {
			s.end(err)
		}
	}
}

// soften fades the end of sound behind which there is none.
func soften(pcm []int16) {
	tail := pcm[max(0, len(pcm)-len(pcm)/8-1):]
	for i := range tail {
		tail[i] = int16(int(tail[i]) * (len(tail) - i) / len(tail))
	}
}

// send encodes a frame and writes it to all.
func (s *Speaker) send(frame []int16, step playoutStep, bindings []speakerBinding) error {
	if o, can := s.encoder.(*opusEncoder); can {
		if bps := s.target.Swap(0); bps > 0 {
			if err := o.setBitrate(int(min(bps, int64(s.bitrate)))); err != nil {
				return err
			}
		}
	}
	payload, err := s.encoder.Encode(frame)
	if err != nil {
		return err
	}
	payload = slices.Clone(payload) // those that it goes to may keep it
	s.level.Store(int32(levelOf(frame)))
	for _, b := range bindings {
		_, _ = b.to.WriteRTP(&rtp.Header{ // a place that is gone is unbound soon
			Version: 2, Marker: step.marker, PayloadType: b.payloadType, SequenceNumber: s.sequence,
			Timestamp: s.start + ticks(step.at, s.format.clock), SSRC: b.ssrc,
		}, payload)
	}
	s.sequence++
	return nil
}

// ticks is how many ticks of a clock last so long.
func ticks(d time.Duration, clock uint32) uint32 {
	return uint32(d/time.Second)*clock + uint32(d%time.Second*time.Duration(clock)/time.Second)
}

// speakerTrack is a Speaker as a [webrtc.TrackLocal].
type speakerTrack Speaker

func (t *speakerTrack) Bind(ctx webrtc.TrackLocalContext) (webrtc.RTPCodecParameters, error) {
	s := (*Speaker)(t)
	for _, codec := range ctx.CodecParameters() {
		if c, ok := codecOf(codec.MimeType); !ok || formats[c].mime != s.format.mime {
			continue
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.closed {
			return webrtc.RTPCodecParameters{}, noom.ErrClosed
		}
		b := speakerBinding{ctx.ID(), uint32(ctx.SSRC()), uint8(codec.PayloadType), ctx.WriteStream()}
		s.bindings = append(slices.Clone(s.bindings), b)
		s.begin()
		return codec, nil
	}
	return webrtc.RTPCodecParameters{}, fmt.Errorf("voice: %s: %w", s.format.mime, webrtc.ErrUnsupportedCodec)
}

func (t *speakerTrack) Unbind(ctx webrtc.TrackLocalContext) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(t.bindings), func(b speakerBinding) bool { return b.id == ctx.ID() })
	if len(left) == len(t.bindings) {
		return webrtc.ErrUnbindFailed
	}
	t.bindings = left
	return nil
}

func (t *speakerTrack) ID() string                       { return "audio" }
func (t *speakerTrack) StreamID() string                 { return "voice" }
func (t *speakerTrack) RID() string                      { return "" }
func (t *speakerTrack) Kind() webrtc.RTPCodecType        { return webrtc.RTPCodecTypeAudio }
func (t *speakerTrack) Codec() webrtc.RTPCodecCapability { return t.format.capability() }

// AudioLevel returns the level of the frame that is being sent: see [noom.AudioLeveler].
func (t *speakerTrack) AudioLevel() (dBov int, ok bool) { return int(t.level.Load()), true }

// SetTargetBitrate follows what the connections take: see [noom.BitrateController].
func (t *speakerTrack) SetTargetBitrate(bps int) { t.target.Store(int64(bps)) }

// FollowsTarget reports whether the codec has bitrates.
func (t *speakerTrack) FollowsTarget() bool { return !t.format.stops }

// Done and Err let noom know that the speaker has ended by itself.
func (t *speakerTrack) Done() <-chan struct{} { return t.done }

// Err returns what the encoder could not do, or nil.
func (t *speakerTrack) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}
