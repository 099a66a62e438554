package hub_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// A fleet is some hubs that are one, with a bus between them.
type fleet struct {
	t      *testing.T
	config hub.Config
	bus    mem.Bus
	hubs   []*hub.Hub
	ends   []*mem.BusEnd
}

// inFleet runs f in virtual time, with so many hubs that know each other.
func inFleet(t *testing.T, hubs int, config hub.Config, f func(t *testing.T, g *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := &fleet{t: t, config: config}
		for range hubs {
			g.start()
		}
		time.Sleep(3 * time.Second)
		f(t, g)
		g.end()
	})
}

func (g *fleet) start() *hub.Hub {
	g.t.Helper()
	config, end := g.config, g.bus.Join()
	config.Cluster = &hub.Cluster{Backplane: end}
	h, err := hub.Open(&config)
	if err != nil {
		g.t.Fatal(err)
	}
	g.hubs, g.ends = append(g.hubs, h), append(g.ends, end)
	return h
}

// kill ends a hub as the end of its process would.
func (g *fleet) kill(i int) {
	g.ends[i].Close()
	over, cancel := context.WithCancel(g.t.Context())
	cancel()
	_ = g.hubs[i].Shutdown(over) // says that it has cut connections
}

func (g *fleet) end() {
	for i := range g.hubs {
		g.kill(i)
	}
}

func (g *fleet) dialer(i int) signal.Dialer { return mem.Dialer(g.hubs[i]) }

// roomOf returns the name of a room that this hub owns, of those that begin with prefix.
func (g *fleet) roomOf(i int, prefix string) string {
	for n := range 1000 {
		if room := fmt.Sprintf("%s %d", prefix, n); g.hubs[i].Owns(room) {
			return room
		}
	}
	g.t.Fatalf("hub %d owns nothing", i)
	return ""
}

// Members at two hubs are in one room, whichever owns it: they meet, chat, are called something else, and part.
func TestFleetOneRoom(t *testing.T) {
	inFleet(t, 3, hub.Config{}, func(t *testing.T, g *fleet) {
		for owner := range 3 {
			room := g.roomOf(owner, "데모")
			a, b := join(t, g.dialer(0), room, "지우"), dial(t, g.dialer(1), "bob")
			b.askToJoin(room, "bob")
			joined := b.expect(signal.TypeJoined)
			if len(joined.Members) != 1 || joined.Members[0].Name != "지우" || joined.Self.ID != b.id || joined.Limits.Members != 64 || len(joined.Nonce) != 32 {
				t.Fatalf("owner %d: joined %+v", owner, joined)
			}
			if w := a.expect(signal.TypeWelcome); w.Member.ID != b.id || w.Member.Session != b.session {
				t.Fatalf("welcome %+v", w.Member)
			}
			chat("c1", a, b)
			chat("c2", b, a)
			b.send(signal.Message{Type: signal.TypeRename, Name: "민준"})
			for _, m := range []*member{a, b} {
				if f := m.expect(signal.TypeRenamed); f.From != b.id || f.Name != "민준" {
					t.Fatalf("renamed %+v", f)
				}
			}
			offer := signal.Message{
				Type: signal.TypeOffer, To: b.id, Sessions: [2]string{a.session, b.session},
				Epoch: signal.Epoch{Number: 1, By: a.id}, Seq: 1, Signature: make(signal.Bytes, 64), Body: []byte("{ \"sdp\" : \"방\" }"),
			}
			a.send(offer)
			if got := b.expect(signal.TypeOffer); got.From != a.id || string(got.Body) != string(offer.Body) {
				t.Fatalf("relayed %+v", got)
			}
			b.send(signal.Message{Type: signal.TypeBye})
			a.expectBye(b, signal.ReasonLeft)
			a.send(signal.Message{Type: signal.TypeBye})
			_ = a.expectEnd()
		}
	})
}

// A newcomer's card goes to the first in the room, whichever hubs the two and the room are at, and to nobody else.
func TestFleetCard(t *testing.T) {
	inFleet(t, 3, hub.Config{Authorize: byToken}, func(t *testing.T, g *fleet) {
		for owner := range 3 {
			room := g.roomOf(owner, "데모")
			first := joinWith(t, g.dialer(0), room, "지우", "host")
			second := joinWith(t, g.dialer(1), room, "bob", "host")
			first.expect(signal.TypeWelcome)
			newcomer := dial(t, g.dialer(2), "다희")
			card := &signal.Card{Offer: make(signal.Bytes, signal.MaxCard), Signature: make(signal.Bytes, 64)}
			newcomer.send(signal.Message{
				Type: signal.TypeJoin, Room: room, Name: "다희", Session: newcomer.session, Token: "host",
				Key: signal.PublicKey(newcomer.key[32:]), Card: card,
			})
			newcomer.prove("", room, newcomer.expect(signal.TypeChallenge))
			newcomer.expect(signal.TypeJoined)
			if w := first.expect(signal.TypeWelcome); w.Card == nil || string(w.Card.Offer) != string(card.Offer) || len(w.Card.Signature) != 64 {
				t.Errorf("owner %d: the first gets the card %v", owner, w.Card)
			}
			if w := second.expect(signal.TypeWelcome); w.Card != nil {
				t.Errorf("owner %d: the second gets a card", owner)
			}
		}
	})
}

// trio has three members in a room at three hubs, of which the first owns it.
func trio(t *testing.T, g *fleet) (room string, a, b, c *member) {
	t.Helper()
	room = g.roomOf(0, "데모")
	a, b = join(t, g.dialer(0), room, "지우"), join(t, g.dialer(1), room, "bob")
	a.expect(signal.TypeWelcome)
	c = join(t, g.dialer(2), room, "다희")
	a.expect(signal.TypeWelcome)
	b.expect(signal.TypeWelcome)
	return room, a, b, c
}

// A member gets from the hub to which it is connected what that adds to joined, at first and when its room has moved.
func TestFleetJoinedAgain(t *testing.T) {
	config := hub.Config{ICEServers: hub.FixedICEServers(signal.ICEServer{URLs: []string{"stun:stun.example"}}), ICELifetime: time.Hour, Heartbeat: time.Hour}
	inFleet(t, 2, config, func(t *testing.T, g *fleet) {
		room := g.roomOf(0, "데모")
		a, b := join(t, g.dialer(1), room, "지우"), dial(t, g.dialer(1), "bob")
		b.askToJoin(room, "bob")
		first := b.expect(signal.TypeJoined)
		a.expect(signal.TypeWelcome)
		if len(first.ICEServers) != 1 || first.Lifetime != time.Hour.Milliseconds() || first.Place != 0 {
			t.Errorf("joined %+v", first)
		}
		a.send(signal.Message{Type: signal.TypeRename, Name: "지우 2"})
		b.expect(signal.TypeRenamed)
		g.kill(0)
		time.Sleep(4 * time.Second)
		again := b.expect(signal.TypeJoined)
		left := time.Hour - time.Duration(again.Lifetime)*time.Millisecond
		if len(again.ICEServers) != 1 || left < time.Second || left > 4*time.Second || again.Heartbeat != first.Heartbeat ||
			*again.Limits != *first.Limits || string(again.Nonce) != string(first.Nonce) || again.Place != 2 || again.Members[0].Name != "지우 2" {
			t.Errorf("joined again %+v", again)
		}
		a.expect(signal.TypeRenamed)
		a.expect(signal.TypeJoined)
		chat("c", a, b)
	})
}

// What the program around a hub does to a room it does at any hub of the cluster.
func TestFleetOwnersCommands(t *testing.T) {
	inFleet(t, 4, hub.Config{}, func(t *testing.T, g *fleet) {
		room, a, b, c := trio(t, g)
		for i, h := range g.hubs {
			list := h.Members(room)
			if len(list) != 3 || list[0].ID != a.id || list[1].Name != "bob" || list[2].ID != c.id || list[1].Since.IsZero() {
				t.Errorf("hub %d: members %+v", i, list)
			}
			if got := h.Members("없는 방"); got != nil {
				t.Errorf("hub %d: members of no room: %v", i, got)
			}
			if err := h.Lock("없는 방"); !errors.Is(err, hub.ErrNoRoom) {
				t.Errorf("hub %d: lock no room: %v", i, err)
			}
			if err := h.Kick(room, "nobody"); !errors.Is(err, &signal.Error{Code: signal.CodeNoSuchMember}) {
				t.Errorf("hub %d: kick nobody: %v", i, err)
			}
			for _, locked := range []bool{true, false} {
				do, want := h.Unlock, signal.TypeUnlocked
				if locked {
					do, want = h.Lock, signal.TypeLocked
				}
				if err := do(room); err != nil {
					t.Errorf("hub %d: %v", i, err)
				}
				for _, m := range []*member{a, b, c} {
					m.expect(want)
				}
			}
		}
		if err := g.hubs[3].Kick(room, c.id); err != nil {
			t.Error(err)
		}
		for _, m := range []*member{a, b, c} {
			m.expectBye(c, signal.ReasonKicked)
		}
		back := dial(t, g.dialer(1), "다희")
		back.askToJoin(room, "다희")
		back.expectCut(signal.CodeKicked, signal.TypeJoin)
		g.hubs[2].CloseRoom(room)
		for _, m := range []*member{a, b} {
			m.expectBye(m, signal.ReasonClosed)
		}
		if got := g.hubs[1].Members(room); got != nil {
			t.Errorf("members of a closed room: %v", got)
		}
	})
}

// What is asked of the owner is done once, though its answer is lost and it is asked again.
func TestFleetAsksTwice(t *testing.T) {
	inFleet(t, 2, hub.Config{}, func(t *testing.T, g *fleet) {
		room := g.roomOf(0, "데모")
		a, b := join(t, g.dialer(0), room, "지우"), join(t, g.dialer(0), room, "bob")
		a.expect(signal.TypeWelcome)
		g.bus.Cut(g.ends[0], g.ends[1])
		go func() {
			time.Sleep(1500 * time.Millisecond)
			g.bus.Heal()
		}()
		if err := g.hubs[1].Kick(room, b.id); err != nil {
			t.Error(err)
		}
		a.expectBye(b, signal.ReasonKicked)
		if n := len(g.hubs[1].Members(room)); n != 1 {
			t.Errorf("%d members", n)
		}
	})
}

// Every hub lists the rooms of all, and says how old that is.
func TestFleetRooms(t *testing.T) {
	inFleet(t, 3, hub.Config{}, func(t *testing.T, g *fleet) {
		room, a, _, _ := trio(t, g)
		other := g.roomOf(1, "다른 방")
		alone := join(t, g.dialer(1), other, "bob")
		time.Sleep(3 * time.Second)
		check := func(when string, want ...hub.RoomInfo) {
			t.Helper()
			slices.SortFunc(want, func(a, b hub.RoomInfo) int { return strings.Compare(a.Name, b.Name) })
			for i, h := range g.hubs {
				if got := h.Rooms(); !slices.Equal(got, want) {
					t.Errorf("%s hub %d lists %v, want %v", when, i, got, want)
				}
			}
		}
		check("at first", hub.RoomInfo{Name: room, Members: 3}, hub.RoomInfo{Name: other, Members: 1})
		owned, members := 0, 0
		for i, h := range g.hubs {
			if age := h.RoomsAge(); age > 2*time.Second {
				t.Errorf("hub %d: the list is %v old", i, age)
			}
			s := h.Stats()
			owned, members = owned+s.Rooms, members+s.Members
			if s.Cluster.Hubs != 3 || s.Cluster.Published == 0 || s.Cluster.Taken == 0 || s.Cluster.Lost+s.Cluster.Ignored != 0 {
				t.Errorf("hub %d: %+v", i, s.Cluster)
			}
		}
		if owned != 2 || members != 4 {
			t.Errorf("all hubs together own %d rooms with %d members", owned, members)
		}
		alone.send(signal.Message{Type: signal.TypeBye})
		time.Sleep(3 * time.Second)
		check("then", hub.RoomInfo{Name: room, Members: 3})
		a.send(signal.Message{Type: signal.TypeBye})
		time.Sleep(3 * time.Second)
		check("later", hub.RoomInfo{Name: room, Members: 2})

		for _, other := range g.ends[1:] { // of which the bus knows nothing
			g.bus.Cut(g.ends[0], other)
			g.bus.Cut(other, g.ends[0])
		}
		time.Sleep(2 * time.Second)
		if age := g.hubs[1].RoomsAge(); age < 2*time.Second {
			t.Errorf("cut off, the list is %v old", age)
		}
		time.Sleep(3 * time.Second)
		if age := g.hubs[0].RoomsAge(); age != 0 {
			t.Errorf("of a hub that is alone the list is %v old", age)
		}
		if got := g.hubs[0].Rooms(); len(got) != 0 {
			t.Errorf("a hub that is alone lists %v", got)
		}
	})
}

// Of those that want all 64 seats at once, by three hubs, as many get in as there are, and all hubs agree who.
func TestFleetSeats(t *testing.T) {
	inFleet(t, 3, hub.Config{}, func(t *testing.T, g *fleet) {
		g.bus.Delay(20 * time.Millisecond)
		for owner := range 3 {
			room := g.roomOf(owner, "데모")
			var all []*member
			for n := range 96 {
				m := dial(t, g.dialer(n%3), fmt.Sprint("guest ", owner, n))
				all = append(all, m)
				go m.askToJoin(room, "손님")
			}
			var in []string
			for _, m := range all {
				f, err := m.receive()
				switch {
				case err == nil && f.Type == signal.TypeJoined:
					in = append(in, m.id)
				case err != nil || f.Type != signal.TypeError || f.Code != signal.CodeRoomFull:
					t.Errorf("received %+v, %v", f, err)
				}
			}
			if len(in) != 64 {
				t.Errorf("%d are in", len(in))
			}
			slices.Sort(in)
			for i, h := range g.hubs {
				var got []string
				for _, m := range h.Members(room) {
					got = append(got, m.ID)
				}
				if slices.Sort(got); !slices.Equal(got, in) {
					t.Errorf("hub %d has %v, want %v", i, got, in)
				}
			}
		}
	})
}

// A member that one hub does not answer is let in by another. What it has said to the first comes last, and does not end it for
// good.
func TestFleetAnsweredLate(t *testing.T) {
	inFleet(t, 3, hub.Config{Heartbeat: time.Hour}, func(t *testing.T, g *fleet) {
		room := g.roomOf(0, "데모")
		old := join(t, g.dialer(0), room, "지우")
		again := func(i int, before func()) *member {
			m := dial(t, g.dialer(i), "지우")
			m.session = old.session
			m.askToJoin(room, "지우")
			challenge := m.expect(signal.TypeChallenge)
			before()
			m.prove("", room, challenge)
			synctest.Wait()
			return m
		}
		again(1, func() { g.bus.Cut(g.ends[1], g.ends[0]) })
		used := again(2, func() {})
		used.expect(signal.TypeJoined)
		old.expectBye(old, signal.ReasonRestart)
		g.bus.Heal()
		time.Sleep(2 * time.Second)
		used.expectBye(used, signal.ReasonRestart)
	})
}

// A hub that goes down gives its rooms away first, and sends its members away then; nobody new comes in meanwhile.
func TestFleetDrain(t *testing.T) {
	inFleet(t, 2, hub.Config{}, func(t *testing.T, g *fleet) {
		g.bus.Delay(50 * time.Millisecond)
		room := g.roomOf(0, "데모")
		a, b := join(t, g.dialer(0), room, "지우"), join(t, g.dialer(1), room, "bob")
		a.expect(signal.TypeWelcome)
		down := make(chan error, 1)
		go func() { down <- g.hubs[0].Shutdown(t.Context()) }()
		time.Sleep(10 * time.Millisecond)
		late := dial(t, g.dialer(0), "늦은")
		late.expectCut(signal.CodeShuttingDown, "")
		for _, m := range []*member{a, b} {
			if f := m.expect(signal.TypeJoined); len(f.Members) != 1 {
				t.Errorf("joined again %+v", f)
			}
		}
		a.expectBye(a, signal.ReasonRestart)
		if s := g.hubs[1].Stats(); s.Rooms != 1 {
			t.Errorf("the room is not at the other hub: %d are", s.Rooms)
		}
		b.expectBye(a, signal.ReasonLost)
		if err := <-down; err != nil {
			t.Error(err)
		}
		chat("c2", b)
	})
}

// What a hub warns of it says once no lock is held, because a handler of logs may ask the hub something.
func TestFleetLog(t *testing.T) {
	const lost = "a message to other hubs is lost"
	members, known := func() int { return 0 }, (chan int)(nil)
	config := hub.Config{Logger: slog.New(logFunc(func(text string) {
		if text != lost { // a hub that shuts down does not know who is in the room, and warns of that
			return
		}
		select {
		case known <- members():
		default:
		}
	}))}
	inFleet(t, 2, config, func(t *testing.T, g *fleet) {
		room := g.roomOf(0, "데모")
		a := join(t, g.dialer(0), room, "지우")
		join(t, g.dialer(1), room, "bob")
		a.expect(signal.TypeWelcome)
		known = make(chan int, 1)
		members = func() int { return len(g.hubs[0].Members(room)) }
		g.ends[0].CutOff()
		chat("c", a)
		if n := <-known; n == 0 {
			t.Error("the room is gone")
		}
		g.bus.Heal()
	})
}

// A logFunc is a handler that is called with each warning.
type logFunc func(text string)

func (logFunc) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (f logFunc) Handle(_ context.Context, r slog.Record) error {
	f(r.Message)
	return nil
}

func (f logFunc) WithAttrs([]slog.Attr) slog.Handler { return f }
func (f logFunc) WithGroup(string) slog.Handler      { return f }

// What comes over the backplane and is not from a hub of this version is counted, and disturbs nobody.
func TestFleetForeignMessages(t *testing.T) {
	inFleet(t, 2, hub.Config{}, func(t *testing.T, g *fleet) {
		room := g.roomOf(0, "데모")
		a, b := join(t, g.dialer(0), room, "지우"), join(t, g.dialer(1), room, "bob")
		a.expect(signal.TypeWelcome)
		stranger := g.bus.Join()
		var subjects []string
		for _, h := range g.hubs {
			subjects = append(subjects, "noom.noom.to."+h.ClusterID(), "noom.noom.ask."+h.ClusterID())
		}
		subjects = append(subjects, "noom.noom.beat", "noom.noom.rooms")
		id := strings.Repeat("a", 32)
		bodies := []string{
			"", "{", "null", "[]", "\xff", `{"type":"beat"}`, `{"type":"later","hub":"` + id + `","room":"데모","n":1}`,
			`{"type":"attach","hub":"` + id + `","room":"` + room + `","n":0}`, `{"hub":"` + id + `","n":-1}`,
			`{"hub":"` + id + `","version":1,"page":5,"pages":2}`, `{"hub":"` + id + `","version":1,"pages":1,"rooms":[{"name":"","members":-1}]}`,
			strings.Repeat("x", 2<<20),
		}
		sent := 0
		for _, subject := range subjects {
			for _, body := range bodies {
				if err := stranger.Publish(subject, []byte(body)); err != nil {
					t.Fatal(err)
				}
				sent++
			}
		}
		time.Sleep(time.Second)
		chat("c1", a, b)
		chat("c2", b, a)
		for i, h := range g.hubs {
			if ignored := h.Stats().Cluster.Ignored; ignored < uint64(2*len(bodies)) {
				t.Errorf("hub %d has ignored %d", i, ignored)
			}
		}
	})
}

// A backplane that cannot be reached is an error, unless it is optional; then the hub is alone until it can.
func TestFleetUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &fleet{t: t}
		cut := g.bus.Join()
		cut.CutOff()
		if _, err := hub.Open(&hub.Config{Cluster: &hub.Cluster{Backplane: cut}}); !errors.Is(err, hub.ErrBackplane) || !errors.Is(err, mem.ErrCutOff) {
			t.Errorf("unreachable: %v", err)
		}
		for _, wrong := range []hub.Cluster{{}, {Backplane: cut, Name: "a.b"}, {Backplane: cut, Name: "방"}, {Backplane: cut, Name: strings.Repeat("a", 65)}} {
			if _, err := hub.Open(&hub.Config{Cluster: &wrong}); !errors.Is(err, hub.ErrCluster) {
				t.Errorf("%+v: %v", wrong, err)
			}
		}
		h, err := hub.Open(&hub.Config{Cluster: &hub.Cluster{Backplane: cut, Optional: true}})
		if err != nil {
			t.Fatal(err)
		}
		g.hubs, g.ends = append(g.hubs, h), append(g.ends, cut)
		time.Sleep(2 * time.Second)
		a := join(t, g.dialer(0), "데모", "지우")
		chat("alone", a)
		g.start()
		b := join(t, g.dialer(1), "데모", "bob")
		g.bus.Heal()
		time.Sleep(5 * time.Second)
		for i, h := range g.hubs {
			if n := len(h.Members("데모")); n != 2 {
				t.Errorf("hub %d has %d members", i, n)
			}
		}
		_, _ = a, b
		g.end()
	})
}

// A hub whose process has died counts as dead as soon as the bus knows that nobody is there, and one that the bus knows of only
// after it has been silent for longer.
func TestFleetDead(t *testing.T) {
	for _, died := range []bool{true, false} {
		inFleet(t, 3, hub.Config{}, func(t *testing.T, g *fleet) {
			if died {
				g.kill(0)
			} else {
				for _, other := range g.ends[1:] {
					g.bus.Cut(g.ends[0], other)
				}
			}
			time.Sleep(1600 * time.Millisecond)
			for i, h := range g.hubs[1:] {
				if n := h.Stats().Cluster.Hubs; n == 2 != died {
					t.Errorf("a hub died: %v, and hub %d knows of %d", died, i+1, n)
				}
			}
			time.Sleep(1500 * time.Millisecond)
			for i, h := range g.hubs[1:] {
				if n := h.Stats().Cluster.Hubs; n != 2 {
					t.Errorf("later hub %d knows of %d", i+1, n)
				}
			}
		})
	}
}

// At rest nobody waits: not at a hub that is alone, and not where others know of it.
func TestFleetJoinsAtOnce(t *testing.T) {
	for hubs := range 3 {
		inFleet(t, hubs+1, hub.Config{}, func(t *testing.T, g *fleet) {
			before := time.Now()
			for i := range hubs + 1 {
				join(t, g.dialer(0), g.roomOf(i, "데모"), "지우")
			}
			if waited := time.Since(before); waited > 0 {
				t.Errorf("of %d hubs: waited %v", hubs+1, waited)
			}
		})
	}
}

// What ends a membership at one hub does so at all: an authorisation that ends, a bye that is posted elsewhere, a silence.
func TestFleetEnds(t *testing.T) {
	inFleet(t, 3, hub.Config{Heartbeat: time.Hour, Authorize: byToken}, func(t *testing.T, g *fleet) {
		room := g.roomOf(0, "데모")
		a := joinWith(t, g.dialer(1), room, "지우", "host")
		short := joinWith(t, g.dialer(2), room, "짧은", "half a minute")
		a.expect(signal.TypeWelcome)
		time.Sleep(31 * time.Second)
		a.expectBye(short, signal.ReasonExpired)
		short.expectBye(short, signal.ReasonExpired)

		page := dial(t, g.dialer(2), "page")
		page.tryToJoin(room, "page", "")
		nonce := page.expect(signal.TypeJoined).Nonce
		a.expect(signal.TypeWelcome)
		post(t, g.hubs[1], byeOf(t, page, a, room, nonce), signal.CodeNoSuchMember)
		post(t, g.hubs[1], byeOf(t, page, page, room, nonce), "")
		a.expectBye(page, signal.ReasonLeft)

		lost := joinWith(t, g.dialer(2), room, "lost", "half a minute")
		a.expect(signal.TypeWelcome)
		_ = lost.link.Close()
		a.expectBye(lost, signal.ReasonLost)
		time.Sleep(31 * time.Second)
		a.expectBye(lost, signal.ReasonExpired)
	})
}

// A member that does not read is cut, at its hub, and leaves the room.
func TestFleetSlowMember(t *testing.T) {
	inFleet(t, 2, hub.Config{QueueFrames: 40, Limits: signal.Limits{Rate: math.MaxInt32, Burst: 1000}}, func(t *testing.T, g *fleet) {
		room := g.roomOf(0, "데모")
		a := join(t, g.dialer(0), room, "지우")
		slow := join(t, g.dialer(1), room, "느린")
		a.expect(signal.TypeWelcome)
		for n := range 100 {
			a.send(signal.Message{Type: signal.TypeChat, ID: fmt.Sprint(n), Text: "안녕"})
			synctest.Wait() // until the other hub has it
			if f := a.expectOneOf(signal.TypeChat, signal.TypeBye); f.Type == signal.TypeBye {
				if f.From != slow.id || f.Reason != signal.ReasonLost {
					t.Errorf("bye %+v", f)
				}
				for {
					if _, err := slow.receive(); err != nil {
						if !errors.Is(err, &signal.Error{Code: signal.CodeTooSlow}) {
							t.Errorf("the slow one: %v", err)
						}
						return
					}
				}
			}
		}
		t.Error("the slow one is still there")
	})
}

// The owner of a room tells of its events; a room that moves is closed at one hub and opened at another.
func TestFleetEvents(t *testing.T) {
	inFleet(t, 2, hub.Config{}, func(t *testing.T, g *fleet) {
		room := g.roomOf(0, "데모")
		here, _ := follow(t.Context(), g.hubs[0])
		there, _ := follow(t.Context(), g.hubs[1])
		b := join(t, g.dialer(1), room, "bob")
		if got := here(); !slices.Equal(got, []string{"bob opens " + room, "bob joins " + room}) {
			t.Errorf("the owner tells %q", got)
		}
		if err := g.hubs[0].Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		b.expect(signal.TypeJoined)
		if got := here(); !slices.Equal(got, []string{"bob leaves " + room + ": restart", room + " closes"}) {
			t.Errorf("the former owner tells %q", got)
		}
		if got := there(); !slices.Equal(got, []string{"bob opens " + room, "bob joins " + room}) {
			t.Errorf("the other tells %q", got)
		}
	})
}

// What is good for one member, and how many passwords are wrong, is counted for all hubs together, and stays so when the room
// moves.
func TestFleetCountsOnce(t *testing.T) {
	config := hub.Config{Heartbeat: time.Hour, Authorize: func(_ context.Context, r hub.Request) (hub.Grant, error) {
		return hub.Grant{Once: r.Token, Expires: time.Now().Add(time.Hour)}, nil
	}}
	inFleet(t, 3, config, func(t *testing.T, g *fleet) {
		room := g.roomOf(0, "데모")
		a := joinWith(t, g.dialer(1), room, "지우", "표")
		refused := func(i int, name string) {
			t.Helper()
			thief := dial(t, g.dialer(i), name)
			thief.tryToJoin(room, name, "표")
			thief.expectCut(signal.CodeRefused, signal.TypeJoin)
		}
		for i := range 3 {
			refused(i, fmt.Sprint("thief ", i))
		}
		a.send(signal.Message{Type: signal.TypeBye})
		_ = a.expectEnd()
		refused(2, "thief")
		joinWith(t, g.dialer(2), room, "지우", "표")
		if err := g.hubs[0].Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		refused(1, "thief")
	})
}

// Of whom an authorisation says more than hubs pass on does not get in, and disturbs nobody.
func TestFleetLongIdentity(t *testing.T) {
	config := hub.Config{Heartbeat: time.Hour, Authorize: func(_ context.Context, r hub.Request) (hub.Grant, error) {
		return hub.Grant{Identity: strings.Repeat(r.Token, 2000)}, nil
	}}
	inFleet(t, 2, config, func(t *testing.T, g *fleet) {
		room := g.roomOf(0, "데모")
		a := joinWith(t, g.dialer(1), room, "지우", "")
		long := dial(t, g.dialer(1), "long")
		long.tryToJoin(room, "long", "x")
		long.expectCut(signal.CodeRefused, signal.TypeJoin)
		chat("c", a)
	})
}

// Messages between hubs may be lost. The first thing that each member hears is joined all the same, and at rest those who were
// not sent away are in the room: a member is told of that only so often.
func TestFleetLoss(t *testing.T) {
	for seed := range uint64(20) {
		inFleet(t, 2, hub.Config{Heartbeat: time.Hour}, func(t *testing.T, g *fleet) {
			room := g.roomOf(0, "데모")
			g.bus.Delay(time.Millisecond)
			all := []*member{join(t, g.dialer(1), room, "지우")}
			g.bus.Lose(0.1, seed)
			for n := range 20 {
				all = append(all, join(t, g.dialer(1), room, fmt.Sprint("guest ", n)))
			}
			g.bus.Lose(0, 0)
			time.Sleep(5 * time.Second)
			all[len(all)-1].send(signal.Message{Type: signal.TypeChat, ID: "c", Text: "안녕"})
			in := 0
			for _, m := range all {
				if m.hears(signal.TypeChat) {
					in++
				}
			}
			if n := len(g.hubs[0].Members(room)); n != in || n == 0 {
				t.Errorf("seed %d: %d members, and %d of %d hear it", seed, n, in, len(all))
			}
		})
	}
}

// hears receives frames until one is of that type. It reports false if the connection ends first.
func (m *member) hears(want signal.Type) bool {
	for {
		f, err := m.receive()
		if err != nil || f.Type == want {
			return err == nil
		}
	}
}

func TestFleetCountsGuesses(t *testing.T) {
	config := hub.Config{Authorize: hub.RoomPasswords(func(context.Context, string) (string, error) { return "비밀", nil })}
	inFleet(t, 3, config, func(t *testing.T, g *fleet) {
		room := g.roomOf(0, "데모")
		from := func(i int, address string, password string) signal.Code {
			t.Helper()
			m := dial(t, at(g.hubs[i], address), address)
			m.tryToJoin(room, "손님", password)
			if f := m.expectOneOf(signal.TypeJoined, signal.TypeError); f.Type == signal.TypeError {
				return f.Code
			}
			return ""
		}
		for n := range 5 {
			if code := from(n%3, "192.0.2.1", "wrong"); code != signal.CodeRefused {
				t.Errorf("guess %d: %q", n, code)
			}
		}
		for i := range 3 {
			if code := from(i, "192.0.2.1", "비밀"); code != signal.CodeTooMany {
				t.Errorf("one guess too many, at hub %d: %q", i, code)
			}
		}
		if code := from(1, "192.0.2.2", "비밀"); code != "" {
			t.Errorf("another address: %q", code)
		}
	})
}

// expectOneOf receives the next frame of one of those types.
func (m *member) expectOneOf(types ...signal.Type) signal.Message {
	m.tb.Helper()
	f, err := m.receive()
	if err != nil || !slices.Contains(types, f.Type) {
		m.tb.Fatalf("received %+v, %v; want one of %v", f, err, types)
	}
	return f
}
