package browser_test

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"noom"
	"noom/internal/browsertest"
	"noom/transport/ws"
)

// Data of more than the credit, over a rebuild: all of it, once,
// in order.
func TestData(t *testing.T) { browsertest.EachPair(t, testData) }

func testData(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	one, two := newLab(t).meet(t, kinds)
	two.Do(`window.got = []; room.addEventListener('datareceived', (e) => got.push(new DataView(e.data.buffer).getUint32(0)))`)
	one.Do(`(async () => {
		window.sent = 0;
		for (let i = 0; i < 300; i++) {
			const data = new Uint8Array(20000);
			new DataView(data.buffer).setUint32(0, i);
			for (;;) {
				try {
					await other().send(data);
					break;
				} catch (e) { // while the connection is being rebuilt
					if (e.code !== 'not_connected') throw e;
					await new Promise((resolve) => setTimeout(resolve, 20));
				}
			}
			sent++;
			if (i === 100) other().connection.close();
		}
	})()`)
	two.Wait("all of it", `got.length === 300`)
	two.Wait("once and in order", `got.every((n, i) => n === i)`)
	one.Wait("a rebuild", `happened('peerstatechanged', (e) => e.state === 'failed') > 0`)
}

// Without a reader the sender waits when its credit is used up.
func TestDataCredit(t *testing.T) { browsertest.EachAlike(t, testDataCredit) }

func testDataCredit(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one, two := l.open(b1, ""), l.open(b2, "")
	one.Do(`enter('하나')`)
	two.Do(`(async () => { window.room = await noom.join('/ws', '데모', { name: 'two' }); })()`)
	connected(one)
	one.Do(`window.sent = 0; for (let i = 0; i < 20; i++) other().send(new Uint8Array(61440)).then(() => sent++); undefined`)
	one.Wait("the credit used up", `sent === 17`)
	two.Do(`window.got = 0; room.addEventListener('datareceived', (e) => got += e.data.length)`)
	two.Wait("all of it", `got === 20 * 61440`)
	one.Wait("the rest sent", `sent === 20`)
	if code := browsertest.Eval[string](one, `other().send(new Uint8Array(61441)).catch((e) => e.code)`); code != "too_big" {
		t.Errorf("a message above the bound: %q, want too_big", code)
	}
}

// Data between a page and Go, more than the credit in both directions.
func TestDataWithGo(t *testing.T) { browsertest.EachKind(t, testDataWithGo) }

func testDataWithGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	tab, room := newLab(t).pairWithGo(t, kind)
	const count, size = 100, 50_000
	tab.Do(fmt.Sprintf(`(async () => {
		for (let i = 0; i < %d; i++) {
			const data = new Uint8Array(%d);
			new DataView(data.buffer).setUint32(0, i);
			await room.send(data);
		}
	})(), undefined`, count, size))
	got := 0
	for got < count {
		event, err := room.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := event.(noom.DataReceived); ok {
			if n := binary.BigEndian.Uint32(e.Data); int(n) != got || len(e.Data) != size {
				t.Fatalf("message %d of %d bytes, want %d of %d", n, len(e.Data), got, size)
			}
			got++
		}
	}
	for i := range uint32(count) {
		if err := room.Send(t.Context(), binary.BigEndian.AppendUint32(make([]byte, 0, size), i)[:size]); err != nil {
			t.Fatal(err)
		}
	}
	tab.Wait("all of it, in order", fmt.Sprintf(`(() => {
		const data = log.filter((e) => e.type === 'datareceived').map((e) => e.data);
		return data.length === %d && data.every((d, i) => d.length === %d && new DataView(d.buffer).getUint32(0) === i);
	})()`, count, size))
}

// Messages under topics, from a page to Go and back, over a rebuild: each with its own, in order.
func TestTopicsWithGo(t *testing.T) { browsertest.EachKind(t, testTopicsWithGo) }

func testTopicsWithGo(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	tab, room := newLab(t).pairWithGo(t, kind)
	const count = 300
	topics := []string{"", "입력 중", "반응 👍", "cursor"}
	encoded, err := json.Marshal(topics)
	if err != nil {
		t.Fatal(err)
	}
	tab.Do(fmt.Sprintf(`window.topics = %s; (async () => {
		for (let i = 0; i < %d; i++) {
			const [to, topic] = [i %% 3 ? room : other(), topics[i %% topics.length]];
			await to.send(String(i), i %% 2 || topic !== '' ? { topic } : undefined);
			if (i === 100) other().connection.close();
		}
	})(), undefined`, encoded, count))
	for n := range count {
		for {
			event, err := room.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := event.(noom.DataReceived); ok {
				if want := topics[n%len(topics)]; e.Topic != want || string(e.Data) != strconv.Itoa(n) {
					t.Fatalf("message %d is %v: %q", n, e, e.Data)
				}
				break
			}
		}
	}
	for n := range count {
		if err := room.SendTopic(t.Context(), topics[n%len(topics)], []byte(strconv.Itoa(n))); err != nil {
			t.Fatal(err)
		}
	}
	tab.Wait("all of it, in order", fmt.Sprintf(`(() => {
		const got = log.filter((e) => e.type === 'datareceived').map((e) => [new TextDecoder().decode(e.data), e.topic].join());
		return got.join(';') === Array.from({ length: %d }, (_, n) => [n, topics[n %% topics.length]].join()).join(';');
	})()`, count))
	for call, want := range map[string]string{
		`other().send('x', { topic: 'a\nb' })`:                                      "bad_name",
		`room.send('x', { topic: '가'.repeat(43) })`:                                 "bad_name",
		`(async () => room.trySend('x', { topic: null }))()`:                        "bad_name",
		`(async () => other().trySend('x', 'typing'))()`:                            "bad_argument",
		`other().send('x', { topic: ' \u1100\u1161 ' }).then(() => ({ code: '' }))`: "",
	} {
		if code := browsertest.Eval[string](tab, `(async () => (await (`+call+`).catch((e) => e)).code)()`); code != want {
			t.Errorf("%s: %q, want %q", call, code, want)
		}
	}
	for {
		event, err := room.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := event.(noom.DataReceived); ok {
			if e.Topic != "가" || string(e.Data) != "x" {
				t.Errorf("%v has arrived", e)
			}
			return
		}
	}
}

// A page sends while it moves, and the channel of the new connection refuses every third message, as one does whose
// buffer is full. It is not the new connection's fault: no further one is made.
func TestDataWhileMoving(t *testing.T) { browsertest.EachKindIfAsked(t, testDataWhileMoving) }

func testDataWhileMoving(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	tab, room := newLab(t).pairWithGo(t, kind)
	const count = 300
	tab.Do(`window.refusing = true; window.tries = 0;
		window.createDataChannel = RTCPeerConnection.prototype.createDataChannel;
		RTCPeerConnection.prototype.createDataChannel = function (...what) {
			return Object.assign(createDataChannel.apply(this, what), { isNew: true });
		};
		window.sendData = RTCDataChannel.prototype.send;
		RTCDataChannel.prototype.send = function (data) {
			if (refusing && this.isNew && this.label === 'data' && ++tries % 3 === 0) throw new DOMException('full', 'OperationError');
			sendData.call(this, data);
		}`)
	tab.Do(fmt.Sprintf(`(async () => {
		for (let i = 0; i < %d; i++) {
			if (i === 20) other().restartICE();
			if (i === %[1]d - 1) refusing = false;
			const data = new Uint8Array(4);
			new DataView(data.buffer).setUint32(0, i);
			await other().send(data);
			await new Promise((resolve) => setTimeout(resolve, 10));
		}
	})(), undefined`, count))
	for want := uint32(0); want < count; {
		event, err := room.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if e, ok := event.(noom.DataReceived); ok {
			if got := binary.BigEndian.Uint32(e.Data); got != want {
				t.Fatalf("message %d comes where %d should", got, want)
			}
			want++
		}
	}
	if n := browsertest.Eval[int](tab, `tries`); n < 3 {
		t.Errorf("%d messages went to the new connection, which refused none", n)
	}
	if n := browsertest.Eval[int](tab, `connections`); n != 2 {
		t.Errorf("%d connections were made, want 2", n)
	}
}

// A page learns that a peer is connected before it gets what the peer sends at once, by send or in
// a channel of its own.
func TestConnectedFirst(t *testing.T) { browsertest.EachKind(t, testConnectedFirst) }

func testConnectedFirst(t *testing.T, kind browsertest.Kind) {
	t.Helper()
	l := newLab(t)
	tab := l.open(kind.Start(t), "")
	room, err := noom.Join(t.Context(), ws.Dialer{URL: l.url()}, "데모", &noom.Config{Name: "고퍼"})
	if err != nil {
		t.Fatal(err)
	}
	var greeting sync.WaitGroup
	greeting.Go(func() {
		for event := range room.Events(t.Context()) {
			switch e := event.(type) {
			case noom.PeerJoined:
				err = e.Peer.Send(t.Context(), []byte("안녕"))
			case noom.PeerStateChanged:
				if e.State == noom.PeerConnected {
					_, err = e.Peer.OpenChannel(t.Context(), "파일", nil)
				}
			}
			if err != nil && !errors.Is(err, noom.ErrClosed) { // the tab may have left, having both
				t.Error(err)
			}
		}
	})
	for range 30 {
		tab.Do(`log.length = 0; enter('지우')`)
		tab.Wait("both", `happened('datareceived') && happened('channelopened')`)
		if order := browsertest.Eval[string](tab, `log.map((e) => e.state ?? e.type).join(' ')`); !strings.HasPrefix(order, "peerjoined connected ") {
			t.Error(order)
		}
		tab.Do(`room.leave()`)
	}
	if err := room.Leave(t.Context()); err != nil {
		t.Error(err)
	}
	greeting.Wait()
}
