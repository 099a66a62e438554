package hub_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// at dials a hub as from some address.
func at(h *hub.Hub, address string) signal.Dialer {
	return signal.DialerFunc(func(ctx context.Context) (signal.Signaler, error) {
		client, server := mem.Pipe()
		go func() { _ = h.Serve(context.WithoutCancel(ctx), from{server, netip.MustParseAddr(address)}) }()
		return client, nil
	})
}

// visit joins and leaves, and reports whether the hub let it in.
func visit(t *testing.T, d signal.Dialer, room, name string) (in bool, refusal *signal.Error) {
	t.Helper()
	m := dial(t, d, name)
	m.askToJoin(room, "")
	f, err := m.receive()
	if err == nil && f.Type == signal.TypeChallenge {
		m.prove("", room, f)
		f, err = m.receive()
	}
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != signal.TypeJoined {
		return false, f.Err()
	}
	m.send(signal.Message{Type: signal.TypeBye})
	for err == nil { // the one before may only just be gone
		_, err = m.receive()
	}
	return true, nil
}

// churn visits again and again for half a minute.
func churn(t *testing.T, d signal.Dialer, room, name func(n int) string) (joins int) {
	t.Helper()
	for n, start := 0, time.Now(); time.Since(start) < 30*time.Second; n++ {
		in, refusal := visit(t, d, room(n), name(n))
		if in {
			joins++
			continue
		}
		if refusal.Code != signal.CodeTooMany || refusal.RetryAfter < time.Second {
			t.Fatalf("refused: %v, after %v", refusal, refusal.RetryAfter)
		}
		time.Sleep(100 * time.Millisecond)
	}
	return joins
}

func always(s string) func(int) string { return func(int) string { return s } }
func numbered(prefix string) func(int) string {
	return func(n int) string { return fmt.Sprint(prefix, n) }
}

// A member that joins and leaves without end is held back, because each join costs everyone in the
// room: all together by room, each by its id and by its address.
func TestJoinChurn(t *testing.T) {
	for name, test := range map[string]struct {
		address    string // none: loopback's, which is not counted
		room, name func(n int) string
		most       int
	}{
		"into one room": {"127.0.0.1", always("데모"), numbered("낯선 사람 "), 64 + 2*64 + 30*16},
		"under one id":  {"127.0.0.1", always("데모"), always("늘 같은 사람"), 16 + 30},
		"from one address": {
			"2001:db8::1", func(n int) string { return fmt.Sprint("방", n%97) }, numbered("낯선 사람 "), 256 + 30*4,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := hub.New(nil)
				resident := join(t, mem.Dialer(h), "데모", "지우")
				go func() { // takes its frames, and keeps the line
					for {
						f, err := resident.link.Receive(context.Background())
						if err != nil {
							return
						}
						if f.Type == signal.TypePing {
							_ = resident.link.Send(context.Background(), signal.Message{Type: signal.TypePong})
						}
					}
				}()
				joins := churn(t, at(h, test.address), test.room, test.name)
				if joins > test.most || joins < test.most*9/10 {
					t.Errorf("%d joins in half a minute, want at most %d", joins, test.most)
				}
				if rooms := h.Rooms(); len(rooms) != 1 || rooms[0].Members != 1 {
					t.Errorf("rooms: %v", rooms)
				}
				_ = resident.link.Close()
			})
		})
	}
}

// A member that has lost its connection comes back at once, however many strangers want to join;
// one that only takes its id in another session, without its key, does not use up its joins.
func TestChurnKeepsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		d := mem.Dialer(h)
		member := join(t, d, "r", "지우")
		other := join(t, d, "r", "other")
		go func() {
			for {
				if _, err := other.link.Receive(context.Background()); err != nil {
					return
				}
			}
		}()
		for i := range 64 + 2*64 - 2 { // as many as may come at once, with those two
			_, _ = visit(t, d, "r", fmt.Sprint(i))
		}
		for i := range 80 { // and those that wait
			m := dial(t, d, fmt.Sprint("w", i))
			m.askToJoin("r", "")
		}
		synctest.Wait()
		if in, refusal := visit(t, d, "r", "too many"); in || refusal.Code != signal.CodeTooMany {
			t.Fatalf("one too many: %v, %v", in, refusal)
		}
		for range 100 { // challenged, and no answer
			m := dial(t, d, "지우")
			m.askToJoin("r", "")
		}
		synctest.Wait()
		_ = member.link.Close()
		synctest.Wait()
		again := dial(t, d, "지우")
		again.session = member.session
		start := time.Now()
		again.askToJoin("r", "")
		again.expect(signal.TypeJoined)
		if waited := time.Since(start); waited > 0 {
			t.Errorf("back after %v", waited)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_ = h.Shutdown(ended) // cuts all that still wait
	})
}

// A room whose only join was refused does not exist.
func TestRefusedOpensNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{MaxRooms: 5, JoinTimeout: time.Millisecond}) // no join waits for longer
		for i := range 8 {
			for range 16 {
				if in, refusal := visit(t, mem.Dialer(h), fmt.Sprint(i), "a"); !in {
					t.Fatal(refusal)
				}
			}
			if in, refusal := visit(t, mem.Dialer(h), fmt.Sprint(i), "a"); in || refusal.Code != signal.CodeTooMany {
				t.Fatalf("%v, %v", in, refusal)
			}
		}
		for i := range 5 {
			join(t, mem.Dialer(h), fmt.Sprint("방", i), "b")
		}
	})
}

// Refusals do not fill a log: twenty lines of a kind, then one every ten seconds, which counts the
// others.
func TestRefusalsAreNotAllLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		h := hub.New(&hub.Config{
			Authorize: func(context.Context, hub.Request) (hub.Grant, error) { return hub.Grant{}, errors.New("no") },
			Logger:    slog.New(slog.NewTextHandler(&log, nil)),
		})
		try := func() {
			if in, refusal := visit(t, mem.Dialer(h), "r", "a"); in || refusal.Code != signal.CodeRefused {
				t.Fatal(refusal)
			}
		}
		for range 500 {
			try()
		}
		synctest.Wait()
		if n := strings.Count(log.String(), "\n"); n != 20 {
			t.Errorf("%d lines after 500 refusals, want 20", n)
		}
		m := dial(t, mem.Dialer(h), "a") // another kind
		m.send(signal.Message{Type: signal.TypePong})
		m.expectCut(signal.CodeJoinFirst, signal.TypePong)
		time.Sleep(10 * time.Second)
		try()
		synctest.Wait()
		if !strings.Contains(log.String(), "join_first") || !strings.HasSuffix(log.String(), " left_out=480\n") {
			t.Errorf("the end of the log: %s", log.String()[max(0, log.Len()-400):])
		}
	})
}

// What one says to many counts as many frames: not all of a burst may be chat to a
// full room.
func TestChatFloodIsSlowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil) // a burst of 1074 frames
		d := mem.Dialer(h)
		flooder := join(t, d, "r", "flooder")
		heard := make(chan struct{}, 10_000)
		for i := range 39 {
			m := join(t, d, "r", fmt.Sprint(i))
			go func() {
				for {
					f, err := m.link.Receive(context.Background())
					if err != nil {
						return
					}
					if f.Type == signal.TypeChat && m.id == flooder.id {
						heard <- struct{}{}
					}
				}
			}()
		}
		said := make(chan int)
		go func() { // its pipe holds some more
			n := 0
			for ; n < 1000; n++ {
				if flooder.link.Send(context.Background(), signal.Message{Type: signal.TypeChat, ID: fmt.Sprint(n), Text: "도배"}) != nil {
					break
				}
			}
			said <- n
		}()
		go func() {
			for {
				f, err := flooder.link.Receive(context.Background())
				if err != nil {
					close(heard)
					return
				}
				if f.Type == signal.TypeChat {
					heard <- struct{}{}
				}
			}
		}()
		synctest.Wait()
		if n, most := len(heard), 2*1074/40+1; n > most {
			t.Errorf("%d chats to 40 at once, want at most %d", n, most)
		}
		before := len(heard)
		time.Sleep(time.Second)
		if n := len(heard) - before; n < 50 || n > 3200/40+1 {
			t.Errorf("%d in the next second", n)
		}
		_ = h.Shutdown(t.Context())
		<-said
	})
}
