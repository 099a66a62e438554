package hub_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

func lookup(_ context.Context, room string) (string, error) {
	passwords := map[string]string{"교실": "열려라 참깨", "other": "pass", "empty": ""}
	password, ok := passwords[room]
	if !ok {
		return "", errors.New("there is no such room")
	}
	return password, nil
}

func TestRoomPasswords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := mem.Dialer(hub.New(&hub.Config{Authorize: hub.RoomPasswords(lookup)}))
		joinWith(t, d, "교실", "a", "열려라 참깨")
		joinWith(t, d, "교실", "b", " \u110b\u1167\u11af\u1105\u1167\u1105\u1161 참깨") // as macOS types it
		for room, guess := range map[string]string{"교실": "열려라", "empty": "", "nowhere": "pass"} {
			m := dial(t, d, "c")
			m.tryToJoin(room, "c", guess)
			m.expectCut(signal.CodeRefused, signal.TypeJoin)
		}
	})
}

func TestGuessingIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authorize := hub.RoomPasswords(lookup)
		try := func(room, from, password string) error {
			_, err := authorize(t.Context(), hub.Request{Room: room, Token: password, Address: netip.MustParseAddr(from)})
			return err
		}
		refused, tooMany := &signal.Error{Code: signal.CodeRefused}, &signal.Error{Code: signal.CodeTooMany}
		for range 1000 { // a member that knows it is never slowed down
			if err := try("other", "192.0.2.1", "pass"); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 5 {
			if err := try("other", "192.0.2.1", fmt.Sprint(i)); !errors.Is(err, refused) {
				t.Fatalf("guess %d: %v", i, err)
			}
		}
		err := try("other", "192.0.2.1", "pass")
		e, ok := errors.AsType[*signal.Error](err)
		if !ok || e.Code != signal.CodeTooMany || e.RetryAfter != 10*time.Second {
			t.Fatalf("after five guesses: %v", err)
		}
		if err := try("other", "192.0.2.2", "pass"); err != nil {
			t.Errorf("a neighbour: %v", err)
		}
		if err := try("교실", "192.0.2.1", "열려라 참깨"); err != nil {
			t.Errorf("another room: %v", err)
		}
		time.Sleep(10 * time.Second)
		if err := try("other", "192.0.2.1", "x"); !errors.Is(err, refused) {
			t.Errorf("ten seconds later: %v", err)
		}
		if err := try("other", "192.0.2.1", "x"); !errors.Is(err, tooMany) {
			t.Errorf("and once more: %v", err)
		}

		// From everywhere at once.
		guesses := 0
		for i := range 1000 {
			if err := try("other", fmt.Sprintf("2001:db8:0:%x::1", i), "x"); errors.Is(err, refused) {
				guesses++
			}
		}
		if guesses > 50 {
			t.Errorf("%d guesses from many addresses at once", guesses)
		}
		time.Sleep(time.Minute)
		if err := try("other", "192.0.2.1", "pass"); err != nil {
			t.Errorf("a minute later: %v", err)
		}
	})
}

// One password for all rooms, as an invitation's: a guesser that may choose the room gains nothing
// by it, nor by making the hub remember much.
func TestGuessingAtEveryRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authorize := hub.RoomPasswords(func(context.Context, string) (string, error) { return "열려라", nil })
		wrong := func(room, from string) bool { // whether it was looked at
			_, err := authorize(t.Context(), hub.Request{Room: room, Token: "닫혀라", Address: netip.MustParseAddr(from)})
			return errors.Is(err, &signal.Error{Code: signal.CodeRefused})
		}
		count := func(n int, guess func(i int) bool) (looked int) {
			for i := range n {
				if guess(i) {
					looked++
				}
			}
			return looked
		}
		if n := count(15_000, func(i int) bool { return wrong(fmt.Sprint("방", i), "192.0.2.1") }); n != 20 {
			t.Errorf("%d guesses of one address, want 20", n)
		}
		if n := count(15_000, func(i int) bool { return wrong(fmt.Sprint("방", i), fmt.Sprintf("2001:db8:7:%x::1", i)) }); n != 100 {
			t.Errorf("%d guesses of one IPv6 /48, want 100", n)
		}
		// Many others guess at other rooms meanwhile, more than are remembered.
		target := func(int) bool { return wrong("표적", "192.0.2.7") }
		if n := count(10, target); n != 5 {
			t.Errorf("%d guesses at one room, want 5", n)
		}
		others := count(40_000, func(i int) bool { return wrong(fmt.Sprint("r", i), fmt.Sprintf("10.%d.%d.1", i>>8, i&255)) })
		if n := count(10, target); n != 0 || others < 9_000 {
			t.Errorf("%d more after %d of others", n, others)
		}
		time.Sleep(10 * time.Second)
		if n := count(10, target); n != 1 {
			t.Errorf("%d after ten seconds, want 1", n)
		}
	})
}
