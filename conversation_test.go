package noom_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
	"noom/internal/conversation"
	"noom/signal"
	"noom/transport/mem"
)

// The golden conversations, which noom.js is held to as well.
func TestConversations(t *testing.T) {
	conversations, err := conversation.Load("signal/testdata/conversations")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range conversations {
		t.Run(c.Name, func(t *testing.T) {
			inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
				player := conversation.New(c, w.Config("지우").Settings)
				app := &talker{dialer: mem.Dialer(player), cfg: *w.Config("bob")}
				ctx, cancel := context.WithCancel(t.Context())
				err := player.Play(ctx, app)
				cancel()
				app.leave()
				if err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// talker is the application of the member that a conversation tests.
type talker struct {
	conversation.Told

	dialer noom.Dialer
	cfg    noom.Config
	tasks  sync.WaitGroup

	mu   sync.Mutex
	room noom.Room
}

// Do implements [conversation.Client].
func (a *talker) Do(what string) error {
	verb, about, _ := strings.Cut(what, " ")
	a.mu.Lock()
	room := a.room
	a.mu.Unlock()
	if room == nil {
		switch verb {
		case "join":
			a.tasks.Go(a.join)
			return nil
		case "publish":
			a.cfg.Tracks = append(a.cfg.Tracks, noom.LocalTrack{Name: about, Track: localTrack(about)})
			return nil
		}
		return fmt.Errorf("cannot %q before joining", what)
	}
	switch verb {
	case "publish":
		_, err := room.Publish(context.Background(), localTrack(about), &noom.PublishOptions{Name: about})
		return err
	case "mute", "close":
		for _, s := range room.Senders() {
			if s.Name() == about && verb == "mute" {
				return s.SetMuted(true)
			} else if s.Name() == about {
				return s.Close()
			}
		}
	case "chat":
		a.tasks.Go(func() { _ = room.Chat(context.Background(), about) }) // the conversation checks whether it came
		return nil
	case "send":
		return room.Send(context.Background(), []byte(about))
	case "kick":
		for _, p := range room.Peers() {
			if p.Name() == about {
				a.tasks.Go(func() { a.refused(room.Kick(context.Background(), p.ID())) })
				return nil
			}
		}
	case "want":
		name, height, _ := strings.Cut(about, " ")
		for _, p := range room.Peers() {
			for _, track := range p.Tracks() {
				if track.Name() == name {
					track.Want(heightOf(height))
					return nil
				}
			}
		}
	case "leave":
		a.tasks.Go(func() { _ = room.Leave(context.Background()) }) // likewise
		return nil
	}
	return fmt.Errorf("cannot %q", what)
}

// heightOf reads a height, or all.
func heightOf(text string) int {
	height, err := strconv.Atoi(text)
	if err != nil {
		return -1
	}
	return height
}

func localTrack(name string) webrtc.TrackLocal {
	codec := webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8, ClockRate: 90_000}
	if name == "microphone" {
		codec = webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeOpus, ClockRate: 48_000, Channels: 2}
	}
	track, err := webrtc.NewTrackLocalStaticRTP(codec, name, "stream")
	if err != nil {
		panic(err) // the name is not empty
	}
	return track
}

func (a *talker) join() {
	room, err := noom.Join(context.Background(), a.dialer, "데모", &a.cfg)
	if err != nil {
		a.refused(err)
		return
	}
	a.mu.Lock()
	a.room = room
	a.mu.Unlock()
	for e := range room.Events(context.Background()) {
		switch e := e.(type) {
		case noom.PeerJoined:
			a.Tell(fmt.Sprintf("peer joined %s", e.Peer.Name()))
		case noom.PeerLeft:
			a.Tell(fmt.Sprintf("peer left %s", e.Reason))
		case noom.PeerRenamed:
			a.Tell(fmt.Sprintf("peer renamed %s", e.Peer.Name()))
		case noom.PeerStateChanged:
			if e.State == noom.PeerConnected {
				a.Tell("connected")
			}
		case noom.TrackAdded:
			a.Tell(fmt.Sprintf("track added %s", e.Track.Name()))
		case noom.TrackRemoved:
			a.Tell(fmt.Sprintf("track removed %s", e.Track.Name()))
		case noom.TrackMuted:
			if e.Muted {
				a.Tell(fmt.Sprintf("track muted %s", e.Track.Name()))
			} else {
				a.Tell(fmt.Sprintf("track unmuted %s", e.Track.Name()))
			}
		case noom.ChatReceived:
			a.Tell(fmt.Sprintf("chat %s", e.Text))
		case noom.DataReceived:
			a.Tell(fmt.Sprintf("data %s", e.Data))
		case noom.SignalingLost:
			a.Tell("hub lost")
		case noom.SignalingRestored:
			a.Tell("hub back")
		case noom.Closed:
			a.Tell("closed")
		}
	}
}

// refused notes what the hub refused.
func (a *talker) refused(err error) {
	if refusal, ok := errors.AsType[*signal.Error](err); ok {
		a.Tell(fmt.Sprintf("refused %s", refusal.Code))
	}
}

func (a *talker) leave() {
	a.mu.Lock()
	room := a.room
	a.mu.Unlock()
	if room != nil {
		_ = room.Leave(context.Background()) // the conversation is over
	}
	a.tasks.Wait()
}
