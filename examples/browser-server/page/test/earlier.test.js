// Messages of before stand before what is there, in their order.
import assert from 'node:assert/strict';
import test from 'node:test';
import { placeOf } from '../earlier.js';

test('what was said before stands before what is there, in its order', () => {
  const times = [500, 600]; // what has come since we came
  for (const at of [100, 300, 200, 300, 550]) times.splice(placeOf(times, at), 0, at);
  assert.deepEqual(times, [100, 200, 300, 300, 500, 550, 600]);
  assert.equal(placeOf([1, 2, 2, 3], 2), 3); // behind what is as old
  assert.equal(placeOf([], 1), 0);
});
