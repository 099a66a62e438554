package payloads

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"
)

// errFull refuses a description for whose formats there are no numbers left. Only a peer that makes up formats gets there.
var errFull = errors.New("more formats in one connection than there are payload types")

// Numbers translates the numbers of one connection. It is pure. The zero Numbers is not usable.
type Numbers struct {
	offered   *[count]format         // by our numbers: what pion offers; never changed
	formats   map[uint8]format       // by our numbers: what pion takes them for, or will; those that it has not are free
	sections  map[string]translation // by mid
	described map[string]bool        // kinds that the peer has described: pion now has the peer's formats of these, not its own
	sent      map[uint32]string      // our sources, and the mids of their sections
	received  map[uint32]string      // the peer's
}

// New returns the Numbers of a new connection. pion has these codecs beside noom's own.
func New(extra ...webrtc.RTPCodecParameters) *Numbers {
	offered := registered
	if len(extra) > 0 {
		offered = registeredFormats(extra)
	}
	return &Numbers{
		offered: offered, formats: make(map[uint8]format), sections: make(map[string]translation), described: make(map[string]bool),
	}
}

// translation is what the numbers of one section are called elsewhere.
type translation struct {
	ours map[uint8]uint8 // by those of the wire, former ones included: Chromium changes them, and packets are on the way
	wire map[uint8]uint8 // by ours: what the section calls them now
}

func (n *Numbers) section(mid string) translation {
	t, ok := n.sections[mid]
	if !ok {
		t = translation{make(map[uint8]uint8), make(map[uint8]uint8)}
		n.sections[mid] = t
	}
	return t
}

func (t translation) set(wire, ours uint8) {
	if old, ok := t.ours[wire]; ok && t.wire[old] == wire {
		delete(t.wire, old)
	}
	t.ours[wire], t.wire[ours] = ours, wire
}

// identical reports whether there is nothing to translate.
func (t translation) identical() bool {
	for wire, ours := range t.ours {
		if wire != ours {
			return false
		}
	}
	return true
}

// Remote translates a description of the peer before pion reads it, and reports whether that changed it. A section in
// which numbers are no numbers, or stand for two formats, is refused.
func (n *Numbers) Remote(s *sdp.SessionDescription) (changed bool, err error) {
	sections, changed, err := readAll(s)
	if err != nil {
		return false, err
	}
	for _, it := range sections {
		n.described[strings.Clone(it.media.MediaName.Media)] = true
	}
	n.received = make(map[uint32]string)
	for _, it := range sections {
		t := n.section(it.mid)
		if err := n.learn(t, it.entries); err != nil {
			return false, refuse(it.mid, err)
		}
		if !t.identical() {
			renumber(it.media, it.entries, t.ours)
			changed = true
		}
		for _, source := range sources(it.media) {
			n.received[source] = it.mid
		}
	}
	// A description has all sections there ever were, unless the peer makes them up.
	maps.DeleteFunc(n.sections, func(mid string, _ translation) bool {
		return !slices.ContainsFunc(sections, func(it mediaSection) bool { return it.mid == mid })
	})
	return changed, nil
}

// learn finds our numbers for the formats of a section. A retransmission comes after what it repeats, because its format
// has our number of that in it.
func (n *Numbers) learn(t translation, entries []entry) error {
	var taken [count]bool
	for _, repeats := range []bool{false, true} {
		var rest []entry
		for _, e := range entries {
			if e.format.repeats() != repeats {
				continue
			}
			if repeats {
				e.format.profile = repeated(e.format.profile, t, entries)
			}
			if ours, ok := n.known(t, e); ok && !taken[ours] {
				taken[ours] = true
				t.set(e.number, ours)
			} else {
				rest = append(rest, e)
			}
		}
		for _, e := range rest {
			ours, ok := n.find(t, e, &taken)
			if !ok {
				return errFull
			}
			taken[ours] = true
			if t.set(e.number, ours); n.formats[ours] == (format{}) {
				n.formats[ours] = e.format
			}
		}
	}
	return nil
}

// repeated returns the profile of a retransmission.
func repeated(apt string, t translation, entries []entry) string {
	n, err := parseNumber(apt)
	if err == nil && slices.ContainsFunc(entries, func(e entry) bool { return e.number == n && !e.format.repeats() }) {
		return repeatOf(t.ours[n])
	}
	return "of nothing"
}

// known returns our number for a format that has the number which it had: in the section, or in others.
func (n *Numbers) known(t translation, e entry) (uint8, bool) {
	if ours, ok := t.ours[e.number]; ok && n.formats[ours] == e.format {
		return ours, true
	}
	return e.number, n.formats[e.number] == e.format
}

// find returns our number for another format: that of the same format elsewhere, so that pion knows it once; the one
// that its number had in the section, if only the profile differs, because pion accepts that of an answer; its own, if
// that is free; the one under which pion offers it; or any.
func (n *Numbers) find(t translation, e entry, taken *[count]bool) (uint8, bool) {
	for ours := range uint8(count) {
		if n.formats[ours] == e.format && !taken[ours] {
			return ours, true
		}
	}
	if ours, ok := t.ours[e.number]; ok && !taken[ours] && !e.format.repeats() && n.formats[ours].codec == e.format.codec {
		return ours, true
	}
	free := func(ours uint8) bool { return n.formats[ours] == format{} && !taken[ours] }
	if free(e.number) && !n.reserved(e.number, e.format.kind()) {
		return e.number, true
	}
	for ours, has := range n.offered {
		if has == e.format && free(uint8(ours)) {
			return uint8(ours), true
		}
	}
	for _, ours := range spare {
		if free(ours) && !n.reserved(ours, "") {
			return ours, true
		}
	}
	return 0, false
}

// reserved reports whether pion will offer a number for a kind that the peer has not described, and that is not kind.
func (n *Numbers) reserved(ours uint8, kind string) bool {
	f := n.offered[ours]
	return f != format{} && f.kind() != kind && !n.described[f.kind()]
}

// spare are the numbers to give away: the dynamic ones first (RFC 3551 section 6), and none that looks like RTCP
// (RFC 5761 section 4).
var spare = spareNumbers()

func spareNumbers() (all []uint8) {
	for _, interval := range [][2]uint8{{96, 127}, {35, 63}, {1, 34}} {
		for n := interval[0]; n <= interval[1]; n++ {
			all = append(all, n)
		}
	}
	return all
}

// Local translates a description of pion's before the peer gets it, and reports whether that changed it.
func (n *Numbers) Local(s *sdp.SessionDescription) (changed bool) {
	n.sent = make(map[uint32]string)
	for _, m := range s.MediaDescriptions {
		entries, _, err := read(m)
		mid, ok := m.Attribute("mid")
		if !isMedia(m) || err != nil || !ok || m.MediaName.Port.Value == 0 {
			continue // pion rejects a section by the number 0, with no format
		}
		mid = strings.Clone(mid) // without the memory of the description
		t := n.section(mid)
		for _, e := range entries {
			if e.format.repeats() {
				if apt, err := parseNumber(e.format.profile); err == nil {
					e.format.profile = repeatOf(apt)
				}
			}
			if n.formats[e.number] == (format{}) {
				n.formats[e.number] = e.format
			}
			if _, ok := t.wire[e.number]; !ok {
				t.set(n.wireFor(t, e.number), e.number)
			}
		}
		if !t.identical() {
			renumber(m, entries, t.wire)
			changed = true
		}
		for _, source := range sources(m) {
			n.sent[source] = mid
		}
	}
	return changed
}

// wireFor returns the number that one of ours gets in a section: the same, unless that stands for something else there
// or in another section.
func (n *Numbers) wireFor(t translation, ours uint8) uint8 {
	if _, here := t.ours[ours]; !here && n.means(ours, ours) {
		return ours
	}
	for _, wire := range spare {
		if _, here := t.ours[wire]; !here && n.means(wire, ours) {
			return wire
		}
	}
	return ours // there are as many sections as numbers
}

// means reports whether a number of the wire stands for ours in all sections that have it.
func (n *Numbers) means(wire, ours uint8) bool {
	for _, t := range n.sections {
		if has, ok := t.ours[wire]; ok && has != ours {
			return false
		}
	}
	return true
}
