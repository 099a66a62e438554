// A link over connections that are what each test says.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Budget } from '../budget.js';
import { Conduct } from '../conduct.js';
import { Identity, newSession } from '../identity.js';
import { Link } from '../link.js';

// One that a browser might have made, with its channels by their labels.
class Connection {
  connectionState = 'new';

  iceConnectionState = 'new';

  localDescription = { sdp: '' };

  channels = {};

  createDataChannel(label) {
    return (this.channels[label] = {
      readyState: 'connecting', bufferedAmount: 0, sent: [], send(data) { this.sent.push(data); },
    });
  }

  getTransceivers() { return []; }

  async createOffer() { return { type: 'offer', sdp: '' }; }

  async setLocalDescription() {}

  async getStats() { return new Map(); }

  getConfiguration() { return { iceServers: [] }; }

  getReceivers() { return []; }

  close() { this.connectionState = 'closed'; }

  becomes(state) {
    Object.assign(this, { connectionState: state, iceConnectionState: state });
    this.oniceconnectionstatechange();
    this.onconnectionstatechange();
  }

  open() {
    this.becomes('connected');
    for (const channel of Object.values(this.channels)) {
      channel.readyState = 'open';
      channel.onopen();
    }
  }
}

// A link that has begun its first connection, and how often it has asked for the hub.
async function begun(t) {
  const [us, them] = await Promise.all([Identity.generate(), Identity.generate()]);
  const made = [];
  const webrtc = { RTCPeerConnection: class extends Connection { constructor() { super(); made.push(this); } }, MediaStream: class {} };
  const hub = { online: true, asked: 0, send() { return true; }, ask() { this.asked++; } };
  const link = new Link({
    member: { id: them.id, key: them.key, name: '지우', session: newSession(), rights: [] }, peer: null,
    self: { identity: us, session: newSession(), room: 'r' }, hub, conduct: new Conduct(), turns: { ask: (l) => l.admit(), done() {} },
    report: { state() {}, quality() {}, asideOpened() {}, asideFrame() {} }, gone() {},
    options: { iceServers: () => [], senders: () => [], connectTimeout: 15_000, webrtc, atHome: false, budget: new Budget(), arrival: () => ({}) },
  });
  t.after(() => link.close());
  link.welcome();
  return { link, hub, made };
}

test('a hub is asked for a sign of life when the path to a peer is interrupted', async (t) => {
  const { link, hub, made: [connection] } = await begun(t);
  connection.open();
  assert.deepEqual([link.state, hub.asked], ['connected', 0]);
  connection.becomes('disconnected');
  assert.deepEqual([link.state, hub.asked], ['interrupted', 1]);
});

test('data follows the connection that works, and the next one catches up', async (t) => {
  const { link, made } = await begun(t);
  const numbers = ({ channels }) => channels.data.sent.map((bytes) => new DataView(bytes.buffer).getUint32(1));
  const say = () => assert.equal(link.trySend(new Uint8Array(1)), true);
  say();
  made[0].open();
  assert.deepEqual(numbers(made[0]), [1]);
  link.restart();
  say();
  assert.deepEqual([made.length, numbers(made[0])], [2, [1, 2]]);
  made[1].open();
  assert.deepEqual(numbers(made[1]), [1, 2]);
  made[1].becomes('disconnected');
  say();
  assert.deepEqual([numbers(made[0]), numbers(made[1])], [[1, 2, 3], [1, 2]]);
  made[1].becomes('connected');
  assert.deepEqual(numbers(made[1]), [1, 2, 3]);
});
