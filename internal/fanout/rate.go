package fanout

import "time"

// rateInterval is the least time between two changes of a source's target: two a second reach it.
const rateInterval = 500 * time.Millisecond

// SetRate passes on how many bits per second the source of an encoding may make, to its track
// if that has a method SetTargetBitrate. It may be called at any rate: at most two changes a
// second reach a source, the last one wins, and changes of less than 5 % do not. A source
// that is bound later is told at once. bps is kept within the encoding's bounds. Without an
// encoding of that number, or a positive bps, it does nothing.
func (s *Sender) SetRate(encoding, bps int) {
	s.mu.Lock()
	f, err := s.feedAt(encoding)
	if err != nil || bps <= 0 {
		s.mu.Unlock()
		return
	}
	f.target = f.within(bps)
	target, current, next := f.target, f.current, f.next
	s.mu.Unlock()
	for _, src := range []*source{current, next} {
		if src != nil {
			src.aim(target)
		}
	}
}

// within returns a target within the encoding's bounds. It needs the sender's mu.
func (f *feed) within(bps int) int {
	if bps <= 0 {
		return 0
	}
	bps = max(bps, f.min)
	if f.max > 0 {
		bps = min(bps, f.max)
	}
	return bps
}

// rate returns what the source makes, in bits per second. It needs the sender's mu.
func (f *feed) rate() int {
	if f.current == nil {
		return 0
	}
	return f.meter.rate(time.Now())
}

// aim tells the track how many bits per second to make: at once, or when rateInterval since
// the last time is over. It must be called without a lock, because the track may do anything.
func (s *source) aim(bps int) {
	if s.controller == nil || bps <= 0 {
		return
	}
	s.mu.Lock()
	s.governor.want = bps
	s.mu.Unlock()
	s.tell()
}

// tell tells the track what is due. Only one goroutine at a time does, so that the last word
// is the last one.
func (s *source) tell() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.telling {
		select {
		case <-s.done:
			return
		default:
		}
		bps, wait := s.governor.due(time.Now())
		if bps == 0 {
			if wait > 0 && s.telltale == nil {
				s.telltale = time.AfterFunc(wait, func() {
					s.mu.Lock()
					s.telltale = nil
					s.mu.Unlock()
					s.tell()
				})
			}
			return
		}
		s.telling = true
		s.mu.Unlock()
		s.controller.SetTargetBitrate(bps)
		s.mu.Lock()
		s.telling = false
	}
}

// governor says when a source is to be told a target. It is a pure value.
type governor struct {
	want int // the latest; 0: none
	told int
	at   time.Time // when it was told
}

// due returns what to tell the source now, or how long to wait. Both are 0 if there is
// nothing to tell. What it returns counts as told.
func (g *governor) due(now time.Time) (bps int, wait time.Duration) {
	change := g.want - g.told
	if g.want == 0 || max(change, -change) < (g.told+19)/20 || change == 0 {
		return 0, 0
	}
	if wait = rateInterval - now.Sub(g.at); wait > 0 && g.told != 0 {
		return 0, wait
	}
	g.told, g.at = g.want, now
	return g.told, 0
}

// meterSlots parts of meterSlot each make up the last second.
const (
	meterSlots = 8
	meterSlot  = time.Second / meterSlots
)

// meter measures a rate over the last second. It is a pure value.
type meter struct {
	bytes [meterSlots]int
	since time.Time // when the first slot began; zero: nothing was counted
	last  int64     // the slot in which was counted last, from since on
}

func (m *meter) add(bytes int, now time.Time) {
	if m.since.IsZero() {
		m.since = now
	}
	m.forward(now)
	m.bytes[m.last%meterSlots] += bytes
}

// forward forgets what is older than a second.
func (m *meter) forward(now time.Time) {
	slot := max(int64(now.Sub(m.since)/meterSlot), m.last)
	for i := m.last + 1; i <= min(slot, m.last+meterSlots); i++ {
		m.bytes[i%meterSlots] = 0
	}
	m.last = slot
}

// rate returns the bits per second. While less than a second was counted, it is the rate since then.
func (m *meter) rate(now time.Time) int {
	if m.since.IsZero() {
		return 0
	}
	m.forward(now)
	sum := 0
	for _, n := range m.bytes {
		sum += n
	}
	over := min(now.Sub(m.since), (meterSlots-1)*meterSlot+now.Sub(m.since)%meterSlot)
	return int(int64(sum) * 8 * int64(time.Second) / int64(max(over, meterSlot)))
}
