// The machines of files against the frames and names that Go is tested with, and where channels end.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { CHUNK, chunkFrame, CODE, firstHash, nextHash, offerFrame, parseOffer, WINDOW } from '../file_frame.js';
import { cleanFileName } from '../file_name.js';
import { FileReceiver } from '../file_receiver.js';
import { FileSender } from '../file_sender.js';

const readJSON = (name) => JSON.parse(readFileSync(new URL(`../../internal/files/testdata/${name}`, import.meta.url)));
const id = Uint8Array.from({ length: 16 }, (_, i) => i);
const contentOf = (size) => Uint8Array.from({ length: size }, (_, i) => i ^ (i >> 8));

test('names are those of Go', () => {
  for (const { sent, clean } of readJSON('names.json')) assert.equal(cleanFileName(sent), clean);
  assert.equal(cleanFileName('half \ud83d.txt'), 'half \ufffd.txt');
});

// A sender and a receiver, and the channel between them.
class Pair {
  frames = [];
  wrote = [];
  down = [];
  back = [];
  receiver = null;

  static async of(size, name = 'a') {
    const pair = new Pair();
    pair.content = contentOf(size);
    pair.sender = await FileSender.offer({ id, size, name });
    return pair;
  }

  open() { this.down.push(this.sender.open()); }

  lose() {
    this.sender.lose();
    this.receiver?.lose();
    this.down = [];
    this.back = [];
  }

  async chunks(most) {
    for (let i = 0; i < most && this.sender.wants; i++) {
      const { offset, length } = this.sender.wants;
      this.down.push(await this.sender.chunk(this.content.subarray(offset, offset + length)));
    }
  }

  async toReceiver() {
    while (this.down.length > 0) {
      const frame = this.down.shift();
      this.frames.push(frameOf('sender', frame));
      if (frame[0] === 1) {
        this.receiver ??= await FileReceiver.of(frame);
        this.answer(this.receiver.open(frame));
        continue;
      }
      const { chunk, reply } = await this.receiver.receive(frame);
      this.answer(reply);
      if (!chunk) continue;
      this.wrote.push(...chunk);
      this.answer(this.receiver.written());
    }
  }

  toSender() {
    while (this.back.length > 0) {
      const frame = this.back.shift();
      this.frames.push(frameOf('receiver', frame));
      const reply = this.sender.receive(frame);
      if (reply) this.down.push(reply);
    }
  }

  answer(frame) { if (frame) this.back.push(frame); }

  async both() {
    await this.toReceiver();
    this.toSender();
  }
}

function frameOf(from, bytes) {
  const frame = { from, length: bytes.length };
  return bytes.length <= 100
    ? { ...frame, hex: Buffer.from(bytes).toString('hex') }
    : { ...frame, sha256: createHash('sha256').update(bytes).digest('hex') };
}

test('the frames of a transfer are those of Go', async () => {
  const { name, size, frames } = readJSON('transfer.json');
  const pair = await Pair.of(size, name);
  pair.open();
  await pair.both();
  pair.answer(pair.receiver.accept());
  pair.toSender();
  for (const most of [7, 3]) {
    await pair.chunks(most);
    await pair.both();
  }
  pair.lose();
  pair.open();
  await pair.both();
  while (!pair.receiver.complete) {
    await pair.chunks(WINDOW);
    await pair.both();
  }
  pair.answer(pair.receiver.finish());
  pair.toSender();
  assert.deepEqual(pair.frames, frames);
  assert.deepEqual(pair.sender.end, { code: CODE.none, remote: true });
  assert.ok(Buffer.from(pair.wrote).equals(Buffer.from(pair.content)));
  assert.equal(pair.sender.progress, size);
});

test('no more is under way than the window', async () => {
  const pair = await Pair.of(40 * CHUNK);
  pair.open();
  await pair.both();
  pair.answer(pair.receiver.accept());
  pair.toSender();
  await pair.chunks(Infinity);
  assert.equal(pair.down.length, WINDOW);
});

const running = async (size) => {
  const pair = await Pair.of(size);
  pair.open();
  await pair.both();
  pair.answer(pair.receiver.accept());
  pair.toSender();
  return pair;
};

test('what has changed is not sent on', async () => {
  const pair = await running(10 * CHUNK);
  await pair.chunks(3);
  pair.down.splice(1);
  await pair.toReceiver();
  pair.lose();
  pair.content[CHUNK]++;
  pair.open();
  await pair.both();
  await pair.chunks(1);
  await pair.toReceiver();
  assert.deepEqual(pair.sender.end, { code: CODE.changed, remote: false });
  assert.deepEqual(pair.receiver.end, { code: CODE.changed, remote: true });
});

test('a chunk that is not the file is not written', async () => {
  for (const spoil of [
    (frame) => { frame[frame.length - 1] ^= 1; return frame; },
    (frame) => frame.slice(0, -1),
    (frame) => { frame[4] = 1; return frame; },
    (frame) => frame.slice(0, 20),
  ]) {
    const pair = await running(2 * CHUNK);
    await pair.chunks(1);
    pair.down.push(spoil(pair.down.pop()));
    await pair.both();
    assert.deepEqual(pair.receiver.end, { code: CODE.broken, remote: false });
    assert.deepEqual(pair.sender.end, { code: CODE.broken, remote: true });
    assert.equal(pair.wrote.length, 0);
  }
});

test('a chunk of another length is not written, though its hash is right', async () => {
  for (const length of [CHUNK - 1, CHUNK + 1, 0]) {
    const pair = await running(2 * CHUNK);
    const chunk = new Uint8Array(length);
    const { chunk: got, reply } = await pair.receiver.receive(chunkFrame(0, await nextHash(await firstHash(pair.sender.open()), chunk), chunk));
    assert.equal(got, undefined);
    assert.deepEqual(reply, Uint8Array.of(7, CODE.broken));
  }
});

test('what the receiver cannot know is not believed', async () => {
  const done = new Uint8Array(33);
  done[0] = 6;
  for (const frame of [done, Uint8Array.of(5, 0, 0, 0, 9), Uint8Array.of(2), Uint8Array.of(7), Uint8Array.of(3, 0, 0, 0, 0)]) {
    const pair = await running(2 * CHUNK);
    assert.deepEqual(pair.sender.receive(frame), Uint8Array.of(7, CODE.broken));
  }
});

test('who never answers does not know files', async () => {
  const { sender } = await Pair.of(1);
  for (let i = 0; i < 3; i++) {
    assert.equal(sender.end, null);
    sender.open();
    sender.lose();
  }
  assert.deepEqual(sender.end, { code: CODE.unsupported, remote: false });
});

test('offers that are none', () => {
  const offer = offerFrame({ id, size: 5, name: '파일' });
  assert.deepEqual(parseOffer(offer), { id: id.join(), size: 5, name: '파일' });
  assert.equal(parseOffer(offer.subarray(0, 25)), null);
  assert.equal(parseOffer(offer.subarray(0, 27)), null); // half a character
  assert.equal(parseOffer(offerFrame({ id, size: 2 ** 46 + 1, name: 'a' })), null);
  assert.equal(parseOffer(offerFrame({ id, size: 0, name: 'x'.repeat(256) })), null);
});
