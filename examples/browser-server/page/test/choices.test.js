// What is kept from one call to the next, and may be anything.
import assert from 'node:assert/strict';
import test from 'node:test';
import { read } from '../choices.js';

const usual = { audio: true, video: true, microphone: '', camera: '', speaker: '', noise: true, echo: true, blur: false, captions: true };

test('choices: what was kept comes back', () => {
  const kept = { audio: false, video: true, microphone: '헤드셋', camera: 'a', speaker: 'default', noise: false, echo: false, blur: true, captions: false };
  assert.deepEqual(read(JSON.stringify(kept)), kept);
  assert.deepEqual(read('{"video":false}'), { ...usual, video: false });
});

test('choices: what cannot be is as usual', () => {
  for (const text of [null, '', '{', 'null', '3', '"x"', '[]', '{"audio":"no","camera":7,"speaker":null,"constructor":1}']) {
    assert.deepEqual(read(text), usual, text);
  }
  assert.deepEqual(read(JSON.stringify({ camera: 'x'.repeat(1001), microphone: 'x'.repeat(1000) })), { ...usual, microphone: 'x'.repeat(1000) });
});
