package hub_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom/signal"
	"noom/signal/hub"
	"noom/transport/mem"
)

// modem is a connection over which 10 Mbit/s come in.
type modem struct{ signal.Signaler }

func (m modem) Receive(ctx context.Context) (signal.Message, error) {
	f, err := m.Signaler.Receive(ctx)
	if err == nil {
		frame, _ := f.Encode() // what was decoded is encoded
		time.Sleep(time.Duration(len(frame)) * 800 * time.Nanosecond)
	}
	return f, err
}

// A joiner does what members do: offers to newcomers, answers offers.
type joiner struct {
	*member

	joined time.Time
	heard  map[signal.Type]int
}

func (j *joiner) live(body []byte) error {
	for {
		f, err := j.link.Receive(context.Background())
		if err != nil {
			return err
		}
		j.heard[f.Type]++
		pair := signal.Message{
			Sessions: [2]string{j.session, j.session}, Epoch: signal.Epoch{Number: 1, By: j.id}, Seq: 1,
			Signature: make(signal.Bytes, 64), Body: body,
		}
		var answers []signal.Type
		switch f.Type {
		case signal.TypeJoined:
			j.joined = time.Now()
		case signal.TypeWelcome:
			pair.To = f.Member.ID
			answers = []signal.Type{signal.TypeOffer, signal.TypeCandidates, signal.TypeCandidates}
		case signal.TypeOffer:
			pair.To = f.From
			answers = []signal.Type{signal.TypeAnswer, signal.TypeCandidates}
		default:
		}
		for _, t := range answers {
			pair.Type = t
			pair.Stamp("")
			if err := j.link.Send(context.Background(), pair); err != nil {
				return err
			}
		}
	}
}

// All members of a full room come within a second: each gets the offers of all the others, and none
// is cut.
func TestFullRoomJoinsAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(nil)
		const n = signal.MaxMembers
		body := []byte(strings.Repeat("x", 6000)) // a description with two tracks
		start := time.Now()
		joiners := make([]*joiner, n)
		var done sync.WaitGroup
		for i := range joiners {
			m := dial(t, mem.Dialer(h), fmt.Sprint("참가자 ", i))
			m.link = modem{m.link}
			joiners[i] = &joiner{member: m, heard: map[signal.Type]int{}}
			done.Go(func() {
				time.Sleep(time.Duration(i) * time.Second / n)
				m.askToJoin("데모", "")
				_ = joiners[i].live(body) // until the hub shuts down
			})
		}
		time.Sleep(8 * time.Second) // no ping is due so soon
		synctest.Wait()
		if s := h.Stats(); s.Members != n {
			t.Errorf("%d members, want %d; ended: %v", s.Members, n, s.Ended)
		}
		slices.SortFunc(joiners, func(a, b *joiner) int { return a.joined.Compare(b.joined) })
		offers, answers := 0, 0
		for _, j := range joiners {
			offers += j.heard[signal.TypeOffer]
			answers += j.heard[signal.TypeAnswer]
			if j.heard[signal.TypeError] > 0 {
				t.Errorf("told %d errors", j.heard[signal.TypeError])
			}
		}
		if want := n * (n - 1) / 2; offers != want || answers != want {
			t.Errorf("%d offers and %d answers, want %d", offers, answers, want)
		}
		last := joiners[n-1].joined.Sub(start)
		t.Logf("the last was in after %v", last)
		if last > 1500*time.Millisecond {
			t.Errorf("the last was in after %v, having come after 1 s", last)
		}
		if err := h.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		done.Wait()
	})
}

// One of a hundred members reads no more. The others' chat is not late by a
// moment, before it is cut and after.
func TestOneOfAHundredStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Limits: signal.Limits{Members: 100}, QueueFrames: 150})
		d := mem.Dialer(h)
		stopped := join(t, d, "r", "stopped")
		var worst time.Duration // of all chats at all others
		var mu sync.Mutex
		heard := 0
		var others []*member
		for i := range 99 {
			m := join(t, d, "r", fmt.Sprint(i))
			others = append(others, m)
			go func() {
				for {
					f, err := m.link.Receive(context.Background())
					if err != nil {
						return
					}
					if f.Type == signal.TypePing {
						_ = m.link.Send(t.Context(), signal.Message{Type: signal.TypePong}) // fails at the end
					}
					if f.Type == signal.TypeChat {
						mu.Lock()
						heard++
						worst = max(worst, time.Since(time.UnixMilli(f.At)))
						mu.Unlock()
					}
				}
			}()
		}
		const chats = 300
		for i := range chats {
			others[i%99].send(signal.Message{Type: signal.TypeChat, ID: fmt.Sprint(i), Text: "안녕"})
			time.Sleep(5 * time.Millisecond)
		}
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if heard != 99*chats {
			t.Errorf("%d chats were heard, want %d", heard, 99*chats)
		}
		if worst >= 50*time.Millisecond {
			t.Errorf("a chat was late by %v", worst)
		}
		if s := h.Stats(); s.Ended["too_slow"] != 1 || s.Members != 99 {
			t.Errorf("%d members, ended %v: want the one that stopped cut", s.Members, s.Ended)
		}
		_ = stopped.link.Close()
	})
}

// A member that floods is read more slowly, and no other pays for it.
func TestFloodSlowsOnlyWhoFloods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hub.New(&hub.Config{Limits: signal.Limits{Members: 4, Rate: 50}}) // a burst of 114
		d := mem.Dialer(h)
		a, b, flooder := join(t, d, "r", "a"), join(t, d, "r", "b"), join(t, d, "r", "flooder")
		a.expect(signal.TypeWelcome)
		a.expect(signal.TypeWelcome)
		b.expect(signal.TypeWelcome)
		start := time.Now()
		const frames = 1000
		flooded := make(chan time.Duration, 1)
		go func() { // to itself, so that only its own reader sees them
			for range frames {
				if flooder.link.Send(context.Background(), signal.Message{Type: signal.TypePing}) != nil {
					break
				}
			}
			flooded <- time.Since(start)
		}()
		go func() {
			for {
				if _, err := flooder.link.Receive(context.Background()); err != nil {
					return
				}
			}
		}()
		for i := range 100 {
			sent := time.Now()
			a.send(signal.Message{Type: signal.TypeChat, ID: fmt.Sprint(i), Text: "안녕"})
			for _, m := range []*member{a, b} {
				m.expect(signal.TypeChat)
			}
			if late := time.Since(sent); late != 0 {
				t.Fatalf("a chat took %v during a flood", late)
			}
			time.Sleep(20 * time.Millisecond)
		}
		// 1000 frames but the burst, and those on their way, at 50 a second.
		if took := <-flooded; took < 16*time.Second || took > 20*time.Second {
			t.Errorf("the flood took %v", took)
		}
		if got := h.Members("r"); len(got) != 3 {
			t.Errorf("%d members: a flood is slowed and not cut", len(got))
		}
	})
}
