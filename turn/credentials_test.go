package turn

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/pion/stun/v4"
	pion "github.com/pion/turn/v5"
)

func TestTURNRefusesStrangers(t *testing.T) {
	s := serveHere(t, false, Limits{})
	user, password := s.credentials("member", time.Minute)
	expired, secret := s.credentials("member", -time.Minute)
	for name, credentials := range map[string][2]string{
		"a wrong password":      {user, "guess"},
		"somebody else's":       {strings.Replace(user, "member", "other", 1), password},
		"a longer life":         {"9" + user, password},
		"expired ones":          {expired, secret},
		"a user without expiry": {"member", password},
		"no user":               {strings.TrimSuffix(user, ":member"), password},
	} {
		if got, refusal := newClient(t, s, credentials[0], credentials[1]).Allocate(); refusal == nil {
			t.Errorf("%s: got %v", name, got.LocalAddr())
		}
	}
	relay, err := newClient(t, s, user, password).Allocate()
	if err != nil {
		t.Fatalf("the right ones: %v", err)
	}
	if err := relay.Close(); err != nil {
		t.Error(err)
	}
}

// A call outlives the credentials that it began with, but not for ever.
func TestCredentialsExpire(t *testing.T) {
	s := &Server{secret: "s"}
	for age, want := range map[time.Duration]struct{ allocate, refresh bool }{
		-time.Minute: {true, true}, time.Minute: {false, true}, 23 * time.Hour: {false, true}, 25 * time.Hour: {false, false},
	} {
		user, password := s.credentials("id", -age)
		for method, want := range map[stun.Method]bool{
			stun.MethodAllocate: want.allocate, stun.MethodRefresh: want.refresh,
			stun.MethodCreatePermission: want.refresh, stun.MethodChannelBind: want.refresh,
		} {
			id, key, ok := s.authenticate(&pion.RequestAttributes{Username: user, Realm: realm, Method: method})
			if ok != want {
				t.Errorf("%v with credentials that expired %v ago: %v", method, age, ok)
			}
			if ok && (id != "id" || !bytes.Equal(key, pion.GenerateAuthKey(user, realm, password))) {
				t.Errorf("%v: user %q, key %x", method, id, key)
			}
		}
	}
}
