package bot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"noom"
	"noom/bot"
	"noom/noomtest"
)

// running is a bot in a test.
type running struct {
	stop  context.CancelFunc
	ended chan error
}

// run runs a bot in the room 방 of a world. change may be nil.
func run(t *testing.T, w *noomtest.World, handlers bot.Handlers, change func(*bot.Config)) *running {
	t.Helper()
	config := bot.Config{Dialer: w.Dialer("봇"), Room: "방", Join: *w.Config("봇")}
	if change != nil {
		change(&config)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &running{cancel, make(chan error, 1)}
	go func() { r.ended <- bot.Run(ctx, config, handlers) }()
	t.Cleanup(cancel)
	return r
}

// end stops a bot and returns what Run does.
func (r *running) end() error {
	r.stop()
	return <-r.ended
}

// diary is what handlers note.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// take returns what was noted since the last call, once all goroutines wait.
func (d *diary) take() []string {
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	lines := d.lines
	d.lines = nil
	return lines
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func connected(e noom.PeerStateChanged) bool { return e.State == noom.PeerConnected }

// TestMembersDoNotHoldUpOthers: while the handlers of one member are busy, those of another are called, and so are other
// handlers of that member; the credit of its data runs out, and nothing of that is lost.
func TestMembersDoNotHoldUpOthers(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		var d diary
		free := make(chan struct{})
		r := run(t, w, bot.Handlers{
			Data: func(_ context.Context, _ noom.Room, e noom.DataReceived) {
				if e.Peer.Name() == "느린이" {
					<-free
				}
				d.note("%s %d", e.Peer.Name(), e.Data[0])
			},
			Chat: func(_ context.Context, _ noom.Room, e noom.ChatReceived) { d.note("%s says %s", e.From.Name, e.Text) },
		}, nil)
		slow, quick := w.Join("방", &noom.Config{Name: "느린이"}), w.Join("방", &noom.Config{Name: "빠른이"})
		noomtest.Await(w, slow, func(e noom.PeerStateChanged) bool { return connected(e) && e.Peer.Name() == "봇" })
		noomtest.Await(w, quick, func(e noom.PeerStateChanged) bool { return connected(e) && e.Peer.Name() == "봇" })
		to := slow.Peers()[slices.IndexFunc(slow.Peers(), func(p noom.Peer) bool { return p.Name() == "봇" })]
		sent := 0
		message := make([]byte, 32<<10)
		for waits := 0; waits < 10; {
			message[0] = byte(sent)
			if err := to.TrySend(message); err == nil {
				sent++
			} else if errors.Is(err, noom.ErrWouldBlock) {
				waits++
				time.Sleep(time.Second)
			} else {
				t.Fatal(err)
			}
		}
		if sent < 32 || sent > 34 {
			t.Errorf("%d messages of 32 KiB were taken from a member whose handler is busy, want 1 MiB and that of the handler", sent)
		}
		if err := errors.Join(quick.TrySend([]byte{7}), slow.TryChat("여기"), quick.TryChat("저기")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		got := d.take()
		slices.Sort(got)
		expect(t, "while one is busy", got, "느린이 says 여기", "빠른이 7", "빠른이 says 저기")
		close(free)
		time.Sleep(10 * time.Second)
		var want []string
		for i := range sent {
			want = append(want, fmt.Sprint("느린이 ", i))
		}
		expect(t, "afterwards", d.take(), want...)
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestOldChatGoes: of what waits for a busy handler the oldest goes, and is counted.
func TestOldChatGoes(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		var d diary
		next := make(chan struct{})
		r := run(t, w, bot.Handlers{
			Chat: func(_ context.Context, _ noom.Room, e noom.ChatReceived) {
				d.note("%s", e.Text)
				<-next
			},
			Event: func(_ context.Context, _ noom.Room, e noom.Event) {
				if lagged, ok := e.(noom.Lagged); ok {
					d.note("%d dropped", lagged.Dropped)
				}
			},
		}, func(c *bot.Config) { c.Backlog = 2 })
		a := w.Join("방", &noom.Config{Name: "a"})
		for i := range 5 {
			if err := a.Chat(t.Context(), fmt.Sprint(i)); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Second)
		expect(t, "while it is busy", d.take(), "0")
		next <- struct{}{}
		got := d.take()
		slices.Sort(got)
		expect(t, "afterwards", got, "2 dropped", "3")
		next <- struct{}{}
		expect(t, "and then", d.take(), "4")
		close(next)
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}

// TestContextsEnd: a handler's context ends with what it is about, and Left follows Joined.
func TestContextsEnd(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		var d diary
		stays := func(ctx context.Context, what string) {
			d.note("%s", what)
			<-ctx.Done()
			d.note("%s over", what)
		}
		r := run(t, w, bot.Handlers{
			Entered: func(ctx context.Context, room noom.Room) { stays(ctx, "entered "+room.Name()) },
			Joined:  func(ctx context.Context, _ noom.Room, e noom.PeerJoined) { stays(ctx, "joined "+e.Peer.Name()) },
			Left:    func(_ context.Context, _ noom.Room, e noom.PeerLeft) { d.note("left %s", e.Member.Name) },
			Connected: func(ctx context.Context, _ noom.Room, e noom.PeerStateChanged) {
				stays(ctx, "connected "+e.Peer.Name())
			},
			Track:   func(ctx context.Context, _ noom.Room, e noom.TrackAdded) { stays(ctx, "track "+e.Track.Name()) },
			Channel: func(ctx context.Context, _ noom.Room, e noom.ChannelOpened) { stays(ctx, "channel "+e.Channel.Label()) },
			File:    func(ctx context.Context, _ noom.Room, e noom.FileOffered) { stays(ctx, "file "+e.File.Name()) },
		}, nil)
		time.Sleep(time.Second)
		expect(t, "alone", d.take(), "entered 방")
		a := w.Join("방", &noom.Config{Name: "a"})
		noomtest.Await(w, a, connected)
		time.Sleep(time.Second)
		expect(t, "a comes", d.take(), "joined a", "connected a")
		camera, err := a.Publish(t.Context(), w.Camera(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = a.Publish(t.Context(), w.Microphone(), nil); err != nil {
			t.Fatal(err)
		}
		if _, err = a.Peers()[0].OpenChannel(t.Context(), "메모", nil); err != nil {
			t.Fatal(err)
		}
		go func() { _ = a.Peers()[0].SendFile(t.Context(), "파일", strings.NewReader("내용"), nil) }() // nobody takes it
		time.Sleep(time.Second)
		got := d.take()
		slices.Sort(got)
		expect(t, "a sends", got, "channel 메모", "file 파일", "track camera", "track microphone")
		if err = camera.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		expect(t, "a track ends", d.take(), "track camera over")
		if err = a.Leave(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		got = d.take()
		if i, k := slices.Index(got, "joined a over"), slices.Index(got, "left a"); i < 0 || k < i {
			t.Errorf("a leaves: %q", got)
		}
		slices.Sort(got)
		expect(t, "a leaves", got, "channel 메모 over", "connected a over", "file 파일 over", "joined a over", "left a", "track microphone over")
		if err := r.end(); err != nil {
			t.Error(err)
		}
		expect(t, "the end", d.take(), "entered 방 over")
	})
}

// TestComingAndGoing: a member that comes and goes while the handler of its first visit is busy is not remembered.
func TestComingAndGoing(t *testing.T) {
	noomtest.Run(t, func(t *testing.T, w *noomtest.World) {
		var d diary
		free := make(chan struct{})
		r := run(t, w, bot.Handlers{
			Joined: func(context.Context, noom.Room, noom.PeerJoined) {
				d.note("joined")
				<-free
			},
			Left: func(context.Context, noom.Room, noom.PeerLeft) { d.note("left") },
		}, nil)
		identity := noom.NewIdentity()
		var a noom.Room
		for i := range 5 {
			a = w.Join("방", &noom.Config{Name: "a", Identity: identity})
			time.Sleep(time.Second)
			if i == 4 {
				break
			}
			if err := a.Leave(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		expect(t, "meanwhile", d.take(), "joined")
		close(free)
		expect(t, "afterwards", d.take(), "left", "joined")
		if err := r.end(); err != nil {
			t.Error(err)
		}
	})
}
