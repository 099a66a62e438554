// What pages tell each other, where a peer may say anything.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Bucket, decode, encode, inOrder, Intake, REACTIONS } from '../signs.js';

const read = (text) => decode(new TextEncoder().encode(text));

test('signs: what is said arrives', () => {
  for (const sign of [
    { kind: 'typing' },
    ...Object.keys(REACTIONS).map((emoji) => ({ kind: 'reaction', emoji })),
    { kind: 'state', hand: null, records: false },
    { kind: 'state', hand: 1200, records: true },
    { kind: 'state', hand: 0, records: false },
  ]) assert.deepEqual(read(encode(sign)), sign);
  assert.equal(Object.keys(REACTIONS).length, 6);
  assert.equal(encode({ kind: 'state', hand: null, records: true }), '{"noom":"state","records":true}');
});

test('signs: what cannot be is not', () => {
  for (const text of ['', 'x', '{', '{}', 'null', '3', '[]', '{"noom":1}', '{"noom":null}', '{"noom":"constructor"}', '{"noom":["typing"]}', '{"noom":{"toString":1}}',
    '{"noom":"reaction"}', '{"noom":"reaction","emoji":"x"}', '{"noom":"reaction","emoji":["👍"]}', '{"noom":"reaction","emoji":"toString"}',
    `{"noom":"typing","x":"${'x'.repeat(200)}"}`]) {
    assert.equal(read(text), null, text);
  }
  assert.equal(decode(Uint8Array.of(0x7b, 0xff, 0x7d)), null);
  assert.equal(decode(new Uint8Array(60_000).fill(0x7b)), null);
  assert.deepEqual(read('{"noom":"state","hand":-1,"records":"yes","more":{}}'), { kind: 'state', hand: null, records: false });
  assert.deepEqual(read('{"noom":"state","hand":"1"}'), { kind: 'state', hand: null, records: false });
  assert.deepEqual(read('{"noom":"state","hand":1e300}'), { kind: 'state', hand: 86_400_000, records: false });
});

test('signs: a bucket gives so many, and then one at a time', () => {
  const bucket = new Bucket(2, 100);
  assert.deepEqual([bucket.take(0), bucket.take(0), bucket.take(0)], [true, true, false]);
  assert.equal(bucket.wait(40), 60);
  assert.deepEqual([bucket.take(99), bucket.take(100), bucket.take(150)], [false, true, false]);
  assert.deepEqual([bucket.take(9000), bucket.take(9000), bucket.take(9000)], [true, true, false]);
});

test('signs: a flood is cut, and its last state is not lost', () => {
  const intake = new Intake();
  const taken = Array.from({ length: 1000 }, (_, i) => intake.take({ kind: 'state', hand: i, records: false }, 0)).filter(Boolean);
  assert.equal(taken.length, 8);
  assert.equal(intake.take({ kind: 'typing' }, 0), null);
  assert.equal(intake.takeLate(499), null);
  assert.equal(intake.wait(499), 1);
  assert.equal(intake.takeLate(500).hand, 999);
  assert.equal(intake.wait(500), null);
  assert.equal(intake.takeLate(5000), null);
  assert.equal(intake.take({ kind: 'typing' }, 5000).kind, 'typing');
});

test('signs: hands in the order in which they were raised', () => {
  assert.deepEqual([...inOrder([['나', 30], ['b', 10], ['c', 20], ['a', 10]])], [['a', 1], ['b', 2], ['c', 3], ['나', 4]]);
});
