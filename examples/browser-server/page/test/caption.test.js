// Captions, of which a peer may send anything.
import assert from 'node:assert/strict';
import test from 'node:test';
import { decode, shownFor } from '../caption.js';

const bytes = (value) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
const says = (text) => decode(bytes({ topic: 'caption', id: 'a', text }))?.text;

test('captions: as examples/transcriber sends them, and with no more than what must be', () => {
  assert.deepEqual(decode(bytes({ topic: 'caption', id: 'mzxw6', name: '지우', from: 2, to: 3.01, text: '안녕하세요' })), { id: 'mzxw6', text: '안녕하세요' });
  assert.deepEqual(decode(bytes({ topic: 'caption', text: 'مرحبا' })), { id: '', text: 'مرحبا' });
});

test('captions: what cannot be one is none', () => {
  for (const value of ['', '{', '[]', '"caption"', 'null', '{}', { text: 'x' }, { topic: 'Caption', text: 'x' }, { topic: ['caption'], text: 'x' }, { topic: 'caption' },
    { topic: 'caption', text: 3 }, { topic: 'caption', text: ['x'] }, { topic: 'caption', text: 'x', id: 3 }, { topic: 'caption', text: 'x', id: null },
    { topic: 'caption', text: ' \n\u202e\u0000 ' }, { topic: 'caption', text: 'x', more: 'x'.repeat(16_384) }]) {
    assert.ok(!decode(bytes(value)), JSON.stringify(value).slice(0, 80));
  }
  assert.equal(decode(Uint8Array.of(0x7b, 0xff, 0x7d)), null);
});

test('captions: a text is one line that turns nothing round', () => {
  assert.equal(says('  하나\n\n둘\t셋 '), '하나 둘 셋');
  assert.equal(says('a\u202eb\u2066c\u0007d'), 'abc d');
  assert.equal(says('<b>굵게</b>'), '<b>굵게</b>');
});

test('captions: of a long text the end is shown, from a word on, and no character is cut in two', () => {
  assert.equal(says('가'.repeat(300)), '가'.repeat(300));
  assert.equal(says(`${'말 '.repeat(400)}끝`), `…${'말 '.repeat(149)}끝`);
  assert.equal(says('𠮷'.repeat(301)), `…${'𠮷'.repeat(300)}`);
  assert.equal(says(`${'a'.repeat(340)} ${'b'.repeat(200)}`), `…${'a'.repeat(99)} ${'b'.repeat(200)}`);
});

test('captions: a longer text is there for longer, and none for long', () => {
  assert.deepEqual(['네', '가'.repeat(50), '가'.repeat(300)].map(shownFor), [3080, 7000, 12_000]);
});
