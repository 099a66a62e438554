// What is said of what a page shows, and what becomes of what others say.

import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeBody } from '../body.js';
import { decode, encode, isPair } from '../codec.js';
import { Conduct } from '../conduct.js';
import { Needs, PAUSE, Wants } from '../wants.js';

function teller() {
  const link = { shown: {}, ready: true };
  const sent = [];
  const wants = new Wants({ shown: () => link.shown, ready: () => link.ready, send: (body) => sent.push(JSON.parse(body)) });
  const show = (shown) => {
    link.shown = shown;
    wants.changed();
  };
  return { link, sent, wants, show };
}

test('a change is said at once, and then together twice a second', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { sent, show } = teller();
  show({});
  assert.deepEqual(sent, [], 'all is wanted in full anyway');
  for (let height = 100; height < 110; height++) show({ a: height });
  assert.deepEqual(sent, [{ version: 1, wants: { a: 100 } }]);
  t.mock.timers.tick(PAUSE - 1);
  assert.equal(sent.length, 1);
  t.mock.timers.tick(1);
  assert.deepEqual(sent[1], { version: 2, wants: { a: 109 } });
  show({ a: 1 });
  show({ a: 109 });
  t.mock.timers.tick(10 * PAUSE);
  assert.equal(sent.length, 2, 'what is as it was is not said');
  show({});
  assert.deepEqual(sent[2], { version: 3, wants: {} });
});

test('it waits until it can be said, and is said again in each epoch', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { link, sent, wants, show } = teller();
  wants.renew();
  wants.look();
  assert.deepEqual(sent, [], 'nothing was ever said');
  link.ready = false;
  show({ a: 0 });
  wants.look();
  assert.deepEqual(sent, []);
  link.ready = true;
  wants.look();
  assert.deepEqual(sent, [{ version: 1, wants: { a: 0 } }]);
  wants.renew();
  t.mock.timers.tick(PAUSE);
  assert.deepEqual(sent[1], { version: 2, wants: { a: 0 } });
  show({ a: 5 });
  wants.close();
  t.mock.timers.tick(10 * PAUSE);
  assert.equal(sent.length, 2);
});

test('what a peer wants holds until something newer, and is acted on twice a second at most', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let acted = 0;
  const needs = new Needs(() => acted++);
  const told = (version, wants) => {
    const body = decodeBody('wants', JSON.stringify({ version, wants }));
    const weight = needs.weigh(body);
    needs.apply(body);
    return weight;
  };
  assert.equal(needs.of('a'), Infinity);
  assert.equal(told(2, { a: 0, b: 180 }), 2);
  assert.deepEqual([needs.of('a'), needs.of('b'), needs.of('__proto__')], [0, 180, Infinity]);
  assert.equal(told(2, { a: 7 }), 0);
  assert.equal(told(1, {}), 0);
  assert.equal(needs.of('a'), 0);
  assert.equal(told(3, { b: 180, __proto__: null }), 1);
  assert.equal(needs.of('a'), Infinity);
  for (let version = 4; version < 1000; version++) told(version, { a: version });
  assert.equal(acted, 1);
  t.mock.timers.tick(PAUSE);
  assert.equal(acted, 2);
  t.mock.timers.tick(10 * PAUSE);
  assert.equal(acted, 2);
  assert.equal(needs.of('a'), 999);
  const conduct = new Conduct();
  let taken = 0;
  while (conduct.wanted(0, 128)) taken++;
  assert.ok(taken > 0 && taken < 100, `${taken} that are all news`);
});

test('bodies of wants', () => {
  assert.deepEqual(decodeBody('wants', '{"version":7,"wants":{"a":0,"b":16384,"c":null},"later":1}').wants, { a: 0, b: 16384, c: 0 });
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`t${i}`, 1]));
  for (const bad of [
    '', '[]', '{"version":-1}', '{"version":2147483648}', '{"version":1.0}', '{"wants":["a"]}', '{"wants":{"":1}}', '{"wants":{"a b":1}}',
    '{"wants":{"a":-1}}', '{"wants":{"a":16385}}', '{"wants":{"a":1.5}}', '{"wants":{"a":"1"}}', '{"wants":{"a":1,"a":2}}', JSON.stringify({ wants: many }),
  ]) assert.throws(() => decodeBody('wants', bad), { code: 'malformed' }, bad);
});

test('a frame of a later type is a pair frame if it has all that one has, or else its type alone', () => {
  const pair = { type: 'wave', to: 'a'.repeat(26), sessions: ['s'.repeat(22), 't'.repeat(22)], epoch: [3, 'b'.repeat(26)], seq: 4, ack: 4, signature: 'A'.repeat(86), name: 5 };
  const frame = (change) => `${JSON.stringify({ ...pair, ...change })}\nno JSON`;
  const m = decode(frame({}));
  assert.deepEqual([isPair(m), m.seq, m.body, m.name], [true, 4, 'no JSON', undefined]);
  assert.deepEqual(decode(encode(m)), m);
  for (const change of [
    { seq: 0 }, { seq: undefined }, { to: 'bob' }, { to: ['x'] }, { from: 'bob' }, { sessions: undefined }, { signature: 'A' }, { ack: -1 }, { epoch: [0, ''] },
    { type: 'wave\n' }, { type: 'w'.repeat(65) }, { type: '파도' },
  ]) {
    const other = decode(frame(change));
    assert.deepEqual([Object.keys(other), isPair(other)], [['type'], false], JSON.stringify(change));
  }
});
