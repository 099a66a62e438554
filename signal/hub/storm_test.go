package hub_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// A walker is a member that does what members do: it answers pings, and dials again, a second later, when its connection
// has ended. It keeps its hub, as one whose hub is the nearest would.
type walker struct {
	g       *fleet
	hub     int
	name    string
	room    string
	session string

	mu     sync.Mutex
	link   signal.Signaler // nil: not in the room
	joined int             // how often it was told so
	ends   []string        // why its connections ended
	chats  map[string]int  // heard
	locked bool
}

func (g *fleet) walk(ctx context.Context, i int, room, name string) *walker {
	w := &walker{g: g, hub: i, name: name, room: room, session: signal.NewSession(), chats: map[string]int{}}
	go func() {
		for ctx.Err() == nil {
			why := w.connect(ctx)
			w.mu.Lock()
			w.link = nil
			if ctx.Err() == nil {
				w.ends = append(w.ends, why)
			}
			w.mu.Unlock()
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
		}
	}()
	return w
}

func (w *walker) id() string {
	return signal.MemberID(signal.PublicKey(keyOf(w.name)[32:]))
}

// connect is one connection, from its join to its end.
func (w *walker) connect(ctx context.Context) string {
	link, err := mem.Dialer(w.g.hubs[w.hub]).Dial(ctx)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = link.Close() }()
	m := &member{tb: w.g.t, link: link, key: keyOf(w.name), session: w.session}
	send := func(f signal.Message) { _ = link.Send(ctx, f) }
	send(signal.Message{Type: signal.TypeJoin, Room: w.room, Name: w.name, Session: w.session, Key: signal.PublicKey(m.key[32:])})
	for {
		f, err := link.Receive(ctx)
		if err != nil {
			if refusal, ok := errors.AsType[*signal.Error](err); ok {
				return string(refusal.Code)
			}
			return err.Error()
		}
		switch {
		case f.Type == signal.TypePing:
			send(signal.Message{Type: signal.TypePong})
		case f.Type == signal.TypeChallenge:
			m.prove("", w.room, f)
		case f.Type == signal.TypeBye && f.From == w.id():
			return "bye " + string(f.Reason)
		case f.Type == signal.TypeError && f.Code != signal.CodeNoSuchMember:
			return string(f.Code)
		default:
			w.hear(link, &f)
		}
	}
}

func (w *walker) hear(link signal.Signaler, f *signal.Message) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch f.Type {
	case signal.TypeJoined:
		w.link, w.locked = link, f.Locked
		w.joined++
	case signal.TypeChat:
		w.chats[f.From+"/"+f.ID]++
	case signal.TypeLocked, signal.TypeUnlocked:
		w.locked = f.Type == signal.TypeLocked
	default:
	}
}

func (w *walker) say(id string) {
	w.mu.Lock()
	link := w.link
	w.mu.Unlock()
	if link != nil {
		_ = link.Send(w.g.t.Context(), signal.Message{Type: signal.TypeChat, ID: id, Text: "안녕"}) // lost, if the link is
	}
}

// A hub that another does not hear, though it hears that one, has members of a locked room, from which one was kicked. None
// of them is sent away, on neither side; what was locked stays so, and who was kicked out; and they are one room afterwards.
func TestOneWayCut(t *testing.T) {
	for owner := range 2 {
		for from := range 2 {
			inFleet(t, 2, hub.Config{}, func(t *testing.T, g *fleet) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				room := g.roomOf(owner, "방")
				var all []*walker
				for n, i := range []int{0, 0, 1, 1, 1} {
					all = append(all, g.walk(ctx, i, room, fmt.Sprint("손님 ", n)))
				}
				time.Sleep(time.Second)
				if err := g.hubs[0].Kick(room, all[4].id()); err != nil {
					t.Fatal(err)
				}
				if err := g.hubs[1].Lock(room); err != nil {
					t.Fatal(err)
				}
				g.bus.Cut(g.ends[from], g.ends[1-from])
				for n := range 20 {
					all[n%4].say(fmt.Sprint(n))
					time.Sleep(time.Second)
				}
				g.bus.Heal()
				time.Sleep(5 * time.Second)
				all[0].say("here")
				all[3].say("there")
				time.Sleep(time.Second)
				for n, w := range all[:4] {
					w.mu.Lock()
					for i := 4; i < 20; i++ { // until then a hub may count as alive, as ever
						if sameSide := (i%4)/2 == n/2; w.chats[all[i%4].id()+"/"+fmt.Sprint(i)] == 0 && sameSide {
							t.Errorf("owner %d, from %d: %d did not hear %d", owner, from, n, i)
						}
					}
					if len(w.ends) > 0 || !w.locked || w.chats[all[0].id()+"/here"] != 1 || w.chats[all[3].id()+"/there"] != 1 {
						t.Errorf("owner %d, from %d: %d ended %q, locked %v, heard %v", owner, from, n, w.ends, w.locked, w.chats)
					}
					w.mu.Unlock()
				}
				for i, h := range g.hubs {
					if n := len(h.Members(room)); n != 4 {
						t.Errorf("owner %d, from %d: hub %d has %d members", owner, from, i, n)
					}
				}
			})
		}
	}
}

// All members of a locked room are at a hub that its owner takes for dead. The room, its lock and its kicks are there when that
// hub is heard again, and so they are for a member that comes by another hub meanwhile.
func TestPresumedDeathOfAll(t *testing.T) {
	for _, oneWay := range []bool{true, false} {
		for _, gone := range []time.Duration{4 * time.Second, 8 * time.Second, 30 * time.Second} {
			inFleet(t, 3, hub.Config{}, func(t *testing.T, g *fleet) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				room := g.roomOf(0, "방")
				var all []*walker
				for n := range 3 {
					all = append(all, g.walk(ctx, 1, room, fmt.Sprint("손님 ", n)))
				}
				time.Sleep(time.Second)
				if err := g.hubs[2].Kick(room, all[2].id()); err != nil {
					t.Fatal(err)
				}
				if err := g.hubs[2].Lock(room); err != nil {
					t.Fatal(err)
				}
				for _, i := range []int{0, 2} {
					g.bus.Cut(g.ends[1], g.ends[i])
					if !oneWay {
						g.bus.Cut(g.ends[i], g.ends[1])
					}
				}
				time.Sleep(gone)
				g.bus.Heal()
				time.Sleep(5 * time.Second)
				stranger := dial(t, g.dialer(2), "낯선 사람")
				stranger.askToJoin(room, "낯선 사람")
				stranger.expectCut(signal.CodeLocked, signal.TypeJoin)
				kicked := dial(t, g.dialer(2), "손님 2")
				kicked.askToJoin(room, "손님 2")
				kicked.expectCut(signal.CodeKicked, signal.TypeJoin)
				for n, w := range all[:2] {
					w.mu.Lock()
					if len(w.ends) > 0 || !w.locked {
						t.Errorf("one way %v, for %v: %d ended %q, locked %v", oneWay, gone, n, w.ends, w.locked)
					}
					w.mu.Unlock()
				}
			})
		}
	}
}

// While many messages between hubs are lost, at random or in bursts, all are in their rooms afterwards, and nobody is sent
// away before. But hubs that lose half of their beats take each other for dead now and then, and by chance, in one of
// three thousand such minutes, a member waits so long for an owner that it is told to come back. With a fifth lost, a room at
// rest hardly notices.
func TestHeavyLoss(t *testing.T) {
	toldToComeBack := 0
	for _, weather := range []struct {
		name   string
		share  float64
		bursts bool
	}{{"a fifth", 0.2, false}, {"half", 0.5, false}, {"bursts", 0.9, true}} {
		for seed := range uint64(40) {
			inFleet(t, 3, hub.Config{}, func(t *testing.T, g *fleet) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				g.bus.Delay(5 * time.Millisecond)
				var all []*walker
				var rooms []string
				for n := range 9 {
					if n%3 == 0 {
						rooms = append(rooms, g.roomOf(n/3, "방"))
					}
					all = append(all, g.walk(ctx, n%3, rooms[n/3], fmt.Sprint("손님 ", n)))
				}
				time.Sleep(2 * time.Second)
				for n := range 300 { // a minute
					if n == 0 || weather.bursts && n%25 == 0 {
						g.bus.Lose(weather.share, seed)
					} else if weather.bursts && n%25 == 10 {
						g.bus.Lose(0, 0)
					}
					all[n%9].say(fmt.Sprint(n))
					time.Sleep(200 * time.Millisecond)
				}
				g.bus.Lose(0, 0)
				time.Sleep(8 * time.Second)
				joined := 0
				for n, w := range all {
					w.say("last")
					time.Sleep(100 * time.Millisecond)
					w.mu.Lock()
					joined += w.joined
					for _, why := range w.ends {
						if toldToComeBack++; why != string(signal.CodeFailed) || toldToComeBack > 3 {
							t.Errorf("%s, seed %d: %d was sent away: %q", weather.name, seed, n, w.ends)
						}
					}
					w.mu.Unlock()
				}
				for n, w := range all {
					for m := n / 3 * 3; m < n/3*3+3; m++ {
						if heard := w.heard(all[m], "last"); heard != 1 {
							t.Errorf("%s, seed %d: %d heard the last of %d %d times", weather.name, seed, n, m, heard)
						}
					}
				}
				t.Logf("%s, seed %d: joined said %d times to %d", weather.name, seed, joined, len(all))
				if weather.share < 0.5 && joined > 2*len(all) {
					t.Errorf("%s, seed %d: joined said %d times to %d", weather.name, seed, joined, len(all))
				}
			})
		}
	}
}

// heard is how often a chat was.
func (w *walker) heard(from *walker, id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.chats[from.id()+"/"+id]
}
