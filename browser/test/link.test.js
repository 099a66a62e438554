// A link over a browser's connection that is up at once, to a peer whose frames the test signs.
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import test from 'node:test';
import { Budget } from '../budget.js';
import { Conduct } from '../conduct.js';
import { WINDOW } from '../exchange.js';
import { Identity, newSession, pairText } from '../identity.js';
import { Peer } from '../peer.js';

class MediaStream {}

// An RTCPeerConnection as far as a link needs one; made: all of them.
function webrtc() {
  const made = [];
  class RTCPeerConnection {
    connectionState = 'connected';

    iceConnectionState = 'connected';

    sctp = { transport: { state: 'connected' } };

    localDescription = null;

    channels = {};

    constructor() { made.push(this); }

    createDataChannel(label) {
      const channel = { label, readyState: 'open', bufferedAmount: 0, sent: [], send: (frame) => channel.sent.push(frame) };
      this.channels[label] = channel;
      return channel;
    }

    sections = []; // that addTransceiver has made, as 'kind direction'

    addTransceiver = ((track, { direction }) => {
      this.sections.push(`${track.kind ?? track} ${direction}`);
      const sender = { replaceTrack: async () => {}, getParameters: () => ({ encodings: [{}] }), setParameters: async () => {} };
      return { sender, receiver: { track: { kind: track.kind } }, mid: '0', currentDirection: null };
    }).bind(this); // as the browser's own looks

    getConfiguration() { return { iceServers: [] }; }

    async createOffer() { return { type: 'offer', sdp: 'v=0\r\n' }; }

    async setLocalDescription(description) { this.localDescription = description; }

    getTransceivers() { return []; }

    async getStats() { return new Map(); }

    getReceivers() { return []; }

    close() { this.connectionState = 'closed'; }
  }
  return { made, webrtc: { RTCPeerConnection, MediaStream, RTCRtpSender: {} } };
}

// A Peer with its link, which has made the first offer; begin(peer) is called before.
async function linked(t, begin = () => {}, { sends, rights } = {}) {
  const [us, them] = [await Identity.generate(), await Identity.generate()];
  const sessions = [newSession(), newSession()]; // theirs, ours
  const { made, webrtc: platform } = webrtc();
  const seen = { hub: [], channels: [] };
  let link;
  const peer = new Peer({
    attach: (l) => { link = l; },
    senders: () => [], ask: null, checkRight() {}, over: new AbortController().signal,
    member: { id: them.id, key: them.key, session: sessions[0], name: 'two', rights },
    self: { identity: { id: us.id, sign: async () => new Uint8Array(64) }, session: sessions[1], room: 'r' }, // nobody checks it
    hub: { online: true, send: (frame) => seen.hub.push(frame) },
    conduct: new Conduct(), turns: { ask: (l) => l.admit(), done() {} },
    report: { state() {}, quality() {}, asideOpened() {}, asideFrame() {}, trackAdded() {}, trackRemoved() {}, channelOpened: (channel, taken) => seen.channels.push({ channel, taken }) },
    options: { iceServers: () => [], connectTimeout: 60_000, webrtc: platform, atHome: true, budget: new Budget(), trace() {}, arrival: () => ({}) },
  });
  t.after(() => link.close());
  begin(peer);
  link.welcome(sends);
  const typesOf = (frames) => frames.map((frame) => JSON.parse(frame.split('\n')[0]).type);
  const settle = async () => { for (let i = 0; i < 100; i++) await setImmediate(); };
  await settle();
  const acknowledge = async (ack) => {
    const m = { type: 'ack', to: us.id, sessions, epoch: [1, us.id], seq: 0, ack };
    link.receive({ ...m, signature: await them.sign(pairText(m, 'r', them.id)) });
  };
  const tell = async (type, body) => {
    const m = { type, to: us.id, sessions, epoch: [1, us.id], seq: 1, ack: 1, body: JSON.stringify(body) };
    link.receive({ ...m, signature: await them.sign(pairText(m, 'r', them.id)) });
  };
  return { peer, link, made, seen, typesOf, settle, acknowledge, tell };
}

test('tables that the peer acknowledges late are sent as far as its window goes, and then the newest', async (t) => {
  const { link, made, typesOf, settle, acknowledge } = await linked(t);
  const { control } = made[0].channels;
  const tables = () => control.sent.filter((frame) => typesOf([frame])[0] === 'table');
  assert.deepEqual(typesOf(control.sent), ['offer']);
  for (let i = 0; i < 1000; i++) link.tableChanged();
  await settle();
  assert.equal(made[0].connectionState, 'connected', 'not so many wait that the peer seems to take nothing');
  assert.equal(tables().length, WINDOW - 1);
  await acknowledge(WINDOW);
  while (tables().length < WINDOW) await setImmediate(); // the newest
  link.tableChanged();
  await settle();
  assert.equal(tables().length, WINDOW + 1);
});

test('frames go by hub while too much waits in the control channel', async (t) => {
  const { link, made, seen, typesOf, settle } = await linked(t);
  const { control } = made[0].channels;
  const counted = () => [typesOf(control.sent), typesOf(seen.hub)].map((types) => types.filter((type) => type === 'table').length);
  control.bufferedAmount = (256 << 10) - 1;
  link.tableChanged();
  await settle();
  assert.deepEqual(counted(), [1, 0]);
  control.bufferedAmount++;
  link.tableChanged();
  await settle();
  assert.deepEqual(counted(), [1, 1]);
});

test('channels that come and go before they are seen count as open, over all connections', async (t) => {
  const { link, made, seen, settle } = await linked(t);
  const come = (pc) => {
    const dc = { label: 'x', readyState: 'open', close() { dc.readyState = 'closed'; } };
    pc.ondatachannel({ channel: dc });
    const refused = dc.readyState === 'closed';
    dc.readyState = 'closed';
    dc.onclose?.();
    return refused;
  };
  const refusals = (pc, count) => Array.from({ length: count }, () => come(pc)).filter(Boolean).length;
  assert.equal(refusals(made[0], 40), 0);
  link.restart();
  await settle();
  assert.equal(made.length, 2);
  assert.equal(refusals(made[1], 40), 16);
  assert.equal(seen.channels.length, 64);
  seen.channels[0].taken();
  assert.equal(refusals(made[1], 2), 1);
  link.close();
  link.reopen();
  link.welcome();
  await settle();
  assert.equal(refusals(made[2], 65), 1, 'of a peer that has come back none is there');
  seen.channels[1].taken(); // of before
  assert.equal(refusals(made[2], 1), 1);
});

test('a sender to one peer ends with it', async (t) => {
  const picture = () => Object.assign(new EventTarget(), {
    kind: 'video', enabled: true, muted: false, readyState: 'live', stopped: false, getSettings: () => ({}), stop() { this.stopped = true; },
  });
  for (const end of ['close', 'fade']) {
    const [camera, clone] = [picture(), picture()];
    camera.clone = () => clone;
    let sender;
    const { peer, link, made, typesOf, settle } = await linked(t, (p) => { sender = p.publish(camera); });
    const { sent } = made[0].channels.control;
    sender.setMuted(true);
    await settle();
    assert.deepEqual([clone.stopped, typesOf(sent)], [false, ['offer', 'table']], end);
    link[end]();
    await settle();
    assert.deepEqual([clone.stopped, typesOf(sent)], [true, ['offer', 'table']], `${end}: nobody is left to be told`);
    assert.equal(camera.stopped, false, 'it is the page\'s');
    assert.throws(() => sender.setMuted(false), { code: 'closed' });
    await assert.rejects(sender.replaceTrack(null), { code: 'closed' });
    sender.close();
    assert.throws(() => peer.publish(camera), { code: 'closed' });
    link.close();
    link.reopen();
    assert.equal(peer.publish(camera).muted, false, 'a peer that comes back can be sent to again');
  }
});

test('an offer reserves sections for what the hub says that the peer sends, and later for what its table says', async (t) => {
  const { link, made, tell } = await linked(t, () => {}, { sends: ['audio', 'video/VP8', 'video'] });
  assert.deepEqual(made[0].sections, ['audio recvonly', 'video recvonly', 'video recvonly']);
  await tell('table', { table: { version: 1, tracks: { 5: { id: 'a', name: 'camera', kind: 'video', muted: false } } } });
  while (link.tracks.length === 0) await setImmediate();
  link.restart();
  while (!made[1]?.channels.control.sent.length) await setImmediate();
  assert.deepEqual(made[1].sections, ['video recvonly']);
});

test('nothing is reserved for a peer that may not publish, nor for one of which nothing is known', async (t) => {
  for (const about of [{ sends: ['audio'], rights: ['chat'] }, {}]) {
    const { made } = await linked(t, () => {}, about);
    assert.deepEqual(made[0].sections, []);
  }
});
