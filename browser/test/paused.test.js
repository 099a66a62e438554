// What a table says of tracks that are paused.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { decodeBody } from '../body.js';
import { Incoming } from '../incoming.js';

const webrtc = { MediaStream: class { getTracks() { return []; } } };
const pc = { getTransceivers: () => [] };

test('a track is paused and flows again, which is told once each', () => {
  const told = [];
  const report = {
    trackAdded: (track) => told.push(`added ${track.paused}`), trackMuted: (track) => told.push(`muted ${track.muted}`),
    trackPaused: (track) => told.push(`paused ${track.paused}`),
  };
  const incoming = new Incoming({}, { report, webrtc, wantChanged: () => {}, allowed: () => true });
  const table = (version, says) => decodeBody('table', JSON.stringify({
    table: { version, tracks: { 0: { id: 'b1', name: 'camera', kind: 'video', ...says } } },
  })).table;
  const take = (version, says) => {
    const t = table(version, says);
    const { changed } = incoming.weigh(t);
    incoming.apply(t, pc);
    return changed;
  };
  assert.equal(take(1, { muted: false }), 0);
  assert.equal(take(2, { muted: false, paused: true }), 1);
  assert.equal(incoming.tracks[0].paused, true);
  assert.equal(take(3, { muted: false, paused: true }), 0);
  assert.equal(take(4, { muted: true }), 1);
  assert.deepEqual(told, ['added false', 'paused true', 'muted true', 'paused false']);
  assert.throws(() => table(5, { paused: 'yes' }), { message: /bad paused/ });
});
