import assert from 'node:assert/strict';
import test from 'node:test';
import { MAX } from '../limits.js';
import { DataStream } from '../data.js';

const bytes = (text) => new TextEncoder().encode(text);
const text = (b) => new TextDecoder().decode(b);

test('messages arrive once and in order, over a cut channel too', () => {
  const a = new DataStream();
  const b = new DataStream();
  const first = a.send(bytes('하나'));
  a.send(bytes('two')); // lost with the channel
  assert.equal(text(b.receive(first).message), '하나');
  const ack = b.take(1);
  const resent = a.reopen();
  assert.equal(resent.length, 2); // the ack was lost as well
  assert.deepEqual(b.receive(resent[0]), {});
  assert.equal(text(b.receive(resent[1]).message), 'two');
  assert.deepEqual(a.receive(ack), { credit: true });
  assert.equal(a.reopen().length, 1);
  assert.deepEqual(a.receive(b.reopen()[0]), {}); // the mark again
  assert.deepEqual(a.receive(b.take(2)), { credit: true });
  assert.equal(a.reopen().length, 0);
});

test('credit runs out and comes back only when the application takes', () => {
  const a = new DataStream();
  const b = new DataStream();
  const payload = new Uint8Array(MAX.data);
  let sent = 0;
  while (a.hasCredit(payload.length)) {
    assert.ok(b.receive(a.send(payload)).message);
    sent++;
  }
  assert.equal(sent, Math.floor(MAX.unacked / MAX.data));
  a.receive(b.take(1));
  assert.ok(a.hasCredit(payload.length));
});

test('a gap, an excess and nonsense are violations', () => {
  const sender = new DataStream();
  const frames = Array.from({ length: 18 }, () => sender.send(new Uint8Array(MAX.data)));
  assert.match(new DataStream().receive(frames[1]).violation, /2 after 0/);
  const b = new DataStream();
  for (const f of frames.slice(0, 17)) assert.ok(b.receive(f).message);
  assert.match(b.receive(frames[17]).violation, /credit/);
  assert.ok(b.receive(Uint8Array.of(1, 2)).violation);
  assert.ok(b.receive(Uint8Array.of(2, 0, 0, 0, 9)).violation);
  assert.deepEqual(b.receive(Uint8Array.of(9, 0, 0, 0, 9)), {});
});
