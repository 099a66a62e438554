// What join says where there is no WebRTC, or no WebSocket, as in Node.

import assert from 'node:assert/strict';
import test from 'node:test';
import { join } from '../noom.js';

const webrtc = { RTCPeerConnection: class {}, RTCRtpSender: class {}, MediaStream: class {} };
const url = 'ws://127.0.0.1:9/ws';

for (const [what, options, code, says] of [
  ['no WebRTC', {}, 'unsupported', '@roamhq/wrtc'],
  ['what is no WebRTC', { webrtc: {} }, 'bad_argument', 'RTCPeerConnection'],
  ['null for WebRTC', { webrtc: null }, 'bad_argument', 'RTCPeerConnection'],
  ['what is no WebSocket', { webrtc, WebSocket: 'ws' }, 'bad_argument', 'WebSocket'],
]) {
  test(what, async () => {
    await assert.rejects(join(url, 'r', options), (error) => error.code === code && error.message.includes(says));
  });
}

test('no WebSocket', { skip: globalThis.WebSocket && 'this Node has one' }, async () => {
  await assert.rejects(join(url, 'r', { webrtc, transport: 'websocket' }), (error) => error.code === 'unsupported' && error.message.includes('WebSocket'));
});

test('a WebSocket and a WebRTC of our own', async () => {
  class Refusing extends EventTarget {
    constructor() {
      super();
      queueMicrotask(() => this.onclose({ code: 1006, reason: '' }));
    }

    close() {}
  }
  await assert.rejects(join(url, 'r', { webrtc, WebSocket: Refusing, transport: 'websocket' }), (error) => error.code === 'unreachable');
});
