// The golden frames that Go's codec is tested against too.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';
import { decode, decodeBody, encode } from '../codec.js';

const testdata = new URL('../../signal/testdata/', import.meta.url);
const frames = (folder) => readdirSync(new URL(`${folder}/`, testdata))
  .filter((name) => name.endsWith('.frame'))
  .map((name) => [name, readFileSync(new URL(`${folder}/${name}`, testdata))]);

const BODIES = new Set(['offer', 'answer', 'candidates', 'table']);

function read(bytes) {
  const frame = decode(new Uint8Array(bytes));
  if (BODIES.has(frame.type)) decodeBody(frame.type, frame.body);
  return frame;
}

for (const [name, bytes] of frames('valid')) {
  test(`valid/${name}`, () => {
    const frame = read(bytes);
    assert.deepEqual(decode(encode(frame)), frame);
  });
}

for (const [name, bytes] of frames('invalid')) {
  test(`invalid/${name}`, () => {
    assert.throws(() => read(bytes), { name: 'NoomError' });
  });
}
