// The join in the request for a WebSocket, and what becomes of it where that fails.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { encode } from '../codec.js';
import { Hub } from '../hub.js';
import { Identity, newSession } from '../identity.js';
import { offer, Way } from '../way.js';

const identity = await Identity.generate();
const session = newSession();
const textOf = (value) => Buffer.from(value.slice('noom.join.'.length), 'base64url').toString();

for (const { name, frame, value } of JSON.parse(readFileSync(new URL('../../signal/testdata/requests.json', import.meta.url), 'utf8'))) {
  if (frame === undefined) continue; // no member sends it
  test(`offered: ${name}`, () => assert.deepEqual(offer(frame), value ? ['noom.v1', value] : 'noom.v1'));
}

test('nothing is offered without a join', () => assert.equal(offer(''), 'noom.v1'));

// A hub and the way to it. Both take requests as from; says is what comes for each frame.
function hubThat({ takes = (protocols) => protocols, says }) {
  const events = []; // in their order
  class WebSocket {
    readyState = 0;

    #listeners = []; // onmessage is where it was first set

    #handler = null;

    get onmessage() { return this.#handler; }

    set onmessage(handler) {
      if (!this.#handler) this.#listeners.push((event) => this.#handler(event));
      this.#handler = handler;
    }

    addEventListener(type, listener) { if (type === 'message') this.#listeners.push(listener); }

    constructor(url, protocols) {
      this.url = url.href;
      events.push(Array.isArray(protocols) ? 'request with a join' : 'request');
      queueMicrotask(() => setImmediate(() => this.#answer(takes(protocols))));
    }

    #answer(protocols) {
      if (this.readyState === 3) return;
      if (protocols === null) {
        this.close();
        this.onclose({ code: 1006, reason: '' });
        return;
      }
      this.readyState = 1;
      if (protocols === 'join') this.protocol = 'noom.join.x';
      this.onopen();
      if (Array.isArray(protocols)) { // as in the package ws: before any promise knows of it
        this.join = textOf(protocols[1]);
        assert.ok(!this.join.includes('oken'), this.join);
        this.#say(this.join);
      }
    }

    #say(frame) {
      const answer = says(JSON.parse(frame));
      if (!answer) return;
      events.push(answer.type);
      for (const listener of this.#listeners) listener({ data: encode(answer) });
    }

    send(frame) {
      const { type, token } = JSON.parse(frame);
      events.push(token ? `${type} with a token` : type);
      if (this.join && type === 'join') assert.deepEqual({ ...JSON.parse(frame), token: undefined }, { ...JSON.parse(this.join), token: undefined });
      else setImmediate(() => this.#say(frame));
    }

    close() { this.readyState = 3; }
  }
  return { WebSocket, events };
}

const joined = () => ({
  type: 'joined', self: { id: identity.id, name: 'bob', key: identity.key, session }, members: [], iceServers: [], heartbeat: 10000,
  limits: { frame: 65536, name: 128, chat: 4096, members: 64, rate: 50 },
});
const open = ({ type }) => type === 'join' && joined();
const challenging = ({ type }) => (type === 'join' ? { type: 'challenge', nonce: new Uint8Array(32) } : type === 'proof' && joined());

let hubs = 0;
async function enter(WebSocket, options = {}, host = `hub${hubs++}.example`) {
  const hub = new Hub({
    url: new URL(`wss://${host}/ws`), identity, session, room: '데모', name: () => 'bob',
    options: { WebSocket, transport: 'websocket', dialTimeout: 1000, redialMax: 10, ...options }, member: { lost() {} },
  });
  await hub.dial(() => {});
  hub.close();
  return host;
}

for (const [name, { options, want, ...hub }] of Object.entries({
  'in the request': { says: open, want: 'request with a join, joined, join' },
  'in the request, with a proof': { says: challenging, want: 'request with a join, challenge, join, proof, joined' },
  'in a frame': { says: open, options: { joinInFrame: true }, want: 'request, join, joined' },
  'in a frame, with a proof': { says: challenging, options: { joinInFrame: true }, want: 'request, join, challenge, proof, joined' },
  'in the request, with a token': { says: challenging, options: { token: 'x'.repeat(4096) }, want: 'request with a join, challenge, join with a token, proof, joined' },
  'taken out of the request': { says: open, takes: () => 'noom.v1', want: 'request with a join, join, joined' },
  'refused for the request': { says: open, takes: (protocols) => (Array.isArray(protocols) ? null : protocols), want: 'request with a join, request, join, joined' },
  'a server that agrees to all': { says: open, takes: (protocols) => (Array.isArray(protocols) ? 'join' : protocols), want: 'request with a join, request, join, joined' },
})) {
  test(`a join ${name}`, async () => {
    const { WebSocket, events } = hubThat(hub);
    const host = await enter(WebSocket, options);
    assert.equal(events.join(), want.replaceAll(', ', ','));
    events.length = 0;
    await enter(WebSocket, options, host); // again, after what was learned
    assert.equal(events.join(), want.replace('request with a join, request,', 'request,').replaceAll(', ', ','));
  });
}

test('a hub that is away is dialled without its join once, and afterwards with it', async () => {
  let away = true;
  const { WebSocket, events } = hubThat({ says: open, takes: (protocols) => (away ? null : protocols) });
  const host = 'away.example';
  await assert.rejects(enter(WebSocket, {}, host), { code: 'unreachable' });
  assert.equal(events.join(), 'request with a join,request');
  events.length = 0;
  away = false;
  await enter(WebSocket, {}, host);
  assert.equal(events.join(), 'request with a join,joined,join');
});

test('a hub that refuses a join in a request is not one over whose WebSocket nothing comes', async (t) => {
  const { WebSocket, events } = hubThat({ says: ({ type }) => type === 'join' && { type: 'error', code: 'locked', message: 'no' } });
  t.mock.method(globalThis, 'fetch', async () => {
    events.push('HTTP');
    throw new TypeError('no');
  });
  for (const _ of [1, 2]) await assert.rejects(enter(WebSocket, { transport: 'auto' }, 'locked.example'), { code: 'locked' });
  assert.equal(events.join(), Array(2).fill('request with a join,error,join').join());
});

test('what a browser quotes of an address that it does not dial has a password in it, and is not said', async () => {
  for (const [said, want] of [['The URL \'wss://jiwoo:hush@call.example/ws\' is invalid.', 'SyntaxError'], ['An insecure connection may not be begun.', 'insecure']]) {
    const WebSocket = class { constructor() { throw new SyntaxError(said); } };
    const way = new Way(new URL('wss://jiwoo:hush@call.example/ws'), { transport: 'websocket', WebSocket });
    const error = await way.dial(new AbortController().signal).catch((failure) => failure);
    assert.ok(error.message.includes('does not dial call.example: ') && error.message.includes(want), error.message);
    assert.ok(!`${error.message}${error.cause?.message}`.includes('hush'), error.message);
  }
});
