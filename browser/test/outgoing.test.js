// What a section is offered as.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { codecsOf } from '../outgoing.js';

const sdp = (name) => readFileSync(new URL(`../../signal/testdata/sdp/${name}.sdp`, import.meta.url), 'utf8');

test('codecs of a section, the preferred first, without what only accompanies them', () => {
  const of = (name) => [...sdp(name).matchAll(/^a=mid:(\S+)/gm)].map(([, mid]) => codecsOf(sdp(name), mid));
  const [audio, video, data] = of('chromium-audio-video');
  assert.deepEqual(data, []);
  assert.deepEqual(audio, ['audio/opus', 'audio/G722', 'audio/PCMU', 'audio/PCMA']);
  assert.deepEqual(video, ['video/VP8', 'video/H264', 'video/AV1', 'video/VP9']);
  assert.deepEqual(codecsOf(sdp('chromium-audio-video'), 'nowhere'), []);
  assert.deepEqual(codecsOf(sdp('chromium-audio-video'), null), []);
});
