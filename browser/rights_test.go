package browser_test

import (
	"context"
	"testing"
	"time"

	"noom/internal/browsertest"
	"noom/signal"
	"noom/signal/hub"
)

// authorised gives the lab a hub that grants by token.
func (l *lab) authorised() *hub.Hub {
	h := hub.New(&hub.Config{
		RetryAfter: time.Second,
		Authorize: func(_ context.Context, r hub.Request) (hub.Grant, error) {
			switch r.Token {
			case "host":
				return hub.Grant{Rights: signal.AllRights()}, nil
			case "viewer":
				return hub.Grant{Rights: signal.Rights{signal.RightChat}}, nil
			}
			return hub.Grant{}, nil
		},
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hub = h
	return h
}

func TestRights(t *testing.T) { browsertest.EachAlike(t, testRights) }

func testRights(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	l.authorised()
	b1, b2 := kinds.Start(t)
	host, guest := l.open(b1, ""), l.open(b2, "")
	host.Do(`enter('선생님', { token: 'host' })`)
	guest.Do(`enter('guest', { token: () => 'viewer', tracks: [picture('rgb(200, 0, 0)')] })`)
	connected(host, guest)

	for _, what := range []string{"room.kick(room.self.id)", "room.lock()", "room.unlock()", "room.closeForAll()", "other().requestMute()"} {
		if code := browsertest.Eval[string](guest, what+`.then(() => 'done', (e) => e.code)`); code != "forbidden" {
			t.Errorf("%s without the right: %s", what, code)
		}
	}
	guest.Do(`try { room.publish(tone()); window.refusal = '' } catch (e) { window.refusal = e.code }`)
	guest.Wait("a refusal to publish", `refusal === 'forbidden' && other().may('kick') && !room.may('publish')`)
	host.Do(`room.publish(tone())`)
	guest.Wait("the host's track", `other().tracks.length === 1`)
	if n := browsertest.Eval[int](host, `other().tracks.length`); n != 0 {
		t.Errorf("%d tracks of a viewer", n)
	}

	host.Do(`other().requestMute('마이크')`)
	guest.Wait("the wish", `happened('muterequested', (e) => e.by.name === '선생님' && e.track === '마이크') === 1`)
	host.Do(`room.lock()`)
	guest.Wait("the lock", `room.locked && happened('roomlocked', (e) => e.locked && e.by.name === '선생님') === 1`)
	if code := browsertest.Eval[string](guest, `noom.join('/ws', '데모').then(() => 'in', (e) => e.code)`); code != "locked" {
		t.Errorf("joined a locked room: %s", code)
	}
	host.Do(`room.unlock()`)
	guest.Wait("the unlock", `!room.locked`)
	host.Do(`room.kick(other().id)`)
	guest.Wait("the kick", `room.error?.code === 'kicked'`)
	host.Wait("the guest gone", `happened('peerleft', (e) => e.reason === 'kicked') === 1 && room.peers.length === 0`)
	host.Do(`room.closeForAll()`)
	host.Wait("the end", `room.error?.code === 'room_closed'`)
}

// A hub that is shut down in order is waited for; calls go on.
func TestHubRestart(t *testing.T) { browsertest.EachAlike(t, testHubRestart) }

func testHubRestart(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	old := l.authorised()
	one, two := l.meet(t, kinds)
	one.Do(`window.pc = other().connection`)
	l.authorised()
	if err := old.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tab := range []*browsertest.Tab{one, two} {
		tab.Wait("the loss and the way back",
			`happened('signalinglost', (e) => e.error.code === 'shutting_down' && e.error.retry === 1000) === 1 && happened('signalingrestored') === 1`)
	}
	one.Wait("the same connection", `other().connection === pc && happened('peerleft') === 0 && room.error === null`)
}
