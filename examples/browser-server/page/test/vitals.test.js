// What is said of a connection, out of statistics.
import assert from 'node:assert/strict';
import test from 'node:test';
import { repeat } from '../repeat.js';
import { causes, Looks, measure, pathOf, streamsOf } from '../vitals.js';

const entries = (list) => new Map(list.map((entry) => [entry.id, entry]));

// A call after n seconds: each 10 kB out and 20 kB in, 80 packets of sound and 20 lost, and a picture that froze for 0.25 s.
const after = (n, more = {}) => ({
  at: 1000 * n,
  report: entries([
    { id: 'P', type: 'candidate-pair', nominated: true, state: 'succeeded', localCandidateId: 'L', remoteCandidateId: 'R', bytesSent: 10_000 * n, bytesReceived: 20_000 * n },
    { id: 'L', type: 'local-candidate', candidateType: 'host', protocol: 'udp', address: '192.168.7.7', port: 7777, ...more },
    { id: 'R', type: 'remote-candidate', candidateType: 'prflx', protocol: 'udp', address: 'x.local' },
    { id: 'A', type: 'inbound-rtp', kind: 'audio', codecId: 'C', packetsReceived: 80 * n, packetsLost: 20 * n, concealedSamples: 9600 * n, silentConcealedSamples: 0 },
    { id: 'V', type: 'inbound-rtp', kind: 'video', packetsReceived: 0, packetsLost: 0, freezeCount: 2 * n, totalFreezesDuration: 0.25 * n, frameWidth: 640, frameHeight: 360 },
    { id: 'C', type: 'codec', mimeType: 'audio/opus' },
  ]),
});

test('vitals: rates, losses and standstills between two looks', () => {
  const { path, ...rest } = measure(after(10), after(12));
  assert.deepEqual(rest, { sent: 80_000, received: 160_000, lostTheirs: 0.2, frozen: 250, gaps: 200 });
  assert.deepEqual(path, { local: 'host', remote: 'prflx', protocol: 'udp', relayed: false });
  assert.deepEqual(causes({ ...rest, lostOurs: 0.05, roundTrip: 450.4 }), [['whyLostTheirs', 20], ['whyLostOurs', 5], ['whySlow', 450], ['whyFrozen'], ['whyGaps']]);
  assert.deepEqual(causes({ lostOurs: 0.03, lostTheirs: 0.03, roundTrip: 399, frozen: 99, gaps: 99 }), []);
});

test('vitals: what comes by another pair than what goes counts too', () => {
  const apart = (n) => {
    const { at, report } = after(n);
    report.set('P', { ...report.get('P'), bytesReceived: 7 });
    report.set('Q', { id: 'Q', type: 'candidate-pair', nominated: false, state: 'succeeded', bytesSent: 0, bytesReceived: 3000 * n });
    return { at, report };
  };
  const { sent, received } = measure(apart(10), apart(12));
  assert.deepEqual([sent, received], [80_000, 24_000]);
});

test('vitals: the first look knows no rates, and no statistics are no error', () => {
  const { sent, received, lostTheirs, frozen, gaps } = measure(null, after(3));
  assert.deepEqual([sent, received, lostTheirs, frozen, gaps], [null, null, null, null, null]);
  assert.deepEqual(causes(measure(null, { report: new Map(), at: 1 })), []);
  assert.equal(pathOf(new Map()), null);
});

test('vitals: a path by its types and protocol, without addresses', () => {
  const relay = after(1, { candidateType: 'relay', relayProtocol: 'tls' });
  assert.deepEqual(pathOf(relay.report), { local: 'relay', remote: 'prflx', protocol: 'tls', relayed: true });
  assert.equal(pathOf(after(1, { candidateType: 'fe80::1', protocol: '10.0.0.1' }).report).local, 'unknown');
  assert.ok(!JSON.stringify([measure(after(1), after(2)), streamsOf(after(2).report)]).match(/192|7777|local"?:? *"?x/));
});

test('vitals: streams, at most 32', () => {
  assert.deepEqual(streamsOf(after(1).report)[0], { way: 'in', kind: 'audio', codec: 'audio/opus', width: 0, height: 0, rate: 0, packets: 80, lost: 20 });
  const many = entries(Array.from({ length: 100 }, (_, i) => ({ id: i, type: 'outbound-rtp', kind: 'audio' })));
  assert.equal(streamsOf(many).length, 32);
});

test('vitals: the time in which a camera was off is no freeze', async () => {
  const off = after(11);
  Object.assign(off.report.get('V'), { freezeCount: 21, totalFreezesDuration: 62.5 });
  assert.equal(measure(after(10), off).frozen, 0);
  const reports = [after(10), after(11), off, after(12)].map(({ report }) => report);
  Object.assign(reports[3].get('V'), { freezeCount: 22, totalFreezesDuration: 62.8 });
  const peer = { connection: 1, stats: () => Promise.resolve(reports.shift()), bandwidth: () => ({}) };
  const looks = new Looks(3);
  const seen = [];
  for (let at = 0; at < 4000; at += 1000) seen.push(await looks.look(peer, at));
  assert.deepEqual(seen.map(({ freezes, freezesTook }) => [freezes, Math.round(100 * freezesTook)]), [[0, 0], [2, 25], [2, 25], [3, 55]]);
});

test('vitals: looks are compared within one connection', async () => {
  const peer = { connection: 1, n: 0, stats() { this.n++; return this.n === 3 ? Promise.reject(new Error('closed')) : Promise.resolve(after(this.n).report); }, bandwidth: () => ({ loss: 0.5, roundTrip: 7, estimate: 1 }) };
  const looks = new Looks(3);
  assert.equal((await looks.look(peer)).sent, null);
  const { sent, lostOurs, roundTrip } = await looks.look(peer);
  assert.ok(sent > 0 && lostOurs === 0.5 && roundTrip === 7);
  assert.equal((await looks.look(peer)).sent, null); // without statistics
  peer.connection = 2;
  assert.equal((await looks.look(peer)).sent, null);
});

test('repeat: goes on after an error, and ends when it is told', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const shown = t.mock.method(console, 'error', () => {});
  let [turns, over] = [0, null];
  const settled = () => new Promise((resolve) => { setImmediate(resolve); });
  const stop = repeat((ended) => {
    over = ended;
    if (++turns === 1) throw new Error('mine');
  });
  await settled();
  t.mock.timers.tick(1000);
  await settled();
  assert.deepEqual([turns, shown.mock.calls.map((c) => String(c.arguments[0])).filter((text) => !text.includes('ExperimentalWarning')), over()], [2, ['Error: mine'], false]);
  stop();
  t.mock.timers.tick(5000);
  await settled();
  assert.deepEqual([turns, over()], [2, true]);
  const last = repeat(async () => { // it is told while it is at it
    turns++;
    await settled();
  });
  last();
  await settled();
  await settled();
  t.mock.timers.tick(5000);
  await settled();
  assert.equal(turns, 3);
});
