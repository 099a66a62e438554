package hub_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		d := mem.Dialer(h)
		witness := join(t, d, "r", "witness")
		lively := join(t, d, "r", "lively")
		silent := join(t, d, "r", "silent")
		witness.expect(signal.TypeWelcome)
		witness.expect(signal.TypeWelcome)
		lively.expect(signal.TypeWelcome)
		start := time.Now()

		for _, m := range []*member{witness, lively} {
			go func() {
				ticker := time.NewTicker(9 * time.Second)
				defer ticker.Stop()
				for {
					select {
					case <-ticker.C:
						_ = m.link.Send(t.Context(), signal.Message{Type: signal.TypePong}) // fails at the end
					case <-t.Context().Done():
						return
					}
				}
			}()
		}
		silent.expect(signal.TypePing)
		if at := time.Since(start); at != 10*time.Second {
			t.Errorf("ping after %v of silence", at)
		}
		_ = silent.expectEnd()
		if at := time.Since(start); at != 20*time.Second {
			t.Errorf("lost after %v of silence", at)
		}
		witness.expectBye(silent, signal.ReasonLost)
		if got := h.Members("r"); len(got) != 2 {
			t.Errorf("members: %v", got)
		}
		lively.expectBye(silent, signal.ReasonLost)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := h.Members("r"); len(got) != 2 {
			t.Errorf("members after an hour of heartbeats: %v", got)
		}
	})
}

func TestPing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := join(t, mem.Dialer(hub.New(nil)), "r", "a")
		m.send(signal.Message{Type: signal.TypePing})
		m.expect(signal.TypePong)
	})
}

func TestNoJoinInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := dial(t, mem.Dialer(hub.New(&hub.Config{JoinTimeout: 3 * time.Second})), "a")
		start := time.Now()
		m.expectCut(signal.CodeTooLate, "")
		if at := time.Since(start); at != 3*time.Second {
			t.Errorf("cut after %v", at)
		}
	})
}

// reluctant is a connection that takes its time to close.
type reluctant struct{ signal.Signaler }

func (r reluctant) CloseWith(why *signal.Error) error {
	time.Sleep(5 * time.Second)
	return signal.CloseWith(r.Signaler, why)
}

// A member that does not read is cut; no other waits for it for a moment.
func TestSlowReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{QueueFrames: 32})
		served := make(chan error, 1)
		client, server := mem.Pipe()
		go func() { served <- h.Serve(context.Background(), reluctant{server}) }()
		slow := join(t, signal.DialerFunc(func(context.Context) (signal.Signaler, error) { return client, nil }), "방", "slow")
		d := mem.Dialer(h)
		a, b := join(t, d, "방", "a"), join(t, d, "방", "b")
		a.expect(signal.TypeWelcome)

		start := time.Now()
		told := 0
		for n := range 100 {
			a.send(signal.Message{Type: signal.TypeChat, ID: fmt.Sprint(n), Text: "안녕"})
			for _, m := range []*member{a, b} {
				f, err := m.receive()
				if err == nil && f.Type == signal.TypeBye {
					if f.From != slow.id || f.Reason != signal.ReasonLost {
						t.Fatalf("bye: %+v", f)
					}
					told++
					f, err = m.receive()
				}
				if err != nil || f.ID != fmt.Sprint(n) {
					t.Fatalf("chat %d: %+v, %v", n, f, err)
				}
			}
		}
		if waited := time.Since(start); waited != 0 || told != 2 {
			t.Errorf("the others waited for %v; %d of 2 were told", waited, told)
		}
		if err := <-served; !errors.Is(err, &signal.Error{Code: signal.CodeTooSlow}) {
			t.Errorf("Serve: %v, want too_slow", err)
		}
		if got := h.Members("방"); len(got) != 2 {
			t.Errorf("members: %v", got)
		}
		for { // what was on its way, and then why
			f, err := client.Receive(t.Context())
			if err == nil {
				if f.Type == signal.TypeBye {
					t.Errorf("the slow one was told %+v", f)
				}
				continue
			}
			if !errors.Is(err, &signal.Error{Code: signal.CodeTooSlow}) {
				t.Errorf("the end: %v, want too_slow", err)
			}
			break
		}
	})
}

// A queue is bounded in bytes too.
func TestSlowReaderInBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{QueueBytes: 100_000})
		d := mem.Dialer(h)
		slow, a := join(t, d, "r", "slow"), join(t, d, "r", "a")
		offer := signal.Message{
			Type: signal.TypeOffer, To: slow.id, Sessions: [2]string{a.session, slow.session},
			Epoch: signal.Epoch{Number: 1, By: a.id}, Seq: 1, Signature: make(signal.Bytes, 64), Body: make([]byte, 10_000),
		}
		for i := range offer.Body {
			offer.Body[i] = 'x'
		}
		for range 15 + 1 + 9 { // the pipe's next to a welcome, the writer's, and the queue's
			a.send(offer)
			synctest.Wait()
		}
		if got := h.Members("r"); len(got) != 2 {
			t.Fatalf("cut below the bound: %v", got)
		}
		a.send(offer)
		a.expectBye(slow, signal.ReasonLost)
	})
}

// Above its rate a member is read more slowly, and not cut.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Limits: signal.Limits{Rate: 10, Members: 2}})
		d := mem.Dialer(h)
		eager, other := join(t, d, "r", "eager"), join(t, d, "r", "other")
		eager.expect(signal.TypeWelcome)
		const burst = 10 + 2*16
		start := time.Now()
		go func() {
			for n := range burst - 1 + 50 { // its join was the first
				_ = eager.link.Send(t.Context(), signal.Message{Type: signal.TypeChat, ID: fmt.Sprint(n), Text: "x"}) // seen below
			}
		}()
		go func() {
			for {
				if _, err := eager.link.Receive(t.Context()); err != nil {
					return
				}
			}
		}()
		for n := range burst - 1 + 50 {
			if f := other.expect(signal.TypeChat); f.ID != fmt.Sprint(n) {
				t.Fatalf("chat %s, want %d", f.ID, n)
			}
			if n == burst-2 && time.Since(start) != 0 {
				t.Errorf("the burst took %v", time.Since(start))
			}
		}
		if took := time.Since(start).Round(100 * time.Millisecond); took != 5*time.Second {
			t.Errorf("50 frames above the burst took %v at 10 a second", took)
		}
	})
}

func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{RetryAfter: 7 * time.Second})
		d := mem.Dialer(h)
		a, b, fresh := join(t, d, "데모", "a"), join(t, d, "demo", "b"), dial(t, d, "c")
		synctest.Wait()
		done := make(chan error, 1)
		go func() { done <- h.Shutdown(t.Context()) }()
		for _, m := range []*member{a, b} {
			if f := m.expect(signal.TypeBye); f.From != m.id || f.Reason != signal.ReasonRestart || f.RetryAfter() != 7*time.Second {
				t.Errorf("bye %s to %s, retry after %v", f.Reason, f.From, f.RetryAfter())
			}
			_ = m.expectEnd()
		}
		if f := fresh.expect(signal.TypeError); f.Code != signal.CodeShuttingDown || f.Err().RetryAfter != 7*time.Second {
			t.Errorf("told %s, retry after %v", f.Code, f.Err().RetryAfter)
		}
		_ = fresh.expectEnd()
		if err := <-done; err != nil {
			t.Errorf("Shutdown: %v", err)
		}
		dial(t, d, "d").expectCut(signal.CodeShuttingDown, "")
		if err := h.Shutdown(t.Context()); err != nil {
			t.Errorf("second Shutdown: %v", err)
		}
		if rooms := h.Rooms(); len(rooms) != 0 {
			t.Errorf("rooms: %v", rooms)
		}
	})
}

// deaf is a connection whose writes hang.
type deaf struct{ signal.Signaler }

func (d deaf) Send(ctx context.Context, _ signal.Message) error {
	<-ctx.Done()
	return ctx.Err()
}

func TestShutdownCutsWhoHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		client, server := mem.Pipe()
		served := make(chan error, 1)
		go func() { served <- h.Serve(context.Background(), deaf{server}) }()
		m := dial(t, signal.DialerFunc(func(context.Context) (signal.Signaler, error) { return client, nil }), "a")
		m.askToJoin("r", "a")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		if err := h.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Shutdown: %v", err)
		}
		err := <-served
		if took := time.Since(start); err == nil || took != time.Second {
			t.Errorf("cut after %v: %v", took, err)
		}
	})
}

func TestEndOfContextEndsServe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		client, server := mem.Pipe()
		ctx, cancel := context.WithCancelCause(t.Context())
		served := make(chan error, 1)
		go func() { served <- h.Serve(ctx, server) }()
		join(t, signal.DialerFunc(func(context.Context) (signal.Signaler, error) { return client, nil }), "r", "a")
		why := errors.New("the host program goes")
		cancel(why)
		if err := <-served; !errors.Is(err, why) {
			t.Errorf("Serve: %v", err)
		}
		_, late := mem.Pipe()
		if err := h.Serve(ctx, late); !errors.Is(err, why) {
			t.Errorf("Serve with a context that has ended: %v", err)
		}
		if rooms := h.Rooms(); len(rooms) != 0 {
			t.Errorf("rooms: %v", rooms)
		}
	})
}

// Functions of Config get what the context that Serve was given knows, as long as
// the connection lasts, and it ends when they are no longer wanted.
func TestContextsOfFunctions(t *testing.T) {
	type account struct{}
	synctest.Test(t, func(t *testing.T) {
		asked := make(map[string]int)
		ended := make(chan error, 1)
		h := hub.New(&hub.Config{
			JoinTimeout: time.Hour,
			Authorize: func(ctx context.Context, r hub.Request) (hub.Grant, error) {
				asked[fmt.Sprint("authorize ", ctx.Value(account{}))]++
				if r.Room == "막힘" {
					<-ctx.Done()
					ended <- ctx.Err()
				}
				return hub.Grant{}, ctx.Err()
			},
			ICEServers: func(ctx context.Context, _ signal.Member) []signal.ICEServer {
				asked[fmt.Sprint("servers ", ctx.Value(account{}))]++
				return nil
			},
		})
		enter := func(room, name string) *member {
			client, server := mem.Pipe()
			ctx := context.WithValue(t.Context(), account{}, name)
			go func() { _ = h.Serve(ctx, server) }() // its end is not what this is about
			m := dial(t, signal.DialerFunc(func(context.Context) (signal.Signaler, error) { return client, nil }), name)
			m.askToJoin(room, name)
			m.prove("", room, m.expect(signal.TypeChallenge))
			return m
		}
		a := enter("방", "지우")
		a.expect(signal.TypeJoined)
		a.send(signal.Message{Type: signal.TypeServers})
		a.expect(signal.TypeServers)
		enter("막힘", "bob")
		synctest.Wait()
		if want := map[string]int{"authorize 지우": 1, "authorize bob": 1, "servers 지우": 2}; !maps.Equal(asked, want) {
			t.Errorf("asked %v, want %v", asked, want)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = h.Shutdown(ctx) // cuts everyone
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Authorize was ended by %v", err)
		}
	})
}

func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		d := mem.Dialer(h)
		type list struct {
			at    time.Duration
			rooms []hub.RoomInfo
		}
		lists := make(chan list, 100)
		start := time.Now()
		go func() {
			for rooms := range h.Watch(t.Context()) {
				lists <- list{time.Since(start), rooms}
			}
			close(lists)
		}()
		expect := func(at time.Duration, want ...hub.RoomInfo) {
			t.Helper()
			got := <-lists
			if got.at != at || !slices.Equal(got.rooms, want) {
				t.Fatalf("at %v: %v, want at %v: %v", got.at, got.rooms, at, want)
			}
		}
		expect(0)
		time.Sleep(time.Second)
		join(t, d, "데모", "a")
		expect(time.Second, hub.RoomInfo{Name: "데모", Members: 1}) // at once
		join(t, d, "데모", "b")
		c := join(t, d, "alpha", "c")
		expect(1250*time.Millisecond, hub.RoomInfo{Name: "alpha", Members: 1}, hub.RoomInfo{Name: "데모", Members: 2}) // both changes in one
		time.Sleep(time.Second)
		c.send(signal.Message{Type: signal.TypeBye})
		expect(2250*time.Millisecond, hub.RoomInfo{Name: "데모", Members: 2})
		join(t, d, "gone before the next list", "d").send(signal.Message{Type: signal.TypeBye})
		time.Sleep(time.Second)
		if len(lists) > 0 {
			t.Errorf("a list that had not changed: %v", <-lists)
		}
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		for range lists { // ends
		}
	})
}
