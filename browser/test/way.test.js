// The machines that choose a way to the hub, replayed over the tables that Go replays too.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { Choice } from '../choice.js';
import { batch, EventReader, parcel } from '../http_text.js';
import { Mode } from '../mode.js';

const table = (name) => JSON.parse(readFileSync(new URL(`../../signal/testdata/${name}.json`, import.meta.url), 'utf8'));

for (const { name, steps } of table('choices')) {
  test(`choice: ${name}`, () => {
    const choice = new Choice();
    for (const [i, { at, do: input, lasted, first, trial }] of steps.entries()) {
      if (input === 'worked') choice.worked();
      else if (input === 'failed') choice.failed(at);
      else if (input === 'broke') choice.broke(at, lasted);
      else assert.equal(input, undefined);
      if (first !== undefined) assert.equal(choice.webSocketFirst(at), first, `step ${i}`);
      if (trial !== undefined) assert.equal(choice.trialAt, trial, `step ${i}`);
    }
  });
}

for (const { name, opening, steps } of table('http_modes')) {
  test(`mode: ${name}`, () => {
    const mode = new Mode(opening);
    for (const [i, { at, do: input, number, failed = false, stream, giveUp, pause, due }] of steps.entries()) {
      const got = {
        begin: () => mode.begin(at), bytes: () => mode.bytes(at), event: () => mode.event(at, number), has: () => mode.has(at, number),
        check: () => mode.check(at), ended: () => mode.ended(at, failed),
      }[input]();
      const want = stream ?? giveUp ?? pause;
      if (want !== undefined) assert.equal(got, want, `step ${i}`);
      if (due !== undefined) assert.equal(mode.due(), due, `step ${i}`);
    }
  });
}

const utf8 = new TextEncoder();

test('a batch', () => {
  const text = new TextDecoder().decode(batch({ got: 3, first: 7, parcels: ['{"type":"ping"}', '{}\n{"지우":1}'].map(parcel), close: true }));
  assert.equal(text, '3 7\n15\n{"type":"ping"}15\n{}\n{"지우":1}close\n');
});

test('events, however they are cut', () => {
  const text = ': noom\n\nid: 1\ndata: {"type":"ping"}\n\nid: 2\ndata: {}\ndata: {"지우":"👋🏽"}\n\n'
    + `id: 3\nevent: base64\ndata: ${btoa('{}\n{"a":\r\n1}')}\n\nevent: x\n\nid: 4\nevent: close\ndata: too_slow\n\nid: 5\nevent: close\ndata: \n\nid: 6\ndata: lost`;
  const bytes = utf8.encode(text);
  for (const size of [1, 2, 7, bytes.length]) {
    const reader = new EventReader();
    const got = [];
    for (let at = 0; at < bytes.length; at += size) got.push(...reader.take(bytes.slice(at, at + size)));
    assert.deepEqual(got, [
      { number: 1, frame: '{"type":"ping"}' }, { number: 2, frame: '{}\n{"지우":"👋🏽"}' }, { number: 3, frame: '{}\n{"a":\r\n1}' },
      { number: 4, close: 'too_slow' }, { number: 5, close: '' },
    ], `pieces of ${size}`);
  }
});

for (const [what, text, code] of [
  ['no number', 'id: x\ndata: y\n\n', 'malformed'],
  ['a kind that is not known', 'id: 1\nevent: y\ndata: z\n\n', 'malformed'],
  ['no base64', 'id: 1\nevent: base64\ndata: §\n\n', 'malformed'],
  ['a line without an end', `data: ${'x'.repeat(100_000)}`, 'too_big'],
  ['lines without an end', `data: ${'x'.repeat(50_000)}\n`.repeat(3), 'too_big'],
]) {
  test(`events: ${what}`, () => {
    assert.throws(() => [...new EventReader().take(utf8.encode(text))], { code });
  });
}
