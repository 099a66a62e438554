// Sections that an offer reserves, and what its answerer does with them.
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import test, { after } from 'node:test';
import { Budget } from '../budget.js';
import { Incoming } from '../incoming.js';
import { Outgoing } from '../outgoing.js';
import { Published } from '../publish.js';
import { makesSections, reservedIn } from '../reserve.js';
import { Sender } from '../sender.js';
import { sendStereo } from '../stereo.js';

const section = (kind, mid, direction, fmtp = 'minptime=10;usedtx=1') => [
  `m=${kind} 0 UDP/TLS/RTP/SAVPF 111`, ...(mid === null ? [] : [`a=mid:${mid}`]), `a=${direction}`, 'a=bundle-only', 'a=rtpmap:111 opus/48000/2', `a=fmtp:111 ${fmtp}`, '',
].join('\r\n');
const offerOf = (...sections) => `v=0\r\ns=-\r\n${sections.join('')}`;
const MIXED = offerOf(
  section('audio', '0', 'sendonly'), section('audio', '1', 'recvonly'), section('video', '2', 'recvonly'), section('video', '3', 'inactive'),
  section('application', '4', 'recvonly'), section('video', null, 'recvonly'), section('audio', '5', 'recvonly'),
);

test('what an offer reserves: sections in which its sender only receives, and that are new', () => {
  const of = (sdp, ...mids) => reservedIn(sdp, { getTransceivers: () => mids.map((mid) => ({ mid })) }).map(({ kind, mid }) => `${kind} ${mid}`);
  assert.deepEqual(of(MIXED), ['audio 1', 'video 2', 'audio 5']);
  assert.deepEqual(of(MIXED, '2', '0', null), ['audio 1', 'audio 5']);
  assert.deepEqual(of(MIXED.replaceAll('\r', '')), ['audio 1', 'video 2', 'audio 5']);
  assert.deepEqual(of('v=0\r\n'), []);
});

test('what is sent in stereo, and without pauses', () => {
  assert.equal(sendStereo(MIXED, new Set()), MIXED);
  const sent = sendStereo(MIXED, new Set(['1']));
  assert.equal(sent, MIXED.replace('a=mid:1\r\na=recvonly\r\na=bundle-only\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;usedtx=1', 'a=mid:1\r\na=recvonly\r\na=bundle-only\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;stereo=1'));
});

// A browser's connection as far as sections are made in it. A bound function looks like one of the browser's.
function connection({ builtIn = true } = {}) {
  const pc = { localDescription: null, transceivers: [], getTransceivers: () => pc.transceivers };
  const made = (kind, mid, direction) => {
    const transceiver = { mid, direction, currentDirection: null, codecs: [], receiver: { track: { kind } }, setCodecPreferences: (codecs) => { transceiver.codecs = codecs; } };
    transceiver.sender = {
      track: null, streams: [], setStreams: (...streams) => { transceiver.sender.streams = streams; }, replaceTrack: async (track) => { transceiver.sender.track = track; },
      getParameters: () => ({ encodings: [{}] }), setParameters: async () => {},
    };
    pc.transceivers.push(transceiver);
    return transceiver;
  };
  const add = (track, { direction }) => made(track.kind ?? track, null, direction);
  pc.addTransceiver = builtIn ? add.bind(null) : add;
  pc.take = (sdp) => { for (const { kind, mid } of reservedIn(sdp, pc)) made(kind, mid, 'recvonly'); };
  return pc;
}

class MediaStream {}
const over = new AbortController(); // until then each sender looks at its track
setMaxListeners(0, over.signal);
after(() => over.abort());
const RED = { getCapabilities: () => ({ codecs: [{ mimeType: 'audio/opus' }, { mimeType: 'audio/red' }] }) };
const sends = (pc, options) => new Outgoing(pc, {
  senders: [], webrtc: { MediaStream, RTCRtpSender: RED }, budget: new Budget(), peer: 'a', wanted: () => Infinity, most: () => Infinity, ...options,
});
function senderOf(kind, channelCount = 1) {
  const track = Object.assign(new EventTarget(), { kind, enabled: true, muted: false, readyState: 'live', contentHint: '', getSettings: () => ({ channelCount }) });
  return new Sender(track, kind, null, { webrtc: { MediaStream }, carriers: () => [], ended() {}, over: over.signal });
}
const shapes = (pc) => pc.transceivers.map(({ receiver, direction }) => `${receiver.track.kind} ${direction}`);

test('the first offer reserves what is expected, behind what is sent', () => {
  const pc = connection();
  const outgoing = sends(pc, { senders: [senderOf('video')], expects: ['audio', 'video'] });
  outgoing.open();
  assert.deepEqual(shapes(pc), ['video sendonly', 'audio recvonly', 'video recvonly']);
  assert.equal(pc.transceivers[1].codecs[0].mimeType, 'audio/red');
  outgoing.open();
  assert.equal(pc.transceivers.length, 3);
});

test('what we receive is in the codecs that we prefer, in an offer and in an answer, and what we send is as ever', async () => {
  const pc = connection();
  const known = { video: ['video/VP8', 'video/H264'], audio: ['audio/opus', 'audio/red'] };
  const receives = { getCapabilities: (kind) => ({ codecs: known[kind].map((mimeType) => ({ mimeType })) }) };
  const webrtc = { MediaStream, RTCRtpSender: RED, RTCRtpReceiver: receives };
  const outgoing = sends(pc, { webrtc, preferred: ['video/H264'], senders: [senderOf('video')], expects: ['audio', 'video'] });
  const first = () => pc.transceivers.map(({ codecs }) => codecs[0]?.mimeType ?? null);
  outgoing.open();
  assert.deepEqual(first(), [null, 'audio/red', 'video/H264']);
  const reserved = offerOf(section('video', '7', 'recvonly'));
  outgoing.assign(reserved);
  pc.take(reserved);
  pc.take(offerOf(section('video', '8', 'recvonly'))); // as one that the other side sends in
  await outgoing.fill();
  assert.deepEqual(first(), [null, 'audio/red', 'video/H264', null, 'video/H264']);
});

test('what is reserved is bounded, and leaves room for what is sent', () => {
  const reserved = (senders, expects) => {
    const pc = connection();
    sends(pc, { senders, expects }).open();
    return pc.transceivers.filter(({ direction }) => direction === 'recvonly').map(({ receiver }) => receiver.track.kind);
  };
  const many = (kind, n) => Array.from({ length: n }, () => kind);
  assert.equal(reserved([], many('audio', 20)).length, 13);
  assert.equal(reserved([], many('video', 20)).length, 4);
  assert.equal(reserved(many('video', 6).map((kind) => senderOf(kind)), many('video', 20)).length, 3);
  assert.deepEqual(reserved([], [...many('video', 5), 'audio']), [...many('video', 4), 'audio'], 'what is too large leaves room for what is not');
  assert.deepEqual(reserved([], [...many('video', 16), 'audio']), many('video', 4), 'beyond 16 nothing is expected');
});

test('an answer fills what was reserved, by kind', async () => {
  const pc = connection();
  const [picture, tone, music] = [senderOf('video'), senderOf('audio'), senderOf('audio', 2)];
  const outgoing = sends(pc, { senders: [tone, picture, music] });
  assert.equal(outgoing.settled, false);
  const sdp = outgoing.assign(MIXED);
  assert.equal(sdp, sendStereo(MIXED, new Set(['5'])));
  pc.take(sdp);
  await outgoing.fill();
  assert.deepEqual(shapes(pc), ['audio sendonly', 'video sendonly', 'audio sendonly']);
  assert.deepEqual(pc.transceivers.map(({ sender }) => sender.track), [tone.track, picture.track, music.track]);
  assert.equal(new Set(pc.transceivers.flatMap(({ sender }) => sender.streams)).size, 1);
  assert.equal(pc.transceivers[0].codecs[0].mimeType, 'audio/red');
  for (const transceiver of pc.transceivers) transceiver.currentDirection = 'sendonly';
  outgoing.answered();
  assert.equal(outgoing.settled, true);
  assert.equal(outgoing.needsOffer, false);
  assert.deepEqual(outgoing.stereo, new Set(['5']));
  assert.deepEqual(Object.entries(outgoing.rows()).map(([mid, { id }]) => [mid, id]), [['1', tone.id], ['2', picture.id], ['5', music.id]]);
});

test('what has no section waits for its own', async () => {
  const pc = connection();
  const outgoing = sends(pc, { senders: [senderOf('video'), senderOf('video')] });
  pc.take(outgoing.assign(MIXED));
  await outgoing.fill();
  outgoing.answered();
  assert.equal(outgoing.settled, false);
  assert.equal(outgoing.needsOffer, true);
  outgoing.open();
  assert.deepEqual(shapes(pc), ['audio sendonly', 'video sendonly', 'audio sendonly', 'video sendonly']);
});

test('what is reserved for nothing is idle', async () => {
  const pc = connection();
  const outgoing = sends(pc);
  pc.take(outgoing.assign(MIXED));
  await outgoing.fill();
  for (const transceiver of pc.transceivers) transceiver.currentDirection = 'sendonly';
  outgoing.answered();
  assert.deepEqual(outgoing.rows(), {});
  const picture = senderOf('video');
  assert.equal(outgoing.add(picture), 'announce');
  outgoing.announced(3);
  assert.equal(pc.transceivers[1].sender.track, null);
  await outgoing.acknowledged(3);
  assert.equal(pc.transceivers[1].sender.track, picture.track);
  assert.equal(outgoing.add(senderOf('video')), 'negotiate');
});

test('a sender whose section was rejected waits for one of its own', async () => {
  const pc = connection();
  const picture = senderOf('video');
  const outgoing = sends(pc, { senders: [picture] });
  pc.take(outgoing.assign(MIXED));
  await outgoing.fill();
  pc.transceivers[1].currentDirection = 'stopped';
  outgoing.answered();
  assert.deepEqual(outgoing.rows(), {});
  assert.equal(outgoing.settled, false);
  assert.equal(outgoing.needsOffer, true);
  assert.equal(outgoing.add(senderOf('video')), 'negotiate');
});

test('a page that makes its sections in its own way goes on making those of its pictures', async () => {
  const pc = connection({ builtIn: false });
  const outgoing = sends(pc, { senders: [senderOf('audio'), senderOf('video')], expects: ['audio', 'video'] });
  pc.take(outgoing.assign(MIXED));
  await outgoing.fill();
  assert.deepEqual(shapes(pc), ['audio sendonly', 'video recvonly', 'audio sendonly']);
  outgoing.open();
  assert.deepEqual(shapes(pc).slice(3), ['video sendonly']);
  assert.equal(makesSections(undefined), false);
});

test('what a join says', () => {
  const kinds = (builtIn, ...tracks) => {
    class RTCPeerConnection {}
    RTCPeerConnection.prototype.addTransceiver = connection({ builtIn }).addTransceiver;
    const published = new Published({ RTCPeerConnection, MediaStream }, () => [], over.signal);
    for (const kind of tracks) published.add(senderOf(kind).track);
    return published.kinds;
  };
  assert.deepEqual(kinds(true), []);
  assert.deepEqual(kinds(true, 'video', 'audio', 'video'), ['video', 'audio', 'video']);
  assert.deepEqual(kinds(false, 'video', 'audio', 'video'), ['audio']);
  assert.equal(kinds(true, ...Array.from({ length: 20 }, () => 'audio')).length, 16);
});

test('a peer has said what it sends once its table has come, until it goes', () => {
  const report = { trackAdded() {}, trackRemoved() {} };
  const incoming = new Incoming(null, { report, wantChanged() {}, allowed: () => true, webrtc: { MediaStream } });
  const pc = { getTransceivers: () => [] };
  incoming.apply({ version: 0, tracks: {} }, pc);
  assert.equal(incoming.told, false);
  incoming.apply({ version: 1, tracks: {} }, pc);
  assert.equal(incoming.told, true);
  incoming.close();
  assert.equal(incoming.told, false);
});
