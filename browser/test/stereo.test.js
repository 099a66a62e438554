// What a description says of stereo, section by section.
import assert from 'node:assert/strict';
import test from 'node:test';
import { codecsOf } from '../outgoing.js';
import { playStereo, stereoOf, tellStereo } from '../stereo.js';

const section = (mid, fmtp, name = 'opus') => [
  'm=audio 9 UDP/TLS/RTP/SAVPF 63 109 0', `a=mid:${mid}`, 'a=rtpmap:63 red/48000/2', 'a=fmtp:63 109/109', `a=rtpmap:109 ${name}/48000/2`,
  ...(fmtp === null ? [] : [`a=fmtp:109 ${fmtp}`]), 'a=rtpmap:0 PCMU/8000', '',
].join('\r\n');
const video = 'm=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:v\r\na=rtpmap:96 vp8/90000\r\na=fmtp:96 stereo=7\r\n';
const of = (...fmtps) => `v=0\r\ns=-\r\n${fmtps.map((f, i) => section(i, f)).join('')}${video}`;
const lines = (sdp) => [...sdp.matchAll(/^a=fmtp:109 (.*)\r$/gm)].map(([, line]) => line);

test('which sections say that they send stereo', () => {
  assert.deepEqual(stereoOf(of('minptime=10;sprop-stereo=1', 'stereo=1', 'sprop-stereo=0', null, 'x=1; sprop-stereo=1')), new Set(['0', '4']));
  assert.deepEqual(stereoOf(`v=0\r\n${section('a', 'sprop-stereo=1', 'OPUS')}`), new Set(['a']));
  assert.deepEqual(stereoOf('v=0\r\ns=-\r\n'), new Set());
});

test('what is played in stereo, and nothing else is changed', () => {
  const sdp = of('minptime=10;useinbandfec=1', 'stereo=1', 'minptime=10');
  assert.equal(playStereo(sdp, new Set()), sdp);
  assert.equal(playStereo(sdp, new Set(['1'])), sdp);
  assert.equal(playStereo(sdp, new Set(['0'])), of('minptime=10;useinbandfec=1;stereo=1', 'stereo=1', 'minptime=10'));
});

test('what is said: of each section, and of no other', () => {
  const told = tellStereo(of('minptime=10;stereo=1', 'a=1; sprop-stereo=1;stereo=1', 'minptime=10', 'minptime=10'), new Set(['2']), new Set(['3']));
  assert.deepEqual(lines(told), ['minptime=10', 'a=1', 'minptime=10;sprop-stereo=1;stereo=1', 'minptime=10;stereo=1']);
  assert.ok(told.endsWith(video));
  assert.deepEqual(lines(tellStereo(of(null, null), new Set(['1']), new Set())), ['sprop-stereo=1;stereo=1']);
});

test('names of codecs are the browsers\' own, in whatever case they come', () => {
  assert.deepEqual(codecsOf(`v=0\r\n${section('a', null, 'OPUS')}`, 'a'), ['audio/opus', 'audio/PCMU']);
  assert.deepEqual(codecsOf(of(), 'v'), ['video/VP8']);
});
