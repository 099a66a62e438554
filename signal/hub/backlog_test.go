package hub

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"noom/signal"
)

func (b *backlog) say(t signal.Type, from string, n int) {
	b.push(&signal.Message{Type: t, From: from, Seq: int64(n)}, n)
}

// order empties b and says what came, by type, sender and size.
func (b *backlog) order() string {
	var list []string
	for b.frames > 0 {
		m, _ := b.pop()
		list = append(list, fmt.Sprint(m.Type, m.From, m.Seq))
	}
	return strings.Join(list, " ")
}

// However much one member says, the others' frames pass it by.
func TestFloodOvertaken(t *testing.T) {
	b := backlog{owner: "me"}
	for range 1000 {
		b.say(signal.TypeChat, "f", 4096)
		b.say(signal.TypeOffer, "f", 1000)
	}
	b.say(signal.TypeChat, "a", 100)
	b.say(signal.TypeOffer, "a", 2000)
	b.say("a later version's", "b", 400)
	b.say(signal.TypePing, "", 15)
	if m, _ := b.pop(); m.Type != signal.TypePing {
		t.Errorf("first a %s of %s, want what the hub says", m.Type, m.From)
	}
	flood := 0
	for others := 0; others < 2; {
		m, _ := b.pop()
		if m.From == "f" {
			flood++
		} else if others++; m.Type == signal.TypeChat {
			t.Error("a chat overtook pair frames")
		}
	}
	if flood > 2*turnBytes/1000 {
		t.Errorf("the others' frames waited for %d of the flood", flood)
	}
	// Pair frames go before chat, the flooder's too, but do not keep it back for ever.
	chats, behind := 0, -1
	for flood < 1000 {
		m, _ := b.pop()
		if m.Type == signal.TypeOffer {
			flood++
			continue
		}
		if chats++; chats > (flood*1000+2400)/maxPassed {
			t.Fatalf("%d chats among %d offers", chats, flood)
		}
		if m.From == "a" {
			behind = chats - 1
		}
	}
	if behind < 0 || behind > 1 {
		t.Errorf("a chat waited for %d of the flood", behind)
	}
}

// What waits of one sender is bounded by itself, so that it does not use up what others need.
func TestBacklogOfOne(t *testing.T) {
	var b backlog
	for range 100 {
		b.say(signal.TypeOffer, "f", 65536)
	}
	if b.bytes != maxOfOne || b.frames != 16 {
		t.Errorf("%d bytes of one wait in %d frames", b.bytes, b.frames)
	}
	b.say(signal.TypeOffer, "a", 65536)
	b.pop()
	b.pop()
	b.say(signal.TypeOffer, "f", 1)
	b.say(signal.TypeOffer, "f", 65536)
	if b.frames != 16 && b.frames != 17 {
		t.Errorf("%d frames wait", b.frames)
	}
	if got := b.order(); !strings.Contains(got, "offerf1") || !strings.HasSuffix(got, "offerf1") {
		t.Errorf("what came: %s", got)
	}
}

func TestBacklogOrder(t *testing.T) {
	for name, test := range map[string]struct {
		say  func(b *backlog)
		want string
	}{
		"a newcomer is announced before its frames": {func(b *backlog) {
			b.say(signal.TypeOffer, "a", 1)
			b.say(signal.TypeWelcome, "", 2)
			b.say(signal.TypeOffer, "b", 3)
		}, "welcome2 offera1 offerb3"},
		"the last chat comes before the bye, not the others'": {func(b *backlog) {
			b.say(signal.TypeRenamed, "a", 1)
			b.say(signal.TypeChat, "a", 2)
			b.say(signal.TypeChat, "b", 3)
			b.say(signal.TypeChat, "a", 4)
			b.say(signal.TypeBye, "a", 5)
			b.say(signal.TypeOffer, "b", 6)
		}, "renameda1 chata2 chata4 byea5 offerb6 chatb3"},
		"one's own chat keeps its place among the answers": {func(b *backlog) {
			b.say(signal.TypeChat, "a", 1)
			b.say(signal.TypeChat, "me", 2)
			b.say(signal.TypeError, "", 3)
			b.say(signal.TypeChat, "me", 4)
		}, "chatme2 error3 chatme4 chata1"},
		"each sender has its turn": {func(b *backlog) {
			for i := range 3 {
				b.say(signal.TypeChat, "a", 4000+i)
				b.say(signal.TypeChat, "b", 2000+i)
			}
		}, "chata4000 chatb2000 chatb2001 chata4001 chatb2002 chata4002"},
	} {
		b := backlog{owner: "me"}
		test.say(&b)
		if got := b.order(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// What is pushed comes out, once, in the order of its sender, and while two
// senders have something waiting neither gets much more than the other.
func TestBacklogAtRandom(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	types := []signal.Type{signal.TypeOffer, signal.TypeChat, signal.TypeLocked}
	senders := []string{"a", "b", "c", "d", "me"}
	for range 200 {
		b := backlog{owner: "me"}
		waiting := map[string][]*signal.Message{} // by type and sender
		bytes := 0
		for range 300 {
			if random.IntN(5) > 1 {
				m := &signal.Message{Type: types[random.IntN(3)], From: senders[random.IntN(5)]}
				key := string(m.Type) + m.From
				size := 1 + random.IntN(9000)
				m.Seq = int64(size)
				b.push(m, size)
				waiting[key] = append(waiting[key], m)
				bytes += size
				continue
			}
			m, size := b.pop()
			if m == nil {
				if bytes > 0 {
					t.Fatalf("nothing came of %d bytes", bytes)
				}
				continue
			}
			key := string(m.Type) + m.From
			if len(waiting[key]) == 0 || waiting[key][0] != m || int64(size) != m.Seq {
				t.Fatalf("out of order: %s", key)
			}
			waiting[key] = waiting[key][1:]
			if bytes -= size; b.bytes != bytes {
				t.Fatalf("%d bytes wait, want %d", b.bytes, bytes)
			}
		}
		if n := len(slices.Concat(slices.Collect(maps.Values(waiting))...)); n != int(b.frames) || strings.Count(b.order(), " ")+1 != max(n, 1) {
			t.Fatalf("%d frames wait, want %d", b.frames, n)
		}
	}

	var b backlog
	got := map[string]int{}
	for range 500 {
		b.say(signal.TypeOffer, "short", 300+random.IntN(100))
	}
	for range 17 {
		b.say(signal.TypeOffer, "long", 20000+random.IntN(40000))
	}
	for len(b.pairs.flows) == 2 {
		m, size := b.pop()
		got[m.From] += size
		if d := got["short"] - got["long"]; d > 65536 || d < -65536 {
			t.Fatalf("one sender was given %d bytes more than the other", d)
		}
	}
}

// An empty backlog keeps little, and what little waits costs nothing new.
func TestBacklogKeepsLittle(t *testing.T) {
	var b backlog
	for i := range 1000 {
		b.say(signal.TypeChat, fmt.Sprint(i), 100)
		b.say(signal.TypeOffer, fmt.Sprint(i), 100)
	}
	b.order()
	if n := cap(b.slots) + cap(b.chats.flows) + cap(b.pairs.flows); n != 0 {
		t.Errorf("%d places are kept", n)
	}
	offer := &signal.Message{Type: signal.TypeOffer, From: "a"}
	if n := testing.AllocsPerRun(100, func() {
		b.push(offer, 100)
		b.push(offer, 100)
		b.pop()
		b.pop()
	}); n > 0 {
		t.Errorf("%v allocations for two frames", n)
	}
}
