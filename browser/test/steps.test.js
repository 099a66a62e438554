// When the steps on the way to a peer were reached, by what the browser and the hub say.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Budget } from '../budget.js';
import { encode } from '../codec.js';
import { Connection } from '../connection.js';
import { Hub } from '../hub.js';
import { Identity, newSession } from '../identity.js';
import { stepsOfConnection } from '../steps.js';

function later() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

const reachedIn = (dates) => Object.keys(dates).filter((name) => dates[name] !== null);

test('a step counts the first time', async () => {
  const steps = stepsOfConnection();
  steps.reach('ice');
  const { ice } = steps.dates;
  await new Promise((resolve) => { setTimeout(resolve, 5); });
  steps.reach('ice');
  steps.reach('media');
  assert.equal(steps.dates.ice, ice);
  assert.ok(steps.dates.media > ice);
  assert.deepEqual(reachedIn(steps.dates), ['ice', 'media']);
});

test('those of a connection', async () => {
  let pc;
  class RTCPeerConnection {
    connectionState = 'new';

    iceConnectionState = 'new';

    localDescription = null;

    constructor() { pc = this; }

    createDataChannel(label) { return { label, readyState: 'connecting' }; }

    getTransceivers() { return []; }

    async createOffer() { return { type: 'offer', sdp: 'v=0\r\n' }; }

    async setLocalDescription(description) { this.localDescription = description; }

    close() {}
  }
  const sent = later();
  const connection = new Connection({
    number: 1, platform: { webrtc: { RTCPeerConnection, MediaStream: class {} }, atHome: false, budget: new Budget() },
    iceServers: [], begun: true, senders: [], incoming: null,
    link: {
      send: ({ steps }, { type }) => {
        assert.deepEqual(reachedIn(steps), [], type);
        return 1;
      },
      table: () => ({ version: 0, tracks: {} }), introduced: () => sent.resolve(), changed() {}, failed: (_, error) => sent.reject(error),
    },
  });
  connection.need(true);
  await sent.promise;
  const reached = () => reachedIn(connection.steps);
  assert.deepEqual(reached(), ['offer']);
  pc.iceConnectionState = 'checking';
  pc.oniceconnectionstatechange();
  assert.deepEqual(reached(), ['offer']);
  pc.iceConnectionState = 'completed';
  pc.oniceconnectionstatechange();
  assert.deepEqual(reached(), ['offer', 'ice']);
  pc.connectionState = 'connected';
  pc.onconnectionstatechange();
  assert.deepEqual(reached(), ['offer', 'ice', 'dtls']);
  const track = new EventTarget();
  pc.ontrack({ track });
  assert.deepEqual(reached(), ['offer', 'ice', 'dtls']);
  track.dispatchEvent(new Event('unmute'));
  assert.deepEqual(reached(), ['offer', 'ice', 'dtls', 'media']);
  connection.close();
});

test('those of joining, the first time', async () => {
  const identity = await Identity.generate();
  const session = newSession();
  const sockets = [];
  class WebSocket {
    readyState = 0;

    constructor(url) {
      this.url = url.href;
      sockets.push(this);
      setTimeout(() => {
        this.readyState = 1;
        this.onopen();
      }, 5);
    }

    send(frame) {
      if (JSON.parse(frame).type !== 'join') return;
      const self = { id: identity.id, name: 'bob', key: identity.key, session };
      const limits = { frame: 65536, name: 128, chat: 4096, members: 64, rate: 50 };
      setTimeout(() => this.onmessage({ data: encode({ type: 'joined', self, members: [], iceServers: [], heartbeat: 10000, limits }) }), 5);
    }

    close() { this.readyState = 3; }
  }
  const back = later();
  const hub = new Hub({
    url: new URL('wss://steps.example/ws'), identity, session, room: 'r', name: () => 'bob',
    options: { WebSocket, transport: 'websocket', dialTimeout: 1000, redialMax: 10 }, member: { lost() {}, back: back.resolve },
  });
  assert.deepEqual(reachedIn(hub.arrival), []);
  await hub.dial(() => {});
  const { arrival } = hub;
  assert.deepEqual(reachedIn(arrival), ['began', 'hub', 'joined']);
  assert.ok(arrival.began < arrival.hub && arrival.hub < arrival.joined);
  sockets[0].onclose({ code: 1006, reason: '' });
  await back.promise;
  assert.equal(sockets.length, 2);
  assert.deepEqual(hub.arrival, arrival);
  hub.close();
});
