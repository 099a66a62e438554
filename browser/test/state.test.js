// The room's state: the golden records and courses that Go writes, and what Go's tests hold the bounds to.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { memberID, verifier } from '../identity.js';
import { fromBase64url, toBase64url } from '../json.js';
import { ANSWER, BOUND, HAVE, WANT, WRITTEN, attributesName, decodeFrame, encodeFrame, isName, textOf } from '../records.js';
import { StateMachine } from '../state.js';

const readJSON = (path) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url)));

test('records: bytes, texts and signatures', async () => {
  const rows = readJSON('signal/testdata/state.json');
  assert.ok(rows.length >= 4);
  for (const row of rows) {
    const bytes = fromBase64url(row.frame);
    const frame = decodeFrame(bytes);
    const [record] = frame.records;
    const { writer, session, version, keep, deleted, age, key: name } = row;
    const { key, value, signature, ...rest } = record;
    assert.deepEqual(rest, { writer, session, version, keep, deleted, age, name });
    assert.equal(toBase64url(value), row.value);
    assert.equal(textOf(record, row.room), row.text);
    assert.equal(await memberID(key), writer);
    assert.ok(await verifier(key)(row.text, signature));
    assert.deepEqual(encodeFrame(frame), bytes);
  }
});

for (const [i, { self, session, steps }] of readJSON('internal/state/testdata/courses.json').entries()) {
  test(`course ${i}: a machine does what Go's does`, () => {
    const m = new StateMachine(self, session);
    assert.ok(steps.length > 50);
    for (const [n, step] of steps.entries()) {
      const { at, do: what, id, frame, sends = [], changes = [], next, shows = '' } = step;
      const given = frame ? decodeFrame(fromBase64url(frame)) : null;
      switch (what) {
        case 'joined': m.joined(at, id, step.session); break;
        case 'left': m.left(at, id); break;
        case 'opened': m.opened(id); break;
        case 'lost': m.lost(id); break;
        case 'tick': m.tick(at); break;
        case 'write': m.write(at, given.records[0]); break;
        case 'receive': m.receive(at, id, given); break;
        default: assert.fail(what);
      }
      const out = m.flush();
      const where = `step ${n}, ${what}`;
      assert.deepEqual(out.frames.map(({ to, frame: f }) => [to, toBase64url(encodeFrame(f))]), sends, where);
      assert.deepEqual(out.changes.map(({ name, by, gone }) => [name, by.writer, gone ? 'gone' : toBase64url(by.value)]), changes, where);
      assert.equal(m.next(at) === Infinity ? -1 : m.next(at) - at, next, where);
      assert.equal(m.shown.map(({ signature }) => toBase64url(signature.slice(0, 6))).join(''), shows, where);
    }
  });
}

// A machine among strangers, whose ids are made up.
const idOf = (n) => n.toString(32).padStart(26, 'a').replace(/[0189]/g, (c) => 'wxyz'['0189'.indexOf(c)]);
const bytes = (n, seed) => Uint8Array.from({ length: n }, (_, i) => (seed * 31 + i * 7) % 256);
let signatures = 0;
const recordOf = (n, version, name, { size = 1, keep = false, deleted = false } = {}) => ({
  writer: idOf(n), key: new Uint8Array(32), session: 's'.repeat(22), version, keep, deleted, age: 0, name,
  value: new Uint8Array(deleted ? 0 : size), signature: bytes(64, ++signatures),
});
const written = (...records) => ({ type: WRITTEN, haves: [], records });

function machine(peers) {
  const m = new StateMachine('z'.repeat(26), 'o'.repeat(22));
  for (let n = 0; n < peers; n++) m.joined(0, idOf(n), 's'.repeat(22));
  m.opened(idOf(0));
  return m;
}

test('bounds of a writer', () => {
  const m = machine(1);
  const take = (record) => m.receive(0, idOf(0), written(record));
  for (let i = 0; i < 2 * BOUND.names; i++) take(recordOf(0, i + 1, `name ${i}`, { keep: i % 2 === 0 }));
  assert.equal(m.shown.length, BOUND.names);
  for (let i = 0; i < 2 * BOUND.names; i++) take(recordOf(0, 1000 + i, `name ${i}`, { deleted: true }));
  assert.equal(m.shown.length, 0);
  m.receive(0, idOf(0), { type: WANT, haves: [], records: [], writer: idOf(0) });
  const told = m.flush().frames.filter(({ frame }) => frame.type === ANSWER).flatMap(({ frame }) => frame.records);
  assert.deepEqual(told.map(({ version }) => version), Array.from({ length: BOUND.tombstones }, (_, i) => 1000 + BOUND.names + i));
  for (let i = 0; i < 3; i++) take(recordOf(0, 9000 + i, `big ${i}`, { size: BOUND.value - 5 }));
  assert.deepEqual(m.shown.map(({ name }) => name), ['big 1', 'big 2'], 'the newest');
  take(recordOf(0, 8000, 'older', { size: 100 }));
  assert.equal(m.get('older'), null);
});

test('bounds of all, and of those who are not here', () => {
  const m = machine(200);
  for (let n = 0; n < 200; n++) {
    for (const i of [1, 2]) m.receive(0, idOf(0), written(recordOf(n, i, `${i} of ${n}`, { size: BOUND.value - 16 })));
  }
  const total = m.shown.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
  assert.ok(total <= BOUND.total && total > BOUND.total - BOUND.value, String(total));
  assert.equal(m.prepare(new Uint8Array(32), { name: 'ours', value: new Uint8Array(BOUND.value) }).problem, 'full');
  const notes = machine(1);
  for (let n = 1; n < 200; n++) notes.receive(0, idOf(0), written(recordOf(n, 1, `note ${n}`, { keep: true })));
  assert.equal(notes.shown.length, BOUND.absent);
});

test('a version that leaps is refused', () => {
  const m = machine(1);
  const has = (version) => {
    m.receive(0, idOf(0), written(recordOf(0, version, 'name')));
    return m.get('name')?.version === version;
  };
  assert.ok(has(BOUND.lead));
  assert.ok(!has(2 * BOUND.lead + 1));
  assert.ok(has(2 * BOUND.lead));
  m.receive(0, idOf(0), { type: HAVE, clock: 50 * BOUND.lead, haves: [], records: [] });
  assert.ok(has(51 * BOUND.lead));
});

test('what is no frame is refused', () => {
  const good = recordOf(0, 5, '열쇠', { keep: true });
  const bad = {
    'no records': { type: WRITTEN }, "another's": { type: ANSWER, writer: idOf(1), records: [good] }, 'another type': { type: 5 },
    'a bad writer': { type: WANT, writer: '!'.repeat(26) },
  };
  const changes = {
    reserved: { name: 'noom:x' }, "another's attributes": { name: attributesName(idOf(1)) }, 'kept attributes': { name: attributesName(idOf(0)) },
    'no name': { name: '' }, 'a long name': { name: 'a'.repeat(257) }, 'a big value': { value: new Uint8Array(BOUND.value + 1) },
    'version 0': { version: 0 }, 'version 2^53': { version: 2 ** 53 }, 'a deleted value': { keep: false, deleted: true }, 'an age': { age: 5 },
    'a short signature': { signature: new Uint8Array(63) }, 'a late version': { version: 2 ** 60 },
  };
  for (const [why, change] of Object.entries(changes)) bad[why] = { type: WRITTEN, records: [{ ...good, ...change }] };
  for (const [why, frame] of Object.entries(bad)) assert.equal(decodeFrame(encodeFrame(frame)), null, why);
  const encoded = encodeFrame({ type: WRITTEN, records: [good, good] });
  for (let n = 0; n < encoded.length; n++) {
    const short = decodeFrame(encoded.slice(0, n));
    if (short) assert.equal(encodeFrame(short).length, n);
  }
  assert.equal(decodeFrame(new Uint8Array(61441)), null);
});

test('what can be a name', () => {
  for (const good of ['a', '열쇠', 'a\nb', 'a'.repeat(256), '𝄞']) assert.ok(isName(good), good);
  for (const bad of ['', 'noom:', 'noom:attributes:x', 'a'.repeat(257), '가'.repeat(86), '\ud800', null, 5]) assert.ok(!isName(bad), String(bad));
});
