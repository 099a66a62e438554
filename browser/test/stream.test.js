// The data of a link over several connections, of which each carries what it can.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Connections } from '../handover.js';
import { MAX } from '../limits.js';
import { Stream } from '../stream.js';

// One end of a connection, as the stream sees it. What is sent waits here until the other end takes it.
class Carrier {
  up = true;

  dataOpen = true;

  refuses = false;

  sent = []; // and not taken

  sendData(bytes, most) {
    if (!this.dataOpen || this.refuses || this.sent.reduce((sum, { length }) => sum + length, 0) > most) return false;
    this.sent.push(bytes);
    return true;
  }

  close() { this.up = this.dataOpen = false; }
}

// One end of a link, with its application.
class End {
  connections = new Connections();

  got = []; // numbers that the messages hold, in the order in which they came

  topics = []; // theirs

  repeats = 0; // frames that said nothing new

  opened = 0; // connections for frames of the room's state

  frames = []; // of it, that have come

  held = []; // functions that take them

  #sent = 0;

  constructor() {
    this.stream = new Stream(this.connections, {
      data: ({ data, topic }, taken) => {
        this.got.push(new DataView(data.buffer).getUint32(0));
        this.topics.push(topic);
        this.held.push(taken);
      },
      failed: (error) => { throw error; }, flooded: (error) => { throw error; }, repeated: () => ++this.repeats,
      asideOpened: () => { this.opened++; }, aside: (kind, frame) => { this.frames.push(frame); },
    });
  }

  get sent() { return this.#sent; }

  // Sends one message, if there is credit.
  say(size = 4, topic = '') {
    const payload = new Uint8Array(size);
    new DataView(payload.buffer).setUint32(0, this.#sent + 1);
    const sent = this.stream.trySend(payload, topic);
    if (sent) this.#sent++;
    return sent;
  }

  // Takes so many of the frames that the other end has sent over a connection.
  take({ sent }, count = sent.length) {
    for (const bytes of sent.splice(0, count)) this.stream.receive(bytes);
  }

  consume() { this.held.shift()?.(); }
}

const numbers = ({ sent }, kind = 1) => sent.filter(([k]) => k === kind).map((b) => new DataView(b.buffer).getUint32(1));

// An end over one connection, over which it has said something.
function begun(count) {
  const end = new End();
  const old = end.connections.current = new Carrier();
  for (let i = 0; i < count; i++) end.say();
  return { end, old };
}

// The next connection, over which nothing can be sent yet.
function next(end) {
  end.connections.setAside();
  const fresh = end.connections.current = new Carrier();
  fresh.up = fresh.dataOpen = false;
  return fresh;
}

function opens(end, connection) {
  connection.up = connection.dataOpen = true;
  end.stream.flush();
}

test('what is said while no connection is up goes over the first that is', () => {
  const end = new End();
  end.say();
  const first = end.connections.current = new Carrier();
  first.up = first.dataOpen = false;
  end.say();
  opens(end, first);
  assert.deepEqual(numbers(first), [1, 2]);
});

test('a connection that takes over carries first what it has not carried', () => {
  const { end, old } = begun(2);
  const fresh = next(end);
  end.say(); // 3
  assert.deepEqual(numbers(old), [1, 2, 3], 'the old one serves');
  opens(end, fresh);
  end.say(); // 4
  assert.deepEqual([numbers(old), numbers(fresh)], [[1, 2, 3], [1, 2, 3, 4]]);
  fresh.up = false;
  end.stream.flush();
  assert.deepEqual(numbers(old), [1, 2, 3, 4], 'the old one serves again');
  end.say(); // 5
  fresh.up = true;
  end.say(); // 6
  assert.deepEqual([numbers(old), numbers(fresh)], [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5, 6]]);
  end.connections.lose(fresh);
  end.stream.flush();
  assert.deepEqual(numbers(old), [1, 2, 3, 4, 5, 6]);
});

test('a connection that refuses is passed by, and catches up', () => {
  const { end, old } = begun(1);
  const fresh = next(end);
  opens(end, fresh);
  fresh.refuses = true; // full, or its channel is closing
  end.say();
  end.say();
  assert.deepEqual([numbers(old), numbers(fresh)], [[1, 2, 3], [1]]);
  fresh.refuses = false;
  end.stream.flush();
  assert.deepEqual(numbers(fresh), [1, 2, 3]);
});

test('a connection that refuses in the middle leaves no gap', () => {
  const { end, old } = begun(3);
  end.connections.lose(old);
  const fresh = end.connections.current = new Carrier();
  let left = 2;
  const { sendData } = fresh;
  fresh.sendData = function some(...what) { return left-- > 0 && sendData.apply(this, what); };
  end.stream.flush();
  assert.deepEqual(numbers(fresh), [1, 2]);
  left = Infinity;
  end.say();
  assert.deepEqual(numbers(fresh), [1, 2, 3, 4]);
});

test('a connection that refuses between a topic and its message gets both again', () => {
  const { end, old } = begun(0);
  const other = new End();
  let left = 1;
  const { sendData } = old;
  old.sendData = function some(...what) { return left-- > 0 && sendData.apply(this, what); };
  end.say(4, '반응');
  left = Infinity;
  end.stream.flush();
  assert.deepEqual([numbers(old, 7), numbers(old)], [[1, 1], [1]]);
  other.take(old);
  assert.deepEqual([other.got, other.topics, other.repeats], [[1], ['반응'], 1]);
});

test('topics without messages say nothing new', () => {
  const { end, old } = begun(0);
  const other = new End();
  end.say(4, 'a');
  const [topic, message] = old.sent.splice(0);
  for (let n = 0; n < 5; n++) other.stream.receive(topic);
  assert.equal(other.repeats, 4);
  other.stream.receive(message);
  other.stream.receive(topic);
  assert.equal(other.repeats, 4, 'the next connection begins with what was sent');
  other.stream.receive(message);
  assert.equal(other.repeats, 5);
  assert.throws(() => other.stream.receive(Uint8Array.of(7, 0, 0, 0, 2)), (e) => e.code === 'malformed');
});

test('what waits for credit keeps its topic', async () => {
  const { end, old } = begun(0);
  const other = new End();
  for (let n = 0; n < MAX.unackedMessages; n++) assert.ok(end.say(4, 'x'.repeat(128)), 'topics cost no credit');
  const sent = end.stream.send(Uint8Array.of(0, 0, 0, 1), '나중');
  other.connections.current = new Carrier();
  other.take(old);
  for (let n = 0; n < MAX.unackedMessages / 16 + 1; n++) other.consume();
  end.take(other.connections.current);
  await sent;
  other.take(old);
  assert.equal(other.topics.at(-1), '나중');
  for (const { stream } of [end, other]) stream.close();
});

test('a connection is given what it has room for, and the rest when it has sent that', () => {
  const { end, old } = begun(0);
  for (let n = 1; n <= 100; n++) {
    assert.ok(end.say(MAX.data));
    end.stream.receive(Uint8Array.of(2, 0, 0, 0, n - 1)); // taken, says the peer, of what has not arrived
  }
  const given = old.sent.splice(0).length;
  assert.ok(given >= 2 * MAX.unacked / MAX.data && given < 40, `${given} wait`);
  end.stream.flush();
  assert.deepEqual(numbers(old), [100]);
});

test('an acknowledgement goes over whichever connection, and again over one that has not carried it', () => {
  const { end: they, old: theirs } = begun(1);
  const { end, old } = begun(0);
  end.take(theirs);
  end.consume();
  assert.deepEqual(numbers(old, 2), [1]);
  const fresh = next(end);
  opens(end, fresh);
  assert.deepEqual(numbers(fresh, 2), [1]);
  fresh.refuses = true;
  they.say(MAX.data);
  they.say(MAX.data);
  end.take(theirs);
  end.consume();
  end.consume(); // which is much
  assert.deepEqual([numbers(old, 2), numbers(fresh, 2)], [[1, 3], [1]]);
  fresh.refuses = false;
  end.stream.flush();
  end.stream.flush();
  assert.deepEqual([numbers(old, 2), numbers(fresh, 2)], [[1, 3], [1, 3]]);
  for (const one of [they, end]) one.stream.close();
});

test('whether all has arrived is asked behind the last message, once over each connection, and answered when that can be', async () => {
  const { end, old } = begun(2);
  const fresh = next(end);
  end.stream.seal();
  const delivered = end.stream.delivered();
  opens(end, fresh);
  end.stream.flush();
  for (const c of [old, fresh]) assert.deepEqual([numbers(c), numbers(c, 3), c.sent.at(-1)[0]], [[1, 2], [2], 3]);
  const { end: they, old: theirs } = begun(0);
  theirs.refuses = true;
  they.take(old);
  theirs.refuses = false;
  assert.deepEqual(numbers(theirs, 4), []);
  they.stream.flush();
  assert.deepEqual(numbers(theirs, 4), [2]);
  end.take(theirs);
  await delivered;
  assert.equal(end.stream.missing, 0);
});

// The topic of message n.
const topicFor = (n) => (n % 3 === 1 ? '' : `주제 ${n % 11}`);

// The random numbers that follow from a seed, from 0 to most-1.
function dice(seed) {
  let state = seed + 1;
  return (most) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * most);
  };
}

// Two ends, and what becomes of the connections between them.
class Pair {
  ends = [new End(), new End()];

  #pairs = []; // of Carriers, oldest first

  // Makes the next connection; both keep the last two.
  connect() {
    const pair = this.ends.map(({ connections }) => {
      if (connections.current) connections.setAside();
      return (connections.current = new Carrier());
    });
    for (const c of pair) c.up = c.dataOpen = false;
    this.#pairs.push(pair);
    if (this.#pairs.length > 3) this.lose(0);
  }

  lose(which) {
    const [pair] = this.#pairs.splice(which, 1);
    pair?.forEach((c, i) => this.ends[i].connections.lose(c));
    this.flush();
  }

  flush() { for (const { stream } of this.ends) stream.flush(); }

  take(i, which, count) {
    const pair = this.#pairs[which];
    if (pair?.[i].dataOpen) this.ends[i].take(pair[1 - i], count);
  }

  step(roll) {
    const i = roll(2);
    const which = roll(3);
    const carrier = this.#pairs[which]?.[i];
    switch (roll(10)) {
      case 0: if (roll(5) === 0) this.connect(); break;
      case 1: if (roll(5) === 0) this.lose(which); break;
      case 2: if (carrier) carrier.refuses = !carrier.refuses; break;
      case 3: if (carrier) carrier.up = carrier.dataOpen && !carrier.up; break;
      case 4: for (const c of this.#pairs[which] ?? []) c.up = c.dataOpen = true; break;
      case 5: if (roll(2) === 0) this.flush(); break;
      case 6: this.ends[i].consume(); break;
      case 7: for (let n = roll(6); n > 0; n--) this.ends[i].say(roll(30) === 0 ? MAX.data : 4, topicFor(this.ends[i].sent + 1)); break;
      default: this.take(i, which, roll(5));
    }
  }

  // Has everything arrive.
  settle() {
    this.connect();
    for (const pair of this.#pairs) for (const c of pair) Object.assign(c, { up: true, dataOpen: true, refuses: false });
    const waits = () => this.#pairs.some((pair) => pair.some(({ sent }) => sent.length > 0));
    do {
      this.flush();
      for (const [which] of this.#pairs.entries()) for (const i of [0, 1]) this.take(i, which);
      for (const end of this.ends) while (end.held.length > 0) end.consume();
    } while (waits());
  }
}

test('whatever becomes of connections, all messages arrive once and in order', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let said = 0;
  for (let seed = 0; seed < 60; seed++) {
    const roll = dice(seed);
    const pair = new Pair();
    pair.connect();
    for (let n = 0; n < 600; n++) {
      pair.step(roll);
      if (roll(50) === 0) t.mock.timers.tick(100);
    }
    pair.settle();
    t.mock.timers.tick(100); // the last acknowledgements
    pair.settle();
    pair.ends.forEach((end, i) => {
      const other = pair.ends[1 - i];
      assert.deepEqual(other.got, Array.from({ length: end.sent }, (_, n) => n + 1), `seed ${seed}`);
      assert.deepEqual(other.topics, other.got.map(topicFor), `seed ${seed}`);
      assert.equal(end.stream.missing, 0, `seed ${seed}`);
      said += end.sent;
    });
    for (const { stream } of pair.ends) stream.close();
  }
  assert.ok(said > 1000);
});

const asides = ({ sent }) => sent.filter(([k]) => k === 16).map(([, byte]) => byte);

test('frames of the room\'s state go once, over the connection there is, and not again over the next', () => {
  const { end, old } = begun(1);
  const other = new End();
  assert.equal(end.opened, 1);
  assert.ok(end.stream.sendAside(16, Uint8Array.of(7), false));
  end.stream.flush();
  assert.deepEqual([numbers(old), asides(old)], [[1], [7]]);
  other.connections.current = new Carrier();
  other.take(old);
  assert.deepEqual([other.got, other.frames, other.opened], [[1], [Uint8Array.of(7)], 1]);
  old.refuses = true;
  assert.ok(end.stream.sendAside(16, Uint8Array.of(8), false));
  const fresh = next(end);
  opens(end, fresh);
  assert.equal(end.opened, 2, 'both ends compare again');
  assert.deepEqual([numbers(fresh), asides(fresh)], [[1], []]);
  fresh.refuses = true;
  let kept = 0;
  while (end.stream.sendAside(16, new Uint8Array(1000), false)) kept++;
  assert.ok(kept > 500 && kept < 530, String(kept));
});

test('a member that leaves waits for what it has just written in the room\'s state', async () => {
  const end = new End();
  const other = new End();
  const there = end.connections.current = new Carrier();
  const back = other.connections.current = new Carrier();
  end.stream.sendAside(16, Uint8Array.of(7), true);
  let delivered = false;
  const done = end.stream.delivered().then(() => { delivered = true; });
  await null;
  assert.ok(!delivered);
  other.take(there);
  end.take(back);
  await done;
  assert.ok(delivered);
});
