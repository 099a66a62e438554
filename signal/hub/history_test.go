package hub

import (
	"container/list"
	"fmt"
	"strings"
	"testing"

	"noom/signal"
)

// TestHistories: what is kept of a room is bounded in messages and bytes, and what is kept of all; unsigned chat is not kept.
func TestHistories(t *testing.T) {
	h := histories{keep: 3, rooms: make(map[string]*list.Element)}
	by := &signal.Member{ID: strings.Repeat("a", 26), PublicKey: make(signal.PublicKey, 32), Session: strings.Repeat("s", 22)}
	say := func(room, text string) {
		h.add(room, by, &signal.Message{Text: text, Signed: &signal.Signed{Number: 1, Order: 1, Signature: make(signal.Bytes, 64)}})
	}
	texts := func(room string) (all string) {
		for _, m := range h.of(room) {
			all += m.Text
		}
		return all
	}
	for _, text := range []string{"하나", "둘", "셋", "넷"} {
		say("데모", text)
	}
	h.add("데모", by, &signal.Message{Text: "unsigned"})
	if got := texts("데모"); got != "둘셋넷" {
		t.Errorf("kept: %q", got)
	}
	h.keep = maxHistory
	big := strings.Repeat("x", signal.MaxChat)
	for i := range 200 {
		for range 40 {
			say(fmt.Sprint(i), big)
		}
		say("데모", ".")
		sum := 0
		for at := h.recent.Front(); at != nil; at = at.Next() {
			of := at.Value.(*history)
			if sum += of.bytes; of.bytes > maxHistoryOfRoom {
				t.Fatalf("%d bytes of one room", of.bytes)
			}
		}
		if sum != h.bytes || sum > maxHistoryOfRooms || len(h.rooms) != h.recent.Len() {
			t.Fatalf("%d bytes, counted as %d; %d rooms of %d", sum, h.bytes, len(h.rooms), h.recent.Len())
		}
	}
	if texts("0") != "" || texts("199") == "" || texts("데모") == "" {
		t.Error("other rooms went than those in which nothing was said for longest")
	}
	h.forget("데모")
	if h.forget("nowhere"); texts("데모") != "" {
		t.Error("a room that was closed is remembered")
	}
}
