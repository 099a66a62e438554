package noom_test

import (
	"context"
	"testing"
	"time"

	"noom"
	"noom/noomtest"
	"noom/signal"
	"noom/signal/hub"
)

// TestAccount: whom the hub takes a member for is seen by those who were there, by those who come later, by the member itself,
// and anew after a return with another token. Identity is not.
func TestAccount(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		early := w.join("데모", "early", nil)
		tokens := []string{"길동", "꺽정"}
		asked := 0
		config := &noom.Config{TokenSource: func(context.Context) (string, error) {
			asked++
			return tokens[min(asked, len(tokens))-1], nil
		}}
		member := w.joinBy(w.Dialer("member"), "데모", "member", config)
		late := w.join("데모", "late", nil)
		check := func(want string) {
			t.Helper()
			if got := member.Self().Account; got != want {
				t.Errorf("the member itself is %q, want %q", got, want)
			}
			for _, r := range []noom.Room{early, late} {
				if got := peerOf(t, r, member).Member().Account; got != want {
					t.Errorf("%s sees %q, want %q", r.Self().Name, got, want)
				}
			}
		}
		w.Settle()
		check("길동@example.com")
		if got := peerOf(t, late, early).Member().Account; got != "" {
			t.Errorf("a member without an account has %q", got)
		}
		w.CutSignaling("member")
		until[noom.SignalingLost](t, member, nil)
		w.HealSignaling("member")
		until[noom.SignalingRestored](t, member, nil)
		w.Settle()
		check("꺽정@example.com")
	}, authorised(map[string]hub.Grant{
		"길동": {Account: "길동@example.com", Identity: "user 1"}, "꺽정": {Account: "꺽정@example.com", Identity: "user 1"}, "": {Identity: "user 2"},
	}))
}

// TestAccountsInLargeRooms: where one frame would not hold the accounts of all, there are none.
func TestAccountsInLargeRooms(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		if got := w.join("데모", "a", nil).Self().Account; got != "" {
			t.Errorf("account %q", got)
		}
	}, noomtest.WithHubConfig(func(int) *hub.Config {
		return &hub.Config{
			Limits:    signal.Limits{Members: 65},
			Authorize: func(context.Context, hub.Request) (hub.Grant, error) { return hub.Grant{Account: "a"}, nil },
		}
	}))
}
