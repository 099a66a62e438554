import assert from 'node:assert/strict';
import test from 'node:test';
import { RoomEvents } from '../events.js';

const all = async (queue) => {
  const types = [];
  for await (const { type } of queue) types.push(type);
  return types;
};

test('a room that ends before join has resolved says so to whoever listens from then on', async () => {
  const room = new RoomEvents();
  room.emit('peerjoined', {});
  room.emit('closed', { error: null });
  room.end();
  const heard = [];
  room.addEventListener('closed', () => heard.push('closed'));
  const queue = room.events();
  room.start();
  assert.deepEqual(heard, ['closed']);
  assert.deepEqual(await all(queue), ['peerjoined', 'closed']);
  assert.deepEqual(await all(room.events()), [], 'it is over');
});

test('a room that ends later', async () => {
  const room = new RoomEvents();
  room.start();
  const queue = room.events();
  room.emit('closed', { error: null });
  room.end();
  assert.deepEqual(await all(queue), ['closed']);
});
