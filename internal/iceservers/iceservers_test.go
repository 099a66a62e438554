package iceservers_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/iceservers"
)

// TestLifetime: newer servers are due before the old ones expire.
func TestLifetime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := []webrtc.ICEServer{{URLs: []string{"stun:stun.example"}}}
		forever, minute := iceservers.New(list, 0), iceservers.New(list, time.Minute)
		for _, c := range []struct {
			age     time.Duration
			due     time.Duration
			expired bool
		}{
			{0, 48 * time.Second, false},
			{48 * time.Second, 0, false},
			{54*time.Second - 1, -6*time.Second + 1, false},
			{54 * time.Second, -6 * time.Second, true},
			{time.Hour, 48*time.Second - time.Hour, true},
		} {
			time.Sleep(c.age - 48*time.Second + minute.Due())
			if due, expired := minute.Due(), minute.Expired(); due != c.due || expired != c.expired {
				t.Errorf("after %v: due in %v, expired %t", c.age, due, expired)
			}
			if forever.Expired() {
				t.Errorf("after %v, servers that last for ever have expired", c.age)
			}
		}
	})
}

// TestUsable: URLs that pion would refuse are left out, and the other URLs of the same server are kept.
func TestUsable(t *testing.T) {
	const ok, unknown, malformed = "turn:turn.example:3478?transport=udp", "http://turn.example", "turn:turn.example:port"
	for name, c := range map[string]struct {
		server  webrtc.ICEServer
		want    []string
		skipped int
	}{
		"all usable": {
			webrtc.ICEServer{URLs: []string{"stun:stun.example", ok}, Username: "u", Credential: "c"},
			[]string{"stun:stun.example", ok},
			0,
		},
		"some usable": {
			webrtc.ICEServer{URLs: []string{unknown, ok, malformed}, Username: "u", Credential: "c"},
			[]string{ok},
			2,
		},
		"none usable":    {webrtc.ICEServer{URLs: []string{unknown}}, nil, 1},
		"no credentials": {webrtc.ICEServer{URLs: []string{ok, "stun:stun.example"}}, []string{"stun:stun.example"}, 1},
		"no URLs":        {webrtc.ICEServer{}, nil, 0},
		"a password":     {webrtc.ICEServer{URLs: []string{"turn:user:hush@turn.example", "turn:hush@turn.example", "hush:hush@x", ok}, Username: "u", Credential: "c"}, []string{ok}, 3},
	} {
		before := slices.Clone(c.server.URLs)
		usable, skipped := iceservers.Usable(c.server)
		var urls []string
		for _, s := range usable {
			urls = append(urls, s.URLs...)
			if s.Username != c.server.Username || s.Credential != c.server.Credential {
				t.Errorf("%s: the credentials are %q, %v", name, s.Username, s.Credential)
			}
		}
		if !slices.Equal(urls, c.want) || len(skipped) != c.skipped || len(usable) > 1 {
			t.Errorf("%s: %v, skipped %v", name, usable, errors.Join(skipped...))
		}
		if err := errors.Join(skipped...); err != nil && strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: it says %v", name, err)
		}
		if !slices.Equal(c.server.URLs, before) {
			t.Errorf("%s: the caller's URLs are now %v", name, c.server.URLs)
		}
	}
}

func TestHasTURN(t *testing.T) {
	for url, want := range map[string]bool{
		"turn:turn.example": true, "turns:turn.example?transport=tcp": true, "stun:turn.example": false,
	} {
		s := iceservers.Set{List: []webrtc.ICEServer{{URLs: []string{"stun:stun.example"}}, {URLs: []string{url}}}}
		if s.HasTURN() != want {
			t.Errorf("%s: %v", url, !want)
		}
	}
}

// TestOnLoopback recognises servers on this machine.
func TestOnLoopback(t *testing.T) {
	for url, want := range map[string]bool{
		"turn:127.0.0.2:3478": true, "stun:localhost": true, "turns:[::1]:443?transport=tcp": true,
		"turn:turn.example:3478": false, "stun:192.168.1.2": false, "turn:[2001:db8::1]": false,
	} {
		s := iceservers.Set{List: []webrtc.ICEServer{{URLs: []string{"stun:stun.example", url}}}}
		if s.OnLoopback() != want {
			t.Errorf("%s: %v", url, !want)
		}
	}
}
