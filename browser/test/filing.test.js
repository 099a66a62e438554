// Files between two ends, over channels of the test's own, which it may break.

import assert from 'node:assert/strict';
import test from 'node:test';
import { NoomError } from '../errors.js';
import { LABEL, offerFrame } from '../file_frame.js';
import { Filing } from '../filing.js';

// One end of a channel, as channel.js has it.
class End {
  #unread = [];
  #waiting = [];
  #over = false;
  #error = null;
  other = null;

  async send(bytes) {
    if (this.#over) throw this.#error ?? new NoomError('closed', 'closed');
    this.other.#take(bytes.slice());
  }

  #take(bytes) {
    if (this.#over) return;
    const resolve = this.#waiting.shift();
    if (resolve) resolve(bytes);
    else this.#unread.push(bytes);
  }

  async receive() {
    if (this.#unread.length > 0) return this.#unread.shift();
    if (!this.#over) {
      const bytes = await new Promise((resolve) => { this.#waiting.push(resolve); });
      if (bytes) return bytes;
    }
    if (this.#error) throw this.#error;
    return null;
  }

  end(error = null) {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    for (const resolve of this.#waiting.splice(0)) resolve(null);
  }

  close() {
    this.end();
    this.other.end();
  }

  lose() { for (const end of [this, this.other]) end.end(new NoomError('channel_lost', 'lost')); }
}

function channel() {
  const [one, two] = [new End(), new End()];
  [one.other, two.other] = [two, one];
  return [one, two];
}

// Two ends; the offers that come to the second, and its channels.
function ends(options = {}) {
  const channels = [];
  const offers = [];
  const two = new Filing({ openChannel: () => Promise.reject(new Error('not in these tests')), offered: (file, seen) => offers.push({ file, seen }), ...options });
  const one = new Filing({
    openChannel: async (label) => {
      assert.equal(label, LABEL);
      const [ours, theirs] = channel();
      channels.push(ours);
      two.greet(theirs);
      return ours;
    },
    offered: () => {},
  });
  one.setConnected(true);
  two.setConnected(true);
  return { one, two, offers, channels };
}

const content = (size) => Uint8Array.from({ length: size }, (_, i) => i * 7);
const turn = () => new Promise((resolve) => { setTimeout(resolve); });
const until = async (holds) => { while (!holds()) await turn(); };
const code = (promise) => promise.then(() => 'arrived', (error) => error.code ?? error.name);

test('a file goes on over the next channel, wherever one ends', async () => {
  const { one, offers, channels } = ends();
  const bytes = content(700_000);
  const sent = code(one.send(new Blob([bytes]), { name: '파일' }));
  await until(() => offers.length === 1);
  channels.at(-1).lose();
  let breaks = 0;
  const shown = [];
  const blob = await offers[0].file.accept({
    onprogress: (done, total) => {
      shown.push(done);
      if (done > (breaks + 1) * total / 4 && breaks++ < 3) channels.at(-1).lose();
    },
  });
  assert.equal(await sent, 'arrived');
  assert.ok(Buffer.from(await blob.arrayBuffer()).equals(Buffer.from(bytes)));
  assert.equal(channels.length, 5);
  assert.equal(offers.length, 1);
  assert.deepEqual(shown, shown.toSorted((a, b) => a - b));
  assert.equal(shown.at(-1), bytes.length);
});

test('16 offers wait, of which those count that ended unseen; 4 files come at a time', async () => {
  const { one, two, offers } = ends();
  const results = Array.from({ length: 16 }, () => code(one.send(new Blob([content(100_000)]), { name: 'a' })));
  await until(() => offers.length === 16);
  const offer = async (n) => {
    const [ours, theirs] = channel();
    two.greet(theirs);
    await ours.send(offerFrame({ id: new Uint8Array(16).fill(n), size: 1, name: 'a' }));
    return [...await ours.receive()];
  };
  assert.deepEqual(await offer(1), [7, 5]); // busy
  offers[0].file.decline();
  assert.equal(await results[0], 'declined');
  assert.deepEqual(await offer(2), [7, 5]); // it was not seen
  offers[0].seen();
  assert.deepEqual(await offer(3), [2]);

  let running = 0;
  let most = 0;
  const writable = () => new WritableStream({
    start() { running++; },
    async write() {
      most = Math.max(most, started.size);
      await turn();
    },
  });
  const started = new Set();
  const accepted = offers.slice(1, 16).map(({ file, seen }, i) => {
    seen();
    return file.accept({
      writable: writable(),
      onprogress: (done, total) => {
        if (done < total) started.add(i);
        else started.delete(i);
      },
    });
  });
  await Promise.all(accepted);
  assert.equal(running, 15);
  assert.ok(most > 0 && most <= 4, `${most} at a time`);
  assert.deepEqual(await Promise.all(results.slice(1)), Array(15).fill('arrived'));
});

test('what is too big is not offered', async () => {
  const { one, offers } = ends({ most: 10 });
  assert.equal(await code(one.send(new Blob([content(11)]), { name: 'a' })), 'too_big');
  assert.equal(offers.length, 0);
});

test('a peer that closes the channel without a word takes no files', async () => {
  const one = new Filing({
    openChannel: async () => {
      const [ours, theirs] = channel();
      theirs.close();
      return ours;
    },
    offered: () => {},
  });
  one.setConnected(true);
  assert.equal(await code(one.send(new Blob([]), { name: 'a' })), 'unsupported');
});

test('whoever cannot write or read says so to the other end', async () => {
  const { one, offers } = ends();
  let sent = code(one.send(new Blob([content(100_000)]), { name: 'a' }));
  await until(() => offers.length === 1);
  const aborted = [];
  const full = new WritableStream({ write() { throw new Error('꽉 찼다'); }, abort(reason) { aborted.push(reason); } });
  const failed = offers[0].file.accept({ writable: full });
  await assert.rejects(failed, ({ code: why, cause }) => why === 'file_failed' && cause.message === '꽉 찼다');
  assert.equal(await sent, 'file_failed');

  const changed = Object.assign(new Blob([content(100_000)]), { slice: () => ({ arrayBuffer: () => Promise.reject(new DOMException('gone', 'NotReadableError')) }) });
  sent = code(one.send(changed, { name: 'a' }));
  await until(() => offers.length === 2);
  assert.equal(await code(offers[1].file.accept()), 'file_changed');
  assert.equal(await sent, 'file_changed');
});

test('files end with the peer, and begin again if it comes back', async () => {
  const { one, two, offers } = ends();
  const sent = code(one.send(new Blob([content(100)]), { name: 'a' }));
  await until(() => offers.length === 1);
  two.end();
  one.end();
  assert.equal(await sent, 'closed');
  assert.equal(await code(offers[0].file.accept()), 'closed');
  one.setConnected(true);
  two.setConnected(true);
  const again = code(one.send(new Blob([content(100)]), { name: 'a' }));
  await until(() => offers.length === 2);
  assert.equal((await offers[1].file.accept()).size, 100);
  assert.equal(await again, 'arrived');
  one.end(true);
  assert.equal(await code(one.send(new Blob([]), { name: 'a' })), 'closed');
});
