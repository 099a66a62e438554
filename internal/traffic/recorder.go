package traffic

import (
	"encoding/binary"
	"sync"
	"time"
)

const (
	recorded  = 2048 // packets whose arrival is remembered: a second of 20 Mbit/s. A power of two
	mostBytes = 1200 // of a report

	wideTop = 20 // bytes before the chunks of a report
)

// recorder notes when packets arrived, and writes transport-wide reports on them (draft-holmer-rmcat-transport-wide-
// cc-extensions-01 section 3.1). What comes late, after it was reported missing, is reported again with all that followed.
// It is pure.
type recorder struct {
	times   []uint32 // recorded ones, by number: in units of deltaUnit, from 1 on; 0: has not come. nil: none has
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
	if r.times == nil {
		r.times = make([]uint32, recorded)
	}
	switch {
	case !r.any || number >= r.next+recorded || number < r.next-recorded: // the numbers go on elsewhere
		clear(r.times)
		r.first, r.next, r.any = number, number, true
	case number < r.next && r.times[number&(recorded-1)] != 0:
		return false // it came twice
	}
	first = !r.pending()
	for ; r.next <= number; r.next++ {
		r.times[r.next&(recorded-1)] = 0
	}
	r.first = max(min(r.first, number), r.next-recorded)
	r.times[number&(recorded-1)] = max(uint32(at/deltaUnit)+1, 1) // begins again after 12 days, as reports do
	return first
}

func (r *recorder) pending() bool { return r.first < r.next }

// report returns a report on what is pending, as much as one takes, nil if nothing is.
func (r *recorder) report() []byte {
	came := r.first
	for came < r.next && r.times[came&(recorded-1)] == 0 {
		came++
	}
	if came >= r.next {
		r.first = r.next
		return nil
	}
	s := sheets.Get().(*sheet)
	defer sheets.Put(s)
	for count := int(r.next - r.first); ; count = max(count/2, int(came-r.first)+1) {
		count = r.collect(s, count, r.times[came&(recorded-1)])
		if p := r.write(s, count, r.times[came&(recorded-1)]); len(p) <= mostBytes {
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
		at := r.times[(r.first+int64(i))&(recorded-1)]
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
