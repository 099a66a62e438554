package noom_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"noom"
	"noom/internal/data"
	"noom/internal/link"
	"noom/signal"
)

func TestChannel(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		p, _ := b.Peer(a.Self().ID)
		if _, err := p.OpenChannel(t.Context(), "too early", nil); !errors.Is(err, noom.ErrNotConnected) {
			t.Fatalf("open before there is a connection: %v", err)
		}
		until(t, a, connected)
		until(t, b, connected)
		ours, err := p.OpenChannel(t.Context(), "파일", &noom.ChannelOptions{Unordered: true, MaxLifetime: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 { // before anybody listens
			if err = ours.Send(t.Context(), fmt.Append(nil, i)); err != nil {
				t.Fatal(err)
			}
		}
		opened := until[noom.ChannelOpened](t, a, nil)
		theirs := opened.Channel
		if theirs.Label() != "파일" || opened.Peer.ID() != b.Self().ID {
			t.Fatalf("got %q", theirs.Label())
		}
		for range 100 {
			if _, err = theirs.Receive(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err = theirs.Send(t.Context(), []byte("받았다")); err != nil {
			t.Fatal(err)
		}
		if data, failed := ours.Receive(t.Context()); failed != nil || string(data) != "받았다" {
			t.Fatalf("got %q, %v", data, failed)
		}
		if err = ours.Send(t.Context(), make([]byte, signal.MaxData+1)); !errors.Is(err, noom.ErrTooBig) {
			t.Fatalf("too big: %v", err)
		}

		// A restart leaves it alone, a rebuild ends it.
		if err = p.RestartICE(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if err = ours.Send(t.Context(), []byte("after a restart")); err != nil {
			t.Fatal(err)
		}
		if data, failed := theirs.Receive(t.Context()); failed != nil || string(data) != "after a restart" {
			t.Fatalf("got %q, %v", data, failed)
		}
		breakUp(p)
		if _, err = ours.Receive(t.Context()); !errors.Is(err, noom.ErrChannelLost) {
			t.Fatalf("received after a rebuild: %v", err)
		}
		if err = ours.Send(t.Context(), nil); !errors.Is(err, noom.ErrChannelLost) {
			t.Fatalf("sent after a rebuild: %v", err)
		}
		if _, err = theirs.Receive(t.Context()); err == nil {
			t.Fatal("received after a rebuild")
		}
	})
}

func TestChannelEnds(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		p, _ := b.Peer(a.Self().ID)
		ours, err := p.OpenChannel(t.Context(), "x", nil)
		if err != nil {
			t.Fatal(err)
		}
		theirs := until[noom.ChannelOpened](t, a, nil).Channel
		if err = ours.Send(t.Context(), []byte("last words")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		for range 2 {
			if err = ours.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if data, failed := theirs.Receive(t.Context()); failed != nil || string(data) != "last words" {
			t.Fatalf("got %q, %v", data, failed)
		}
		if _, err = theirs.Receive(t.Context()); !errors.Is(err, io.EOF) {
			t.Fatalf("after the end: %v", err)
		}
		if err = theirs.Send(t.Context(), nil); !errors.Is(err, noom.ErrClosed) {
			t.Fatalf("sent after the end: %v", err)
		}

		// Left unread, it is closed, and the rest goes on.
		if ours, err = p.OpenChannel(t.Context(), "y", nil); err != nil {
			t.Fatal(err)
		}
		theirs = until[noom.ChannelOpened](t, a, nil).Channel
		for err == nil {
			err = ours.Send(t.Context(), make([]byte, signal.MaxData))
		}
		for err = nil; err == nil; {
			_, err = theirs.Receive(t.Context())
		}
		if !errors.Is(err, noom.ErrUnread) {
			t.Fatalf("the unread end: %v", err)
		}
		if err = p.Send(t.Context(), []byte("still here")); err != nil {
			t.Fatal(err)
		}
		until[noom.DataReceived](t, a, nil)
	})
}

// TestManySendersWait: when a full channel has drained, every call that waited goes on.
func TestManySendersWait(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		ours, err := peerOf(t, b, a).OpenChannel(t.Context(), "파일", nil)
		if err != nil {
			t.Fatal(err)
		}
		theirs := until[noom.ChannelOpened](t, a, nil).Channel
		go func() {
			var ended error
			for ended == nil {
				_, ended = theirs.Receive(context.Background())
			}
		}()
		dc := ours.(*data.Channel)
		for dc.Waiting() <= 1<<20 {
			if err = ours.Send(t.Context(), make([]byte, signal.MaxData)); err != nil {
				t.Fatal(err)
			}
		}
		const senders = 3
		sent := make(chan error, senders)
		for range senders {
			go func() { sent <- ours.Send(t.Context(), []byte("x")) }()
		}
		for i := range senders {
			select {
			case err = <-sent:
				if err != nil {
					t.Fatal(err)
				}
			case <-time.After(time.Minute):
				t.Fatalf("only %d of %d went on; %d bytes wait", i, senders, dc.Waiting())
			}
		}
	})
}

// maxChannels is how many channels of a peer are open, or wait for Next, at a time.
const maxChannels = 64

func TestManyChannels(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		p, _ := b.Peer(a.Self().ID)
		for i := range maxChannels {
			if _, err := p.OpenChannel(t.Context(), fmt.Sprint(i), nil); err != nil {
				t.Fatal(err)
			}
			until[noom.ChannelOpened](t, a, nil)
		}
		extra, err := p.OpenChannel(t.Context(), "one too many", nil)
		if err == nil {
			_, err = extra.Receive(t.Context())
		}
		if err == nil {
			t.Fatal("the extra channel was taken")
		}
		if p.State() != noom.PeerConnected {
			t.Fatal(p.State())
		}
		// The other end has opened none, and may.
		back, err := peerOf(t, a, b).OpenChannel(t.Context(), "돌아가는 것", nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := until[noom.ChannelOpened](t, b, nil).Channel; got.Label() != back.Label() {
			t.Fatalf("got %q", got.Label())
		}
		// What is over is forgotten.
		for range 10 {
			if err = back.Close(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if back, err = peerOf(t, a, b).OpenChannel(t.Context(), "다시", nil); err != nil {
				t.Fatal(err)
			}
		}
		known := 0
		inspect(peerOf(t, a, b), func(in link.Inside) { known = len(in.Current.Lane.Channels()) })
		if known != maxChannels+1 {
			t.Errorf("%d channels are remembered, %d are open", known, maxChannels+1)
		}
	})
}

// Channels that come and go while nobody takes events, each with what was sent
// in it, are as many as may be open. Once they have been seen there may be more.
func TestUnseenChannelsAreBounded(t *testing.T) {
	inWorld(t, 5*time.Millisecond, func(t *testing.T, w *world) {
		a, b := w.join("r", "a", nil), w.join("r", "b", nil)
		until(t, a, connected)
		until(t, b, connected)
		p := peerOf(t, b, a)
		for i := range maxChannels + 20 {
			c, err := p.OpenChannel(t.Context(), fmt.Sprint("채널 ", i), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err = c.Send(t.Context(), make([]byte, 1000)); err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
			if err = c.Close(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		for range maxChannels {
			until[noom.ChannelOpened](t, a, nil)
		}
		time.Sleep(50 * time.Millisecond)
		if _, err := p.OpenChannel(t.Context(), "다시", nil); err != nil {
			t.Fatal(err)
		}
		if got := until[noom.ChannelOpened](t, a, nil).Channel.Label(); got != "다시" {
			t.Errorf("more than %d waited: %s", maxChannels, got)
		}
	})
}

// TestConnectedFirst: PeerConnected comes before all that the peer sends the moment
// it can, by Send or in a channel of its own.
func TestConnectedFirst(t *testing.T) {
	inWorld(t, time.Millisecond, func(t *testing.T, w *world) {
		first := func(r noom.Room) {
			until(t, r, func(e noom.Event) bool {
				switch e := e.(type) {
				case noom.DataReceived, noom.ChannelOpened:
					t.Errorf("%s: %T before PeerConnected", r.Self().Name, e)
					return true
				case noom.PeerStateChanged:
					return connected(e)
				}
				return false
			})
		}
		for round := range 40 {
			name := fmt.Sprint("방 ", round) // in the same room a could meet the b of before
			a, b := w.join(name, "지우", nil), w.join(name, "bob", nil)
			p := until[noom.PeerJoined](t, a, nil).Peer
			if round%2 == 0 {
				if err := p.Send(t.Context(), []byte("안녕")); err != nil {
					t.Fatal(err)
				}
			}
			until(t, a, connected)
			if _, err := p.OpenChannel(t.Context(), "파일", nil); err != nil {
				t.Fatal(err)
			}
			first(b)
			_, _ = a.Leave(t.Context()), b.Leave(t.Context())
		}
	})
}
