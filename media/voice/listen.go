package voice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom"
)

// ListenOptions says how a [Listener] listens; nil works.
type ListenOptions struct {
	// Rate is that of the sound, in samples a second: 8000, 12000, 16000, 24000 or 48000. 0: 16000, which most recognisers
	// need.
	Rate int
	// PreRoll is how much from before the first speech belongs to a turn, up to 2 s; it begins with the softest sounds of a
	// word. 0: 200 ms; negative: none.
	PreRoll time.Duration
	// EndAfter is how much silence ends a turn, 100 ms to 5 s. 0: 600 ms. Less lets a bot answer sooner, and interrupt those
	// who think while they speak.
	EndAfter time.Duration
	// VAD makes what decides what is speech, one for each track. Nil: [NewVAD].
	VAD func() VAD
	// Tracks chooses what to listen to. It is called once for each track of sound and must not wait. Nil: all of them.
	Tracks func(noom.Peer, noom.RemoteTrack) bool
}

// Defaults and bounds of ListenOptions.
const (
	listenRate   = 16000
	usualPreRoll = 200 * time.Millisecond
	mostPreRoll  = 2 * time.Second
	usualEnd     = 600 * time.Millisecond
	leastEnd     = 100 * time.Millisecond
	mostEnd      = 5 * time.Second
)

// Bounds of a Listener.
const (
	mostEars    = 64 // tracks at a time
	mostPeer    = 4  // tracks of one peer at a time
	mostWaiting = 32 // turns that nobody has taken
)

const (
	// lookPeriod is how often a Listener looks for tracks, and for mutes in a turn.
	lookPeriod = 50 * time.Millisecond
	// staleAfter is how old a packet may be that waited for its first reader.
	staleAfter = 300 * time.Millisecond
)

// Listener listens to everyone in a room. Its methods may be called from anywhere.
type Listener struct {
	options ListenOptions
	room    noom.Room
	cancel  context.CancelFunc
	ears    sync.WaitGroup
	over    chan struct{} // closed when all goroutines have ended

	mu      sync.Mutex
	known   map[noom.RemoteTrack]noom.Peer // that are being listened to, or are not wanted
	hearing map[noom.Peer]int              // tracks that are
	total   int
	waiting []*Turn
	dropped int
	more    chan struct{} // closed when a turn begins; nil: nobody waits
	ended   bool
}

// Listen listens to all sound of a room, present and to come, until ctx ends, the room is over, or Close. Each speaker's
// turns come by themselves, however many speak at once. It reads the tracks through taps, and takes no events of the
// room. Decoding takes some 3 ms of CPU for a second of each speaker's sound at 16000. A speaker's packet is heard
// as soon as it comes; behind one that is missing, after 60 ms, when its sound is made up.
//
//	ears, err := voice.Listen(ctx, room, nil)
//	if err != nil {
//		return err
//	}
//	defer ears.Close()
//	for turn := range ears.Turns(ctx) {
//		go func() {
//			for pcm := range turn.PCM(ctx) {
//				transcribe(turn.Peer.Name(), pcm)
//			}
//		}()
//	}
//
// At most 64 tracks are listened to at a time, four of one peer, in the order in which they come. Errors wrap
// [ErrOptions] or [ErrCodec].
func Listen(ctx context.Context, room noom.Room, o *ListenOptions) (*Listener, error) {
	if o == nil {
		o = &ListenOptions{}
	}
	options, err := o.complete()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	l := &Listener{
		options: options, room: room, cancel: cancel, over: make(chan struct{}),
		known: make(map[noom.RemoteTrack]noom.Peer), hearing: make(map[noom.Peer]int),
	}
	go l.look(ctx)
	return l, nil
}

func (o ListenOptions) complete() (ListenOptions, error) {
	if o.Rate == 0 {
		o.Rate = listenRate
	}
	if o.PreRoll == 0 {
		o.PreRoll = usualPreRoll
	}
	o.PreRoll = max(o.PreRoll, 0)
	if o.EndAfter == 0 {
		o.EndAfter = usualEnd
	}
	if o.VAD == nil {
		o.VAD = NewVAD
	}
	if o.Tracks == nil {
		o.Tracks = func(noom.Peer, noom.RemoteTrack) bool { return true }
	}
	if _, err := Opus.rate(o.Rate); err != nil {
		return o, fmt.Errorf("voice: listen: Rate: %w", err)
	}
	switch {
	case o.PreRoll > mostPreRoll:
		return o, fmt.Errorf("%w: PreRoll of %v, want %v at most", ErrOptions, o.PreRoll, mostPreRoll)
	case o.EndAfter < leastEnd || o.EndAfter > mostEnd:
		return o, fmt.Errorf("%w: EndAfter of %v, want %v to %v", ErrOptions, o.EndAfter, leastEnd, mostEnd)
	}
	return o, nil
}

// Next returns the next turn as soon as it begins, and waits until one does. Up to 32 wait for it; beyond that the
// oldest is dropped, and counted by Dropped. Errors: io.EOF when the Listener has ended, ctx's.
func (l *Listener) Next(ctx context.Context) (*Turn, error) {
	for {
		l.mu.Lock()
		if len(l.waiting) > 0 {
			turn := l.waiting[0]
			l.waiting = l.waiting[1:]
			l.mu.Unlock()
			return turn, nil
		}
		if l.ended {
			l.mu.Unlock()
			return nil, io.EOF
		}
		if l.more == nil {
			l.more = make(chan struct{})
		}
		more := l.more
		l.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Turns yields what Next returns, until the Listener or ctx ends.
func (l *Listener) Turns(ctx context.Context) iter.Seq[*Turn] {
	return func(yield func(*Turn) bool) {
		for {
			turn, err := l.Next(ctx)
			if err != nil || !yield(turn) {
				return
			}
		}
	}
}

// Dropped returns how many turns nobody has taken in time.
func (l *Listener) Dropped() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dropped
}

// Close ends the Listener and all turns, and returns when that is done. It may be called more than once, and never
// fails.
func (l *Listener) Close() error {
	l.cancel()
	<-l.over
	return nil
}

// look looks for tracks.
func (l *Listener) look(ctx context.Context) {
	defer close(l.over)
	defer l.finish()
	ticker := time.NewTicker(lookPeriod)
	defer ticker.Stop()
	for {
		l.take(ctx)
		select {
		case <-ticker.C:
		case <-l.room.Done():
			return
		case <-ctx.Done():
			return
		}
	}
}

// finish waits for the ears, and lets go of those who wait for turns.
func (l *Listener) finish() {
	l.cancel()
	l.ears.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
	l.wake()
}

// take begins to listen to the tracks that have come, and forgets those that have gone.
func (l *Listener) take(ctx context.Context) {
	there := make(map[noom.RemoteTrack]bool)
	for _, peer := range l.room.Peers() {
		for _, track := range peer.Tracks() {
			if track.Kind() != webrtc.RTPCodecTypeAudio {
				continue
			}
			there[track] = true
			l.mu.Lock()
			_, known := l.known[track]
			full := l.total >= mostEars || l.hearing[peer] >= mostPeer
			l.mu.Unlock()
			if known || full {
				continue
			}
			wanted := l.options.Tracks(peer, track)
			l.mu.Lock()
			l.known[track] = peer
			if wanted {
				l.hearing[peer]++
				l.total++
			}
			l.mu.Unlock()
			if wanted {
				l.ears.Go(func() {
					l.hear(ctx, peer, track)
					l.release(peer)
				})
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for track := range l.known {
		if !there[track] {
			delete(l.known, track)
		}
	}
}

// release makes room for another track of a peer.
func (l *Listener) release(peer noom.Peer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.hearing[peer]--; l.hearing[peer] == 0 {
		delete(l.hearing, peer)
	}
}

// add offers a turn.
func (l *Listener) add(t *Turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) == mostWaiting {
		l.waiting = l.waiting[1:]
		l.dropped++
	}
	l.waiting = append(l.waiting, t)
	l.wake()
}

// wake needs l.mu.
func (l *Listener) wake() {
	if l.more != nil {
		close(l.more)
		l.more = nil
	}
}

// hear is the driver of one ear. It ends with its track.
func (l *Listener) hear(ctx context.Context, peer noom.Peer, track noom.RemoteTrack) {
	tap := track.Tap()
	defer func() { _ = tap.Close() }()
	arrival, knows := tap.(interface{ Arrived() time.Time })
	begun := time.Now()
	e := newEar(l.options)
	var turn *Turn
	pass := func() {
		for _, event := range e.found() {
			if event.begin {
				turn = &Turn{Peer: peer, Track: track, Rate: l.options.Rate, Started: event.at, done: make(chan struct{})}
				turn.add(event.pcm)
				l.add(turn)
				continue
			}
			turn.add(event.pcm)
			if event.end != 0 {
				turn.end(event.at, event.end)
			}
		}
	}
	for {
		packet, err := l.wait(ctx, e, tap)
		now := time.Now()
		switch {
		case err == nil:
			came := now
			if knows {
				came = arrival.Arrived()
			}
			codec := track.Codec()
			name, can := codecOf(codec.MimeType)
			if begun.Sub(came) > staleAfter || !can {
				continue // old, or of a codec that nobody here speaks
			}
			if uint8(codec.PayloadType) != packet.PayloadType {
				if packet.SSRC != e.ssrc || e.decoder == nil {
					continue // older than a change of codec
				}
				other := *packet // comfort noise or a tone: it has a number, but no sound for us
				other.Payload = nil
				packet, name = &other, e.codec
			}
			level, says := track.AudioLevel()
			if !says {
				level = unknownLevel
			}
			if err = e.packet(packet, name, level, came); err != nil {
				e.stop(now, EndTrack)
				pass()
				return
			}
		case ctx.Err() != nil:
			e.stop(now, EndClosed)
			pass()
			return
		case errors.Is(err, context.DeadlineExceeded):
			e.tick(now)
		default:
			e.stop(now, EndTrack)
			pass()
			return
		}
		if e.turns.open && track.Muted() {
			e.stop(now, EndMuted)
		}
		pass()
	}
}

// wait waits for a packet, until something else is due.
func (l *Listener) wait(ctx context.Context, e *ear, tap noom.PacketReader) (*rtp.Packet, error) {
	due, ok := e.due()
	if e.turns.open {
		if look := time.Now().Add(lookPeriod); !ok || look.Before(due) {
			due, ok = look, true
		}
	}
	if !ok {
		return tap.ReadRTPContext(ctx)
	}
	ctx, cancel := context.WithDeadline(ctx, due)
	defer cancel()
	return tap.ReadRTPContext(ctx)
}
