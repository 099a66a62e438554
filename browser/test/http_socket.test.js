// A connection over HTTP, with a hub that answers as each test says, and a clock that each test moves.

import assert from 'node:assert/strict';
import test from 'node:test';
import { encode } from '../codec.js';
import { HTTPSocket } from '../http_socket.js';
import { Hub } from '../hub.js';
import { Identity, newSession } from '../identity.js';
import { Way } from '../way.js';

const ANSWER = { taken: Infinity, sent: 0 }; // all that was sent has come

// Until a condition holds time goes by, at most so much. Returns how many ms it was.
function clock(t) {
  let now = 1_000;
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  t.mock.method(performance, 'now', () => now);
  return async (what, holds, most = 60_000) => {
    const began = now;
    for (; !holds(); now += 10) {
      assert.ok(now - began <= most, `never came: ${what}`);
      t.mock.timers.tick(10);
      for (let i = 0; i < 5; i++) await new Promise(setImmediate); // a page's own tasks
    }
    return now - began;
  };
}

// A hub over HTTP, as fetch sees it.
class FakeHub {
  posts = []; // {first, frames, closes} of each batch
  streams = []; // the controllers of what comes down
  aborted = 0; // how many of those were
  opening = () => Response.json({ session: 's' });
  greeting = () => ''; // what the answer to a join is, in one piece
  batch = () => ANSWER;

  constructor(t) {
    t.mock.method(globalThis, 'fetch', async (_, options) => {
      if (options.method === 'GET') return this.#down(options.signal);
      return options.body ? this.#up(options) : this.opening();
    });
    t.mock.method(AbortSignal, 'any', () => { throw new TypeError('Safari 17 has none'); });
  }

  /** Sends events down. */
  say(text) { this.streams.at(-1).enqueue(new TextEncoder().encode(text)); }

  #down(signal) {
    const body = new ReadableStream({
      start: (stream) => {
        this.streams.push(stream);
        stream.enqueue(new TextEncoder().encode(': noom\n\n'));
        signal.addEventListener('abort', () => {
          this.aborted++;
          stream.error(signal.reason);
        });
      },
    });
    return new Response(body);
  }

  async #up({ body, signal }) {
    const batch = parse(body);
    this.posts.push(batch);
    if (batch.frames.some((frame) => frame.includes('"join"'))) this.say(this.greeting());
    const aborted = new Promise((_, reject) => { signal.addEventListener('abort', () => reject(signal.reason)); });
    const answer = await Promise.race([this.batch(batch, this.posts.length), aborted]);
    return answer instanceof Response ? answer : Response.json({ ...answer, taken: answer.taken === Infinity ? batch.first + batch.frames.length - 1 : answer.taken });
  }
}

function parse(body) {
  let rest = Buffer.from(body);
  const take = (size, skip = 0) => {
    const part = rest.subarray(0, size).toString();
    rest = rest.subarray(size + skip);
    return part;
  };
  const line = () => take(rest.indexOf('\n'), 1);
  const first = Number(line().split(' ')[1]);
  const frames = [];
  while (/^\d/.test(rest)) frames.push(take(Number(line())));
  return { first, frames, closes: rest.toString() === 'close\n' };
}

const events = (...frames) => frames.map((frame, i) => `id: ${i + 1}\ndata: ${frame}\n\n`).join('');

// A socket that is open.
async function open(t, until) {
  const hub = new FakeHub(t);
  const socket = new HTTPSocket('wss://hub.example/http');
  socket.onclose = ({ code }) => { hub.closed = code; };
  await until('an open connection', () => socket.readyState === 1 && hub.streams.length === 1);
  return [hub, socket];
}

// A member at a FakeHub, and what it takes, in order.
async function member(t, host, options = {}) {
  const hub = new FakeHub(t);
  const [identity, other] = await Promise.all([Identity.generate(), Identity.generate()]);
  const session = newSession();
  const self = ({ id, key }) => ({ id, name: 'x', key, session });
  hub.joined = encode({ type: 'joined', self: self(identity), heartbeat: 3_600_000, limits: { frame: 65536, name: 128, chat: 4096, members: 64, rate: 50 } });
  hub.welcome = encode({ type: 'welcome', member: self(other) });
  const order = [];
  const us = new Hub({
    url: new URL(`wss://${host}/ws`), identity, session, room: '데모', name: () => '', options: { transport: 'http', dialTimeout: 5_000, redialMax: 2_000, ...options },
    member: {
      frame: ({ type }) => order.push(type), lost: ({ code }) => order.push(`lost: ${code}`), back: () => order.push('back'), refused: ({ code }) => order.push(`refused: ${code}`),
    },
  });
  const join = async () => {
    await us.dial(() => order.push('joined'));
    await us.enqueue(() => {});
  };
  return { hub, us, order, join };
}

test('what comes in one piece with joined is taken behind it, and so when we return', async (t) => {
  const until = clock(t);
  const { hub, us, order, join } = await member(t, 'one-piece');
  hub.greeting = () => events(hub.joined, hub.welcome);
  await join();
  assert.deepEqual(order, ['joined', 'welcome']);
  hub.say('id: 3\nevent: close\ndata: \n\n');
  await until('the return', () => order.length === 5);
  assert.deepEqual(order.slice(2), ['lost: unreachable', 'back', 'welcome']);
  us.close();
});

test('who leaves while the hub lets us in says goodbye, and is not let in', async (t) => {
  const until = clock(t);
  const { hub, us, order, join } = await member(t, 'leaves');
  hub.greeting = () => events(hub.joined);
  await join();
  hub.greeting = () => '';
  hub.say('id: 2\nevent: close\ndata: \n\n');
  await until('a second join', () => hub.streams.length === 2 && hub.posts.at(-1).frames[0]?.includes('"join"'));
  us.close();
  await until('a goodbye', () => hub.posts.at(-1).closes);
  assert.equal(hub.posts.at(-1).frames.at(-1), '{"type":"bye"}');
  await assert.rejects(us.dial(() => order.push('joined again')), { code: 'closed' });
  assert.deepEqual(order, ['joined', 'lost: unreachable']);
});

test('who leaves while a token is fetched does not dial', async (t) => {
  clock(t);
  let give;
  const { hub, us } = await member(t, 'token', { token: () => new Promise((resolve) => { give = resolve; }) });
  hub.opening = () => assert.fail('it dials');
  const dialled = us.dial(() => {});
  us.close();
  give('token');
  await assert.rejects(dialled, { code: 'closed' });
});

test('what is no frame in the answer to a return is no refusal; an error of the hub is', async (t) => {
  const until = clock(t);
  const { hub, us, order, join } = await member(t, 'malformed');
  hub.greeting = () => events(hub.joined);
  await join();
  hub.greeting = () => events('{"type":');
  hub.say('id: 2\nevent: close\ndata: \n\n');
  await until('three tries', () => hub.streams.length === 4);
  assert.deepEqual(order, ['joined', 'lost: unreachable']);
  hub.greeting = () => events('{"type":"error","code":"malformed","message":"no"}');
  await until('the refusal', () => order.length === 3);
  assert.equal(order[2], 'refused: malformed');
  us.close();
});

test('the goodbye goes at once, again if it was lost, and behind all that waits', async (t) => {
  const until = clock(t);
  const [hub, socket] = await open(t, until);
  const frames = Array.from({ length: 30 }, (_, i) => String(i).padEnd(10_000, 'x'));
  const came = new Map();
  hub.batch = ({ first, frames: some }, n) => {
    if (n === 2) throw new TypeError('no network');
    const taken = some.slice(0, n === 4 ? 1 : Infinity); // there may be no room for more
    taken.forEach((frame, i) => came.set(first + i, frame));
    return { taken: first + taken.length - 1, sent: 0 };
  };
  for (const frame of frames) socket.send(frame);
  const before = hub.posts.length;
  socket.close(1000);
  assert.equal(hub.posts.length, before + 1, 'the page may be gone in a moment');
  await until('the end', () => hub.closed);
  assert.deepEqual([...came.keys()], frames.map((_, i) => i + 1));
  assert.deepEqual([...came.values()], frames);
  assert.equal(hub.posts.at(-1).closes, true);
  assert.equal(hub.posts.filter(({ closes }) => closes).length, 1);
  assert.equal(hub.closed, 1000);
  assert.equal(hub.aborted, 1, 'the stream');
});

test('a goodbye that nobody answers ends after 10 s', async (t) => {
  const until = clock(t);
  const [hub, socket] = await open(t, until);
  hub.batch = () => new Promise(() => {});
  socket.close(1000);
  const took = await until('the end', () => hub.closed);
  assert.ok(took > 9_900 && took < 10_200, `${took} ms`);
  assert.equal(hub.aborted, 1, 'the stream');
});

for (const [what, answer] of [['what is no number', {}], ['nothing', { taken: 0, sent: 0 }], ['more than there is', { taken: 7, sent: 0 }], ['null', 'null']]) {
  test(`a hub that says it has taken ${what} is asked again later, and given up`, async (t) => {
    const until = clock(t);
    const [hub, socket] = await open(t, until);
    hub.batch = () => (answer === 'null' ? Response.json(null) : answer);
    socket.send('{}');
    const took = await until('the end', () => hub.closed);
    assert.equal(hub.closed, 1006);
    assert.ok(hub.posts.length < 15, `${hub.posts.length} posts`);
    assert.ok(took > 10_000 && took < 13_000, `${took} ms`);
  });
}

test('one failure behind a long silence does not end a connection', async (t) => {
  const until = clock(t);
  const [hub, socket] = await open(t, until);
  const silent = performance.now();
  await until('a long silence', () => performance.now() - silent > 30_000);
  hub.batch = (_, n) => {
    if (n === 1) throw new TypeError('no network');
    return ANSWER;
  };
  socket.send('{}');
  await until('a second try', () => hub.posts.length === 2 || hub.closed);
  assert.equal(hub.closed, undefined);
});

for (const [what, status, headers, retry] of [
  ['503 with Retry-After', 503, { 'Retry-After': '7' }, 7_000],
  ['429 with Retry-After', 429, { 'Retry-After': '999999' }, 3_600_000],
  ['503 of a proxy', 503, {}, 0],
  ['503 with a date', 503, { 'Retry-After': 'Fri, 31 Dec 1999 23:59:59 GMT' }, 0],
  ['500', 500, { 'Retry-After': '7' }, 0],
]) {
  test(`an opening that is refused: ${what}`, async (t) => {
    clock(t);
    new FakeHub(t).opening = () => new Response('', { status, headers });
    for (const transport of ['http', 'auto']) {
      const way = new Way(new URL('ws://full.example/ws'), { transport, WebSocket: Refusing });
      const refused = assert.rejects(way.dial(new AbortController().signal), { code: 'unreachable', retry });
      for (let i = 0; i < 10; i++) {
        t.mock.timers.tick(10);
        await new Promise(setImmediate);
      }
      await refused;
    }
  });
}

// A WebSocket that opens and then carries nothing; the hub answers its end if answers says so.
class Silent extends EventTarget {
  static made = 0;
  static answers = false;
  readyState = 0;

  constructor(url) {
    super();
    this.url = String(url);
    Silent.made++;
    queueMicrotask(() => {
      this.readyState = 1;
      this.onopen();
    });
  }

  send() {}

  close() {
    if (this.readyState === 3) return;
    this.readyState = 3;
    setTimeout(() => this.onclose({ code: Silent.answers ? 1000 : 1006, reason: '' }), 100);
  }
}

class Refusing extends EventTarget {
  constructor() {
    super();
    queueMicrotask(() => this.onclose({ code: 1006, reason: '' }));
  }

  close() {}
}

test('a WebSocket that opens and carries no frames: HTTP is next, and stays until frames come through', async (t) => {
  const until = clock(t);
  const hub = new FakeHub(t);
  const way = new Way(new URL('ws://silent.example/ws'), { WebSocket: Silent });
  const dial = async () => {
    const late = new AbortController();
    return [(await way.dial(late.signal)).socket, late];
  };
  const [left, leaving] = await dial();
  assert.ok(left instanceof Silent);
  leaving.abort(Object.assign(new Error('we leave'), { code: 'closed' }));
  const [silent, late] = await dial();
  assert.ok(silent instanceof Silent, 'who leaves at once has learned nothing');
  late.abort(new Error('no answer'));
  Silent.made = 0;
  let socket = null;
  let ended = null;
  dial().then(([dialled]) => {
    socket = dialled;
    socket.onclose = ({ code }) => { ended = code; };
  });
  await until('a connection', () => socket);
  assert.ok(socket instanceof HTTPSocket);
  await until('a trial', () => Silent.made === 1, 200_000);
  const tried = performance.now();
  await until('its end', () => performance.now() - tried > 1_000);
  assert.equal(socket.readyState, 1, 'HTTP is what works');
  Silent.answers = true;
  await until('another trial', () => ended, 400_000);
  assert.equal(ended, 1012);
  assert.equal(hub.posts.at(-1).closes, true);
});

test('the rooms of a page try WebSocket again together, no less often than one', async (t) => {
  const until = clock(t);
  const hub = new FakeHub(t);
  const way = new Way(new URL('ws://rooms.example/ws'), { WebSocket: Silent });
  Silent.answers = false;
  const lates = [1, 2, 3].map(() => new AbortController());
  await Promise.all(lates.map(({ signal }) => way.dial(signal)));
  for (const late of lates) late.abort(new Error('no answer'));
  Silent.made = 0;
  const began = performance.now();
  for (const _ of lates) way.dial(new AbortController().signal);
  await until('ten minutes', () => performance.now() - began > 600_000, 700_000);
  assert.equal(hub.streams.length, 3);
  assert.equal(Silent.made, 3 * 3, 'after one minute, two more, and four more');
});
