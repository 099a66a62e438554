// What a connection makes of what comes in its own channels.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Budget } from '../budget.js';
import { Connection } from '../connection.js';

test('text in the data channel is no number of bytes, but against the rules', () => {
  const channels = [];
  class RTCPeerConnection {
    createDataChannel(label) {
      channels.push({ label });
      return channels.at(-1);
    }

    close() {}
  }
  const came = [];
  const connection = new Connection({
    number: 1, platform: { webrtc: { RTCPeerConnection, MediaStream: class {} }, atHome: false, budget: new Budget() }, iceServers: [], begun: false, senders: [], incoming: null,
    link: { data: (bytes) => came.push(bytes), changed() {} },
  });
  const { onmessage } = channels.find(({ label }) => label === 'data');
  for (const data of ['4294967295', '99999999999', '-1', '']) onmessage({ data });
  onmessage({ data: Uint8Array.of(1, 2, 3).buffer });
  assert.deepEqual(came, [new Uint8Array(), new Uint8Array(), new Uint8Array(), new Uint8Array(), Uint8Array.of(1, 2, 3)]);
  connection.close();
});

// A connection that answers, with ICE credentials of ours that follow the other end's, and what it sends.
function answering() {
  let pc;
  class RTCPeerConnection {
    constructor() { pc = this; }

    createDataChannel(label) { return { label }; }

    getTransceivers() { return []; }

    async setRemoteDescription({ sdp }) { this.ufrag = sdp.replace('theirs', 'ours'); }

    async createAnswer() { return { type: 'answer', sdp: this.ufrag }; }

    async setLocalDescription({ sdp }) { this.localDescription = { sdp }; }

    close() {}
  }
  const link = { reached: true };
  const sent = [];
  const connection = new Connection({
    number: 1, platform: { webrtc: { RTCPeerConnection, MediaStream: class {} }, atHome: false, budget: new Budget() }, iceServers: [], begun: false, senders: [],
    incoming: { weigh() {}, apply() {}, attach() {} },
    link: {
      send: (c, { type, hubOnly }) => sent.push(`${type} ${hubOnly ? 'by hub' : 'in-band'}`),
      described: () => true, tabled: () => true, table: () => ({ version: 0, tracks: {} }), introduced() {}, restarting() {}, reaches: () => link.reached, wanted: () => Infinity, most: () => Infinity,
      failed: (_, error) => { throw error; },
    },
  });
  const does = async (act) => {
    act();
    await new Promise(setImmediate); // all steps
    return sent.splice(0);
  };
  let id = 0;
  const offer = (ufrag) => does(() => connection.handle({ type: 'offer', body: JSON.stringify({ id: ++id, sdp: `m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=ice-ufrag:${ufrag}\r\n`, table: { version: 0, tracks: {} } }) }, true));
  const gather = (usernameFragment) => does(() => pc.onicecandidate({ candidate: { candidate: 'candidate:1 1 udp 1 192.0.2.1 9 typ host', sdpMid: '0', sdpMLineIndex: 0, usernameFragment } }));
  return { connection, link, does, offer, gather };
}

test('candidates go the way of the answer that they belong to', async () => {
  const { connection, link, does, offer, gather } = answering();
  assert.deepEqual(await offer('theirs'), ['answer in-band']);
  assert.deepEqual(await gather('ours'), ['candidates in-band']);
  assert.deepEqual(await does(() => connection.handle({ type: 'ask' }, true)), ['grant in-band']);
  assert.deepEqual(await offer('theirs2'), ['answer by hub'], 'it restarts');
  assert.deepEqual(await gather('ours2'), ['candidates by hub']);
  assert.deepEqual(await gather('ours'), ['candidates in-band'], 'of the path before');
  link.reached = false;
  assert.deepEqual(await gather('ours2'), ['candidates in-band'], 'no hub would bring them');
  connection.close();
});

// opened makes a connection over which the browser says nothing yet, and what then happens to it.
function opened() {
  const channels = new Map();
  let pc;
  class RTCPeerConnection {
    connectionState = 'connecting';

    iceConnectionState = 'checking';

    constructor() { pc = this; }

    createDataChannel(label) {
      const channel = { label, readyState: 'open' };
      channels.set(label, channel);
      return channel;
    }

    close() {}
  }
  const happened = [];
  const connection = new Connection({
    number: 1, platform: { webrtc: { RTCPeerConnection, MediaStream: class {} }, atHome: false, budget: new Budget() }, iceServers: [], begun: false, senders: [], incoming: null,
    link: {
      data: () => happened.push('data'), drained: () => happened.push('drained'), control: () => happened.push('control'), channelOpened: () => happened.push('channel'),
      changed: (c) => happened.push(c.up ? 'up' : 'down'),
    },
  });
  const comes = () => channels.get('data').onmessage({ data: new ArrayBuffer(1) });
  return { connection, pc, channels, happened, comes };
}

test('a channel that is open before the browser says so is up before what has come in it is taken', () => {
  const { connection, channels, happened, comes } = opened();
  channels.get('data').readyState = 'connecting';
  channels.get('control').onmessage({ data: '' });
  assert.deepEqual(happened.splice(0), ['down', 'control']);
  channels.get('data').readyState = 'open';
  comes();
  comes();
  assert.deepEqual(happened, ['up', 'data', 'data']);
  connection.close();
});

test('what its data channel was given has gone', () => {
  const { connection, channels, happened } = opened();
  channels.get('data').onbufferedamountlow();
  connection.close();
  channels.get('data').onbufferedamountlow();
  assert.deepEqual(happened, ['drained']);
});

// On a busy machine, Chromium now and then delivers a message before it says that the path is found.
test('what comes shows that the connection is up, before it is taken', () => {
  const { connection, channels, happened, comes } = opened();
  assert.equal(connection.up, false);
  comes();
  channels.get('control').onmessage({ data: '{}' });
  assert.deepEqual(happened, ['up', 'data', 'control']);
  connection.close();
});

test('what came says nothing of a path that is lost', () => {
  const { connection, pc, comes } = opened();
  comes();
  pc.iceConnectionState = 'disconnected';
  pc.oniceconnectionstatechange();
  assert.equal(connection.up, false);
  connection.close();
});

test('what comes during a restart says nothing of the new path', () => {
  const { connection, pc, comes } = opened();
  comes();
  pc.connectionState = 'connected';
  pc.onconnectionstatechange();
  assert.equal(connection.up, true);
  Object.assign(pc, { connectionState: 'connecting', iceConnectionState: 'checking' });
  assert.equal(connection.up, false);
  comes(); // by the old path
  assert.equal(connection.up, false);
  connection.close();
});
