// Sizes in words.
import assert from 'node:assert/strict';
import test from 'node:test';
import { sizeText } from '../sizes.js';

test('sizes: three digits and the unit of the language', () => {
  for (const [bytes, words] of [[0, '0 bytes'], [1, '1 byte'], [999, '999 bytes'], [1000, '1 kB'], [999_499, '999 kB'], [999_500, '1 MB'], [12_345_678, '12.3 MB'], [2 ** 46, '70.4 TB'], [5e15, '5,000 TB']]) {
    assert.equal(sizeText(bytes, 'en'), words);
  }
  assert.equal(sizeText(1_500_000, 'ko'), '1.5MB');
});
