// Signed chat: the golden messages and courses that Go writes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { ChatMachine } from '../chat_machine.js';
import { chatText, decodeFrame, encodeFrame, messageOf, signedOf, withDigest } from '../chat_message.js';
import { decode, encode } from '../codec.js';
import { memberID, verifier } from '../identity.js';
import { fromBase64url, toBase64url } from '../json.js';

const ROOM = '데모'; // that of the courses
const readJSON = (path) => JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url)));

test('messages: bytes, texts, digests and signatures', async () => {
  const rows = readJSON('signal/testdata/chat.json');
  assert.ok(rows.length >= 3);
  for (const row of rows) {
    const bytes = fromBase64url(row.frame);
    const frame = decodeFrame(bytes);
    const message = await withDigest(frame.messages[0], row.room);
    assert.equal(chatText(message, row.room), row.signing);
    assert.equal(message.digest, row.digest);
    assert.equal(await memberID(message.key), row.from);
    assert.ok(await verifier(message.key)(row.signing, message.signature));
    assert.deepEqual(encodeFrame(frame), bytes);
    const chat = { type: 'chat', id: 'x', text: message.text, signed: signedOf(message) };
    const { signed, text } = decode(encode(chat));
    const again = messageOf({ id: row.from, key: message.key, session: row.session }, { text, signed });
    assert.deepEqual(await withDigest(again, row.room), message);
    assert.deepEqual(JSON.parse(encode(chat)).signed, row.signed);
  }
});

for (const [i, { self, session, keep, steps }] of readJSON('internal/chat/testdata/courses.json').entries()) {
  test(`course ${i}: a machine does what Go's does`, async () => {
    const m = new ChatMachine(self, session, keep);
    assert.ok(steps.length > 50);
    for (const [n, step] of steps.entries()) {
      const { at, do: what, id, frame, whole = false, sends = [], next } = step;
      const given = frame ? decodeFrame(fromBase64url(frame)) : null;
      const messages = await Promise.all((given?.messages ?? []).map((message) => withDigest(message, ROOM)));
      const [first] = messages;
      switch (what) {
        case 'joined': m.joined(at, { id, session: step.session }); break;
        case 'left': m.left(at, id); break;
        case 'opened': m.opened(at, id); break;
        case 'missed': m.missed(at); break;
        case 'tick': m.tick(at); break;
        case 'live': m.live(at, first); break;
        case 'receive': m.receive(at, id, { ...given, messages }); break;
        case 'say': {
          const { number, order, after } = m.prepare(first.key, { name: first.name, text: first.text, sent: first.sent });
          assert.deepEqual({ number, order, after }, { number: first.number, order: first.order, after: first.after });
          m.signed(first);
          m.passed(first, whole);
          break;
        }
        default: assert.fail(what);
      }
      const out = m.flush();
      const where = `step ${n}, ${what}`;
      assert.deepEqual(out.frames.map(({ to, frame: f }) => [to, toBase64url(encodeFrame(f))]), sends, where);
      assert.equal(out.shown.map(showing).join(' '), step.shown ?? '', where);
      assert.equal(m.kept.length, step.kept, where);
      assert.equal(m.next === Infinity ? -1 : m.next - at, next, where);
    }
  });
}

function showing({ message: { author, number }, history, missing }) {
  const text = `${author[0]}${number}`;
  return (history ? `(${text})` : text) + (missing > 0 ? `-${missing}` : '');
}
