package browser_test

import (
	"testing"

	"noom/internal/browsertest"
)

// A frame by hub is answered by hub too, at once: the control channel may be dead at the other end
// alone, which does not show here. In this test one's end of it cannot send and takes nothing.
func TestAnswersByHub(t *testing.T) { browsertest.EachAlike(t, testAnswersByHub) }

func testAnswersByHub(t *testing.T, kinds browsertest.Pair) {
	t.Helper()
	l := newLab(t)
	b1, b2 := kinds.Start(t)
	one := l.open(b1, `
		window.dead = false;
		const send = RTCDataChannel.prototype.send;
		RTCDataChannel.prototype.send = function (data) {
			if (dead && this.label === 'control') throw new DOMException('dead', 'OperationError');
			send.call(this, data);
		};
		const { set } = Object.getOwnPropertyDescriptor(RTCDataChannel.prototype, 'onmessage');
		Object.defineProperty(RTCDataChannel.prototype, 'onmessage', { set(listener) {
			set.call(this, (event) => dead && this.label === 'control' || listener(event));
		} });`)
	two := l.open(b2, `
		window.sent = []; // of the exchange, by this end: {way, type, seq, at in ms}
		for (const [way, from] of [['in-band', RTCDataChannel], ['hub', WebSocket]]) {
			const { send } = from.prototype;
			from.prototype.send = function (data) {
				if (typeof data === 'string') {
					const { type, seq = 0 } = JSON.parse(data.split('\n')[0]);
					sent.push({ way, type, seq, at: Math.round(performance.now()) });
				}
				send.call(this, data);
			};
		}`)
	one.Do(`enter('하나')`)
	two.Do(`enter('two', { transport: 'websocket' })`) // on a busy machine the way over HTTP may be the faster one
	connected(one, two)
	one.Do(`room.publish(tone())`)
	two.Wait("the tone", `other().tracks.length === 1 && moving()`)
	two.Do(`sent.length = 0`)
	one.Do(`dead = true; room.publish(picture('rgb(200, 0, 0)'))`)
	two.Wait("the picture", `other().tracks.length === 2 && shows(other().tracks.find((t) => t.kind === 'video'), [200, 0, 0])`)
	// What is repeated goes both ways anyway, and a busy machine repeats what went so the first time.
	two.Do(`window.late = [...Map.groupBy(sent.filter(({ seq }) => seq > 0), ({ seq }) => seq).values()]
		.filter((f) => f.findIndex(({ way }) => way === 'hub') > 1)`)
	if late := browsertest.Eval[int](two, `late.length`); late > 0 {
		t.Errorf("%d frames went by hub when they were repeated, and not before: %s", late, browsertest.Eval[string](two, `JSON.stringify(sent)`))
	}
	if !browsertest.Eval[bool](two, `sent.some(({ way, type }) => way === 'hub' && type === 'answer')`) {
		t.Errorf("no answer went by hub: %s", browsertest.Eval[string](two, `JSON.stringify(sent)`))
	}
	for _, tab := range []*browsertest.Tab{one, two} {
		if n := browsertest.Eval[int](tab, `connections`); n != 1 {
			t.Errorf("%d connections were made, want 1", n)
		}
	}
}
