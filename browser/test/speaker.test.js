// The scenes that the Go machine is tested with, in internal/speaker.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { Detector, Ears } from '../speaker.js';

const scenes = JSON.parse(readFileSync(new URL('../../internal/speaker/testdata/speech.json', import.meta.url), 'utf8'));
const dBov = { '#': -20, '+': -30, '=': -40, '-': -50, '.': -127 };

function play({ voices, active }) {
  const detector = new Detector();
  let said = '';
  for (let i = 0; i < active.length; i++) {
    const heard = new Map();
    for (const [id, voice] of Object.entries(voices)) {
      if (voice[i] === 'x') detector.remove(id);
      else if (voice[i]) heard.set(id, dBov[voice[i]]);
    }
    detector.step(1e6 + 100 * (i + 1), heard);
    said += detector.active ?? '.';
  }
  return said;
}

test('speaker: every scene', () => {
  assert.ok(scenes.length > 10);
  for (const scene of scenes) assert.equal(play(scene), scene.active, scene.what);
});

test('speaker: steps that come late count for little', () => {
  const detector = new Detector();
  let now = 5000;
  const talk = (n, every, ...heard) => {
    for (let i = 0; i < n; i++) detector.step(now += every, new Map(heard));
  };
  talk(4, 100, ['지우', -20]);
  assert.equal(detector.active, '지우');
  talk(1, 3_600_000);
  assert.equal(detector.active, '지우');
  talk(20, 100);
  assert.equal(detector.active, null);
  talk(1, 3_600_000, ['bob', -20]);
  assert.equal(detector.active, null);
  talk(3, 100, ['bob', -20]);
  assert.ok(detector.remove('bob') && !detector.remove('bob'));
  assert.equal(detector.active, null);
});

test('a browser without a list of sources', async () => {
  let asked = 0;
  const receivers = [undefined, null, {}, 'none'].map((sources) => ({ track: { kind: 'audio' }, getSynchronizationSources: () => (asked++, sources) }));
  receivers.push({ track: { kind: 'audio' } });
  const ears = new Ears(() => [{ id: 'a', tracks: [{ kind: 'audio' }], connection: { getReceivers: () => receivers } }], () => {});
  ears.open();
  while (asked < 2 * receivers.length) await new Promise((resolve) => { setTimeout(resolve); });
  ears.close();
});
