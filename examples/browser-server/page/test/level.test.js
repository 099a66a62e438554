// The meter of the microphone.
import assert from 'node:assert/strict';
import test from 'node:test';
import { levelOf } from '../level.js';

const sine = (amplitude) => Float32Array.from({ length: 1000 }, (_, i) => amplitude * Math.sin(i * Math.PI / 50));

test('level: from silence to as loud as it gets', () => {
  assert.equal(levelOf(new Float32Array(100)), 0);
  assert.equal(levelOf(sine(0.0001)), 0);
  assert.equal(levelOf(new Float32Array(100).fill(1)), 1);
  assert.equal(levelOf(new Float32Array(100).fill(-2)), 1);
  const voice = levelOf(sine(0.1)); // -23 dBFS
  assert.ok(Math.abs(voice - 37 / 60) < 0.01, String(voice));
  assert.ok(levelOf(sine(0.01)) < voice && voice < levelOf(sine(0.5)));
});
