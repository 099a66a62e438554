// What a section of sound is offered as, and what is said of silence.
import assert from 'node:assert/strict';
import test from 'node:test';
import { preferRED } from '../red.js';
import { tellSilence } from '../silence.js';

const offered = (codecs) => {
  let preferred = null;
  preferRED({ setCodecPreferences: (list) => { preferred = list.map(({ mimeType }) => mimeType); } }, { RTCRtpSender: { getCapabilities: () => codecs && { codecs } } });
  return preferred;
};

test('RED first, where the browser knows it', () => {
  const of = (...names) => names.map((name) => ({ mimeType: `audio/${name}` }));
  assert.deepEqual(offered(of('opus', 'red', 'PCMU')), ['audio/red', 'audio/opus', 'audio/PCMU']);
  assert.equal(offered(of('opus', 'PCMU')), null);
  assert.equal(offered(null), null);
  preferRED({}, { RTCRtpSender: {} });
});

const section = (mid, parameters) => `m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:${mid}\r\na=rtpmap:111 opus/48000/2\r\n${parameters === '' ? '' : `a=fmtp:111 ${parameters}\r\n`}`;

test('silence needs nothing, unless it is between two notes', () => {
  const told = (...sections) => `v=0\r\n${sections.map((parameters, i) => section(i, parameters)).join('')}`;
  const sdp = told('minptime=10', 'stereo=1', '', 'x=1;usedtx=0');
  assert.equal(tellSilence(sdp, new Set(['1'])), told('minptime=10;usedtx=1', 'stereo=1', 'usedtx=1', 'x=1;usedtx=0'));
  assert.equal(tellSilence('v=0\r\n', new Set()), 'v=0\r\n');
});
