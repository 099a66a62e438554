// The way to the hub, with a WebSocket whose other end does what each test says, and a clock that each test moves.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { encode } from '../codec.js';
import { Hub, isFinal } from '../hub.js';
import { Identity, newSession } from '../identity.js';
import { MAX } from '../limits.js';
import { Refusal } from '../signaling.js';

const HEARTBEAT = 10_000;
const LIMITS = { frame: 65536, name: 128, chat: 4096, members: 64, rate: 50 };

// A member at a hub that lets everybody in, and says nothing else; random: what Math.random gives.
async function member(t, { random = 0 } = {}) {
  const identity = await Identity.generate();
  const session = newSession();
  let now = 0;
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  t.mock.method(performance, 'now', () => now);
  t.mock.method(Math, 'random', () => random);
  const dials = []; // {at, socket, pings}
  const self = { id: identity.id, name: 'x', key: identity.key, session };
  class WebSocket {
    readyState = 0;

    constructor({ href }) {
      this.url = href;
      const dial = { at: now, socket: this, pings: [] };
      dials.push(dial);
      queueMicrotask(() => {
        this.readyState = 1;
        this.onopen();
      });
      this.send = (frame) => {
        const { type } = JSON.parse(frame);
        if (type === 'ping') dial.pings.push(now);
        if (type === 'join') queueMicrotask(() => this.onmessage({ data: encode({ type: 'joined', self, members: [], iceServers: [], heartbeat: HEARTBEAT, limits: LIMITS }) }));
      };
    }

    close() { this.readyState = 3; }
  }
  const lost = []; // {at, message}
  const hub = new Hub({
    url: new URL('wss://hub.example/ws'), identity, session, room: 'r', name: () => '',
    options: { WebSocket, transport: 'websocket', dialTimeout: 5_000, redialMax: 2_000 },
    member: { frame() {}, lost: ({ message }) => lost.push({ at: now, message }), back() {} },
  });
  t.after(() => hub.close());
  // Lets so much time go by.
  const pass = async (ms) => {
    for (const end = now + ms; now < end;) {
      now++;
      t.mock.timers.tick(1);
      await new Promise(setImmediate);
    }
  };
  // Cuts the newest connection, as if the network had; reports after how many ms the next dial came.
  const cut = async () => {
    const [at, { length }] = [now, dials];
    dials.at(-1).socket.onclose({ code: 1006, reason: '' });
    while (dials.length === length) await pass(1);
    await pass(1); // until it is back
    return dials.at(-1).at - at;
  };
  await hub.dial(() => {});
  return { id: identity.id, hub, dials, lost, pass, cut };
}

test('a hub that gives no sign of life when it is asked is lost within a second', async (t) => {
  const { hub, dials, lost, pass } = await member(t);
  await pass(100);
  for (let i = 0; i < 3; i++) hub.ask(); // by many peers at once
  await pass(500);
  hub.ask();
  assert.deepEqual(dials[0].pings, [100], 'one question');
  await pass(400);
  assert.deepEqual(lost, []);
  await pass(200);
  assert.deepEqual(lost, [{ at: 1_100, message: 'noom: the hub has not answered for 1000 ms' }]);
  assert.deepEqual(dials.map(({ at }) => at), [0, 1_150]);
  await pass(HEARTBEAT / 2);
  assert.equal(hub.online, true);
  assert.equal(lost.length, 1, 'the question was of the connection that is gone');
});

test('whatever the hub says is a sign of life', async (t) => {
  const { hub, dials, lost, pass } = await member(t);
  for (const frame of ['{"type":"pong"}', '{"type":"servers","iceServers":[]}']) {
    hub.ask();
    await pass(900);
    dials[0].socket.onmessage({ data: frame });
    await pass(1_000);
  }
  assert.deepEqual([lost, dials[0].pings], [[], [0, 1_900]]);
});

test('a hub that lets in and drops is dialled ever more rarely, until a connection has lasted', async (t) => {
  const { cut, pass } = await member(t);
  const pauses = [];
  for (let i = 0; i < 7; i++) pauses.push(await cut());
  assert.deepEqual(pauses, [50, 100, 200, 400, 800, 1_000, 1_000]);
  await pass(10_000);
  assert.equal(await cut(), 50);
  assert.equal(await cut(), 100);
});

test('no pause is longer than it may be', async (t) => {
  const { cut } = await member(t, { random: 1 - Number.EPSILON });
  const pauses = [];
  for (let i = 0; i < 7; i++) pauses.push(await cut());
  assert.deepEqual(pauses, [100, 200, 400, 800, 1_600, 2_000, 2_000]);
});

test('who asks for the hub while a redial waits has it dialled at once, unless the hub wants to be left alone', async (t) => {
  const { id, hub, dials, lost, pass, cut } = await member(t);
  for (let i = 0; i < 4; i++) await cut();
  dials.at(-1).socket.onclose({ code: 1006, reason: '' });
  await pass(1);
  hub.ask();
  await pass(1);
  assert.deepEqual([dials.length, hub.online], [6, true]);
  assert.equal(await cut(), 50, 'from the start again');
  dials.at(-1).socket.onmessage({ data: encode({ type: 'bye', from: id, reason: 'restart', retry: 5_000 }) });
  await pass(1);
  hub.ask();
  await pass(4_900);
  assert.deepEqual([lost.at(-1).message, hub.online], ['noom: the hub restarts', false]);
  await pass(100);
  assert.equal(hub.online, true);
});

test('which refusals are final is what Go is tested with too', () => {
  const final = Object.entries(JSON.parse(readFileSync(new URL('../../signal/testdata/final.json', import.meta.url), 'utf8')));
  assert.ok(final.length > 20);
  for (const [code, want] of final) assert.equal(isFinal(new Refusal(code, 'no')), want, code);
  assert.equal(isFinal(Object.assign(new Error('malformed'), { code: 'malformed' })), false, 'no answer of a hub');
});

test('a connection that is stuck takes no more than it may, and the rest once it moves again', async (t) => {
  const { hub, dials } = await member(t);
  const [{ socket }] = dials;
  const sent = [];
  socket.send = (frame) => sent.push(frame);
  const ping = encode({ type: 'ping' });
  socket.bufferedAmount = MAX.outbox - ping.length;
  assert.equal(hub.send(ping), true);
  socket.bufferedAmount++;
  assert.equal(hub.send(ping), false);
  hub.tell({ type: 'ping' });
  socket.bufferedAmount = 0;
  hub.tell({ type: 'ping' });
  assert.deepEqual(sent, [ping, ping]);
});

test('a hub that says nothing is given up after dialTimeout, 10 s by default', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  t.mock.method(performance, 'now', () => 0);
  const { join } = await import('../room.js');
  for (const [dialTimeout, want] of [[undefined, 10_000], [700, 700]]) {
    let error = null;
    await new Promise((dialled) => {
      class WebSocket {
        constructor() { dialled(); }

        close() {}
      }
      const options = { WebSocket, webrtc: { RTCPeerConnection: class {} }, transport: 'websocket', dialTimeout };
      join('wss://silent.example/ws', '데모', options).catch((e) => { error = e; });
    });
    t.mock.timers.tick(want - 1);
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    assert.equal(error, null);
    t.mock.timers.tick(1);
    for (let i = 0; i < 5; i++) await new Promise(setImmediate);
    assert.equal(error?.code, 'unreachable');
  }
});
