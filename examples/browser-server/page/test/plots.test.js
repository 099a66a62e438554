// The lines of plots.
import assert from 'node:assert/strict';
import test from 'node:test';
import { lineOf, topFor } from '../plots.js';

test('plots: the scale ends at 1, 2 or 5 times a power of ten', () => {
  assert.deepEqual([[0, 10], [10, 10], [11, 10], [21, 10], [51, 10], [1000, 10], [1001, 10], [0.3, 0.1]].map(([max, least]) => topFor(max, least)), [10, 10, 20, 50, 100, 1000, 2000, 0.5]);
});

test('plots: a line ends at the right, begins a minute before, and has gaps', () => {
  const samples = [0, 30_000, 45_000, 60_000].map((at, i) => ({ at, value: [0, 5, null, 20][i] }));
  assert.equal(lineOf(samples, 60_000, 10), 'M0.00 20.00L30.00 10.00M60.00 0.00');
  assert.equal(lineOf([], 0, 10), '');
});
