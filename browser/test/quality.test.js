// The scenes that the Go machine is tested with, in internal/quality; and what is read out of a browser's statistics.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { idle, measure, Meter } from '../meter.js';
import { Machine } from '../quality.js';

const scenes = JSON.parse(readFileSync(new URL('../../internal/quality/testdata/scenes.json', import.meta.url), 'utf8'));

function play({ what, seconds }) {
  const machine = new Machine();
  let said = '';
  for (const { count, interrupted, ...measured } of seconds) {
    for (let i = 0; i < count; i++) {
      const before = machine.quality;
      const changed = interrupted ? machine.interrupt() : machine.step(measured);
      assert.equal(changed, machine.quality !== before, what);
      said += machine.quality[0];
    }
  }
  return said;
}

test('quality: every scene', () => {
  assert.ok(scenes.length > 10);
  for (const scene of scenes) assert.equal(play(scene), scene.quality, scene.what);
});

// Two reports of a browser, a second apart.
function looks(...entries) {
  const at = (n) => ({ at: 1000 * n, report: new Map(entries.map((make) => make(n)).map((entry) => [entry.id, entry])) });
  return [at(1), at(2)];
}

const outbound = (n) => ({ id: 'o', type: 'outbound-rtp', packetsSent: 50 * n, bytesSent: 4000 * n, headerBytesSent: 1000 * n, retransmittedBytesSent: 100 * n });
const told = () => ({ id: 'r', type: 'remote-inbound-rtp', localId: 'o', fractionLost: 0.1, roundTripTime: 0.2 });
const pair = () => ({ id: 'p', type: 'candidate-pair', nominated: true, state: 'succeeded', availableOutgoingBitrate: 1e6, currentRoundTripTime: 0.05 });

test('quality: what a browser reports', () => {
  assert.deepEqual(measure(...looks(outbound, told, pair), new Set()), {
    bandwidth: { estimate: 1e6, sent: 39_200, loss: 0.1, roundTrip: 200, queue: 0 },
    sample: { loss: 0.1, roundTrip: 200, queue: 0, stalled: 0 },
  });
  const idle = () => outbound(0); // what was said of it long ago is over
  const { bandwidth } = measure(...looks(idle, told, pair), new Set());
  assert.deepEqual(bandwidth, { estimate: 1e6, sent: 0, loss: 0, roundTrip: 50, queue: 0 });
  assert.deepEqual(measure(...looks(), new Set()).bandwidth, { estimate: 0, sent: 0, loss: 0, roundTrip: 0, queue: 0 });
});

test('quality: what stands still', () => {
  const video = (more) => (n) => ({ id: 'v', type: 'inbound-rtp', kind: 'video', trackIdentifier: 't', packetsReceived: 90 * n, packetsLost: 10 * n, totalFreezesDuration: 0.4 * n, ...more });
  const audio = (n) => ({ id: 'a', type: 'inbound-rtp', kind: 'audio', trackIdentifier: 'u', packetsReceived: 50 * n, packetsLost: 0, concealedSamples: 34_000 * n, silentConcealedSamples: 10_000 * n });
  const sampled = (silent, ...entries) => measure(...looks(...entries), new Set(silent)).sample;
  const near = (got, want) => assert.ok(Math.abs(got.loss - want.loss) < 1e-9 && Math.abs(got.stalled - want.stalled) < 1e-6, JSON.stringify(got));
  near(sampled([], video({})), { loss: 0.1, stalled: 400 });
  near(sampled(['t'], video({})), { loss: 0, stalled: 0 });
  near(sampled([], video({}), audio), { loss: 10 / 150, stalled: 500 });
  near(sampled([], video({ contentType: 'screenshare' })), { loss: 0.1, stalled: 0 });
  const longAgo = (n) => ({ ...video({})(n), totalFreezesDuration: 60 * n });
  near(sampled([], longAgo), { loss: 0.1, stalled: 3000 });
});

test('quality: a track that is not sent does not stand still', () => {
  const stream = (id, packets) => (n) => ({ id, type: 'inbound-rtp', trackIdentifier: `${id}!`, packetsReceived: packets * n + 5 });
  const way = (bytes) => (n) => ({ ...pair(), bytesReceived: bytes * n });
  assert.deepEqual(idle(...looks(stream('a', 0), stream('b', 9), way(100))), ['a!']);
  assert.deepEqual(idle(...looks(stream('a', 0), stream('b', 0), way(100))), ['a!', 'b!']);
  assert.deepEqual(idle(...looks(stream('a', 0), stream('b', 0), way(0))), []); // nothing arrives at all
  assert.deepEqual(idle(...looks(stream('a', 0))), []);
  assert.deepEqual(idle(...looks(stream('a', 0), way(0), (n) => ({ ...way(100)(n), id: 'by which the peer sends' }))), ['a!']);
});

test('quality: looks only while the peer is connected', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let asked = 0;
  const entry = (n) => ({ id: 'v', type: 'inbound-rtp', kind: 'video', packetsReceived: 10 * n, packetsLost: 10 * n });
  const pc = { getStats: async () => new Map([['v', entry(++asked)]]) };
  const changes = [];
  const meter = new Meter({ pc: () => pc, muted: () => [], changed: (quality) => changes.push(quality), bounded() {} });
  const pass = async (seconds) => {
    for (let i = 0; i < seconds; i++) {
      t.mock.timers.tick(1000);
      await new Promise((resolve) => { setTimeout(resolve, 2); });
    }
  };
  await pass(3);
  assert.equal(asked, 0);
  meter.state('connected');
  await pass(4);
  assert.equal(asked, 4);
  assert.deepEqual(changes, ['poor']);
  meter.state('interrupted');
  meter.state('failed');
  await pass(3);
  assert.equal(asked, 4);
  assert.deepEqual(changes, ['poor', 'lost']);
  assert.equal(meter.bandwidth.sent, 0);
  meter.state('connected');
  await pass(1); // the first look only begins to count
  assert.equal(meter.quality, 'lost');
  pc.getStats = async () => { throw new Error('closed'); };
  await pass(2);
  meter.close();
  assert.equal(meter.quality, 'good');
});
