// Rights, and what waits for the hub's answer.

import assert from 'node:assert/strict';
import test from 'node:test';
import { decode } from '../codec.js';
import { Requests } from '../requests.js';
import { may } from '../rights.js';

test('rights', () => {
  assert.ok(may({}, 'publish') && may({}, 'chat') && !may({}, 'kick'));
  assert.ok(!may({ rights: [] }, 'publish'));
  assert.ok(may({ rights: ['kick', 'fly'] }, 'kick') && !may({ rights: ['kick'] }, 'chat'));
});

test('an account is the hub\'s word; one that breaks the rules is absent, and its member stays', () => {
  const welcome = (account) => decode(`{"type":"welcome","member":{"id":"kvao4ppe4cksezqfypukrtzgs6","name":"bob","key":"C7w0aldmfDgBIL2cf9flHSxf3-o3zS9b9AWyxr9vLXg","session":"ZHVGVyAxAhPs_c7fqLmKmw","account":${JSON.stringify(account)}}}`).member;
  for (const good of ['길동@example.com', '<a> & b', '방'.repeat(85)]) assert.equal(welcome(good).account, good);
  for (const bad of ['', '방'.repeat(86), 'a"b', 'a\\b', ' a', 'a\nb', 'Zoe\u0308', 'a\u202eb']) {
    const { id, account } = welcome(bad);
    assert.deepEqual([id, account], ['kvao4ppe4cksezqfypukrtzgs6', undefined], bad);
  }
  assert.throws(() => welcome(['bob']), { code: 'malformed' });
});

test('requests', async () => {
  const told = [];
  const requests = new Requests((m) => told.push(m));
  const outcome = (p) => p.then(() => 'done', (e) => e);
  const one = outcome(requests.ask({ type: 'kick', to: 'a' }));
  const two = outcome(requests.ask({ type: 'kick', to: 'b' }));
  const lock = outcome(requests.ask({ type: 'lock' }));
  const close = outcome(requests.ask({ type: 'close' }));
  assert.ok(requests.confirm((m) => m.type === 'kick' && m.to === 'b'));
  assert.ok(!requests.confirm((m) => m.to === 'nobody'));
  requests.refuse('kick', 'no');
  requests.refuse('kick', 'nothing is left to refuse');
  assert.deepEqual(told.map((m) => m.type), ['kick', 'kick', 'lock', 'close']);
  told.length = 0;
  requests.repeat();
  assert.deepEqual(told.map((m) => m.type), ['lock', 'close']);
  requests.end('over', true);
  assert.deepEqual(await Promise.all([one, two, lock, close]), ['no', 'done', 'over', 'done']);
});

test('requests are bounded in number and time', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const requests = new Requests(() => {});
  const code = (p) => p.then(() => 'done', (e) => e.code);
  const asked = Array.from({ length: 256 }, () => code(requests.ask({ type: 'lock' })));
  assert.equal(requests.left, 0);
  assert.equal(await code(requests.ask({ type: 'lock' })), 'would_block');
  requests.confirm((m) => m.type === 'lock');
  t.mock.timers.tick(29_999);
  const late = code(requests.ask({ type: 'chat' }));
  const idle = requests.idle().then(() => 'idle');
  t.mock.timers.tick(1);
  assert.deepEqual(new Set(await Promise.all(asked.slice(1))), new Set(['no_hub']));
  assert.equal(await asked[0], 'done');
  requests.confirm((m) => m.type === 'chat');
  assert.equal(await late, 'done');
  assert.equal(await idle, 'idle');
  const refused = new Requests(() => { throw new Error('cannot be sent'); });
  await assert.rejects(refused.ask({ type: 'chat' }), /cannot be sent/);
  assert.equal(await refused.idle(), undefined); // it does not wait for an answer
});
