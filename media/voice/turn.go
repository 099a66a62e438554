package voice

import (
	"context"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"noom"
)

// mostUnread is how much of a turn waits to be read.
const mostUnread = 30 * time.Second

// Turn is what one member says from a silence to the next. Its methods may be called from anywhere; the sound goes to
// whoever reads it first.
type Turn struct {
	// Peer says it, over Track.
	Peer  noom.Peer
	Track noom.RemoteTrack
	// Rate is that of the sound, in samples a second.
	Rate int
	// Started is when its first sample was made, on this machine's clock: earlier than it arrived, by what it had
	// to wait, and later than the truth by the shortest time that this member's sound takes to arrive.
	Started time.Time

	done chan struct{}

	mu      sync.Mutex
	unread  []int16
	dropped int           // samples
	more    chan struct{} // closed when there is something to read; nil: nobody waits
	ended   time.Time
	why     TurnEnd
}

// Next returns what has been said since the last call, and waits until there is something. The sound is the caller's.
// Silence of up to ListenOptions.EndAfter at the end is part of it. Errors: io.EOF at the end, ctx's.
func (t *Turn) Next(ctx context.Context) ([]int16, error) {
	for {
		t.mu.Lock()
		if len(t.unread) > 0 {
			pcm := t.unread
			t.unread = nil
			t.mu.Unlock()
			return pcm, nil
		}
		if t.why != 0 {
			t.mu.Unlock()
			return nil, io.EOF
		}
		if t.more == nil {
			t.more = make(chan struct{})
		}
		more := t.more
		t.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// PCM yields what Next returns, until the turn is over or ctx ends.
func (t *Turn) PCM(ctx context.Context) iter.Seq[[]int16] {
	return func(yield func([]int16) bool) {
		for {
			pcm, err := t.Next(ctx)
			if err != nil || !yield(pcm) {
				return
			}
		}
	}
}

// Whole waits for the end of the turn and returns all that was not read before, the last 30 s of it. Errors: ctx's.
func (t *Turn) Whole(ctx context.Context) ([]int16, error) {
	select {
	case <-t.done:
		pcm, err := t.Next(ctx)
		if err == io.EOF { //nolint:errorlint // made by Next
			return nil, nil
		}
		return pcm, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Done returns a channel that is closed when the turn is over.
func (t *Turn) Done() <-chan struct{} { return t.done }

// Ended returns when the last speech in it ended, on the clock of Started, and why the turn is over; 0 while it is not.
func (t *Turn) Ended() (at time.Time, why TurnEnd) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended, t.why
}

// Dropped returns how much of the turn was lost because nobody read it: more than 30 s had to wait.
func (t *Turn) Dropped() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return timeOf(t.dropped, t.Rate)
}

// add appends sound, of which it keeps nothing.
func (t *Turn) add(pcm []int16) {
	if len(pcm) == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unread = append(t.unread, pcm...)
	if extra := len(t.unread) - samplesOf(mostUnread, t.Rate); extra > 0 {
		t.dropped += extra
		t.unread = slices.Delete(t.unread, 0, extra)
	}
	t.wake()
}

// end ends the turn, once.
func (t *Turn) end(at time.Time, why TurnEnd) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended, t.why = at, why
	t.wake()
	close(t.done)
}

// wake needs t.mu.
func (t *Turn) wake() {
	if t.more != nil {
		close(t.more)
		t.more = nil
	}
}
