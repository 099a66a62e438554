// The books of questions, and the stream that carries them over several connections.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import test from 'node:test';
import { Connections } from '../handover.js';
import { NoomError } from '../errors.js';
import { MAX_SIZE, decodePiece, encodePiece } from '../pieces.js';
import { Questions } from '../questions.js';
import { Stream } from '../stream.js';

const bytes = (text) => new TextEncoder().encode(text);
const text = (b) => new TextDecoder().decode(b);
const refusal = (code) => (error) => error instanceof NoomError && error.code === code;

const golden = JSON.parse(readFileSync(new URL('../../signal/testdata/questions.json', import.meta.url)));
const unhex = (s) => new Uint8Array(Buffer.from(s, 'hex'));

test('golden pieces', () => {
  for (const { bytes: hex, rest = '', ...want } of golden.valid) {
    const piece = decodePiece(unhex(hex));
    for (const [key, value] of Object.entries(want)) assert.equal(piece[key], value, `${hex} ${key}`);
    if (piece.text === undefined) assert.deepEqual(piece.rest, unhex(rest));
    assert.equal(Buffer.from(encodePiece({ ...want, rest: unhex(rest) })).toString('hex'), hex);
  }
  for (const { why, bytes: hex } of golden.invalid) assert.throws(() => decodePiece(unhex(hex)), refusal('malformed'), why);
  for (const hex of golden.ignored) assert.equal(decodePiece(unhex(hex)), null);
});

// A generator of numbers below 1 that is the same for each seed.
function random(seed) {
  let state = seed * 2654435761 + 1;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) >>> 0;
    return ((state ^ (state >>> 13)) >>> 0) / 2 ** 32;
  };
}

// One of two members in a search, with its application.
class Side {
  books = new Questions();

  way = []; // pieces that are on their way from it

  open = new Map(); // id → what was asked, without an outcome

  has = new Map(); // id → question of the other that the application has

  asked = 0;

  outcomes = 0;

  closed = false;

  ask(data) {
    if (!this.books.place(data.length)) return;
    this.open.set(this.books.ask('주제', data), data);
    this.asked++;
  }

  cancel() {
    const [id] = this.open.keys();
    if (id === undefined) return;
    this.books.cancel(id);
    this.open.delete(id);
    this.outcomes++;
  }

  do(actions) {
    for (const { ended, lost, asked, unwanted, data, refusal: refused } of actions) {
      if (ended || lost) {
        const question = this.open.get(ended ?? lost);
        assert.ok(question, 'another outcome');
        if (data) assert.deepEqual(data, question);
        else assert.ok(lost || ['my_own', 'busy', 'cancelled'].includes(refused.code));
        this.open.delete(ended ?? lost);
        this.outcomes++;
      }
      if (asked) this.has.set(asked, { data, unwanted: false });
      if (unwanted) {
        assert.equal(this.has.get(unwanted).unwanted, false);
        this.has.get(unwanted).unwanted = true;
      }
    }
  }

  end(refuses) {
    const [id] = this.has.keys();
    if (id === undefined) return;
    if (refuses) this.books.refuse(id, 'my_own', '');
    else this.books.answer(id, this.has.get(id).data);
    this.has.delete(id);
  }

  give() {
    const piece = this.books.next();
    if (piece) this.way.push(piece);
  }

  take(other) {
    if (other.way.length > 0) this.do(this.books.take(other.way.shift()));
  }
}

test('each question has one outcome, and in the end nothing is left', () => {
  let asked = 0;
  for (let seed = 1; seed <= 40; seed++) {
    const next = random(seed);
    const sides = [new Side(), new Side()];
    const most = [40, 40_000, 400_000][seed % 3];
    for (let i = 0; i < 800; i++) {
      const [s, other] = next() < 0.5 ? sides : [...sides].reverse();
      const what = next() * 11;
      const times = Math.floor(next() * 15);
      if (what < 2) for (let n = 0; n < 3; n++) s.ask(new Uint8Array(Math.floor(next() * most)).fill(Math.floor(next() * 256)));
      else if (what < 3) s.cancel();
      else if (what < 5) s.end(next() < 0.2);
      else if (what < 7.8) for (let n = 0; n < times; n++) s.give();
      else if (what < 8 && s.closed) {
        s.closed = false;
        s.books.open();
      } else if (what < 8 && seed % 2) {
        s.closed = true;
        s.do(s.books.close());
      } else for (let n = 0; n < times; n++) s.take(other);
    }
    for (const s of sides) s.books.open();
    for (let i = 0; i < 5000; i++) {
      for (const [s, other] of [sides, [...sides].reverse()]) {
        s.give();
        s.take(other);
        s.end(false);
      }
    }
    for (const s of sides) {
      assert.equal(s.outcomes, s.asked, `seed ${seed}`);
      assert.ok(!s.books.answering && s.books.next() === null && s.has.size === 0, `seed ${seed}`);
      for (let n = 0; n < 4; n++) s.ask(new Uint8Array(MAX_SIZE)); // every place and byte is free again
      assert.equal(s.open.size, 4, `seed ${seed}`);
      asked += s.asked;
    }
  }
  assert.ok(asked > 1000, `${asked}`);
});

test('beyond 64 questions, and beyond 4 MiB, a question is refused, and beyond 128 it breaks the rules', () => {
  const books = new Questions();
  const question = (id, size = 0) => books.take(encodePiece({ kind: 1, id, size, topic: 't', rest: new Uint8Array(size) }));
  for (let id = 1; id <= 64; id++) assert.equal(question(id).length, 1);
  for (let id = 65; id <= 128; id++) assert.equal(question(id).length, 0);
  assert.equal(decodePiece(books.next()).code, 'busy');
  question(129);
  assert.throws(() => question(130), refusal('malformed'));

  const big = new Questions();
  const take = (id) => big.take(encodePiece({ kind: 1, id, size: MAX_SIZE, topic: 't', rest: new Uint8Array(MAX_SIZE) }));
  for (let id = 1; id <= 4; id++) assert.equal(take(id).length, 1);
  assert.equal(take(5).length, 0);
});

test('what no honest member sends', () => {
  const whole = { kind: 1, id: 5, size: 1, topic: 't', rest: bytes('x') };
  const half = { kind: 1, id: 5, size: 10, topic: 't', rest: bytes('half') };
  for (const pieces of [
    [whole, whole], [half, { ...whole, id: 6 }], [half, { kind: 2, id: 5, rest: bytes('seven..') }], [{ kind: 2, id: 1, rest: bytes('x') }],
    [{ kind: 3, id: 1 }], [{ kind: 4, id: 9 }], [{ kind: 4, id: 3 }], [{ kind: 4, id: 1 }, { kind: 4, id: 1 }],
    [{ kind: 4, id: 1, size: 5 }, { kind: 4, id: 2, size: 5 }], [{ kind: 5, id: 1, rest: bytes('x') }], [{ kind: 6, id: 9, code: 'x' }],
  ]) {
    const books = new Questions();
    for (let i = 0; i < 3; i++) books.ask('t', bytes(''));
    books.next();
    books.next(); // of the third the other end has seen nothing
    for (const piece of pieces.slice(0, -1)) books.take(encodePiece(piece));
    assert.throws(() => books.take(encodePiece(pieces.at(-1))), refusal('malformed'), JSON.stringify(pieces));
  }
});

// ---- over connections

class Carrier {
  up = true;

  dataOpen = true;

  sent = [];

  sendData(frame) {
    this.sent.push(frame);
    return true;
  }

  close() { this.up = this.dataOpen = false; }
}

// One end of a link, and what its application answers.
class End {
  connections = new Connections();

  handlers = {};

  failures = [];

  constructor() {
    this.connections.current = new Carrier();
    this.stream = new Stream(this.connections, {
      data: (_, taken) => taken(), handler: (topic) => this.handlers[topic], repeated: () => true,
      failed: (error) => this.failures.push(error), flooded: (error) => { throw error; }, asideOpened() {}, aside() {},
    });
  }

  ask(topic, data = '', signal = undefined) { return this.stream.questions.ask(topic, bytes(data), signal); }
}

// Lets two ends have what they sent, until nothing more comes.
async function exchange(a, b) {
  for (let quiet = 0; quiet < 3; quiet++) {
    for (const [from, to] of [[a, b], [b, a]]) {
      for (let frame; (frame = from.connections.current.sent.shift());) {
        to.stream.receive(frame);
        quiet = 0;
      }
    }
    await setImmediate();
  }
}

test('answers and refusals come back', async () => {
  const [a, b] = [new End(), new End()];
  b.handlers = {
    거울: (data) => data,
    nothing: () => {},
    own: () => { throw Object.assign(new Error('음수'), { code: 'negative' }); },
    fails: () => Promise.reject(Object.assign(new Error('because'), { code: 'NO CODE' })),
    number: () => 42,
    big: () => new Uint8Array(MAX_SIZE + 1),
  };
  const big = 'x'.repeat(MAX_SIZE);
  const all = Promise.all([
    a.ask('거울', '안녕').then((got) => assert.equal(text(got), '안녕')),
    a.ask('거울', big).then((got) => assert.equal(text(got), big)),
    a.ask('nothing').then((got) => assert.equal(got.length, 0)),
    ...[['own', 'negative'], ['fails', 'failed'], ['number', 'bad_argument'], ['big', 'too_big'], ['nobody', 'not_handled']]
      .map(([topic, code]) => assert.rejects(a.ask(topic), (e) => refusal(code)(e) && e.about === 'question')),
    assert.rejects(a.ask('거울', `${big}x`), refusal('too_big')),
  ]);
  await exchange(a, b);
  await all;
  assert.deepEqual([a.failures, b.failures], [[], []]);
});

test('a question that is given up ends at the other end too', async () => {
  const [a, b] = [new End(), new End()];
  let aborted = null;
  b.handlers.wait = (_, { signal }) => new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      aborted = signal.reason;
      reject(signal.reason);
    });
  });
  const abort = new AbortController();
  const asked = a.ask('wait', '', abort.signal);
  await exchange(a, b);
  assert.equal(aborted, null);
  abort.abort(new Error('enough'));
  await assert.rejects(asked, /enough/);
  await exchange(a, b);
  assert.equal(aborted.code, 'cancelled');
  await assert.rejects(a.ask('wait', '', abort.signal), /enough/, 'before it has begun');
});

test('beyond 64 a question waits for a place, and can be given up there', async () => {
  const [a, b] = [new End(), new End()];
  const free = [];
  b.handlers.slow = () => new Promise((resolve) => { free.push(resolve); });
  const first = Array.from({ length: 64 }, () => a.ask('slow'));
  const abort = new AbortController();
  const waits = [a.ask('slow', '', abort.signal), a.ask('slow')];
  await exchange(a, b);
  assert.equal(free.length, 64);
  abort.abort(new Error('enough'));
  await assert.rejects(waits[0], /enough/);
  free.shift()(bytes('x'));
  await exchange(a, b);
  assert.equal(free.length, 64);
  for (const resolve of free) resolve();
  await exchange(a, b);
  await Promise.all([...first, waits[1]]);
});

test('whatever is lost with a connection, questions and answers go on', async () => {
  const [a, b] = [new End(), new End()];
  b.handlers.mirror = (data) => data;
  const data = 'x'.repeat(200_000);
  for (let lost = 0; lost < 30; lost++) {
    const asked = a.ask('mirror', data);
    for (let i = 0; i < lost; i++) {
      const [from, to] = i % 3 === 0 ? [b, a] : [a, b];
      const frame = from.connections.current.sent.shift();
      if (frame) to.stream.receive(frame);
      if (i % 5 === 0) await setImmediate();
    }
    for (const end of [a, b]) {
      end.connections.lose(end.connections.current);
      end.connections.current = new Carrier();
      end.stream.flush();
    }
    await exchange(a, b);
    assert.equal(text(await asked), data);
  }
  assert.deepEqual([a.failures, b.failures], [[], []]);
});

test('a peer that does not know questions is found out', async () => {
  const a = new End();
  const asked = a.ask('x');
  const { sent } = a.connections.current;
  assert.deepEqual(sent.map(([kind]) => kind), [5, 3]);
  a.stream.receive(new Uint8Array([4, 0, 0, 0, 0])); // as every noom replies
  await assert.rejects(asked, refusal('unsupported'));
  await assert.rejects(a.ask('x'), refusal('unsupported'));
  a.connections.current = new Carrier();
  assert.ok(a.stream.trySend(bytes('x')));
  assert.deepEqual(a.connections.current.sent.map(([kind]) => kind), [1]);
});

test('a peer that does is not mistaken, whatever it replies later', async () => {
  const [a, b] = [new End(), new End()];
  b.handlers.mirror = (data) => data;
  for (let i = 0; i < 3; i++) {
    const asked = a.ask('mirror', '안녕');
    await exchange(a, b);
    assert.equal(text(await asked), '안녕');
    a.stream.receive(new Uint8Array([4, 0, 0, 0, 0]));
  }
});

test('questions end with the link, and answers are delivered before we leave', async () => {
  const [a, b] = [new End(), new End()];
  b.handlers.big = () => new Uint8Array(MAX_SIZE);
  b.handlers.wait = (_, { signal }) => new Promise((resolve) => { signal.addEventListener('abort', () => resolve()); });
  const asked = a.ask('big');
  for (let frame; (frame = a.connections.current.sent.shift());) b.stream.receive(frame);
  await setImmediate();
  b.stream.seal();
  let delivered = false;
  const leaving = b.stream.delivered().then(() => { delivered = true; });
  await setImmediate();
  assert.equal(delivered, false);
  await exchange(a, b);
  assert.equal((await asked).length, MAX_SIZE);
  await a.stream.delivered(); // has it acknowledged what came in a pause
  await exchange(a, b);
  await leaving;
  await assert.rejects(b.ask('x'), refusal('closed'));
  const late = assert.rejects(a.ask('big'), refusal('cancelled'));
  await exchange(a, b);
  await late;
  const [c, d] = [new End(), new End()];
  d.handlers.wait = b.handlers.wait;
  const lost = assert.rejects(c.ask('wait'), refusal('closed'));
  await exchange(c, d);
  c.stream.close();
  await lost;
  await assert.rejects(c.ask('wait'), refusal('closed'));
  c.stream.questions.open();
  d.stream.questions.close();
  d.stream.questions.open();
  d.handlers.wait = (data) => data;
  const again = c.ask('wait', 'again');
  await exchange(c, d);
  assert.equal(text(await again), 'again');
});

test('bad pieces end the connection', () => {
  const a = new End();
  a.stream.receive(new Uint8Array([5, 0, 0, 0, 1, 3, 0, 0, 0, 1]));
  assert.equal(a.failures.length, 1);
  a.stream.receive(new Uint8Array([5, 0, 0, 0, 3, 3, 0, 0, 0, 1]));
  a.stream.receive(new Uint8Array([6, 0, 0, 0, 9]));
  assert.deepEqual(a.failures.map(({ code }) => code), ['malformed', 'malformed', 'malformed']);
});
