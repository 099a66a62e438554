// A joined frame that comes again on a connection (PROTOCOL.md section 2).

import assert from 'node:assert/strict';
import test from 'node:test';
import { decode, encode } from '../codec.js';
import { Hub } from '../hub.js';
import { byeText, Identity, newSession, verifier } from '../identity.js';

const limits = { frame: 65536, name: 128, chat: 4096, members: 64, rate: 50 };

// A member of 데모 that has joined, its sockets, and what it takes, in order. Time stands still until it is moved on.
async function member(t) {
  let now = 0;
  t.mock.method(performance, 'now', () => now);
  const [identity, other] = await Promise.all([Identity.generate(), Identity.generate()]);
  const session = newSession();
  const listed = ({ id, key }) => ({ id, name: 'bob', key, session });
  const joined = (fields) => encode({ type: 'joined', self: listed(identity), members: [], heartbeat: 3_600_000, limits, ...fields });
  const sockets = [];
  const order = [];
  let back;
  class WebSocket {
    readyState = 0;

    constructor(url) {
      this.url = url.href;
      sockets.push(this);
      setTimeout(() => {
        this.readyState = 1;
        this.onopen();
      }, 1);
    }

    send(frame) {
      if (decode(frame).type === 'join') setTimeout(() => this.onmessage({ data: joined() }), 1);
    }

    close() { this.readyState = 3; }
  }
  const us = new Hub({
    url: new URL(`wss://${newSession().replace(/\W/g, '').toLowerCase()}.example/ws`), identity, session, room: '데모', name: () => 'bob',
    options: { WebSocket, transport: 'websocket', dialTimeout: 1000, redialMax: 10 },
    member: {
      frame: ({ type, place }) => order.push(place ? `${type} ${place}` : type),
      lost: ({ message }) => order.push(`lost: ${message.replace('noom: ', '')}`),
      back: () => { order.push('back'); back?.(); },
    },
  });
  t.after(() => us.close());
  await us.dial(() => order.push('joined'));
  const say = async (frame) => {
    sockets.at(-1).onmessage({ data: frame });
    await us.enqueue(() => {});
  };
  const returned = () => new Promise((resolve) => { back = resolve; });
  return { us, identity, session, other: listed(other), joined, say, order, returned, sockets, wait: (ms) => { now += ms; } };
}

test('it is taken in its turn, and twice in a row too', async (t) => {
  const { say, joined, order } = await member(t);
  const again = joined({ place: 1, room: '데모' });
  for (const frame of [encode({ type: 'unlocked' }), again, again, encode({ type: 'locked' })]) await say(frame);
  assert.deepEqual(order, ['joined', 'unlocked', 'joined 1', 'joined 1', 'locked']);
});

test('so many are taken at once, and then one a second; one beyond that ends the connection', async (t) => {
  const { say, joined, order, returned, sockets, wait } = await member(t);
  const back = returned();
  for (let i = 0; i < 20; i++) {
    wait(1000);
    await say(joined());
  }
  wait(8000);
  for (let i = 0; i < 8; i++) await say(joined());
  assert.equal(order.length, 1 + 20 + 8);
  await say(joined());
  await say(joined()); // the connection is over
  assert.deepEqual(order.slice(29), ['lost: the hub says joined again and again']);
  await back;
  assert.equal(sockets.length, 2);
  await say(joined());
  assert.equal(order.at(-1), 'joined', 'on the next connection it may');
});

for (const [what, of, message] of [
  ['another member', ({ other }) => ({ self: other }), 'the hub takes us for another member'],
  ['another room', () => ({ room: '다른 방' }), 'the hub takes us to another room'],
  ['a place beyond the end', () => ({ place: 2 }), 'place out of bounds'],
  ['a place below the first', () => ({ place: -1 }), 'place out of bounds'],
  ['a place that is no number', () => ({ place: '1' }), 'place: want a whole number'],
]) {
  test(`with ${what} it ends the connection, and we come back`, async (t) => {
    const m = await member(t);
    const back = m.returned();
    await m.say(m.joined(of(m)));
    assert.equal(m.order.length, 2, String(m.order));
    assert.ok(m.order[1].startsWith('lost: ') && m.order[1].includes(message), m.order[1]);
    await back;
    assert.equal(m.order.length, 3, String(m.order));
  });
}

test('the goodbye is signed for the latest nonce', async (t) => {
  const posts = [];
  t.mock.method(globalThis, 'fetch', async (url, { body }) => posts.push(body));
  const { us, identity, session, joined, say, sockets } = await member(t);
  const nonce = new Uint8Array(32).fill(7);
  await say(joined({ nonce }));
  const bye = await signed(us, posts);
  assert.ok(bye, 'none is posted');
  const endpoint = new URL(sockets[0].url).host;
  assert.equal(await verifier(identity.key)(byeText(endpoint, '데모', session, nonce), decode(bye).signature), true);
});

// What is posted once it is signed, which takes a while.
async function signed(us, posts) {
  for (let i = 0; i < 1000 && posts.length === 0; i++) {
    await new Promise((resolve) => { setTimeout(resolve, 1); });
    us.leaveAtOnce();
  }
  return posts[0];
}
