package main

import (
	"context"
	"errors"
	"fmt"
	"image/color"
	"io"
	"testing"
	"time"

	"noom"
	"noom/internal/browsertest"
	"noom/internal/longtest"
	"noom/media"
	"noom/transport/ws"
)

// gopher is a Go member in a room: it plays the test pattern in the colour of
// its id and a tone, and counts the packets it gets.
type gopher struct {
	noom.Room
	video, audio noom.Sender
	events       chan noom.Event // chat, data, files, locks and wishes that it mutes itself
	streams      chan string     // name of the peer and kind of each track, at its 50th packet
}

func enterGo(t *testing.T, server, room, name string) *gopher {
	t.Helper()
	ctx := t.Context()
	identity := noom.NewIdentity()
	pattern := media.TestPattern(&media.PatternOptions{Color: media.ColorOf(identity.ID())})
	tone := media.Tone()
	r, err := noom.Join(ctx, ws.Dialer{URL: server + "/ws"}, room, &noom.Config{
		Name: name, Identity: identity,
		Tracks: []noom.LocalTrack{{Track: pattern}, {Track: tone}},
	})
	if err != nil {
		t.Fatal(err)
	}
	senders := r.Senders()
	g := &gopher{Room: r, video: senders[0], audio: senders[1], events: make(chan noom.Event, 100), streams: make(chan string, 100)}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		g.follow(t)
	}()
	t.Cleanup(func() {
		leaving, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := r.Leave(leaving); err != nil {
			t.Errorf("%s leaves: %v", name, err)
		}
		<-followed
		_ = pattern.Close() // nothing to lose
		_ = tone.Close()    // nothing to lose
	})
	return g
}

// follow takes events until the room is over.
func (g *gopher) follow(t *testing.T) {
	for {
		event, err := g.Next(context.Background())
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("Next: %v", err)
			}
			return
		}
		switch e := event.(type) {
		case noom.TrackAdded:
			go g.count(e.Peer, e.Track)
		case noom.ChatReceived, noom.DataReceived, noom.FileOffered, noom.RoomLocked, noom.MuteRequested:
			g.events <- event
		}
	}
}

func (g *gopher) count(peer noom.Peer, track noom.RemoteTrack) {
	packets := 0
	for range track.Packets() {
		if packets++; packets == 50 {
			g.streams <- peer.Name() + " " + track.Kind().String()
		}
	}
}

// receives waits until packets have come of all these tracks.
func (g *gopher) receives(t *testing.T, tracks ...string) {
	t.Helper()
	missing := make(map[string]bool)
	for _, name := range tracks {
		missing[name] = true
	}
	timeout := time.After(time.Minute)
	for len(missing) > 0 {
		select {
		case name := <-g.streams:
			delete(missing, name)
		case <-timeout:
			t.Fatalf("nothing came of %v", missing)
		}
	}
}

// offered waits for a file.
func (g *gopher) offered(t *testing.T) (file noom.OfferedFile) {
	t.Helper()
	g.hears(t, "an offer", func(e noom.Event) bool {
		offer, ok := e.(noom.FileOffered)
		if ok {
			file = offer.File
		}
		return ok
	})
	return file
}

// hears waits for an event that fits.
func (g *gopher) hears(t *testing.T, what string, fits func(noom.Event) bool) {
	t.Helper()
	timeout := time.After(time.Minute)
	for {
		select {
		case e := <-g.events:
			if fits(e) {
				return
			}
		case <-timeout:
			t.Fatalf("never heard: %s", what)
		}
	}
}

// showsColour waits until the picture of name has that colour, within what
// video coding does to it.
func showsColour(t *testing.T, tab *browsertest.Tab, name string, want color.Color) {
	t.Helper()
	r, g, b, _ := want.RGBA()
	tab.Wait(fmt.Sprintf("%s in %v", name, want), fmt.Sprintf(
		`centre(named(%q).querySelector('video')).every((v, i) => Math.abs(v - [%d, %d, %d][i]) < 16)`, name, r>>8, g>>8, b>>8))
}

func TestTabAndGo(t *testing.T) { browsertest.EachKind(t, testTabAndGo) }

func testTabAndGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	for _, order := range []string{"go first", "tab first"} {
		t.Run(order, func(t *testing.T) {
			t.Parallel()
			b, room := kind.Start(t), "데모 "+order
			var tab *browsertest.Tab
			var g *gopher
			if order == "go first" {
				g = enterGo(t, server, room, "고퍼")
				tab = enter(t, b, server, room, "지우")
			} else {
				tab = enter(t, b, server, room, "지우")
				g = enterGo(t, server, room, "고퍼")
			}
			seesAndHears(t, tab, 1)
			showsColour(t, tab, "고퍼", media.ColorOf(g.Self().ID))
			g.receives(t, "지우 video", "지우 audio")
			meets(t, tab, g)
			if err := g.Leave(t.Context()); err != nil {
				t.Error(err)
			}
			tab.Wait("an empty room", `tiles().length === 0`)
		})
	}
}

// meets tries what a tab and a Go member can do apart from media.
func meets(t *testing.T, tab *browsertest.Tab, g *gopher) {
	t.Helper()
	if err := g.Chat(t.Context(), "안녕 <b>"); err != nil {
		t.Fatal(err)
	}
	tab.Wait("the chat of Go", `document.getElementById('messages').lastElementChild.textContent === '고퍼안녕 <b>'`)
	tab.Fill("form#chat [name=text]", "반가워요")
	tab.Click("form#chat [type=submit]")
	g.hears(t, "the chat of the tab", func(e noom.Event) bool {
		chat, ok := e.(noom.ChatReceived)
		return ok && chat.Text == "반가워요" && chat.From.Name == "지우"
	})
	tab.Wait("a ring around the Go member who speaks", `'speaking' in named('고퍼').dataset`)
	tab.Screenshot("speaking")
	if err := g.audio.SetMuted(true); err != nil {
		t.Fatal(err)
	}
	tab.Wait("the mark of a muted Go member", `'muted' in named('고퍼').dataset`)
	tab.Wait("no ring", `!('speaking' in named('고퍼').dataset)`)
	if err := g.Rename(t.Context(), "gopher"); err != nil {
		t.Fatal(err)
	}
	tab.Wait("the new name", `named('gopher')`)
}

// Two tabs and two Go members in a full mesh.
func TestFourMembers(t *testing.T) { browsertest.EachPair(t, testFourMembers) }

func testFourMembers(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	server := serveHere(t)
	b1, b2 := kinds.Start(t)
	one := enterGo(t, server, "넷", "하나")
	jiwoo := enter(t, b1, server, "넷", "지우")
	two := enterGo(t, server, "넷", "two")
	bob := enter(t, b2, server, "넷", "bob")
	for _, tab := range []*browsertest.Tab{jiwoo, bob} {
		seesAndHears(t, tab, 3)
		showsColour(t, tab, "하나", media.ColorOf(one.Self().ID))
		showsColour(t, tab, "two", media.ColorOf(two.Self().ID))
	}
	one.receives(t, "지우 video", "지우 audio", "bob video", "bob audio", "two video", "two audio")
	two.receives(t, "지우 video", "지우 audio", "bob video", "bob audio", "하나 video", "하나 audio")
	jiwoo.Screenshot("four")
	bob.Resize(390, 844)
	bob.Click("#chat-toggle") // on a phone it covers the pictures
	bob.Screenshot("four-phone")
}

// Twenty swaps of the source in Go: the tab shows every one of them, decodes on
// without a freeze, and nothing is negotiated.
func TestReplaceTrackInGo(t *testing.T) { browsertest.EachKindAloneIfAsked(t, testReplaceTrackInGo) }

func testReplaceTrackInGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	server := serveHere(t)
	b := kind.Start(t)
	g := enterGo(t, server, "swap", "고퍼")
	tab := enter(t, b, server, "swap", "지우")
	seesAndHears(t, tab, 1)
	colours := []color.Color{color.RGBA{200, 30, 30, 255}, color.RGBA{30, 30, 200, 255}}
	for i := range 20 {
		want := colours[i%2]
		source := media.TestPattern(&media.PatternOptions{Color: want})
		t.Cleanup(func() { _ = source.Close() }) // nothing to lose
		if err := g.video.ReplaceTrack(source); err != nil {
			t.Fatal(err)
		}
		showsColour(t, tab, "고퍼", want)
	}
	if n := browsertest.Eval[int](tab, `stat('inbound-rtp', 'video', 'freezeCount')`); n > 0 && longtest.Asked() {
		t.Errorf("the picture froze %d times", n)
	}
	if n := browsertest.Eval[int](tab, `connections.length`); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
}
