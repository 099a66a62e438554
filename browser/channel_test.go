package browser_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"noom"
	"noom/internal/browsertest"
	"noom/transport/ws"
)

// A channel of the application's own between two pages: bounds, and the ways it ends.
func TestChannel(t *testing.T) { browsertest.EachPair(t, testChannel) }

func testChannel(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	one, two := l.meet(t, kinds)
	got := func(tab *browsertest.Tab, js, want string) {
		t.Helper()
		if s := browsertest.Eval[string](tab, js); s != want {
			t.Errorf("%s: %q, want %q", js, s, want)
		}
	}
	two.Do(`window.opened = []; room.addEventListener('channelopened', (e) => opened.push(e.channel));
		window.text = (bytes) => new TextDecoder().decode(bytes)`)
	one.Do(`(async () => {
		window.channel = await other().openChannel('파일', { unordered: true, maxLifetime: 1000 });
		for (let i = 0; i < 100; i++) await channel.send(String(i)); // before anybody listens
	})()`)
	two.Wait("the channel", `opened.length === 1 && opened[0].label === '파일' && log.find((e) => e.type === 'channelopened').peer === other()`)
	got(two, `(async () => { const all = new Set(); while (all.size < 100) all.add(text(await opened[0].receive())); return String(all.size); })()`, "100")
	two.Do(`opened[0].send(new Uint8Array([1, 2, 3]))`)
	got(one, `channel.receive().then((b) => b.join())`, "1,2,3")
	got(one, `channel.send(new Uint8Array(61441)).catch((e) => e.code)`, "too_big")
	got(one, `other().openChannel('x'.repeat(129)).catch((e) => e.code)`, "bad_name")
	got(one, `other().openChannel('x', { maxLifetime: 0 }).catch((e) => e.code)`, "bad_argument")

	// An end for both; what came before it is still there.
	one.Do(`channel.send('last words').then(() => new Promise((r) => setTimeout(r, 300))).then(() => { channel.close(); channel.close(); })`)
	got(two, `(async () => { const all = []; for await (const b of opened[0]) all.push(text(b)); return all.join(); })()`, "last words")
	got(two, `opened[0].send('x').catch((e) => e.code)`, "closed")
	got(one, `channel.receive().then(String)`, "null")

	// Left unread, it is closed, and the rest goes on.
	one.Do(`(async () => {
		window.channel = await other().openChannel('unread');
		try { for (;;) await channel.send(new Uint8Array(61440)); } catch (e) { window.ended = e.code; }
	})(), undefined`)
	one.Wait("its end", `ended === 'closed'`)
	got(two, `(async () => { try { while (await opened[1].receive()); return 'null'; } catch (e) { return e.code; } })()`, "unread")

	// Its connection's successor ends it, at both ends; until then it serves.
	one.Do(`other().openChannel('third').then((c) => { window.channel = c; })`)
	two.Wait("another", `opened.length === 3`)
	two.Do(`opened[2].send('before')`)
	one.Do(`other().restartICE()`)
	got(one, `channel.receive().then((b) => new TextDecoder().decode(b))`, "before")
	got(one, `channel.receive().catch((e) => e.code)`, "channel_lost")
	got(two, `opened[2].receive().catch((e) => e.code)`, "channel_lost")
	got(one, `channel.send('x').catch((e) => e.code)`, "channel_lost")
	connected(one, two)

	// The 65th of one end is closed again, before or after it opened.
	one.Do(`(async () => { window.many = []; for (let i = 0; i < 64; i++) many.push(await other().openChannel('c' + i)); })()`)
	got(two, `other().openChannel('of this end').then((c) => c.label)`, "of this end")
	one.Wait("what the other opened", `happened('channelopened', (e) => e.channel.label === 'of this end') === 1`)
	got(one, `other().openChannel('one too many').then((c) => c.receive()).then(() => 'closed', (e) => e.code)`, "closed")
	got(one, `String(many.some((c) => c.over))`, "false")
	one.Do(`room.leave()`)
	got(two, `opened[3].receive().then(String)`, "null") // a member that leaves closes them
	got(one, `room.peers.length === 0 && many[0].send('x').catch((e) => e.code)`, "closed")
}

// What was sent in a channel arrives, however soon its end comes.
func TestShortChannels(t *testing.T) { browsertest.EachPair(t, testShortChannels) }

func testShortChannels(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	one, two := l.meet(t, kinds)
	one.Do(`(async () => { for (let i = 0; i < 100; i++) { const c = await other().openChannel('파일'); await c.send('하나'); c.close(); } })()`)
	allShort(two)
}

// The same from Go.
func TestShortChannelsFromGo(t *testing.T) { browsertest.EachKindIfAsked(t, testShortChannelsFromGo) }

func testShortChannelsFromGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	tab, room := newLab(t).pairWithGo(t, kind)
	for range 100 {
		c, err := room.Peers()[0].OpenChannel(t.Context(), "파일", nil)
		if err == nil {
			err = errors.Join(c.Send(t.Context(), []byte("하나")), c.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	allShort(tab)
}

// allShort waits until a page has got 100 channels, and a message in each.
func allShort(tab *browsertest.Tab) {
	tab.Wait("all messages", `(async () => {
		const opened = log.filter((e) => e.type === 'channelopened');
		if (opened.length < 100) return false;
		window.messages ??= await Promise.all(opened.map((e) => e.channel.receive()));
		return messages.every((m) => m !== null);
	})()`)
}

// Channels that come and go while the page takes no events are as many as may be open, and there may be more once it has
// taken them.
func TestUnseenChannelsInPage(t *testing.T) { browsertest.EachKindIfAsked(t, testUnseenChannelsInPage) }

func testUnseenChannelsInPage(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	tab.Do(`(async () => { window.room = await noom.join('/ws', '데모', { connectTimeout: 60_000 }); window.queue = room.events(); })()`)
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", nil)
	must(t, err)
	defer func() { _ = room.Leave(context.Background()) }()
	for event := range room.Events(t.Context()) {
		if e, ok := event.(noom.PeerStateChanged); ok && e.State == noom.PeerConnected {
			break
		}
	}
	tab.Wait("a connection", `other()?.connection`)
	tab.Do(`window.came = 0; other().connection.addEventListener('datachannel', () => came++)`)
	peer := room.Peers()[0]
	for i := range 70 {
		var c noom.Channel
		if c, err = peer.OpenChannel(t.Context(), fmt.Sprint("채널 ", i), nil); err == nil {
			if err = c.Send(t.Context(), []byte("하나")); err == nil {
				err = c.Close()
			}
		}
		if err != nil && i < 64 { // the page may have refused the others
			t.Fatal(err)
		}
	}
	tab.Wait("all of them", `came === 70`)
	tab.Do(`window.take = async () => { for (;;) { const { value } = await queue.next(); if (value.type === 'channelopened') return value.channel.label; } };
		(async () => { for (let i = 0; i < 64; i++) window.last = await take(); })()`)
	tab.Wait("as many as may wait", `last === '채널 63'`)
	_, err = peer.OpenChannel(t.Context(), "다시", nil)
	must(t, err)
	if label := browsertest.Eval[string](tab, `take()`); label != "다시" {
		t.Errorf("another one waited: %s", label)
	}
}

// The same between a page and Go, opened from either end.
func TestChannelWithGo(t *testing.T) { browsertest.EachKind(t, testChannelWithGo) }

func testChannelWithGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	tab, room := newLab(t).pairWithGo(t, kind)
	tab.Do(`(async () => {
		window.ours = await other().openChannel('from the page', { maxRetransmits: 65535 }); // a busy machine loses some
		for (let i = 0; i < 200; i++) {
			if (i === 100) await ours.receive(); // more than 1 MiB may not wait at the other end
			await ours.send(new Uint8Array(10_000).fill(i));
		}
	})(), undefined`)
	theirs := opened(t, room)
	if theirs.Label() != "from the page" {
		t.Errorf("the label is %q", theirs.Label())
	}
	var data []byte
	for i := range 200 {
		var err error
		data, err = theirs.Receive(t.Context())
		if err != nil || len(data) != 10_000 || data[9_999] != byte(i) {
			t.Fatalf("message %d: %d bytes, %v", i, len(data), err)
		}
		if i == 99 {
			if err := theirs.Send(t.Context(), []byte("계속")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := theirs.Send(t.Context(), []byte("받았다")); err != nil {
		t.Fatal(err)
	}
	tab.Wait("the answer", `ours.receive().then((b) => new TextDecoder().decode(b) === '받았다')`)
	tab.Do(`ours.close()`)
	if _, err := theirs.Receive(t.Context()); !errors.Is(err, io.EOF) {
		t.Errorf("the page closed: %v, want io.EOF", err)
	}

	mine, err := room.Peers()[0].OpenChannel(t.Context(), "고에서", &noom.ChannelOptions{Unordered: true, MaxLifetime: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	tab.Wait("Go's channel", `(window.go = log.find((e) => e.type === 'channelopened')?.channel)?.label === '고에서'`)
	for i := range 50 {
		if err = mine.Send(t.Context(), fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	tab.Wait("all of it", `(async () => { window.n ??= 0; while (n < 50) { await go.receive(); n++; } return true; })()`)
	tab.Do(`go.send('')`)
	if data, err = mine.Receive(t.Context()); err != nil || len(data) != 0 {
		t.Errorf("an empty message: %q, %v", data, err)
	}
	if err := mine.Close(); err != nil {
		t.Fatal(err)
	}
	tab.Wait("its end", `go.receive().then((b) => b === null)`)
}

func opened(t *testing.T, room noom.Room) noom.Channel {
	t.Helper()
	for event := range room.Events(t.Context()) {
		if e, ok := event.(noom.ChannelOpened); ok {
			return e.Channel
		}
	}
	t.Fatal("the room is over")
	return nil
}
