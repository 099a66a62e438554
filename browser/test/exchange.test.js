import assert from 'node:assert/strict';
import test from 'node:test';
import { Exchange, WINDOW } from '../exchange.js';

function begun() {
  const a = new Exchange('a');
  assert.ok(a.begin());
  return [a, new Exchange('b')];
}

test('no more than the window is in flight, and all arrives in order', () => {
  const [a, b] = begun();
  for (let i = 0; i < 3 * WINDOW; i++) {
    assert.equal(a.room, i < WINDOW);
    a.send({ type: String(i) });
  }
  const got = [];
  for (let round = 0; a.pending; round++) {
    assert.ok(round < 10);
    const frames = a.flush();
    assert.ok(frames.length <= WINDOW);
    for (const f of frames) got.push(...b.receive(f).messages.map((m) => m.type));
    b.press();
    for (const f of b.flush()) a.receive(f);
  }
  assert.deepEqual(got, Array.from({ length: 3 * WINDOW }, (_, i) => String(i)));
  assert.equal(a.acked, 3 * WINDOW);
  assert.equal(a.queued, a.acked);
});

test('back-off: after 1 s, 2 s, 4 s and every 8 s', () => {
  const [a] = begun();
  a.send({ type: 'x' });
  assert.deepEqual(a.flush().map((f) => f.again), [false]);
  const at = [];
  for (let tick = 1; tick <= 62; tick++) {
    a.tick();
    for (const f of a.flush()) at.push([tick, f.again]);
  }
  assert.deepEqual(at, [2, 6, 14, 30, 46, 62].map((t) => [t, true]));
  a.resend();
  assert.equal(a.flush().length, 1);
});

test('an acknowledgement is held until a message takes it along, it is pressing, a frame comes again, or many have come', () => {
  const says = (numbers, then = () => {}) => {
    const b = new Exchange('b');
    for (const seq of numbers) b.receive({ type: 'x', epoch: [1, 'a'], seq, ack: 0 });
    then(b);
    return b.flush().map(({ type, seq, ack }) => [type, seq, ack]);
  };
  assert.deepEqual(says([1, 2]), []);
  assert.deepEqual(says([1, 2], (b) => b.press()), [['', 0, 2]]);
  assert.deepEqual(says([1, 2], (b) => b.send({ type: 'y' })), [['y', 1, 2]]);
  assert.deepEqual(says([1, 1]), [['', 0, 1]]);
  assert.deepEqual(says([2, 2]), [['', 0, 0]]);
  assert.deepEqual(says([1, 2, 3, 4, 5, 6, 7]), []);
  assert.deepEqual(says([1, 2, 3, 4, 5, 6, 7, 8]), [['', 0, 8]]);
  assert.deepEqual(says([], (b) => b.press()), []);
});

test('hostile frames are dropped whole', () => {
  for (const f of [
    { epoch: [1, 'a'], seq: 0, ack: 1 },
    { epoch: [1, 'a'], seq: 0, ack: -1 },
    { epoch: [1, 'a'], seq: -1, ack: 0 },
    { epoch: [1, 'a'], seq: WINDOW + 1, ack: 0 },
    { epoch: [0, ''], seq: 1, ack: 0 },
    { epoch: [2 ** 31, 'b'], seq: 1, ack: 0 },
    { epoch: [1, 'A'], seq: 1, ack: 0 },
    { epoch: [2, 'b'], seq: 1, ack: 3 },
  ]) {
    const [a] = begun();
    assert.deepEqual(a.receive({ type: 'x', ...f }), { messages: [], renewed: false, ok: false }, JSON.stringify(f));
    assert.deepEqual(a.epoch, [1, 'a']);
    assert.deepEqual(a.flush(), []);
  }
});

test('a lossy, repeating, reordering path delivers once and in order', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = mulberry(seed);
    const [a, b] = begun();
    const ends = [a, b];
    const got = [[], []];
    const flying = [[], []];
    const sent = [0, 0];
    for (let step = 0; step < 400; step++) {
      const i = random() < 0.5 ? 0 : 1;
      if (ends[i].epoch[0] > 0 && sent[i] < 50 && random() < 0.4) ends[i].send({ type: String(sent[i]++) });
      if (random() < 0.3) ends[i].tick();
      if (random() < 0.3) ends[i].press();
      for (const f of ends[i].flush()) {
        if (random() < 0.7) flying[1 - i].push(f);
        if (random() < 0.2) flying[1 - i].push(f);
      }
      while (flying[i].length > 0 && random() < 0.7) {
        const [f] = flying[i].splice(Math.floor(random() * flying[i].length), 1);
        got[i].push(...ends[i].receive(f).messages.map((m) => m.type));
      }
    }
    for (let step = 0; step < 200; step++) {
      for (const i of [0, 1]) {
        ends[i].tick();
        ends[i].press();
        for (const f of ends[i].flush()) got[1 - i].push(...ends[1 - i].receive(f).messages.map((m) => m.type));
      }
    }
    for (const i of [0, 1]) {
      assert.deepEqual(got[i], Array.from({ length: sent[1 - i] }, (_, n) => String(n)), `seed ${seed}`);
    }
  }
});

test('a higher epoch starts again, a lower one is ignored', () => {
  const [a, b] = begun();
  a.send({ type: 'offer' });
  const old = a.flush()[0];
  assert.equal(b.receive(old).renewed, true);
  b.begin();
  b.send({ type: 'offer' });
  const { messages, renewed } = a.receive(b.flush()[0]);
  assert.equal(renewed, true);
  assert.equal(messages.length, 1);
  assert.deepEqual(a.epoch, [2, 'b']);
  assert.equal(b.receive(old).ok, false);
});

function mulberry(a) {
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
