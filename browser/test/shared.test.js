// The room's state between members: signed, checked, and sent over links. The machine has tests of its own.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Conduct } from '../conduct.js';
import { Identity, newSession } from '../identity.js';
import { WRITTEN, decodeFrame, encodeFrame, textOf } from '../records.js';
import { SharedState } from '../shared.js';

// Members of a room that all reach each other. What is sent waits until it is delivered.
class World {
  members = [];

  async enter(name, identity = null) {
    const member = { identity: identity ?? (await Identity.generate()), session: newSession(), name, wires: new Map(), events: [], conduct: new Map(), over: false };
    const { identity: { id, key }, session } = member;
    member.self = { id, key, session, name };
    const find = (other) => this.members.find((m) => m.self.id === other && !m.over);
    member.shared = new SharedState({
      identity: member.identity, session, name: '데모', self: () => member.self,
      links: (to) => (find(to) ? member.wires.get(to) : undefined),
      peer: (other) => (find(other) ? { member: find(other).self } : undefined),
      emit: (type, fields) => member.events.push({ type, ...fields }),
      checkOpen() {},
    });
    for (const other of this.members.filter((m) => !m.over)) this.#connect(member, other);
    this.members.push(member);
    for (const other of this.members) {
      if (other === member || other.over) continue;
      for (const [a, b] of [[member, other], [other, member]]) {
        a.shared.joined(b.self);
        a.shared.opened(b.self.id);
      }
    }
    return member;
  }

  #connect(a, b) {
    for (const [from, to] of [[a, b], [b, a]]) {
      const sent = [];
      from.wires.set(to.self.id, { sent, sendAside: (kind, bytes) => sent.push(bytes) > 0 });
      to.conduct.set(from.self.id, new Conduct());
    }
  }

  leave(member) {
    member.over = true;
    member.shared.close();
    for (const other of this.members) if (!other.over) other.shared.left(member.self);
  }

  close() { for (const member of this.members) member.shared.close(); }

  // Delivers until nothing more is sent.
  async deliver() {
    for (let quiet = 0; quiet < 20;) {
      quiet++;
      for (const from of this.members.filter((m) => !m.over)) {
        for (const to of this.members.filter((m) => m !== from && !m.over)) {
          for (const bytes of from.wires.get(to.self.id).sent.splice(0)) {
            quiet = 0;
            to.shared.came(from.self.id, to.conduct.get(from.self.id), bytes);
          }
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 5)); // signatures are checked meanwhile
    }
  }
}

const text = (entry) => entry && new TextDecoder().decode(entry.value);
const shown = ({ shared }) => shared.state.entries().map((e) => `${e.key}=${text(e)} by ${e.by.name}`).join();

test('what a member writes others see, newcomers too, and goes with it unless it is kept', async () => {
  const world = new World();
  const a = await world.enter('지우');
  await a.shared.state.set('주제', '저녁');
  await a.shared.state.set('메모', '다섯 시', { keep: true });
  const b = await world.enter('bob');
  await world.deliver();
  assert.equal(shown(b), '메모=다섯 시 by 지우,주제=저녁 by 지우');
  await b.shared.state.set('주제', '점심');
  await b.shared.setAttributes({ role: 'host', 손: '들었다' });
  await world.deliver();
  assert.equal(shown(a), '메모=다섯 시 by 지우,주제=점심 by bob');
  assert.deepEqual(a.shared.attributes(b.self.id), { role: 'host', 손: '들었다' });
  assert.deepEqual(a.events.map(({ type, key, peer }) => [type, key ?? peer.member.name]), [['statechanged', '주제'], ['attributeschanged', 'bob']]);
  await a.shared.state.delete('주제');
  await world.deliver();
  assert.equal(b.shared.state.get('주제'), undefined);
  world.leave(a);
  assert.equal(shown(b), '메모=다섯 시 by ');
  const c = await world.enter('철수');
  await world.deliver();
  assert.equal(shown(c), '메모=다섯 시 by ');
  assert.deepEqual(c.shared.attributes(b.self.id), { role: 'host', 손: '들었다' });
  world.leave(b);
  assert.equal(c.shared.attributes(b.self.id), null);
  world.close();
});

test('writes at the same time end alike, and each of one member comes after the one before', async () => {
  const world = new World();
  const a = await world.enter('a');
  const b = await world.enter('b');
  await world.deliver();
  await Promise.all(Array.from({ length: 20 }, (_, i) => Promise.all([a, b].map(({ shared }) => shared.state.set('key', String(i))))));
  await world.deliver();
  assert.equal(shown(a), shown(b));
  assert.match(shown(a), /^key=19 by/);
  world.close();
});

test('what a member has not signed is not taken', async () => {
  const world = new World();
  const a = await world.enter('a');
  const b = await world.enter('b');
  const mallory = await world.enter('mallory');
  await world.deliver();
  await a.shared.state.set('vote', 'yes');
  await world.deliver();
  const record = mallory.shared.machine.get('vote');
  const send = (changed) => b.shared.came(mallory.self.id, new Conduct(), encodeFrame({ type: WRITTEN, records: [changed] }));
  send({ ...record, version: 9, value: Uint8Array.of(110, 111) });
  send({ ...record, version: 9, writer: mallory.self.id, session: mallory.session });
  const foreign = { ...record, version: 9, writer: mallory.self.id, key: mallory.self.key, session: mallory.session };
  send({ ...foreign, signature: await mallory.identity.sign(textOf(foreign, 'lobby')) });
  await world.deliver();
  assert.equal(shown(b), 'vote=yes by a');
  send({ ...foreign, signature: await mallory.identity.sign(textOf(foreign, '데모')) });
  await world.deliver();
  assert.equal(shown(b), 'vote=yes by mallory');
  world.close();
});

test('what is too much is refused, or dropped', async () => {
  const world = new World();
  const a = await world.enter('a');
  const { state } = a.shared;
  const code = (promise) => promise.then(() => '', (error) => error.code);
  for (const key of ['', 'noom:x', 5, 'a'.repeat(257)]) {
    assert.equal(await code(state.set(key, 'x')), 'bad_key');
    assert.equal(await code(state.delete(key)), 'bad_key');
    assert.equal(state.get(key), undefined);
  }
  assert.equal(await code(state.set('big', new Uint8Array(32769))), 'too_big');
  assert.equal(await code(state.set('key', 'x', { keep: 1 })), 'bad_argument');
  assert.equal(await code(a.shared.setAttributes({ much: 'a'.repeat(4096) })), 'too_big');
  for (const bad of [null, [], { a: 1 }, { a: '\ud800' }, 'text']) assert.equal(await code(a.shared.setAttributes(bad)), 'bad_argument');
  for (const key of ['1', '2']) await state.set(key, new Uint8Array(32767));
  assert.equal(await code(state.set('3', '')), 'state_full');
  const b = await world.enter('b');
  const frame = decodeFrame(encodeFrame({ type: WRITTEN, records: [a.shared.machine.get('1')] }));
  const conduct = new Conduct();
  let taken = 0;
  const counting = { records: (...x) => conduct.records(...x) && ++taken > 0 };
  for (let i = 0; i < 100; i++) b.shared.came(a.self.id, counting, encodeFrame(frame));
  assert.ok(taken > 20 && taken < 40, `${taken} frames wait`); // 1 MiB
  await world.deliver();
  assert.equal(b.shared.state.entries().length, 2);
  world.close();
});
