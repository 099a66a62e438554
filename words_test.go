package noom_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/media"
	"noom/noomtest"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// What a program gets wrong it is told by Join, in a line that names it.
func TestJoinSaysWhatIsWrong(t *testing.T) {
	h := hub.New(nil)
	defer func() { _ = h.Shutdown(context.Background()) }() // everyone has left
	for _, c := range []struct {
		room string
		cfg  *noom.Config
		says string
	}{
		{"", nil, "empty"},
		{strings.Repeat("방", 100_000), nil, `방…": `},
		{"데모", &noom.Config{Token: "\xff"}, "Token of Config is not valid UTF-8"},
		{"데모", &noom.Config{TokenSource: func(context.Context) (string, error) { return "\xff", nil }}, "token is not valid UTF-8"},
		{"데모", &noom.Config{ICEServers: []webrtc.ICEServer{{URLs: []string{"nonsense"}}}}, `ICEServers of Config: ICE server ["nonsense"]`},
		{"데모", &noom.Config{ICEServers: []webrtc.ICEServer{{URLs: []string{"turn:host"}}}}, "credentials required"},
		{"데모", &noom.Config{Tracks: []noom.LocalTrack{{}}}, "there is no track"},
	} {
		room, err := noom.Join(t.Context(), mem.Dialer(h), c.room, c.cfg)
		if _, ok := errors.AsType[*noom.JoinError](err); !ok || !strings.Contains(err.Error(), c.says) || len(err.Error()) > 1000 {
			t.Errorf("%.20q: %v, want %q", c.room, err, c.says)
		}
		if err == nil {
			room.Leave(t.Context())
		}
	}
}

// So are errors of calls: they begin with what was asked for.
func TestErrorsSayWhatWasAsked(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a := w.Join("데모", &noom.Config{Name: "지우"})
		b := w.Join("데모", &noom.Config{Name: "bob"})
		w.Settle()
		peer, _ := a.Peer(b.Self().ID)
		over := media.Tone()
		if err := over.Close(); err != nil {
			t.Fatal(err)
		}
		_, published := a.Publish(t.Context(), over, nil)
		if errors.Is(published, noom.ErrCodec) {
			t.Error("a track that is over has no wrong codec")
		}
		_, opened := peer.OpenChannel(t.Context(), strings.Repeat("x", 200), nil)
		for _, c := range []struct {
			err   error
			is    error
			says  string
			again string
		}{
			{a.Kick(t.Context(), b.Self().ID), noom.ErrForbidden, "noom: kick: ", ""},
			{a.Kick(t.Context(), "bob"), &signal.Error{Code: signal.CodeNoSuchMember}, "noom: kick: ", `"bob" is no member's id`},
			{a.Kick(t.Context(), "\xff"), &signal.Error{Code: signal.CodeNoSuchMember}, "noom: kick: ", "26 characters"},
			{a.Lock(t.Context()), noom.ErrForbidden, "noom: lock: ", ""},
			{a.CloseForAll(t.Context()), noom.ErrForbidden, "noom: close: ", ""},
			{peer.RequestMute(t.Context(), ""), noom.ErrForbidden, "noom: mute: ", ""},
			{peer.Send(t.Context(), make([]byte, signal.MaxData+1)), noom.ErrTooBig, "noom: message too big", "61441 bytes, at most 61440"},
			{published, media.ErrClosed, "noom: publish microphone: ", "closed"},
			{opened, signal.ErrNameTooLong, "noom: open channel: ", "128"},
		} {
			if !errors.Is(c.err, c.is) || !strings.HasPrefix(c.err.Error(), c.says) || !strings.Contains(c.err.Error(), c.again) {
				t.Errorf("%v, want %s… %s", c.err, c.says, c.again)
			}
		}
	})
}

// A server that cannot be used, among those a hub tells of, is left out. It
// must not keep every connection from being made.
func TestHubTellsServersThatCannotBeUsed(t *testing.T) {
	servers := hub.FixedICEServers(
		signal.ICEServer{URLs: []string{"nonsense", "stun:127.0.0.1:3478"}},
		signal.ICEServer{URLs: []string{"turn:127.0.0.1:3478"}}, // without credentials
		signal.ICEServer{},
	)
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a := w.Join("데모", &noom.Config{Name: "지우"})
		b := w.Join("데모", &noom.Config{Name: "bob"})
		w.Settle()
		peer, _ := a.Peer(b.Self().ID)
		if list := peer.Connection().GetConfiguration().ICEServers; len(list) != 1 || len(list[0].URLs) != 1 || list[0].URLs[0] != "stun:127.0.0.1:3478" {
			t.Errorf("the servers are %+v", list)
		}
	}, noomtest.WithHubConfig(func(int) *hub.Config { return &hub.Config{ICEServers: servers} }))
}

// What is printed with an event tells a person something, and no secret.
func TestEventsPrint(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		camera := noom.LocalTrack{Name: "camera", Track: w.Camera()}
		a := w.Join("데모", &noom.Config{Name: "지우", Tracks: []noom.LocalTrack{camera}})
		b := w.Join("데모", &noom.Config{Name: "bob"})
		added := noomtest.Await[noom.TrackAdded](w, b, nil)
		want := fmt.Sprintf("{Peer:지우 (%s) Track:camera (video)}", a.Self().ID[:6])
		if got := fmt.Sprintf("%+v", added); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if got := fmt.Sprint(a, " ", a.Senders()[0]); got != "데모 camera (video)" {
			t.Error(got)
		}
	})
}
