// A report names nobody and no place, whatever is put in.
import assert from 'node:assert/strict';
import test from 'node:test';
import './navigator.js';
import { Timeline, Ring } from '../timeline.js';
import { reportOf, withoutAddresses } from '../report.js';

const HIDDEN = [
  '192.168.7.7', '2001:db8::7', '[fe80::1%en0]', '::ffff:10.0.0.1', '0b7e1a2c-3d4e-4f50-8a6b-7c8d9e0f1a2b.local', 'a=ice-ufrag:x7Qz', 'a=ice-pwd:8b2cSecretSecretSecret',
  'AB:CD:EF:01:23:45:67:89', '지우', 'Alice', 'Anna Schmidt', 'secret-room', '민준 10.1.2.3', '<img src=x onerror=alert(1)>', 'call.example.com:8443', 'eyJhbGciOiJFZERTQSJ9.e30.c2ln', 'vnrtqmzl2k7w4x3yjfha6sbcde',
];

// What timeline.js keeps, with one text wherever there is a text.
function callWith(text) {
  const lists = {
    events: [{ at: 1, type: text, what: [text, 'connected'] }],
    frames: [{ at: 2, direction: text, inBand: true, type: text, bytes: text }, { at: 3, direction: 'in', inBand: false, type: 'offer', bytes: 3456 }],
  };
  return {
    date: '2026-11-30T01:02:03Z', agent: 'Mozilla/5.0 Chrome/131.0.0.0 (app at 10.9.8.7, phone.local)\n\u202e', online: true, others: 2, left: 0, name: text, room: { ...lists, name: text },
    members: [{
      number: 1, name: text, id: text, gone: false, state: text, quality: text, states: { connectionState: text, iceConnectionState: 'connected', iceGatheringState: text, signalingState: 'have-local-offer' },
      bandwidth: { sent: 81_400, estimate: text, loss: 0.25, roundTrip: 12.4 },
      path: { local: text, remote: 'prflx', protocol: text, relayed: text, address: text },
      streams: [{ way: text, kind: text, codec: `video/${text}`, width: 640, height: 360, rate: 30, packets: text, lost: 7 }, { way: 'in', kind: 'audio', codec: 'audio/opus', width: 0, height: 0, rate: 0, packets: 90, lost: 3 }],
      found: { verdict: text, words: text, code: text, attempts: 1, codecs: [text, 'video/AV1'] },
      ...lists,
    }, { number: 2, name: text, gone: true, ...lists }],
  };
}

test('report: says what is known, and no more', () => {
  for (const text of HIDDEN) {
    const report = reportOf(callWith(text));
    for (const part of [text, ...text.split(/[ :]/).filter((each) => each.length > 3)]) assert.ok(!report.includes(part), `${part}:\n${report}`);
    assert.match(report, /\nMozilla\/5.0 Chrome\/131.0.0.0 \(app at ADDRESS, ADDRESS\)\?\?\nserver/);
    for (const part of ['Member 1\n', 'Member 2\n  has left\n', 'signaling have-local-offer', 'in  offer 3456 B by hub', 'sent 81 kbit/s', 'lost 25 %', 'in  audio opus, packets 90, lost 3', 'av1']) {
      assert.ok(report.includes(part), `${part}:\n${report}`);
    }
  }
  assert.ok(reportOf(callWith('connected')).includes('\n  connected, quality connected\n'));
});

test('report: what looks like an address is none of its words', () => {
  const text = HIDDEN.slice(0, 8).join(' | ');
  const cleaned = withoutAddresses(text);
  for (const part of ['192.168', 'db8', 'fe80', 'ffff', '.local', 'x7Qz', 'Secret', 'AB:CD', '67:89']) assert.ok(!cleaned.includes(part), cleaned);
  assert.equal(withoutAddresses('  1.234 out offer 3456 B in-band; server reachable: 2'), '  1.234 out offer 3456 B in-band; server reachable: 2');
});

test('timeline: members are numbers, and whatever comes is bounded', async () => {
  const timeline = new Timeline();
  const peerOf = (name) => ({
    name, state: 'connected', quality: 'good', bandwidth: () => ({ sent: 0, estimate: 0, loss: 0, roundTrip: 0 }),
    connection: null, stats: () => Promise.reject(new Error('closed')), diagnose: () => Promise.reject(new Error('closed')),
  });
  const stays = peerOf('Anna Schmidt');
  timeline.event({ type: 'peerjoined', peer: stays, existing: true });
  timeline.event({ type: 'peerrenamed', peer: stays, old: '민준' });
  timeline.event({ type: 'trackmuted', peer: stays, track: { kind: 'audio', name: 'fe80::1' }, muted: true });
  timeline.event({ type: 'chatreceived', peer: stays, text: '비밀' });
  for (let i = 0; i < 1000; i++) timeline.frame({ peer: stays, direction: 'in', inBand: true, type: 'offer', bytes: i });
  for (let i = 0; i < 100; i++) {
    const guest = peerOf('10.0.0.1');
    timeline.event({ type: 'peerjoined', peer: guest, existing: false });
    timeline.event({ type: 'peerleft', peer: guest, member: { name: '10.0.0.1' }, reason: 'left' });
  }
  timeline.event({ type: 'signalinglost', error: { code: 'unreachable', message: 'no hub at 10.0.0.1' } });
  const report = await timeline.report();
  assert.match(report, /server out of reach; other members: 1\n/);
  assert.match(report, /Member 1\n {2}connected, quality good\n {2}no path\n.*\n +\d+\.\d{3} peerjoined existing\n +\d+\.\d{3} peerrenamed\n +\d+\.\d{3} trackmuted audio muted\n/);
  assert.equal(report.match(/in {2}offer/g).length, 200);
  assert.ok(report.includes('offer 999 B') && !report.includes('offer 799 B'));
  assert.equal(report.match(/has left/g).length, 16);
  assert.ok(report.includes('Member 101') && !report.includes('Member 50'));
  for (const text of ['Anna', '민준', '비밀', '10.0.0.1', 'fe80', 'chat']) assert.ok(!report.split('\n').slice(2).join('\n').includes(text), text);
  assert.deepEqual(timeline.of(stays).turns['offer in'].count, 1000);
  timeline.event({ type: 'peerstatechanged', peer: stays, state: 'failed' });
  timeline.event({ type: 'peerleft', peer: stays, member: { name: 'Anna Schmidt' }, reason: 'Anna Schmidt' });
  const last = await timeline.report();
  assert.match(last, /Member 1\n {2}has left\n[^]*failed/); // it came before the others, and left last
  assert.ok(last.includes('Member 101') && !last.includes('Anna'));
  assert.equal(last.match(/has left/g).length, 16);
  timeline.forgetFrames();
  assert.ok(!(await timeline.report()).includes('offer'));
});

test('timeline: a ring says what is new in it', () => {
  const ring = new Ring();
  for (let i = 0; i < 250; i++) ring.push(i);
  assert.deepEqual(ring.since(247), [247, 248, 249]);
  assert.deepEqual(ring.since(250), []);
  assert.equal(ring.since(0).length, 200);
  ring.clear();
  assert.deepEqual(ring.since(249), []);
});
