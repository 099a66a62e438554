package noom_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/pion/logging"
	"github.com/pion/webrtc/v4"

	"noom"
	"noom/media"
	"noom/noomtest"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// TestJoinSaysWhatIsWrong: the error of Join names, in one line, what the program got wrong.
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

// TestHubTellsServersThatCannotBeUsed: of the ICE servers of a hub, those that cannot be used are left
// out. They must not keep every connection from being made.
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

// TestEventsPrint: an event prints as something that a person understands, and with no secret.
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

// Every event can go to a log as it is: it shows no address of memory, no bytes of a
// key or of data, and nothing that a terminal obeys.
func TestEventsCanBeLogged(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		a := w.Join("데모", &noom.Config{Name: "지우", Tracks: []noom.LocalTrack{{Name: "camera", Track: w.Camera()}}})
		b := w.Join("데모", &noom.Config{Name: "bob"})
		track := noomtest.Await[noom.TrackAdded](w, b, nil).Track
		w.Settle()
		peer, _ := b.Peer(a.Self().ID)
		channel, err := peer.OpenChannel(t.Context(), "파일", nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		sendFile(ctx, b.Peers()[0], "보고서\n.pdf", strings.NewReader("내용"), nil)
		file := offeredTo(t, a)
		member, sender, oops := a.Self(), a.Senders()[0], errors.New("oops")
		for _, e := range []noom.Event{
			noom.PeerJoined{Peer: peer},
			noom.PeerLeft{Member: member, Reason: noom.ReasonLost},
			noom.PeerRenamed{Peer: peer, Old: "x"},
			noom.PeerStateChanged{Peer: peer, State: noom.PeerFailed, Err: oops},
			noom.QualityChanged{Peer: peer, Quality: noom.QualityPoor},
			noom.TrackAdded{Peer: peer, Track: track},
			noom.TrackRemoved{Peer: peer, Track: track},
			noom.TrackMuted{Peer: peer, Track: track, Muted: true},
			noom.TrackRefused{Peer: peer, Sender: sender, Codec: "video/AV1", Err: noom.ErrCodec},
			noom.ActiveSpeaker{Peer: peer},
			noom.ActiveSpeaker{},
			noom.SourceEnded{Sender: sender, Err: oops},
			noom.SourceEnded{Sender: sender},
			noom.ChatReceived{From: member, Text: "one\n\x1b[2Jtwo", At: time.Now()},
			noom.DataReceived{Peer: peer, Data: make([]byte, 4321)},
			noom.DataReceived{Peer: peer, Topic: "one\n\x1b[2Jtwo", Data: make([]byte, 4321)},
			noom.ChannelOpened{Peer: peer, Channel: channel},
			noom.FileOffered{Peer: peer, File: file},
			noom.StateChanged{Key: "one\n\x1b[2Jtwo", Value: make([]byte, 4321), By: member},
			noom.StateChanged{Key: "gone", By: member},
			noom.AttributesChanged{Peer: peer},
			noom.MuteRequested{By: member, Track: "camera"},
			noom.RoomLocked{Locked: true, By: member},
			noom.RoomLocked{},
			noom.SignalingLost{Err: oops},
			noom.SignalingRestored{},
			noom.Lagged{Dropped: 3},
			noom.Closed{},
			noom.Closed{Err: noom.ErrKicked},
		} {
			var text, structured bytes.Buffer
			slog.New(slog.NewTextHandler(&text, nil)).Info("event", "event", e)
			slog.New(slog.NewJSONHandler(&structured, nil)).Info("event", "event", e)
			name := strings.TrimPrefix(fmt.Sprintf("%T", e), "noom.")
			for how, line := range map[string]string{
				"%v": fmt.Sprintf("%v", e), "%+v": fmt.Sprintf("%+v", e), "slog, text": text.String(), "slog, JSON": structured.String(),
			} {
				line = strings.TrimSuffix(line, "\n")
				if strings.Contains(line, "0xc0") || strings.Contains(line, "{}}") && how == "slog, JSON" || len(line) > 300 ||
					strings.ContainsFunc(line, unicode.IsControl) {
					t.Errorf("%s with %s: %q", name, how, line)
				}
				if strings.HasPrefix(how, "slog") && !strings.Contains(line, name) {
					t.Errorf("%s with %s does not say what it is: %s", name, how, line)
				}
				if strings.Contains(fmt.Sprintf("%#v", e), "oops") && !strings.Contains(line, "oops") {
					t.Errorf("%s with %s hides the error: %s", name, how, line)
				}
			}
		}
		if got, want := fmt.Sprintf("%v", member), "지우 ("+member.ID[:6]+")"; got != want {
			t.Errorf("a member prints as %q, want %q", got, want)
		}
		if !a.May(noom.RightChat) || a.May(noom.RightKick) || !a.Self().May(noom.RightPublish) || b.Peers()[0].Member().May(noom.RightLock) {
			t.Error("who may do what is wrong")
		}
	})
}

// Without a Logger nothing is written, by pion's parts neither, whatever the
// environment asks pion for.
func TestNothingOnStderr(t *testing.T) {
	t.Setenv("PION_LOG_TRACE", "all")
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = before }()
	scopes := &scopes{names: make(map[string]bool)}
	for _, settings := range []func(*webrtc.SettingEngine){
		nil, func(s *webrtc.SettingEngine) { s.LoggerFactory = nil }, func(s *webrtc.SettingEngine) { s.LoggerFactory = scopes },
	} {
		noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
			camera := func() []noom.LocalTrack {
				return []noom.LocalTrack{{Track: w.Camera()}, {Track: w.Microphone()}}
			}
			a := w.Join("데모", &noom.Config{Name: "지우", Tracks: camera(), Settings: settings})
			b := w.Join("데모", &noom.Config{Name: "bob", Tracks: camera(), Settings: settings})
			if !w.Sink(noomtest.Await[noom.TrackAdded](w, b, nil).Track).Wait(25) {
				t.Fatal("no video")
			}
			if failed := a.Send(t.Context(), []byte("안녕")); failed != nil {
				t.Fatal(failed)
			}
			a.Leave(t.Context())
			time.Sleep(10 * time.Second)
		})
	}
	text, err := os.ReadFile(file.Name())
	if err != nil || len(text) > 0 {
		t.Errorf("%v; written was %.2000s", err, text)
	}
	// Those that have something to say in calls that go wrong have another logger too.
	for _, name := range []string{"pc", "ice", "dtls", "sctp", "srtp"} {
		if !scopes.names[name] {
			t.Errorf("%s does not log where it is told to", name)
		}
	}
}

// scopes is a logger factory that remembers which scopes have asked it for a logger.
type scopes struct {
	mu    sync.Mutex
	names map[string]bool
}

func (s *scopes) NewLogger(scope string) logging.LeveledLogger {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.names[scope] = true
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard
	return quiet.NewLogger(scope)
}
