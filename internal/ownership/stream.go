package ownership

import "slices"

// This file is how a message that was lost comes nonetheless. The messages of an attachment are numbered in both
// directions; who finds that one is missing asks for it, and who has sent it has kept it for a while. Only what nobody has
// kept, or what is lost again and again, needs the next attachment, which all members of the edge notice.

const (
	keptFor    = 8         // ticks in which what was sent can be sent again
	keptMost   = 512       // messages of one direction
	keptBytes  = 512 << 10 // of them; one alone may have more
	missedFor  = 6         // ticks in which what is missing is asked for
	missedMost = 64        // numbers in one request
)

// An outbound is one direction of an attachment, where it begins.
type outbound struct {
	last  int64 // number of the last message
	kept  []keptMessage
	bytes int
}

type keptMessage struct {
	*Message
	age int // ticks
}

// next is the number of the next message.
func (o *outbound) next() int64 {
	o.last++
	return o.last
}

// keep keeps a message that is sent to another hub.
func (o *outbound) keep(m *Message) {
	o.kept = append(o.kept, keptMessage{Message: m})
	o.bytes += m.weight()
	for len(o.kept) > keptMost || o.bytes > keptBytes && len(o.kept) > 1 {
		o.forget()
	}
}

func (o *outbound) forget() {
	o.bytes -= o.kept[0].weight()
	o.kept[0] = keptMessage{}
	if o.kept = o.kept[1:]; len(o.kept) == 0 {
		o.kept = nil
	}
}

// find returns the message with a number, nil if it is no longer kept.
func (o *outbound) find(seq int64) *Message {
	at, ok := slices.BinarySearchFunc(o.kept, seq, func(k keptMessage, seq int64) int { return int(k.Seq - seq) })
	if !ok {
		return nil
	}
	return o.kept[at].Message
}

// tick lets one tick pass.
func (o *outbound) tick() {
	for i := range o.kept {
		o.kept[i].age++
	}
	for len(o.kept) > 0 && o.kept[0].age >= keptFor {
		o.forget()
	}
}

// An inbound is one direction of an attachment, where it ends.
type inbound struct {
	last  int64      // all up to that number have had their turn; -1: the answer to the attach, which is 0, has not come
	known int64      // the highest number of which is known that it was sent
	ahead []*Message // what has come before something that is missing, in order
	bytes int
	since int // ticks for which the next one is missing
}

// take takes a message. It returns the numbers of those that are found to be missing now, to be asked for; ok is false if
// that is too much to wait for. Then next says whose turn it is.
func (i *inbound) take(m *Message) (missing []int64, ok bool) {
	at, double := slices.BinarySearchFunc(i.ahead, m.Seq, func(o *Message, seq int64) int { return int(o.Seq - seq) })
	switch {
	case m.Seq <= i.last || double:
		return nil, true
	case m.Seq > i.last+1 && (len(i.ahead) >= keptMost || i.bytes+m.weight() > keptBytes && len(i.ahead) > 0):
		return nil, false
	}
	i.ahead = slices.Insert(i.ahead, at, m)
	i.bytes += m.weight()
	return i.expect(m.Seq - 1), true
}

// next takes the message out whose turn it is, nil if that has not come.
func (i *inbound) next() *Message {
	if len(i.ahead) == 0 || i.ahead[0].Seq != i.last+1 {
		return nil
	}
	m := i.ahead[0]
	i.ahead[0] = nil
	if i.ahead = i.ahead[1:]; len(i.ahead) == 0 {
		i.ahead = nil
	}
	i.bytes -= m.weight()
	i.last, i.since = m.Seq, 0
	i.known = max(i.known, i.last)
	return m
}

// expect notes that messages up to a number were sent. It returns those that are found to be missing by that.
func (i *inbound) expect(seq int64) []int64 {
	from := max(i.last, i.known)
	i.known = max(i.known, seq)
	return i.missing(from)
}

// missing returns the numbers behind one, up to the highest known, of what has not come: the first 64 of them.
func (i *inbound) missing(from int64) (list []int64) {
	for seq := from + 1; seq <= i.known && len(list) < missedMost; seq++ {
		if !slices.ContainsFunc(i.ahead, func(m *Message) bool { return m.Seq == seq }) {
			list = append(list, seq)
		}
	}
	return list
}

// tick lets one tick pass. It returns what is still missing, to be asked for again; ok is false if that was for too long.
func (i *inbound) tick() (missing []int64, ok bool) {
	if i.whole() {
		return nil, true
	}
	i.since++
	return i.missing(i.last), i.since < missedFor
}

// urgency is how often something is sent at once that was of no avail for so many ticks: a network that loses half of what
// it is given is to carry one of them.
func urgency(ticks int) int { return min(1+ticks/3, 4) }

// whole reports whether nothing is missing of which is known.
func (i *inbound) whole() bool { return i.last >= i.known }

// weight is about how many bytes m has.
func (m *Message) weight() int {
	n := 256 + len(m.Body) + len(m.Member) + size(m.Roster) + 8*len(m.To) + 64*len(m.Places)
	if s := m.State; s != nil {
		n += size(s.Rest) + 128*(len(s.Away)+len(s.Barred)+len(s.Roster)+len(s.Lineage))
		for _, c := range s.Chats {
			n += len(c.Body)
		}
	}
	return n
}
