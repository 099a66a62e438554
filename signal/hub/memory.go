package hub

import "slices"

// A memory is what a room knows beside who is there. It goes along when the room moves to another hub.
type memory struct {
	locked bool
	absent []absence      // members that are gone and may still matter, oldest first
	ends   []ending       // of members, for those who were lost meanwhile, oldest first
	ended  int            // ends so far
	barred []barredMember // oldest first
}

// unite adds what the same room has come to know at another hub while neither knew of the other. Whoever was lost there
// learns of all ends when it is back, because it has not heard of those here.
func (m *memory) unite(o memory) {
	for _, e := range o.ends {
		if !m.knows(e) {
			m.ended++
			m.ends = append(m.ends, ending{e.bye, m.ended})
		}
	}
	for _, a := range o.absent {
		if !slices.ContainsFunc(m.absent, func(b absence) bool { return b.member.ID == a.member.ID }) {
			a.ended = 0
			m.absent = append(m.absent, a)
		}
	}
}

func (m *memory) knows(e ending) bool {
	return slices.ContainsFunc(m.ends, func(o ending) bool {
		return o.bye.From == e.bye.From && o.bye.Session == e.bye.Session && o.bye.Reason == e.bye.Reason
	})
}
