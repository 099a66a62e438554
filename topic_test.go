package noom_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"noom"
)

// TestTopics: messages come once, in order and with their topics: those that were sent before anybody was connected, and those
// over whose way a rebuild comes.
func TestTopics(t *testing.T) {
	inWorld(t, 15*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("방", "지우", nil), w.join("방", "b", nil)
		until[noom.PeerJoined](t, a, nil)
		p := peerOf(t, a, b)
		topics := []string{"", "입력 중", "반응 👍", "cursor", strings.Repeat("가", 42) + "ab"}
		const count = 60
		for n := range count {
			topic, data := topics[n%len(topics)], []byte{byte(n)}
			must(t, []func() error{
				func() error { return p.SendTopic(t.Context(), topic, data) },
				func() error { return p.TrySendTopic(topic, data) },
				func() error { return a.SendTopic(t.Context(), topic, data) },
				func() error { return a.TrySendTopic(topic, data) },
			}[n%4]())
			switch n {
			case 10:
				until(t, a, connected)
			case 30: // its messages are on the way
				breakUp(p)
			case 40:
				until(t, a, connected)
				breakUp(peerOf(t, b, a))
			}
		}
		for n := range count {
			if e := until[noom.DataReceived](t, b, nil); e.Topic != topics[n%len(topics)] || !bytes.Equal(e.Data, []byte{byte(n)}) {
				t.Fatalf("message %d is %v: %d", n, e, e.Data)
			}
		}
		time.Sleep(10 * time.Second)
		must(t, p.SendTopic(t.Context(), " 마지막  말 ", nil))
		if e := until[noom.DataReceived](t, b, nil); fmt.Sprint(e) != fmt.Sprintf("{Peer:%v Topic:%q Data:0 bytes}", e.Peer, "마지막 말") {
			t.Errorf("the last message is %v", e)
		}
	})
}

// TestBadTopicIsRefused: by every call that takes one, before anything else is looked at, and nothing is sent.
func TestBadTopicIsRefused(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a := w.join("r", "a", nil)
		bad := []string{"a\nb", "보이지\u200b않는", "\xff", strings.Repeat("가", 43)}
		check := func(when string, calls ...func(string) error) {
			t.Helper()
			for _, topic := range bad {
				for i, call := range calls {
					if err := call(topic); err == nil || !strings.HasPrefix(err.Error(), "noom: topic: ") {
						t.Errorf("%s: call %d with %q: %v", when, i, topic, err)
					}
				}
			}
		}
		toAll := []func(string) error{
			func(topic string) error { return a.SendTopic(t.Context(), topic, nil) },
			func(topic string) error { return a.TrySendTopic(topic, nil) },
		}
		check("alone", toAll...)
		b := w.join("r", "b", nil)
		until(t, a, connected)
		p := peerOf(t, a, b)
		check("with another", append(toAll,
			func(topic string) error { return p.SendTopic(t.Context(), topic, nil) },
			func(topic string) error { return p.TrySendTopic(topic, nil) },
		)...)
		must(t, a.Send(t.Context(), []byte("first")))
		if e := until[noom.DataReceived](t, b, nil); string(e.Data) != "first" || e.Topic != "" {
			t.Errorf("%v has arrived", e)
		}
	})
}

// TestHostileTopics: a topic out of bounds costs the connection of the member that sends it, and one without its message nothing.
func TestHostileTopics(t *testing.T) {
	for _, c := range []struct {
		name, topic string
		fails       bool
	}{
		{"empty", "", true},
		{"too long", strings.Repeat("x", 129), true},
		{"huge", strings.Repeat("x", 60_000), true},
		{"no UTF-8", "\xff", true},
		{"no name", "a\u202eb", false},
		{"of no message", "가", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
				a, b := w.join("r", "a", nil), w.join("r", "b", nil)
				until(t, a, connected)
				until(t, b, connected)
				p := peerOf(t, b, a)
				before := p.Connection()
				must(t, connectionOf(p).Data.Send(append(dataFrame(7, 1), c.topic...)))
				if c.fails {
					until(t, a, func(e noom.PeerStateChanged) bool { return e.State == noom.PeerFailed && e.Err != nil })
				}
				if c.name == "of no message" { // it would be that of message 1
					must(t, connectionOf(p).Data.Send(append(dataFrame(7, 5), c.topic...)))
					must(t, connectionOf(p).Data.Send(append(dataFrame(7, 1), "\n"...)))
				}
				must(t, p.Send(t.Context(), []byte("말")))
				if e := until[noom.DataReceived](t, a, nil); e.Topic != "" || string(e.Data) != "말" {
					t.Errorf("%v has arrived", e)
				}
				if (p.Connection() != before) != c.fails {
					t.Errorf("the connection is another one: %v", !c.fails)
				}
			})
		})
	}
}
