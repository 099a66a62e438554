// Members that come and go again and again.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Flaps } from '../flaps.js';

// What stands in the chat after [who, here, at] each.
function lines(events) {
  const flaps = new Flaps();
  const said = [];
  for (const [who, here, at] of events) {
    flaps.note(who, here, at, (words, times, line) => {
      if (line === null) return said.push(`${who} ${words}`) - 1;
      said[line] = `${who} ${words} ${times}`;
      return line;
    });
  }
  return said;
}

const flapping = (who, times, gap, begin = 0) => Array.from({ length: times }, (_, i) => [who, i % 2 === 1, begin + i * gap]);

test('flaps: who comes once and goes once has two lines', () => {
  assert.deepEqual(lines([['지우', true, 0], ['지우', false, 1000]]), ['지우 came', '지우 went']);
});

test('flaps: who is back soon has one line for it', () => {
  assert.deepEqual(lines([['지우', true, 0], ...flapping('지우', 2, 30_000, 1000)]), ['지우 came', '지우 returned 1']);
  assert.deepEqual(lines([['지우', true, 0], ...flapping('지우', 3, 5000, 1000)]), ['지우 came', '지우 flapped 2']);
  assert.deepEqual(lines([['지우', true, 0], ...flapping('지우', 21, 5000, 1000)]), ['지우 came', '지우 flapped 11']);
  assert.deepEqual(lines([['지우', true, 0], ...flapping('지우', 20, 5000, 1000)]), ['지우 came', '지우 returned 10']);
});

test('flaps: who is back later comes in, and two do not share a line', () => {
  assert.deepEqual(lines(flapping('지우', 4, 30_001)), ['지우 went', '지우 came', '지우 went', '지우 came']);
  assert.deepEqual(lines([['지우', false, 0], ['bob', false, 1], ['지우', true, 2], ['bob', true, 3], ['지우', false, 4]]), ['지우 flapped 2', 'bob returned 1']);
});

test('flaps: two of one name are not one that flaps', () => {
  assert.deepEqual(lines([['하은', true, 0], ['하은', true, 1], ['하은', false, 2], ['하은', false, 3]]), ['하은 came', '하은 came', '하은 went', '하은 went']);
});

test('flaps: a crowd is not remembered for ever', () => {
  const crowd = Array.from({ length: 101 }, (_, i) => [`하은 ${i}`, false, i]);
  assert.equal(lines([...crowd, ['하은 0', true, 200]]).length, 102);
  assert.equal(lines([...crowd, ['하은 1', true, 200]]).length, 101);
});
