// What a section is offered as.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import test, { mock } from 'node:test';
import { Budget } from '../budget.js';
import { codecsOf, Outgoing } from '../outgoing.js';
import { Sender } from '../sender.js';

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

// An RTCPeerConnection as far as it is sent by, and what its senders are asked for.
function sending(t) {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  t.after(() => mock.timers.reset());
  const rtps = [];
  const addTransceiver = (track) => {
    const rtp = {
      bitrates: [], replaceTrack: async () => {}, getParameters: () => ({ encodings: [{}] }),
      setParameters: async ({ encodings }) => rtp.bitrates.push(encodings[0].maxBitrate),
    };
    rtps.push(rtp);
    return { sender: rtp, receiver: { track: { kind: track.kind ?? track } }, mid: null, currentDirection: null };
  };
  const budget = new Budget(1_000_000);
  const outgoing = () => new Outgoing({ addTransceiver }, { senders: [], webrtc: { MediaStream: class {} }, budget, peer: 'a', wanted: () => Infinity, most: () => Infinity });
  const said = async () => {
    mock.timers.tick(1000);
    await setImmediate();
    return rtps.map(({ bitrates }) => bitrates.splice(0));
  };
  return { outgoing, said };
}

function picture({ name = 'camera', maxBitrate = null, contentHint = '', displaySurface } = {}) {
  const track = Object.assign(new EventTarget(), { kind: 'video', enabled: true, muted: false, readyState: 'live', contentHint, getSettings: () => ({ displaySurface }) });
  return new Sender(track, name, maxBitrate, { webrtc: { MediaStream: class {} }, carriers: () => [], ended() {}, over: new AbortController().signal });
}

test('a track is marked as what it is, unless the application has done so', (t) => {
  sending(t);
  const hint = (of) => picture(of).track.contentHint;
  assert.equal(hint({}), 'motion');
  assert.equal(hint({ name: 'screen' }), 'detail');
  assert.equal(hint({ displaySurface: 'window' }), 'detail');
  assert.equal(hint({ contentHint: 'text' }), 'text');
  assert.equal(hint({ name: 'screen', contentHint: 'motion' }), 'motion');
  assert.equal(hint({ contentHint: null }), null); // as a browser that knows none
});

test('a picture has its share before it is offered, and leaves it when it goes', async (t) => {
  const { outgoing, said } = sending(t);
  const out = outgoing();
  const [one, two] = [picture(), picture()];
  out.add(one);
  out.add(two);
  assert.deepEqual(await said(), []);
  out.open();
  assert.deepEqual(await said(), [[500_000], [500_000]]);
  await out.remove(one);
  assert.deepEqual(await said(), [[], [1_000_000]]);
});

test('what takes over an idle section has a share once it flows', async (t) => {
  const { outgoing, said } = sending(t);
  const out = outgoing();
  const one = picture();
  out.add(one);
  out.add(picture());
  out.open();
  await out.remove(one);
  await said();
  assert.equal(out.add(picture({ maxBitrate: 100_000 })), 'announce');
  out.announced(7);
  await out.acknowledged(6);
  out.changed();
  assert.deepEqual(await said(), [[], []]);
  await out.acknowledged(7);
  assert.deepEqual(await said(), [[100_000], [900_000]]);
});

test('a connection that ends leaves its share to the others', async (t) => {
  const { outgoing, said } = sending(t);
  const [first, second] = [outgoing(), outgoing()];
  for (const out of [first, second]) {
    out.add(picture());
    out.open();
  }
  assert.deepEqual(await said(), [[500_000], [500_000]]);
  first.close();
  assert.deepEqual(await said(), [[], [1_000_000]]);
});
