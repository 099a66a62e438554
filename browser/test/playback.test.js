// What an element of the page plays, where the element is one that does what the test says.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Playback } from '../playback.js';

globalThis.MediaStream = class {
  active = true;
  #tracks;

  constructor(tracks) { this.#tracks = new Set(tracks); }

  addTrack(track) { this.#tracks.add(track); }

  removeTrack(track) { this.#tracks.delete(track); }
};

const page = Object.assign(new EventTarget(), { hidden: false });

class Element extends EventTarget {
  ownerDocument = page;
  isConnected = true;
  ended = false;
  paused = true;
  srcObject = null;
  refuses = false;

  async play() {
    if (this.refuses) throw Object.assign(new Error('touch the page'), { name: 'NotAllowedError' });
    this.paused = false;
    this.dispatchEvent(new Event('play'));
  }

  pause() {
    this.paused = true;
    this.dispatchEvent(new Event('pause'));
  }
}

// A track, and what it reports.
function remote(kind) {
  const reports = [];
  return [new Playback({ kind, track: { kind } }, (_, blocked) => reports.push(blocked)), reports];
}

const soon = () => new Promise(setImmediate);

test('an element that its user has paused stays so when another track is attached', () => {
  const element = new Element();
  const [[camera], [microphone]] = [remote('video'), remote('audio')];
  camera.attach(element);
  assert.equal(element.paused, false);
  element.pause();
  microphone.attach(element);
  assert.equal(element.paused, true);
  camera.attach(element);
  assert.equal(element.paused, false, 'who attaches a track again wants it played');
});

test('a track that is attached to an element that waits for a touch says so', async () => {
  const element = Object.assign(new Element(), { refuses: true });
  const [[camera, first], [microphone, second]] = [remote('video'), remote('audio')];
  camera.attach(element);
  await soon();
  assert.deepEqual([first, camera.blocked], [[true], true]);
  microphone.attach(element);
  await soon();
  assert.deepEqual([second, microphone.blocked], [[true], true]);
  microphone.attach(element);
  element.refuses = false;
  page.dispatchEvent(new Event('click'));
  await soon();
  assert.deepEqual([first, second], [[true, false], [true, false]]);
});
