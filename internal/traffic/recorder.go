package traffic

import (
	"encoding/binary"
	"sync"
	"time"
)

const (
	recorded  = 2048 // packets whose arrival is remembered: a second of 20 Mbit/s. A power of two
	firstOnes = 128  // for which there is room to begin with. The same
	mostBytes = 1200 // of a report

	wideTop = 20 // bytes before the chunks of a report
)

// recorder notes when packets arrived, and writes transport-wide reports on them (draft-holmer-rmcat-transport-wide-
// cc-extensions-01 section 3.1). What comes late, after it was reported missing, is reported again with all that followed.
// It is pure.
type recorder struct {
	times   []uint32 // by number, from lowest on: in units of deltaUnit, from 1 on; 0: has not come. Grows up to recorded
	lowest  int64    // the first number that is in times
	first   int64    // the first that is to be reported
	next    int64    // the number after the highest that has come
	any     bool
	sender  uint32 // SSRCs: ours
	media   uint32 // of the last packet
	reports uint8
}

// sheet is what a report is made of, before it is written. It is needed for that moment alone.
type sheet struct {
	statuses [recorded]uint8
	deltas   []byte
}

var sheets = sync.Pool{New: func() any { return new(sheet) }}

// arrived notes a packet, at a time since the first or before. It reports whether there was nothing to report before it.
func (r *recorder) arrived(media uint32, wire uint16, at time.Duration) (first bool) {
	r.media = media
	number := r.next + int64(int16(wire-uint16(r.next)))
	switch {
	case !r.any || number >= r.next+recorded || number < r.next-recorded: // the numbers go on elsewhere
		clear(r.times)
		r.lowest, r.first, r.next, r.any = number, number, number, true
	case r.lowest <= number && number < r.next && *r.time(number) != 0:
		return false // it came twice
	}
	first = !r.pending()
	r.makeRoom(number)
	for ; r.next <= number; r.next++ {
		*r.time(r.next) = 0
	}
	r.lowest = max(min(r.lowest, number), r.next-recorded)
	r.first = max(min(r.first, number), r.next-recorded)
	*r.time(number) = max(uint32(at/deltaUnit)+1, 1) // begins again after 12 days, as reports do
	return first
}

// time returns the place of a number in times.
func (r *recorder) time(number int64) *uint32 { return &r.times[number&int64(len(r.times)-1)] }

// makeRoom makes room for a number and all that there are.
func (r *recorder) makeRoom(number int64) {
	need := min(max(number+1, r.next)-min(number, r.lowest), recorded)
	if int64(len(r.times)) >= need {
		return
	}
	size := max(len(r.times), firstOnes)
	for int64(size) < need {
		size *= 2
	}
	former := *r
	r.times = make([]uint32, size)
	for n := r.lowest; n < r.next; n++ {
		*r.time(n) = *former.time(n)
	}
}

func (r *recorder) pending() bool { return r.first < r.next }

// report returns a report on what is pending, as much as one takes, nil if nothing is.
func (r *recorder) report() []byte {
	came := r.first
	for came < r.next && *r.time(came) == 0 {
		came++
	}
	if came >= r.next {
		r.first = r.next
		return nil
	}
	s := sheets.Get().(*sheet)
	defer sheets.Put(s)
	for count := int(r.next - r.first); ; count = max(count/2, int(came-r.first)+1) {
		count = r.collect(s, count, *r.time(came))
		if p := r.write(s, count, *r.time(came)); len(p) <= mostBytes {
			r.first += int64(count)
			r.reports++
			return p
		}
	}
}

// collect takes the statuses and deltas of up to count packets from first on. It returns of how many: a delta has 16 bits.
func (r *recorder) collect(s *sheet, count int, base uint32) int {
	last := base - base%ticksPerReference
	s.deltas = s.deltas[:0]
	for i := range count {
		at := *r.time(r.first + int64(i))
		delta := int32(at - last)
		switch {
		case at == 0:
			s.statuses[i] = statusMissing
			continue
		case delta >= 0 && delta <= 0xff:
			s.statuses[i] = statusSmall
			s.deltas = append(s.deltas, byte(delta))
		case delta == int32(int16(delta)):
			s.statuses[i] = statusLarge
			s.deltas = append(s.deltas, byte(delta>>8), byte(delta))
		default:
			return i
		}
		last = at
	}
	return count
}

const ticksPerReference = uint32(referenceUnit / deltaUnit)

// write writes a report on count packets, whose statuses and deltas were collected.
func (r *recorder) write(s *sheet, count int, base uint32) []byte {
	p := make([]byte, wideTop, wideTop+len(s.deltas)+2*(count/7+2)+3)
	p[0], p[1] = 2<<6|formatWide, typeTransport
	binary.BigEndian.PutUint32(p[4:], r.sender)
	binary.BigEndian.PutUint32(p[8:], r.media)
	binary.BigEndian.PutUint16(p[12:], uint16(r.first))
	binary.BigEndian.PutUint16(p[14:], uint16(count))
	binary.BigEndian.PutUint32(p[16:], base/ticksPerReference<<8|uint32(r.reports))
	for left := s.statuses[:count]; len(left) > 0; {
		chunk, takes := chunkOf(left)
		p = binary.BigEndian.AppendUint16(p, chunk)
		left = left[takes:]
	}
	p = append(p, s.deltas...)
	if over := len(p) % 4; over > 0 {
		p[0] |= 1 << 5
		p = append(p, 0, 0, 0)[:len(p)+4-over]
		p[len(p)-1] = byte(4 - over)
	}
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)/4-1))
	return p
}

// chunkOf returns the chunk that says most of the next statuses, and of how many it does.
func chunkOf(statuses []uint8) (chunk uint16, takes int) {
	run, bits := 1, 0
	for run < min(len(statuses), 0x1fff) && statuses[run] == statuses[0] {
		run++
	}
	for bits < min(len(statuses), 14) && statuses[bits] != statusLarge {
		bits++
	}
	width := 2
	if takes = min(len(statuses), 7); bits >= min(len(statuses), 14) {
		takes, width = bits, 1
	}
	if run >= takes {
		return uint16(statuses[0])<<13 | uint16(run), run
	}
	for i, s := range statuses[:takes] {
		chunk |= uint16(s) << (14 - width*(i+1))
	}
	return 1<<15 | uint16(width-1)<<14 | chunk, takes
}
