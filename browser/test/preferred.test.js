// The codecs in which a member would like to receive.
import assert from 'node:assert/strict';
import test from 'node:test';
import { checkPreferred, prefer } from '../preferred.js';

const VIDEO = ['video/VP8', 'video/rtx', 'video/VP9', 'video/H264', 'video/AV1', 'video/H264', 'video/red'];
const AUDIO = ['audio/opus', 'audio/red', 'audio/G722', 'audio/PCMU', 'audio/telephone-event'];

// In which order a browser that knows these codecs is told to describe a section; null: it is told nothing.
const told = (known, preferred) => {
  let order = null;
  const transceiver = {
    receiver: { track: { kind: known[0].split('/')[0] } },
    setCodecPreferences: (list) => { order = list.map(({ mimeType, n }) => [mimeType.split('/')[1], n].join('')); },
  };
  const codecs = known.map((mimeType, n) => ({ mimeType, n }));
  prefer(transceiver, preferred, { RTCRtpReceiver: { getCapabilities: (kind) => ({ codecs: codecs.filter(({ mimeType }) => mimeType.startsWith(`${kind}/`)) }) } });
  return order?.join(' ') ?? null;
};

test('what is preferred comes first, and all the rest behind', () => {
  assert.equal(told(VIDEO, ['video/h264']), 'H2643 H2645 VP80 rtx1 VP92 AV14 red6');
  assert.equal(told(VIDEO, ['video/H265', 'video/AV1', 'audio/opus', 'video/VP9']), 'AV14 VP92 VP80 rtx1 H2643 H2645 red6');
  assert.equal(told(VIDEO, ['video/H265', 'audio/opus']), null);
  assert.equal(told(VIDEO, []), null);
});

test('RED goes with the Opus that is in it', () => {
  assert.equal(told(AUDIO, ['audio/opus']), 'red1 opus0 G7222 PCMU3 telephone-event4');
  assert.equal(told(AUDIO, ['audio/PCMU']), 'PCMU3 red1 opus0 G7222 telephone-event4');
  assert.equal(told(AUDIO, ['audio/G722', 'audio/opus']), 'G7222 red1 opus0 PCMU3 telephone-event4');
});

test('a WebRTC that knows no preferences goes on', (t) => {
  const warned = t.mock.method(console, 'warn', () => {});
  prefer({ receiver: { track: { kind: 'video' } } }, ['video/H264'], {});
  assert.equal(warned.mock.callCount(), 0);
  const known = { getCapabilities: () => ({ codecs: [{ mimeType: 'video/H264' }] }) };
  prefer({ receiver: { track: { kind: 'video' } } }, ['video/H264'], { RTCRtpReceiver: known });
  assert.equal(warned.mock.callCount(), 1);
});

test('what is no preference', () => {
  checkPreferred(['video/H264', 'audio/OPUS', 'video/h265']);
  checkPreferred([]);
  for (const [list, says] of [
    ['video/H264', 'is an array'], [null, 'is an array'], [['video/H264', 'video/h264'], '"video/h264" is there twice'],
    [['video/H263'], '"video/H263" is unknown; known: audio/opus, audio/G722, audio/PCMU, audio/PCMA, video/VP8, video/VP9, video/H264, video/AV1, video/H265'],
    [['H264'], 'is unknown'], [['video/그림'], '"video/그림" is unknown'], [[7], 'is unknown'], [['audio/red'], 'is unknown'],
  ]) {
    assert.throws(() => checkPreferred(list), (error) => error.code === 'bad_argument' && error.message.includes(says), String(list));
  }
});
