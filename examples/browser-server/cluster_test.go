package main

import (
	"errors"
	"testing"

	"noom"
	"noom/internal/browsertest"
	"noom/media"
	"noom/signal"
	"noom/transport/nats/embed"
	"noom/transport/ws"
)

// A page at one of three servers that are one over NATS, and members in Go at the two others, do with each other whatever they
// do at one server.
func TestTabAndGoInCluster(t *testing.T) { browsertest.EachKindIfAsked(t, testTabAndGoInCluster) }

func testTabAndGoInCluster(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	bus, err := embed.Start(embed.Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bus.Close)
	file, sign := issue(t)
	var servers []string
	for range 3 {
		servers = append(servers, serveHere(t, "-token-key", file, "-nats", bus.ClientURL()))
	}
	g := enterGo(t, servers[1], "데모", "고퍼")
	tab := enterBy(kind.Start(t).In("ko"), servers[0], "지우", sign(signal.AllRights()))
	tab.Wait("in the call", inCall)
	other := enterGo(t, servers[2], "데모", "민준")
	seesAndHears(t, tab, 2)
	for _, m := range []*gopher{g, other} {
		showsColour(t, tab, m.Self().Name, media.ColorOf(m.Self().ID))
	}
	g.receives(t, "지우 video", "지우 audio", "민준 video", "민준 audio")
	other.receives(t, "지우 video", "지우 audio", "고퍼 video", "고퍼 audio")
	mutes := func(muted bool) {
		if err := other.audio.SetMuted(muted); err != nil {
			t.Fatal(err)
		}
	}
	mutes(true) // the ring is around one who speaks
	meets(t, tab, g)
	mutes(false)

	manages(tab, "민준")
	chooses(tab, "mute")
	other.hears(t, "the wish that it mutes itself", func(e noom.Event) bool {
		wish, ok := e.(noom.MuteRequested)
		return ok && wish.By.Name == "지우"
	})
	tab.Click("#lock-room")
	says(tab, "방을 잠갔습니다")
	other.hears(t, "that the room is locked", func(e noom.Event) bool {
		lock, ok := e.(noom.RoomLocked)
		return ok && lock.Locked
	})
	for i, server := range servers {
		if _, err := noom.Join(t.Context(), ws.Dialer{URL: server + "/ws"}, "데모", &noom.Config{Name: "late"}); !errors.Is(err, noom.ErrLocked) {
			t.Errorf("a stranger at server %d: %v", i, err)
		}
	}
	manages(tab, "민준")
	chooses(tab, "remove")
	chooses(tab, "yes")
	<-other.Done()
	if !errors.Is(other.Err(), noom.ErrKicked) {
		t.Errorf("the kicked one: %v", other.Err())
	}
	says(tab, "민준 님이 방에서 내보내졌습니다")
	tab.Wait("one tile less", `tiles().length === 1 && named('gopher')`)
}
