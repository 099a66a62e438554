package voice

import "time"

// TurnEnd is why a turn is over.
type TurnEnd int

// Why turns end.
const (
	EndSilence TurnEnd = iota + 1 // the member has been silent for ListenOptions.EndAfter
	EndMuted                      // it has muted the track
	EndTrack                      // the track, or the member, is gone
	EndClosed                     // the Listener was closed
)

// String returns the reason in a word.
func (e TurnEnd) String() string {
	switch e {
	case EndSilence:
		return "silence"
	case EndMuted:
		return "muted"
	case EndTrack:
		return "gone"
	case EndClosed:
		return "closed"
	}
	return "not ended"
}

const (
	// A turn begins with beginBlocks of speech among beginWindow: a click is none.
	beginBlocks = 3
	beginWindow = 6
)

// turnEvent is what turns find: a turn begins, has more sound, or ends.
type turnEvent struct {
	begin bool
	pcm   []int16
	end   TurnEnd   // 0: it goes on
	at    time.Time // of the first sample, where it begins; behind the last speech, where it ends
}

// pastBlock is a block that may still become part of a turn.
type pastBlock struct {
	pcm    []int16
	speech bool
	at     time.Time
}

// turns cuts the blocks of one member into turns. It is pure.
type turns struct {
	// Immutable.
	preRoll  int // blocks
	endAfter int // blocks

	open   bool
	past   []pastBlock // latest last; while no turn is open
	spoken time.Time   // the end of the last speech
	quiet  int         // blocks since
	events []turnEvent // that were found; the driver takes them
}

// step takes the next block, which was made at at.
func (t *turns) step(pcm []int16, speech bool, at time.Time) {
	if !t.open {
		t.wait(pcm, speech, at)
		return
	}
	t.sound(pcm)
	if speech {
		t.quiet, t.spoken = 0, at.Add(blockTime)
		return
	}
	if t.quiet++; t.quiet >= t.endAfter {
		t.end(EndSilence)
	}
}

// wait keeps a block, and begins a turn if there was enough speech.
func (t *turns) wait(pcm []int16, speech bool, at time.Time) {
	most := t.preRoll + beginWindow
	var block pastBlock
	if len(t.past) == most {
		block = t.past[0] // its memory
		t.past = t.past[:copy(t.past, t.past[1:])]
	}
	t.past = append(t.past, pastBlock{append(block.pcm[:0], pcm...), speech, at})
	first, count := -1, 0
	for i := max(0, len(t.past)-beginWindow); i < len(t.past); i++ {
		if t.past[i].speech {
			count++
			if first < 0 {
				first = i
			}
		}
	}
	if count < beginBlocks {
		return
	}
	from := max(0, first-t.preRoll)
	t.open, t.quiet, t.spoken = true, 0, at.Add(blockTime)
	t.events = append(t.events, turnEvent{begin: true, at: t.past[from].at})
	for _, b := range t.past[from:] {
		t.sound(b.pcm)
	}
	t.past = t.past[:0]
}

// sound adds to the turn.
func (t *turns) sound(pcm []int16) {
	if n := len(t.events); n > 0 && t.events[n-1].end == 0 {
		t.events[n-1].pcm = append(t.events[n-1].pcm, pcm...)
		return
	}
	t.events = append(t.events, turnEvent{pcm: append([]int16(nil), pcm...)})
}

// end ends the turn, if there is one, and forgets what came before.
func (t *turns) end(why TurnEnd) {
	if t.open {
		t.events = append(t.events, turnEvent{end: why, at: t.spoken})
	}
	t.open, t.past, t.quiet = false, t.past[:0], 0
}

// left is for how long there may be silence until the turn ends.
func (t *turns) left() time.Duration { return time.Duration(t.endAfter-t.quiet) * blockTime }
