package browser_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"noom"
	"noom/internal/browsertest"
	"noom/signal/hub"
	"noom/transport/ws"
)

// counts makes a tab count what arrives until the other has left.
const counts = `window.got = { messages: 0, bytes: 0, chats: 0 }, window.after = 0, window.gone = '';
	room.addEventListener('datareceived', (e) => { if (gone) after++; got.messages++; got.bytes += e.data.length; });
	room.addEventListener('chatreceived', () => got.chats++);
	room.addEventListener('peerleft', (e) => { gone = e.reason; })`

// What a page has sent and said arrives before it has left, whether the other is
// connected already or not.
func TestLeaveLetsDataArrive(t *testing.T) { browsertest.EachAlike(t, testLeaveLetsDataArrive) }

func testLeaveLetsDataArrive(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	for _, early := range []bool{false, true} {
		t.Run(fmt.Sprint("early: ", early), func(t *testing.T) {
			t.Parallel()
			l := newLab(t)
			b1, b2 := kinds.Start(t)
			one, two := l.open(b1, ""), l.open(b2, "")
			one.Do(`enter('하나')`)
			two.Do(`enter('two')`)
			two.Do(counts)
			one.Wait("the other", `room.peers.length === 1`)
			if !early {
				connected(one, two)
			}
			one.Do(`(async () => {
				for (let i = 0; i < 17; i++) await room.send(new Uint8Array(61440));
				room.chat('last words');
				await room.leave();
			})()`)
			two.Wait("all of it", `gone === 'left' && got.messages === 17 && got.bytes === 17 * 61440 && got.chats === 1 && after === 0`)
			if code := browsertest.Eval[string](one, `room.send('x').catch((e) => e.code)`); code != "closed" {
				t.Errorf("sent after leaving: %q", code)
			}
		})
	}
}

// The same between a page and Go, in both directions, by data and in channels.
func TestLeaveLetsDataArriveWithGo(t *testing.T) {
	browsertest.EachKind(t, testLeaveLetsDataArriveWithGo)
}

func testLeaveLetsDataArriveWithGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	const messages, size = 16, 60_000
	l := newLab(t)
	b := kind.Start(t)
	for _, leaver := range []string{"the page", "Go"} {
		t.Run(leaver, func(t *testing.T) {
			tab := l.open(b, "")
			tab.Do(`enter('지우')`)
			tab.Do(counts)
			room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{Name: "고퍼"})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = room.Leave(t.Context()) }() // the test is over
			connected(tab)
			if leaver == "Go" {
				tab.Do(`window.inChannel = 0; room.addEventListener('channelopened', async (e) => {
					for await (const data of e.channel) inChannel += data.length;
					inChannel = -inChannel; // all of it
				})`)
				c, err := room.Peers()[0].OpenChannel(t.Context(), "파일", nil)
				if err != nil {
					t.Fatal(err)
				}
				for range messages {
					for _, send := range []error{room.Send(t.Context(), make([]byte, size)), c.Send(t.Context(), make([]byte, size))} {
						if send != nil {
							t.Fatal(send)
						}
					}
				}
				if err := room.Leave(t.Context()); err != nil {
					t.Error(err)
				}
				tab.Wait("all of it", fmt.Sprintf(`gone === 'left' && got.bytes === %d && inChannel === -%[1]d`, messages*size))
				tab.Do(`room.leave()`)
				return
			}
			tab.Do(fmt.Sprintf(`(async () => {
				const channel = await other().openChannel('파일');
				for (let i = 0; i < %d; i++) await Promise.all([room.send(new Uint8Array(%d)), channel.send(new Uint8Array(%[2]d))]);
				await room.leave();
			})()`, messages, size))
			arrived := 0
			var channel noom.Channel
			for event := range room.Events(t.Context()) {
				switch e := event.(type) {
				case noom.ChannelOpened:
					channel = e.Channel
				case noom.DataReceived:
					arrived += len(e.Data)
				}
				if _, left := event.(noom.PeerLeft); left {
					break
				}
			}
			inChannel := 0
			for range messages {
				data, err := channel.Receive(t.Context())
				if err != nil {
					t.Fatalf("after %d bytes in the channel: %v", inChannel, err)
				}
				inChannel += len(data)
			}
			if arrived != messages*size || inChannel != arrived {
				t.Errorf("%d bytes of data and %d in the channel have arrived, of %d", arrived, inChannel, messages*size)
			}
		})
	}
}

// What was sent in channels arrives, and then their end: by leaving, and by close.
func TestLeaveAndCloseEmptyChannels(t *testing.T) {
	browsertest.EachAlike(t, testLeaveAndCloseEmptyChannels)
}

func testLeaveAndCloseEmptyChannels(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	one, two := newLab(t).meet(t, kinds)
	two.Do(`window.ends = []; room.addEventListener('channelopened', async (e) => {
		let bytes = 0;
		try { for await (const data of e.channel) bytes += data.length; } catch (error) { bytes = error.code; }
		ends.push(bytes);
	})`)
	one.Do(`(async () => {
		window.fill = async (options) => {
			const channel = await other().openChannel('가득', options);
			for (let i = 0; i < 40; i++) await channel.send(new Uint8Array(61440));
			return channel;
		};
		(await fill()).close();
		(await fill({ unordered: true })).close();
	})()`)
	two.Wait("both whole", `ends.join() === [40 * 61440, 40 * 61440].join()`)
	one.Do(`(async () => {
		await Promise.all([fill(), fill({ unordered: true })]);
		await room.leave();
	})()`)
	two.Wait("all whole", `ends.length === 4 && ends.every((bytes) => bytes === 40 * 61440)`)
}

// No peer holds a page up for longer than it allows; it learns what did not arrive.
func TestLeaveIsBounded(t *testing.T) { browsertest.EachKind(t, testLeaveIsBounded) }

func testLeaveIsBounded(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	b := kind.Start(t)
	tab := l.open(b, "")
	tab.Do(`enter('지우')`)
	lost, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{
		Name: "쉿", Verify: func(noom.Member) error { return fmt.Errorf("nobody") }, // so that no connection is made
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lost.Leave(t.Context()) }() // the test is over
	tab.Wait("the other", `room.peers.length === 1`)
	result := browsertest.Eval[string](tab, `(async () => {
		await room.send('one');
		await other().send('two');
		const began = performance.now();
		const first = room.leave().then(() => 'nothing', (e) => e.errors.map(({ code, messages, channels, peer }) => [code, messages, channels, peer.name].join()).join(';'));
		const second = room.leave({ timeout: 700 }).catch((e) => e.constructor.name);
		const all = await Promise.all([first, second, room.leave().catch((e) => e.errors.length)]);
		const took = performance.now() - began;
		return took < 4500 && took > 650 ? all.join(' ') : 'took ' + took;
	})()`)
	if result != "undelivered,2,0,쉿 AggregateError 1" {
		t.Error(result)
	}
}

// A member that takes nothing does not hold up the others.
func TestTrySend(t *testing.T) { browsertest.EachAlike(t, testTrySend) }

func testTrySend(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one, two := l.open(b1, ""), l.open(b2, "")
	one.Do(`enter('하나')`)
	two.Do(`(async () => { window.room = await noom.join('/ws', '데모', { name: 'two' }); })()`)
	one.Wait("the other", `room.peers.length === 1`)
	result := browsertest.Eval[string](one, `(async () => {
		const full = new Uint8Array(61440);
		let taken = 0;
		while (room.trySend(full).length === 0) taken++;
		const named = room.trySend(full)[0] === other();
		const refused = other().trySend(full);
		return [taken, named, refused, other().trySend('x')].join();
	})()`)
	if result != "17,true,false,true" {
		t.Error(result)
	}
	connected(one)
	two.Do(`window.got = 0; room.addEventListener('datareceived', (e) => got += e.data.length)`)
	two.Wait("all of it", `got === 17 * 61440 + 1`)
	one.Wait("room again", `room.trySend(new Uint8Array(61440)).length === 0`)
	one.Allow("WebSocket connection", "Failed to load resource")
	two.Allow("WebSocket connection", "Failed to load resource")
	l.killHub()
	one.Wait("no hub", `happened('signalinglost') > 0`)
	if said := browsertest.Eval[bool](one, `room.tryChat('x')`); said {
		t.Error("a chat was said without a hub")
	}
}

// What cannot be sent is refused where it is called, with a code and words, and
// the hub is never lost over it.
func TestWhatCannotBeSent(t *testing.T) { browsertest.EachAlike(t, testWhatCannotBeSent) }

func testWhatCannotBeSent(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	one, _ := newLab(t).meet(t, kinds)
	result := browsertest.Eval[string](one, `(async () => {
		const half = '안녕 🐢'.slice(0, -1);
		const odd = [half, 42, null, {}, ['x'], true, '', 'x'.repeat(70_000)];
		const calls = {
			chat: (v) => room.chat(v), tryChat: async (v) => room.tryChat(v), kick: (v) => room.kick(v),
			rename: (v) => v === '' ? refuse : room.rename(v), requestMute: (v) => v === '' ? refuse : other().requestMute(v),
			send: (v) => v === '' ? refuse : room.send(v), trySend: async (v) => v === '' ? refuse : room.trySend(v),
			'peer.send': (v) => v === '' ? refuse : other().send(v), 'peer.trySend': async (v) => v === '' ? refuse : other().trySend(v),
			openChannel: (v) => v === '' ? refuse : other().openChannel(v),
			publish: async (v) => v === '' ? refuse : room.publish(track, { name: v }),
			'peer.publish': async (v) => v === '' ? refuse : other().publish(track, { name: v }),
			'publish no track': async (v) => room.publish(v), setMuted: async (v) => v === true ? refuse : sender.setMuted(v),
			'join a room': (v) => noom.join('/ws', v), 'join as': (v) => v === '' ? refuse : noom.join('/ws', '데모', { name: v ?? 0 }),
			'join with': (v) => v === '' ? refuse : noom.join('/ws', '데모', { token: v }),
			'join with a fresh': (v) => v === '' || v === null ? refuse : noom.join('/ws', '데모', { token: () => v }),
			connectTimeout: (v) => noom.join('/ws', '데모', { connectTimeout: v }), redialMax: (v) => noom.join('/ws', '데모', { redialMax: v }),
			leave: (v) => v === 42 ? refuse : room.leave({ timeout: v }), 'channel.send': (v) => v === '' ? refuse : channel.send(v),
		};
		const refuse = Promise.reject(Object.assign(new Error('noom: '), { code: 'not asked' }));
		refuse.catch(() => {});
		const track = picture('red'), sender = room.publish(track, { name: 'screen' }), channel = await other().openChannel('x');
		const wrong = [];
		for (const [name, call] of Object.entries(calls)) {
			for (const v of odd) {
				const answer = await Promise.race([
					Promise.resolve().then(() => call(v)).then(() => 'taken', (e) => (typeof e.code === 'string' && e.message.startsWith('noom: ') ? '' : String(e))),
					new Promise((r) => setTimeout(r, 2000, 'no answer'))]);
				if (answer) wrong.push(name + '(' + String(v).slice(0, 9) + '): ' + answer);
			}
		}
		const said = await room.chat('still here').then(() => '', String);
		if (said) wrong.push(said);
		if (happened('signalinglost') || happened('closed')) wrong.push('the hub was lost');
		if (happened('peerstatechanged', (e) => e.state === 'failed')) wrong.push('the peer was lost');
		return wrong.join('; ');
	})()`)
	if result != "" {
		t.Error(result)
	}
}

// A member whose authorisation ends, and that returns with a new one in the same session, goes on where it was: what
// the two have counted of data counts still.
func TestExpiredReturns(t *testing.T) { browsertest.EachKindIfAsked(t, testExpiredReturns) }

func testExpiredReturns(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	short := true
	l.hub = hub.New(&hub.Config{Authorize: func(_ context.Context, r hub.Request) (grant hub.Grant, err error) {
		if r.Token == "guest" && short {
			short = false
			grant.Expires = time.Now().Add(4 * time.Second)
		}
		return grant, nil
	}})
	tab := l.open(kind.Start(t), "")
	tab.Do(`enter('지우')`)
	guest, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{
		Name: "손님", TokenSource: func(context.Context) (string, error) { return "guest", nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = guest.Leave(t.Context()) }()
	talks := func(turn int) {
		t.Helper()
		tab.Wait("a connection", `other()?.state === 'connected'`)
		text := fmt.Sprintf("%d번째", turn)
		if err := guest.Send(t.Context(), []byte(text)); err != nil {
			t.Fatal(err)
		}
		tab.Do(fmt.Sprintf(`room.send(%q), undefined`, text))
		tab.Wait("what the guest says", fmt.Sprintf(`happened('datareceived', (e) => new TextDecoder().decode(e.data) === %q) === 1`, text))
		for {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			e, err := guest.Next(ctx)
			cancel()
			if err != nil {
				t.Fatalf("the guest waits for %q: %v", text, err)
			}
			if data, ok := e.(noom.DataReceived); ok && string(data.Data) == text {
				return
			}
		}
	}
	talks(1)
	talks(2)
	tab.Wait("the guest's time is over", `happened('peerleft', (e) => e.reason === 'expired') === 1`)
	tab.Wait("the guest returns", `happened('peerjoined') === 2`)
	talks(3)
	talks(4)
}
