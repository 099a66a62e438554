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

// A room that gets data; taken: what was acknowledged.
function withData() {
  const room = new RoomEvents();
  const taken = [];
  let n = 0;
  room.start();
  return { room, taken, come: () => { const data = ++n; room.emit('datareceived', { data }, () => taken.push(data)); } };
}

test('data waits while nobody listens any more', () => {
  const ways = {
    once: (room, f) => room.addEventListener('datareceived', f, { once: true }),
    removed: (room, f) => {
      room.addEventListener('datareceived', f);
      return () => room.removeEventListener('datareceived', f);
    },
    'removed, of capture': (room, f) => {
      room.addEventListener('datareceived', f, true);
      room.addEventListener('datareceived', f, true);
      room.removeEventListener('datareceived', f);
      return () => room.removeEventListener('datareceived', f, { capture: true });
    },
    aborted: (room, f) => {
      const abort = new AbortController();
      room.addEventListener('datareceived', f, { signal: abort.signal });
      return () => abort.abort();
    },
  };
  for (const [way, listen] of Object.entries(ways)) {
    const { room, taken, come } = withData();
    const heard = [];
    const end = listen(room, ({ data }) => heard.push(data));
    come();
    end?.();
    come();
    come();
    assert.deepEqual([heard, taken], [[1], [1]], way);
    listen(room, ({ data }) => heard.push(data))?.();
    assert.deepEqual([heard, taken], way === 'once' ? [[1, 2], [1, 2]] : [[1, 2, 3], [1, 2, 3]], way);
  }
});

test('data that an iterator has not given out when it ends is for the next, or for a listener', async () => {
  const { room, taken, come } = withData();
  for (let i = 0; i < 3; i++) come();
  for await (const { data } of room.events()) {
    assert.equal(data, 1);
    come();
    break;
  }
  assert.deepEqual(taken, [1]);
  const [two, three] = [room.events(), room.events()];
  come(); // to both of them
  await three.return();
  assert.equal((await two.next()).value.data, 2);
  await two.return();
  assert.deepEqual(taken, [1, 2]);
  const heard = [];
  room.addEventListener('datareceived', ({ data }) => heard.push(data));
  assert.deepEqual([heard, taken], [[3, 4, 5], [1, 2, 3, 4, 5]]);
});
