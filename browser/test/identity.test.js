import assert from 'node:assert/strict';
import test from 'node:test';
import { Identity, isGenuine, memberID, newSession, pairText, verifier } from '../identity.js';
import { fromBase64url, toBase64url } from '../json.js';

test('what one signs the others can check, and nothing else passes', async () => {
  const identity = await Identity.generate();
  assert.match(identity.id, /^[a-z2-7]{26}$/);
  assert.equal(await memberID(identity.key), identity.id);
  const verify = verifier(identity.key);
  const signature = await identity.sign('안녕');
  assert.equal(signature.length, 64);
  assert.equal(await verify('안녕', signature), true);
  assert.equal(await verify('안녕!', signature), false);
  signature[7] ^= 1;
  assert.equal(await verify('안녕', signature), false);
  assert.equal(await verifier(new Uint8Array(32).fill(255))('안녕', signature), false);
});

test('a member whose id does not follow from its key is not genuine', async () => {
  const { id, key } = await Identity.generate();
  const member = { id, key, name: '지우', session: newSession() };
  assert.equal(await isGenuine(member), true);
  assert.equal(await isGenuine({ ...member, id: 'a'.repeat(26) }), false);
  assert.equal(await isGenuine({ ...member, key: key.slice(1) }), false);
  assert.equal(await isGenuine({ ...member, session: 'short' }), false);
});

test('pair text holds everything the receiver acts on', () => {
  const m = { type: 'ack', to: 'bob', sessions: ['s1', 's2'], epoch: [3, 'al'], seq: 0, ack: 7 };
  assert.equal(pairText(m, '데모', 'al'), 'noom.v1 pair\nack\n데모\nal\nbob\ns1\ns2\n3\nal\n0\n7\n');
  assert.ok(pairText({ ...m, body: '{}' }, '데모', 'al').endsWith('\n7\n{}'));
});

test('base64url is strict', () => {
  assert.equal(toBase64url(Uint8Array.of(251, 255)), '-_8');
  assert.deepEqual(fromBase64url('-_8'), Uint8Array.of(251, 255));
  for (const bad of ['-_8=', '-_9', '+/8', 'a', 5, '-_8\n']) {
    assert.throws(() => fromBase64url(bad), { code: 'malformed' }, String(bad));
  }
});
