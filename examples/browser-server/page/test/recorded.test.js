// A recording: its file and its sizes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { clockOf, contained, covering, fileName, Kept, sizeIn, sizeOf, Written } from '../recorded.js';

test('recorded: a name that every system takes', () => {
  const date = new Date(2026, 2, 5, 9, 7);
  assert.equal(fileName('데모', date, 'video/webm;codecs=vp8,opus'), 'noom-데모-2026-03-05-0907.webm');
  assert.equal(fileName('a/b\\c:d *?"<>|..\n\u202ee', date, 'video/mp4'), 'noom-a-b-c-d-e-2026-03-05-0907.mp4');
  assert.equal(fileName('가'.repeat(300), date, 'video/webm').length, 'noom--2026-03-05-0907.webm'.length + 60);
});

test('recorded: time and size', () => {
  assert.deepEqual([0, 42_900, 3_723_000].map(clockOf), ['0:00', '0:42', '1:02:03']);
  assert.equal(sizeOf(3_140_000), '3.1 MB');
});

test('recorded: the shape of the area, in even numbers', () => {
  assert.deepEqual(sizeIn({ width: 1600, height: 900 }), { width: 1280, height: 720 });
  assert.deepEqual(sizeIn({ width: 390, height: 700 }), { width: 402, height: 720 });
  assert.deepEqual(sizeIn({ width: 4000, height: 10 }), { width: 1280, height: 4 });
  assert.deepEqual(sizeIn({ width: 0, height: 0 }), { width: 720, height: 720 });
});

test('recorded: pictures fill a box, or are whole in it', () => {
  const box = { x: 10, y: 20, width: 100, height: 100 };
  assert.deepEqual(covering({ width: 320, height: 180 }, box), { x: 70, y: 0, width: 180, height: 180 });
  assert.deepEqual(contained({ width: 320, height: 160 }, box), { x: 10, y: 45, width: 100, height: 50 });
});

test('recorded: what is kept is bounded', async () => {
  let saved = null;
  const kept = new Kept((parts) => { saved = parts; }, 10);
  assert.equal(kept.add(new Blob(['12345'])), '');
  assert.equal(kept.add(new Blob(['67890'])), 'recordFull');
  assert.equal(kept.size, 10);
  await kept.finish();
  assert.equal(await new Blob(saved).text(), '1234567890');
});

test('recorded: what is written is in order, and a slow or full disk ends it', async () => {
  const log = [];
  let go = () => {};
  const stream = { write: (blob) => new Promise((resolve) => { go = async () => resolve(log.push(await blob.text())); }), close: async () => log.push('end') };
  const slow = new Written(stream, 10);
  assert.equal(slow.add(new Blob(['1234'])), '');
  assert.equal(slow.add(new Blob(['567890'])), 'recordSlow');
  const finished = slow.finish();
  for (let i = 0; i < 2; i++) {
    await new Promise((resolve) => { setImmediate(resolve); });
    await go();
  }
  await finished;
  assert.deepEqual(log, ['1234', '567890', 'end']);

  const full = new Written({ write: async () => { throw new Error('full'); }, close: async () => { throw new TypeError('errored'); } });
  assert.equal(full.add(new Blob(['1'])), '');
  await assert.rejects(full.finish(), /full/);
  assert.equal(full.add(new Blob(['1'])), 'recordUnsaved');
});
