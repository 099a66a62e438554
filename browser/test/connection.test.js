// What a connection makes of what comes in its own channels.

import assert from 'node:assert/strict';
import test from 'node:test';
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
    number: 1, platform: { webrtc: { RTCPeerConnection, MediaStream: class {} }, atHome: false }, iceServers: [], begun: false, senders: [], incoming: null,
    link: { data: (bytes) => came.push(bytes), changed() {} },
  });
  const { onmessage } = channels.find(({ label }) => label === 'data');
  for (const data of ['4294967295', '99999999999', '-1', '']) onmessage({ data });
  onmessage({ data: Uint8Array.of(1, 2, 3).buffer });
  assert.deepEqual(came, [new Uint8Array(), new Uint8Array(), new Uint8Array(), new Uint8Array(), Uint8Array.of(1, 2, 3)]);
  connection.close();
});

// On a busy machine, Chromium now and then delivers a message before it says that the path is found.
test('what comes shows that the connection is up, before it is taken', () => {
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
    number: 1, platform: { webrtc: { RTCPeerConnection, MediaStream: class {} }, atHome: false }, iceServers: [], begun: false, senders: [], incoming: null,
    link: {
      data: () => happened.push('data'), control: () => happened.push('control'), channelOpened: () => happened.push('channel'),
      changed: (c) => happened.push(c.up ? 'up' : 'down'),
    },
  });
  assert.equal(connection.up, false);
  channels.get('data').onmessage({ data: new ArrayBuffer(1) });
  channels.get('control').onmessage({ data: '{}' });
  assert.deepEqual(happened, ['up', 'data', 'control']);
  // The path is lost and looked for again: what came before says nothing of that.
  pc.iceConnectionState = 'disconnected';
  pc.oniceconnectionstatechange();
  assert.equal(connection.up, false);
  pc.connectionState = 'connected';
  pc.onconnectionstatechange();
  assert.equal(connection.up, true);
  Object.assign(pc, { connectionState: 'connecting', iceConnectionState: 'checking' }); // a restart
  channels.get('data').onmessage({ data: new ArrayBuffer(1) }); // by the old path
  assert.equal(connection.up, false);
  connection.close();
});
