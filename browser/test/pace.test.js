// How often epochs may begin.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Pace } from '../pace.js';

test('the first rebuild comes at once, the next after pauses that grow to half a minute', () => {
  const pace = new Pace();
  const pauses = Array.from({ length: 9 }, () => pace.failed(0.5));
  assert.deepEqual(pauses, [0, 750, 1500, 3000, 6000, 12000, 22500, 22500, 22500]);
  assert.equal(pace.failures, 9);
  assert.ok(pace.failed(0) === 15_000 && pace.failed(0.999) > 29_000); // spread
  pace.forget();
  assert.equal(pace.failed(0.5), 0);
});

test('epochs of the other end: eight at once, then one in some four seconds', () => {
  const pace = new Pace();
  const taken = (times, now) => Array.from({ length: times }, () => pace.allow(now)).filter(Boolean).length;
  assert.equal(taken(20, 1_000), 8);
  assert.equal(taken(20, 4_000), 0);
  assert.equal(taken(20, 4_800), 1);
  assert.equal(taken(20, 3_600_000), 8);
});
