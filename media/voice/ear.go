package voice

import (
	"time"

	"github.com/pion/rtp"
)

const (
	// longestConcealed is how much of a loss is made up; the rest of it is silence.
	longestConcealed = 100 * time.Millisecond
	// mostCredit bounds how much sound may come faster than it is made: what a network held up. A flood costs no more.
	mostCredit = 5 * time.Second
	// unknownLevel is the level of a packet that does not have one.
	unknownLevel = 1
)

// ear makes turns of the packets of one track. It is pure: it has no goroutine, clock or lock.
type ear struct {
	// Immutable.
	rate int
	vad  VAD

	order     order
	ssrc      uint32
	codec     Codec
	clock     uint32 // of its timestamps
	decoder   Decoder
	resampler *Resampler
	expected  uint32        // the timestamp that is due
	lasts     time.Duration // the latest packet
	continues bool          // there was one, in this stream
	lost      bool          // something was, since then

	block    []int16 // up to a whole one
	position time.Duration
	base     time.Time // when the sound at position 0 was made, as far as is known
	latest   time.Time // when the latest packet came

	credit   time.Duration
	credited time.Time

	turns turns
}

func newEar(o ListenOptions) *ear {
	return &ear{
		rate: o.Rate, vad: o.VAD(), credit: mostCredit,
		turns: turns{preRoll: int(o.PreRoll / blockTime), endAfter: int(o.EndAfter / blockTime)},
	}
}

// packet takes a packet that came now. level is what its sender says, or unknownLevel. The error is that of a decoder
// that cannot be made.
func (e *ear) packet(p *rtp.Packet, codec Codec, level int, came time.Time) error {
	if e.decoder == nil || codec != e.codec {
		if err := e.use(codec); err != nil {
			return err
		}
	}
	if p.SSRC != e.ssrc {
		e.flush(came)
		e.ssrc, e.order, e.continues = p.SSRC, order{}, false
	}
	e.latest = came
	e.order.push(heldPacket{p, came, level})
	e.tick(came)
	return nil
}

// use changes the codec.
func (e *ear) use(codec Codec) error {
	rate := 0
	if codec == Opus {
		rate = e.rate
	}
	decoder, err := NewDecoder(codec, rate)
	if err != nil {
		return err
	}
	resampler, err := NewResampler(decoder.Rate(), e.rate)
	if err != nil {
		return err
	}
	e.codec, e.clock, e.decoder, e.resampler = codec, formats[codec].clock, decoder, resampler
	e.order, e.continues = order{}, false
	return nil
}

// tick does what is due now.
func (e *ear) tick(now time.Time) {
	for {
		p, missing, ok := e.order.take(now)
		if !ok {
			break
		}
		e.hear(p, missing)
	}
	if due, ok := e.silent(); ok && !now.Before(due) {
		e.turns.end(EndSilence)
	}
}

// flush hears all that waits.
func (e *ear) flush(now time.Time) { e.tick(now.Add(patience)) }

// stop ends the turn, with all that has come.
func (e *ear) stop(now time.Time, why TurnEnd) {
	e.flush(now)
	e.turns.end(why)
}

// silent returns when the turn ends if no packet comes any longer. Packets that come are the better clock, so they have
// a moment more.
func (e *ear) silent() (time.Time, bool) {
	if !e.turns.open {
		return time.Time{}, false
	}
	return e.latest.Add(e.turns.left() + patience), true
}

// due returns when to call tick, if no packet comes before; false: never.
func (e *ear) due() (time.Time, bool) {
	due, ok := e.order.due()
	if silent, open := e.silent(); open && (!ok || silent.Before(due)) {
		return silent, true
	}
	return due, ok
}

// hear decodes a packet, behind what is missing before it. One without a payload only has its number.
func (e *ear) hear(p heldPacket, missing int) {
	e.lost = e.lost || missing > 0
	if len(p.Payload) == 0 || !e.afford(p.came) {
		return // the next one finds a gap
	}
	gap := time.Duration(0)
	if ticks := int32(p.Timestamp - e.expected); e.continues && ticks > 0 {
		gap = time.Duration(ticks) * time.Second / time.Duration(e.clock)
	}
	if e.continues {
		e.bridge(gap, e.lost, p.Payload)
	}
	e.lost = false
	pcm, err := e.decoder.Decode(p.Payload)
	if err != nil {
		pcm = e.decoder.Conceal(max(e.lasts, blockTime), nil)
	}
	e.lasts = timeOf(len(pcm), e.decoder.Rate())
	e.expected, e.continues = p.Timestamp+ticks(e.lasts, e.clock), true
	e.credit -= e.lasts
	e.place(p.came)
	e.take(pcm, p.level)
}

// afford reports whether there is credit for more sound: the sound of a track lasts as long as its time.
func (e *ear) afford(now time.Time) bool {
	if !e.credited.IsZero() {
		e.credit = min(e.credit+now.Sub(e.credited)*5/4, mostCredit)
	}
	e.credited = now
	return e.credit > 0
}

// bridge fills a gap: what was lost is made up, as long as that is plausible, and what was not sent is silence. Outside
// a turn, and where that ends the turn, there is nothing to fill.
func (e *ear) bridge(gap time.Duration, lost bool, next []byte) {
	if e.turns.open && gap >= e.turns.left() || !e.turns.open && gap > 0 && (!lost || gap > longestConcealed) {
		e.turns.end(EndSilence)
		e.block = e.block[:0]
		e.position += gap
		return
	}
	e.credit -= gap
	made := time.Duration(0)
	if lost {
		made = min(gap, longestConcealed)
	}
	last := time.Duration(0) // of which the next packet may know something
	if made == gap {
		last = min(made, e.lasts)
	}
	if rest := made - last; rest > 0 {
		e.take(e.decoder.Conceal(rest, nil), unknownLevel)
	}
	if last > 0 {
		e.take(e.decoder.Conceal(last, next), unknownLevel)
	}
	e.take(make([]int16, samplesOf(gap-made, e.decoder.Rate())), unknownLevel)
}

// place finds out when sound is made, by the packet that arrived soonest: the one whose end is at the position that it
// brings.
func (e *ear) place(came time.Time) {
	base := came.Add(-e.position - timeOf(len(e.block), e.rate) - e.lasts)
	if late := base.Sub(e.base); !e.base.IsZero() && late > 0 {
		base = e.base.Add(late / 64) // so that it follows a clock that runs slow
	}
	e.base = base
}

// take cuts sound into blocks.
func (e *ear) take(pcm []int16, level int) {
	size := samplesOf(blockTime, e.rate)
	for _, v := range e.resampler.Process(pcm) {
		if e.block = append(e.block, v); len(e.block) < size {
			continue
		}
		measured := levelOf(e.block)
		if level != unknownLevel {
			measured = min(measured, level)
		}
		speech := e.vad.Speech(Block{PCM: e.block, Rate: e.rate, Level: measured})
		e.turns.step(e.block, speech, e.base.Add(e.position))
		e.position += blockTime
		e.block = e.block[:0]
	}
}

// found returns what was found since the last call.
func (e *ear) found() []turnEvent {
	events := e.turns.events
	e.turns.events = nil
	return events
}
