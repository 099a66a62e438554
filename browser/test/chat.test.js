// Signed chat: the golden messages and courses that Go writes.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { CHAT, Chat } from '../chat.js';
import { ChatMachine } from '../chat_machine.js';
import { chatText, decodeFrame, encodeFrame, messageOf, signedOf, withDigest } from '../chat_message.js';
import { decode, encode } from '../codec.js';
import { Identity, memberID, newSession, verifier } from '../identity.js';
import { fromBase64url, toBase64url } from '../json.js';
import { Requests } from '../requests.js';

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

// Members of a room whose hub passes on what lie makes of each frame, and whose links are calls.
class World {
  members = [];
  lie = (frame) => [frame];

  async join(name, history) {
    const identity = await Identity.generate();
    const self = { id: identity.id, key: identity.key, session: newSession(), name };
    const member = { self, events: [], lies: [], links: new Map(), taken: Promise.resolve() };
    const other = (id) => this.members.find((m) => m !== member && m.self.id === id);
    member.requests = new Requests((frame) => this.#pass(self.id, frame));
    member.chat = new Chat({
      history, identity, session: self.session, name: ROOM, requests: member.requests, online: () => true, over: () => false, self: () => self,
      peer: (id) => other(id) && { member: other(id).self }, verify: async () => true, lied: (what) => member.lies.push(what),
      emit: (_, event) => member.events.push(event),
      links: (id) => {
        const to = other(id);
        if (to && !member.links.has(id)) member.links.set(id, { sendAside: (kind, bytes) => queueMicrotask(() => this.#carry(kind, self.id, to, bytes)) });
        return member.links.get(id);
      },
    });
    for (const m of this.members) {
      m.chat.joined(self);
      member.chat.joined(m.self);
    }
    this.members.push(member);
    for (const m of this.members.slice(0, -1)) {
      m.chat.opened(self.id);
      member.chat.opened(m.self.id);
    }
    return member;
  }

  #carry(kind, from, to, bytes) {
    assert.equal(kind, CHAT);
    to.chat.came(from, { records: () => true }, bytes);
  }

  #pass(from, frame) {
    const at = 1000;
    for (const to of this.members) {
      for (const told of to.self.id === from ? [frame] : this.lie(frame)) {
        const read = decode(encode({ ...told, from, at }));
        to.taken = to.taken.then(() => to.chat.take(read));
      }
    }
  }

  close() { for (const { chat } of this.members) chat.close(); }
}

const texts = ({ events }) => events.map(({ text, history, missing }) => (history ? `(${text})` : text) + (missing > 0 ? `-${missing}` : ''));
const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

async function until(what, holds) {
  for (let i = 0; !holds(); i++) {
    assert.ok(i < 1000, what);
    await pause(10);
  }
}

test('a newcomer is told what was said, and what a hub forges is not shown', async () => {
  const world = new World();
  const a = await world.join('지우');
  await a.chat.say('하나');
  await a.chat.say('둘');
  const b = await world.join('b');
  const off = await world.join('off', 0);
  await until('the history', () => b.events.length === 2);
  assert.deepEqual(texts(b), ['(하나)', '(둘)']);
  assert.deepEqual(b.events[0].from, a.self);
  assert.deepEqual([b.events[0].signed, b.events[0].at], [true, b.events[0].sent]);
  for (const lie of [
    (m) => [{ ...m, text: '가짜' }, m], (m) => [{ ...m, signed: undefined, id: 'x' }, m], (m) => [m, m],
    (m) => [{ ...m, signed: { ...m.signed, number: m.signed.number + 1 } }, m],
  ]) {
    world.lie = lie;
    await a.chat.say('셋');
    await b.taken;
    assert.equal(texts(b).pop(), '셋');
  }
  assert.equal(b.events.length, 6);
  assert.equal(b.events.at(-1).at.getTime(), 1000);
  assert.deepEqual([...new Set(b.lies)], ['chat with a wrong signature was dropped', 'chat without a signature was dropped']);
  world.lie = () => [];
  await a.chat.say('버려진');
  world.lie = (m) => [m];
  await a.chat.say('다음');
  await b.taken;
  assert.deepEqual(texts(b).slice(-1), ['다음-1']);
  await until('what was dropped', () => texts(b).includes('(버려진)'));
  assert.ok(texts(off).every((text) => !text.startsWith('(')));
  world.close();
});
