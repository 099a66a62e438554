// Several hubs: their order, which of them is tried when, and a room that goes from one to another.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { encode } from '../codec.js';
import { NoomError } from '../errors.js';
import { Hub } from '../hub.js';
import { Hubs, orderHubs } from '../hubs.js';
import { Identity, newSession, proofText, verifier } from '../identity.js';

for (const { room, hubs, ordered } of JSON.parse(readFileSync(new URL('../../signal/testdata/hubs.json', import.meta.url), 'utf8'))) {
  test(`the order of ${hubs.length} hubs for ${room}: ${hubs[0]}, …`, () => {
    const urls = new Map(hubs.map((text) => [new URL(text.replace('http', 'ws')), text]));
    assert.deepEqual(orderHubs(room, [...urls.keys()]).map((url) => urls.get(url)), ordered);
  });
}

const urls = ['a', 'b', 'c'].map((name) => new URL(`wss://${name}.example/ws`));

test('a hub that has failed goes to the end for half a minute, and one that wants that is left alone', () => {
  const hubs = new Hubs('데모', urls);
  const [first, second, third] = hubs.order(0);
  hubs.failed(first, 0);
  hubs.failed(second, 10, 5_000);
  assert.deepEqual(hubs.order(20), [third, first]);
  assert.equal(hubs.wait(20), 0);
  assert.deepEqual(hubs.order(5_010), [third, first, second]);
  assert.deepEqual(hubs.order(30_000), [first, third, second]);
  hubs.worked(second);
  assert.deepEqual(hubs.order(30_000), [first, second, third]);
  for (const [i, url] of urls.entries()) hubs.failed(url, 40_000, 1_000 * (i + 1));
  assert.deepEqual([hubs.order(40_999), hubs.wait(40_500)], [[], 500]);
});

// A member and hubs; answer(url, frame) is what each says to a frame, undefined for nothing, null to close.
async function member(t, answer, options) {
  const identity = await Identity.generate();
  const session = newSession();
  const dials = [];
  const lost = [];
  let socket;
  class WebSocket {
    readyState = 0;

    constructor({ href }) {
      this.url = href;
      dials.push(new URL(href).hostname[0]);
      socket = this;
      queueMicrotask(() => {
        this.readyState = 1;
        this.onopen();
      });
    }

    send(frame) {
      queueMicrotask(async () => {
        const said = await answer(this.url, JSON.parse(frame), { identity, session });
        if (said === null) this.onclose({ code: 1006, reason: '' });
        else if (said) this.onmessage({ data: encode(said) });
      });
    }

    close() { this.readyState = 3; }
  }
  const back = {};
  back.promise = new Promise((resolve, reject) => Object.assign(back, { resolve, reject }));
  const hub = new Hub({
    url: urls, identity, session, room: '데모', name: () => '',
    options: { WebSocket, transport: 'websocket', dialTimeout: 2_000, redialMax: 100, ...options },
    member: { frame() {}, lost: ({ code }) => lost.push(code), back: back.resolve, refused: back.reject },
  });
  t.after(() => hub.close());
  return { hub, dials, lost, back: back.promise, say: (frame) => socket.onmessage({ data: encode(frame) }), identity };
}

const letIn = ({ identity, session }) => ({
  type: 'joined', self: { id: identity.id, name: 'x', key: identity.key, session }, members: [], iceServers: [], heartbeat: 10_000,
  limits: { frame: 65536, name: 128, chat: 4096, members: 64, rate: 50 },
});

const inOrder = orderHubs('데모', urls).map(({ hostname }) => hostname[0]);

test('a hub that is down and one that says nothing are left out, and the proof is for the hub that lets in', async (t) => {
  let proof;
  const { hub, dials, identity } = await member(t, async (url, frame, self) => {
    const at = inOrder.indexOf(new URL(url).hostname[0]);
    if (at === 0) return null;
    if (at === 1) return undefined;
    if (frame.type === 'join') return { type: 'challenge', nonce: new Uint8Array(32) };
    proof = { url, session: self.session, signature: Uint8Array.from(atob(frame.signature.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0)) };
    return letIn(self);
  });
  await hub.dial(() => {});
  assert.deepEqual(dials, inOrder);
  assert.equal(await verifier(identity.key)(proofText(new URL(proof.url).hostname, '데모', proof.session, new Uint8Array(32)), proof.signature), true);
});

test('the error names each hub, and why it could not be used', async (t) => {
  const { hub } = await member(t, (url, frame) => (url.includes('b.example') ? { type: 'error', code: 'hub_full', message: 'no room', retry: 9_000 } : null));
  await assert.rejects(hub.dial(() => {}), (error) => {
    assert.ok(error instanceof NoomError);
    assert.deepEqual([error.code, error.retry], ['hub_full', 9_000]);
    assert.deepEqual(error.hubs.map(({ url }) => url), inOrder.map((name) => `wss://${name}.example/ws`));
    for (const { url, error: why } of error.hubs) assert.equal(why.code, url.includes('b.') ? 'hub_full' : 'unreachable', url);
    for (const name of inOrder) assert.ok(error.message.includes(`wss://${name}.example/ws: `), error.message);
    return true;
  });
});

test('what is refused for good is asked of no other hub', async (t) => {
  const { hub, dials } = await member(t, () => ({ type: 'error', code: 'kicked', message: 'go' }));
  await assert.rejects(hub.dial(() => {}), { code: 'kicked' });
  assert.equal(dials.length, 1);
});

test('a hub that restarts is left for the next at once', async (t) => {
  const { hub, dials, lost, back, say, identity } = await member(t, (url, frame, self) => (frame.type === 'join' ? letIn(self) : undefined));
  await hub.dial(() => {});
  say({ type: 'bye', from: identity.id, reason: 'restart', retry: 60_000 });
  await back;
  assert.deepEqual([dials, lost], [inOrder.slice(0, 2), ['shutting_down']]);
});
