import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { MAX } from '../limits.js';
import { DataStream, toBytes } from '../data.js';

const bytes = (text) => new TextEncoder().encode(text);
const text = (b) => new TextDecoder().decode(b);

test('messages arrive once and in order, over a cut channel too', () => {
  const a = new DataStream();
  const b = new DataStream();
  const first = a.send(bytes('하나'));
  a.send(bytes('two')); // lost with the channel
  assert.equal(text(b.receive(first).message), '하나');
  const ack = b.take(1);
  const resent = [a.next(0), a.next(1)].map(({ frame }) => frame); // the ack was lost as well
  assert.equal(a.next(2), undefined);
  assert.deepEqual(b.receive(resent[0]), {});
  assert.equal(text(b.receive(resent[1]).message), 'two');
  assert.deepEqual(a.receive(ack), { credit: true });
  assert.equal(a.next(0).number, 2);
  assert.deepEqual(a.receive(b.tell()), {}); // again
  assert.equal(b.take(2), null);
  assert.deepEqual(a.receive(b.pauseOver()), { credit: true });
  assert.equal(a.next(0), undefined);
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

test('what is taken within a pause is acknowledged together, and in good time', () => {
  const a = new DataStream();
  const b = new DataStream();
  const take = (size) => b.take(b.receive(a.send(new Uint8Array(size))).number);
  const number = (frame) => new DataView(frame.buffer).getUint32(1);
  assert.equal(b.pausing, false);
  assert.equal(number(take(1)), 1); // at once, because nothing was acknowledged lately
  assert.ok(b.pausing);
  for (let i = 2; i < 1 + MAX.unackedMessages / 16; i++) assert.equal(take(1), null);
  assert.equal(number(take(1)), 1 + MAX.unackedMessages / 16); // many messages
  assert.equal(take(MAX.data), null);
  const last = number(take(MAX.unacked / 16 - MAX.data)); // many bytes
  assert.equal(last, 3 + MAX.unackedMessages / 16);
  assert.equal(b.owed(), null);
  take(1);
  assert.equal(number(b.owed()), last + 1); // we leave
  take(1);
  assert.equal(number(b.pauseOver()), last + 2);
  assert.ok(b.pausing);
  assert.equal(b.pauseOver(), null);
  assert.equal(b.pausing, false);
  assert.ok(take(1));
  assert.ok(a.receive(b.tell()).credit);
  assert.equal(a.next(0), undefined);
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

// What a new stream has made of frames in hexadecimal digits, until one breaks the rules.
function takeAll(frames) {
  const stream = new DataStream();
  const messages = [];
  for (const frame of frames) {
    const { message, topic, violation } = stream.receive(new Uint8Array(Buffer.from(frame, 'hex')));
    if (violation) return { messages, violation };
    if (message) messages.push({ topic, data: text(message) });
  }
  return { messages };
}

test('golden topics', () => {
  const { written, read, refused } = JSON.parse(readFileSync(new URL('../../signal/testdata/topics.json', import.meta.url)));
  const stream = new DataStream();
  for (const { topic, data, frames } of written) {
    stream.send(bytes(data), topic);
    const next = stream.next(stream.last - 1);
    assert.deepEqual([next.topic, next.frame].filter(Boolean).map((frame) => Buffer.from(frame).toString('hex')), frames);
  }
  for (const { why, frames, messages } of read) assert.deepEqual(takeAll(frames), { messages }, why);
  for (const { why, frames } of refused) assert.ok(takeAll(frames).violation, why);
  assert.ok(written.length >= 4 && read.length >= 10 && refused.length >= 5);
});

test('a member that leaves learns what has arrived, taken or not', () => {
  const a = new DataStream();
  const b = new DataStream();
  const frames = ['하나', 'two', 'three'].map((t) => a.send(bytes(t)));
  assert.equal(a.missing, 3);
  b.receive(frames[0]);
  assert.deepEqual(b.receive(a.ask()), {}); // not yet: it is asked again over the next connection
  b.receive(frames[1]);
  b.receive(frames[2]);
  const { answer } = b.receive(a.ask());
  assert.deepEqual(a.receive(answer), { arrived: true });
  assert.equal(a.missing, 0);
  assert.ok(!a.hasCredit(MAX.unacked)); // nothing is taken
  a.send(bytes('four'));
  assert.equal(a.missing, 1);
  assert.deepEqual(a.receive(b.take(1)), { credit: true });
  assert.equal(a.missing, 1);
  assert.match(a.receive(Uint8Array.of(4, 0, 0, 0, 9)).violation, /9 arrived, 4 sent/);
});

test('data of no kind that can be sent is refused', () => {
  for (const [data, code] of [['\ud83d', 'bad_data'], ['x\udc22y', 'bad_data'], [7, 'bad_argument'], [null, 'bad_argument'], [['x'], 'bad_argument']]) {
    assert.throws(() => toBytes(data), (e) => e.code === code);
  }
  assert.equal(text(toBytes('거북이 🐢')), '거북이 🐢');
});
