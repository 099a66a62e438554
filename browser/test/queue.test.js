// What waits for an iterator that is not pulled. The bounds are those of Go's queue_test.go.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import test from 'node:test';
import { RoomEvents } from '../events.js';
import { MAX } from '../limits.js';

const BOUND = 1024;
const REQUESTS = 64; // to mute

// A room with an iterator that nobody pulls.
function room() {
  const events = new RoomEvents();
  events.start();
  return { events, queue: events.events() };
}

// Ends the room and returns all that the iterator still gives.
async function drain({ events, queue }) {
  events.emit('closed', { error: null });
  events.end();
  const all = [];
  for await (const event of queue) all.push(event);
  return all;
}

const ofType = (events, type) => events.filter((e) => e.type === type);

test('whatever happens while nobody pulls, what waits is bounded, and states are the latest', async () => {
  const r = room();
  const emit = (type, fields) => r.events.emit(type, fields);
  const stays = { id: 'stays' };
  const sender = {};
  const camera = {};
  const element = {};
  emit('peerjoined', { peer: stays });
  emit('trackadded', { peer: stays, track: camera });
  const rounds = 5_000;
  for (let i = 0; i < rounds; i++) {
    const guest = { id: `guest ${i}` };
    const track = {};
    emit('peerjoined', { peer: guest });
    emit('trackadded', { peer: guest, track });
    emit('channelopened', { peer: guest, channel: {} });
    emit('activespeaker', { peer: guest });
    emit('peerstatechanged', { peer: stays, state: i });
    emit('qualitychanged', { peer: stays, quality: i });
    emit('peerrenamed', { peer: stays, old: i });
    emit('trackmuted', { peer: stays, track: camera, muted: i });
    emit('trackpaused', { peer: stays, track: camera, paused: i });
    emit('trackchanged', { peer: stays, track: camera });
    emit('trackblocked', { peer: stays, track: camera, element, blocked: i });
    emit('trackrefused', { peer: stays, sender, codec: 'video/AV1' });
    emit('roomlocked', { locked: i });
    emit('signalinglost', { error: null });
    emit('signalingrestored', {});
    emit('chatreceived', { text: i });
    emit('muterequested', { by: stays, track: `track ${i}` });
    emit('trackremoved', { peer: guest, track });
    emit('activespeaker', { peer: null });
    emit('peerleft', { peer: guest });
  }
  emit('peerleft', { peer: { id: 'seen before' } });
  const all = await drain(r);
  assert.ok(all.length <= 2 * (BOUND + REQUESTS) + 1, `${all.length} events waited`);
  const dropped = ofType(all, 'lagged').reduce((sum, e) => sum + e.dropped, 0);
  const chats = ofType(all, 'chatreceived');
  assert.equal(dropped + chats.length, rounds);
  assert.deepEqual(chats.map((e) => e.text), Array.from(chats, (_, i) => dropped + i), 'the newest, in order');
  assert.equal(ofType(all, 'peerjoined').length, ofType(all, 'peerleft').length);
  assert.ok(ofType(all, 'trackadded').some((e) => e.track === camera));
  const last = rounds - 1;
  for (const [type, field] of [['peerstatechanged', 'state'], ['qualitychanged', 'quality'], ['peerrenamed', 'old'], ['trackmuted', 'muted'],
    ['trackpaused', 'paused'], ['trackblocked', 'blocked'], ['roomlocked', 'locked']]) {
    assert.equal(ofType(all, type).at(-1)[field], last, type);
  }
  assert.equal(ofType(all, 'activespeaker').at(-1).peer, null);
  assert.equal(ofType(all, 'muterequested').at(-1).track, `track ${last}`);
  assert.equal(all.findLast((e) => e.type.startsWith('signaling')).type, 'signalingrestored');
  assert.equal(all.at(-1).type, 'closed');
});

test('states of others are kept, each of them, and what began before the queue did', async () => {
  const r = room();
  const peers = Array.from({ length: 3 }, (_, i) => ({ id: String(i) }));
  const tracks = peers.map(() => ({}));
  for (let i = 0; i < 2000; i++) {
    peers.forEach((peer, n) => {
      r.events.emit('qualitychanged', { peer, quality: i });
      r.events.emit('trackpaused', { peer, track: tracks[n], paused: i });
    });
  }
  r.events.emit('trackremoved', { peer: peers[0], track: tracks[0] });
  r.events.emit('peerleft', { peer: peers[1] });
  const all = await drain(r);
  assert.ok(all.length <= 2 * BOUND, `${all.length} events waited`);
  for (const peer of peers) {
    assert.equal(ofType(all, 'qualitychanged').findLast((e) => e.peer === peer).quality, 1999);
    assert.equal(ofType(all, 'trackpaused').findLast((e) => e.peer === peer).paused, 1999);
  }
  assert.deepEqual(all.slice(-3).map((e) => e.type), ['trackremoved', 'peerleft', 'closed']);
  assert.equal(ofType(all, 'lagged').length, 0, 'what is replaced is not missed');
});

test('data that nobody has taken is kept, and acknowledged when it is', async () => {
  const r = room();
  let taken = 0;
  for (let i = 0; i < 5000; i++) r.events.emit('datareceived', { peer: {}, data: new Uint8Array(1000) }, () => taken++);
  assert.equal(taken, 0);
  assert.equal(ofType(await drain(r), 'datareceived').length, 5000);
  assert.equal(taken, 5000);
});

// Somebody who hears all data at once, beside an iterator that nobody pulls.
const hearers = {
  'a listener': ({ events }) => events.addEventListener('datareceived', () => {}),
  'another iterator': async ({ events }) => {
    for await (const event of events.events()) event.data;
  },
};

for (const [hearer, hear] of Object.entries(hearers)) {
  test(`data that ${hearer} has taken waits in an iterator within bounds, and what is dropped is counted`, async () => {
    for (const [count, size, most] of [[5_000, 10, 2 * BOUND], [500, MAX.data, 2 * MAX.unacked / MAX.data]]) {
      const r = room();
      hear(r);
      let taken = 0;
      for (let i = 0; i < count; i++) {
        const data = new Uint8Array(size);
        new DataView(data.buffer).setUint32(0, i);
        r.events.emit('datareceived', { peer: {}, data }, () => taken++);
        if (taken <= i) await setImmediate();
      }
      assert.equal(taken, count);
      const all = await drain(r);
      const got = ofType(all, 'datareceived').map(({ data }) => new DataView(data.buffer).getUint32(0));
      assert.ok(got.length > 0 && got.length <= most + 1, `${got.length} of ${size} bytes waited`);
      assert.deepEqual(got, Array.from(got, (_, i) => count - got.length + i), 'the newest, in order');
      assert.equal(all[0].type, 'lagged');
      assert.equal(all[0].dropped, count - got.length);
    }
  });
}

test('a channel is seen when the first has heard of it, or when nobody will', async () => {
  const opened = (events) => {
    let seen = 0;
    events.emit('channelopened', { peer: {}, channel: {} }, () => seen++);
    return () => seen;
  };
  const { events, queue } = room();
  const [first, second] = [opened(events), opened(events)];
  assert.deepEqual([first(), second()], [0, 0], 'it waits for the iterator');
  await queue.next();
  assert.deepEqual([first(), second()], [1, 0]);
  await queue.return();
  assert.deepEqual([first(), second()], [1, 1], 'the iterator has ended without it');
  assert.equal(opened(events)(), 1, 'nobody takes events');
  events.events();
  assert.equal(opened(events)(), 0);
  events.addEventListener('channelopened', () => {});
  assert.equal(opened(events)(), 1, 'a listener, beside an iterator');
});

test('channels of which a listener has heard wait in an iterator within bounds', async () => {
  const r = room();
  r.events.addEventListener('channelopened', () => {});
  for (let i = 0; i < 1000; i++) r.events.emit('channelopened', { peer: {}, channel: { i } }, () => {});
  const all = await drain(r);
  const got = ofType(all, 'channelopened').map(({ channel }) => channel.i);
  assert.ok(got.length > 0 && got.length <= 2 * 64 + 1, `${got.length} channels waited`);
  assert.equal(got.at(-1), 999);
  assert.equal(all[0].dropped, 1000 - got.length);
});

test('there is a rule for every event', async () => {
  const { TYPES } = await import('../queue.js');
  const declared = readFileSync(new URL('../noom.d.ts', import.meta.url), 'utf8');
  const [, map] = /^export interface RoomEventMap {(.*?)^}/ms.exec(declared);
  const types = [...map.matchAll(/^ {2}(\w+): Named/gm)].map(([, type]) => type);
  assert.deepEqual([...TYPES, 'lagged'].sort(), types.sort());
});

test('of changes of the room\'s state the last of each key waits, and of many keys those of the newest', async () => {
  const r = room();
  for (let i = 0; i < 100_000; i++) r.events.emit('statechanged', { key: `key ${i % 3}`, value: i });
  const few = ofType(await drain(r), 'statechanged');
  assert.ok(few.length <= BOUND + 3);
  assert.equal(few.at(-1).value, 99_999);
  const many = room();
  for (let i = 0; i < 50_000; i++) many.events.emit('statechanged', { key: `key ${i}`, value: i });
  const all = await drain(many);
  const changes = ofType(all, 'statechanged');
  assert.ok(changes.length <= 2 * 4096 + 1);
  assert.equal(changes.at(-1).key, 'key 49999');
  assert.equal(ofType(all, 'lagged').reduce((sum, { dropped }) => sum + dropped, 0) + changes.length, 50_000);
});
