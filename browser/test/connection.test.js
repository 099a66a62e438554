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
    link: { data: (bytes) => came.push(bytes) },
  });
  const { onmessage } = channels.find(({ label }) => label === 'data');
  for (const data of ['4294967295', '99999999999', '-1', '']) onmessage({ data });
  onmessage({ data: Uint8Array.of(1, 2, 3).buffer });
  assert.deepEqual(came, [new Uint8Array(), new Uint8Array(), new Uint8Array(), new Uint8Array(), Uint8Array.of(1, 2, 3)]);
  connection.close();
});
