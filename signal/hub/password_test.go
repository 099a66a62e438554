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
		for range 1000 { // who knows it is never slowed down
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
