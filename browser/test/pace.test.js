// What a member may make us do.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Admission } from '../admission.js';
import { Candidates, ufragOf } from '../candidates.js';
import { decodeBody } from '../body.js';
import { Bucket, Conduct, Conducts } from '../conduct.js';
import { RemoteCandidates } from '../remote_candidates.js';

const times = (n, f) => Array.from({ length: n }, (_, i) => f(i));

test('a bucket that has waited as it said has what it was asked for', () => {
  const bucket = new Bucket([3, 7]);
  for (let now = 1000; now < 20_000;) {
    assert.ok(bucket.take(now));
    now += bucket.wait(now);
  }
  assert.ok(new Bucket([1, 5]).full(0));
});

test('connections that a member makes us build: twelve at once, then one in 2.5 s', () => {
  const conduct = new Conduct();
  const built = (n, now) => times(n, () => conduct.build(now)).filter((wait) => wait === 0).length;
  assert.equal(built(40, 1_000), 12);
  assert.equal(built(40, 3_400), 0);
  assert.equal(conduct.wait(3_400), 100);
  assert.equal(built(40, 3_500), 1);
  assert.equal(built(40, 3_600_000), 12);
});

test('many members together have a page build no more than a full room needs', () => {
  const conducts = new Conducts();
  let built = 0;
  for (let now = 0; now < 10_000; now += 100) {
    for (let m = 0; m < 60; m++) if (conducts.of(`m${m}`, () => true, now).build(now) === 0) built++;
  }
  assert.ok(built >= 130 && built <= 136, `${built} in 10 s`);
});

test('a member that floods us waits longer each time, whatever it comes back as', () => {
  const conduct = new Conduct();
  for (const [i, want] of [10, 20, 40, 80, 160, 320, 600, 600].entries()) {
    const now = i * 900_000;
    conduct.fault(now);
    assert.equal(conduct.wait(now), want * 1000);
    assert.equal(conduct.wait(now + want * 1000), 0);
    assert.ok(!conduct.clean(now + 890_000));
  }
  const later = 8 * 900_000 + 4_000_000;
  assert.ok(conduct.clean(later));
  conduct.fault(later);
  assert.equal(conduct.wait(later), 10_000);
});

test('a flood of frames is dropped at first, and ends the link when it goes on', () => {
  const conduct = new Conduct();
  const counts = { taken: 0, dropped: 0, flood: 0 };
  for (const verdict of times(5_010, () => conduct.frame(5))) counts[verdict]++;
  assert.deepEqual(counts, { taken: 4000, dropped: 1000, flood: 10 });
  assert.ok(conduct.byHub(5)); // which need not be the member's own
  assert.ok(!conduct.described(5, false));
  assert.deepEqual(times(3, () => conduct.described(1_005, true)), [true, true, false]);
});

test('a room remembers a bounded number of members, and rather those that flooded it', () => {
  const conducts = new Conducts();
  const absent = () => false;
  const bad = conducts.of('bad', absent, 0);
  bad.fault(0);
  for (const i of times(5000, (n) => n)) conducts.of(`id${i}`, absent, 0);
  assert.ok(conducts.size <= 1024);
  assert.equal(conducts.of('bad', absent, 0), bad);
});

test('of a crowd that comes and goes, few are built for; those that stay have their turn, in order', () => {
  const admission = new Admission();
  let now = 0;
  let built = 0;
  for (const who of times(10_000, (i) => `a${i}`)) {
    admission.ask(who, now);
    if (admission.next(now).turn) built++;
    admission.done(who);
    now++;
  }
  assert.ok(built >= 17 && built <= 19, `${built} in 10 s`);
  const order = [];
  for (const who of times(100, (i) => i)) admission.ask(who, now);
  for (let again = 1, turn; order.length < 100; now += again) {
    assert.ok(again > 0 || turn !== null);
    ({ turn, again } = admission.next(now));
    if (turn !== null) order.push(turn);
  }
  assert.deepEqual(order, times(100, (i) => i));
});

test('of a mesh of sixteen that comes at once, eight do not wait and seven wait for half a second', () => {
  const admission = new Admission();
  for (const who of times(15, (i) => i)) admission.ask(who, 100);
  const built = (now) => {
    let n = 0;
    for (let turn = admission.next(now).turn; turn !== null; turn = admission.next(now).turn) {
      admission.done(turn); // it is up
      n++;
    }
    return n;
  };
  assert.deepEqual([built(100), admission.next(100).again, built(599), built(600)], [8, 500, 0, 7]);
});

const candidate = (host, port, rest = 'typ host', transport = 'udp') => `candidate:1 1 ${transport} 1 ${host} ${port} ${rest}`;
const yes = () => true;

test('candidates that a page sends to, and those that it does not', () => {
  const taken = (text, loopback = false) => new RemoteCandidates(loopback).take(text, yes);
  for (const text of [
    candidate('192.168.1.7', 50000), `a=${candidate('203.0.113.4', 1025, 'typ srflx raddr 0.0.0.0 rport 0', 'UDP')}`,
    candidate('2001:db8::1', 443, 'typ relay'), candidate('4f6f6d2c-8e3e-4a2b-9d1a-3f5f00c0ffee.local', 50000),
    candidate('192.168.1.7', 9, 'typ host tcptype active', 'tcp'), candidate('10.1.2.3', 7881, 'typ host tcptype passive', 'tcp'),
  ]) assert.ok(taken(text), text);
  const local = [candidate('127.0.0.1', 50000), candidate('::1', 50000), candidate('0:0:0:0:0:0:0:1', 50000), candidate('::ffff:127.0.0.1', 50000), candidate('::ffff:7f00:1', 50000)];
  for (const text of local) assert.ok(!taken(text) && taken(text, true), text);
  for (const text of [
    candidate('0.0.0.0', 50000), candidate('::', 50000), candidate('255.255.255.255', 50000), candidate('239.1.2.3', 50000),
    candidate('ff02::1', 50000), candidate('169.254.169.254', 50000), candidate('192.168.1.7', 0), candidate('192.168.1.7', 53),
    candidate('192.168.1.7', 5353), candidate('192.168.1.7', 99999), candidate('victim.example', 50000), candidate('a.b.local', 50000),
    candidate('12345::1::2', 50000), candidate('192.168.1.7', 50000, 'typ host', 'sctp'), 'hello', '',
  ]) assert.ok(!taken(text, true), text);
});

test('so many candidates of a generation, of an address and with a name; the same again is none', () => {
  const count = (form) => {
    const judge = new RemoteCandidates(false);
    times(128, (i) => judge.take(form(i), yes));
    return times(128, (i) => judge.take(form(i), yes)).filter(Boolean).length;
  };
  assert.equal(count((i) => candidate(`10.0.0.${i}`, 50000)), 40);
  assert.equal(count((i) => candidate('10.0.0.1', 2000 + i)), 12);
  assert.equal(count((i) => candidate(`host-${i}.local`, 50000)), 8);
  assert.ok(!new RemoteCandidates(false).take(candidate('x.local', 5000), () => false));
});

test('a candidate of a description is judged however its line is written: Firefox takes it in any case, with any blanks', () => {
  const names = ['candidate:', 'CANDIDATE:', ':Candidate ', ' candidate\t: '];
  for (const name of names) {
    for (const end of ['\r\n', '\n', '\r']) {
      const line = (address) => `a=${name}1 1 udp 1 ${address} 4000 typ host${end}`;
      const sdp = ['v=0', 'm=application 9 UDP/DTLS/SCTP webrtc-datachannel', `a=Ice-Ufrag: u${names.indexOf(name)}`, ''].join(end);
      const candidates = new Candidates({}, { atHome: false, lookup: () => true });
      assert.equal(candidates.taken(sdp + line('169.254.169.254') + line('192.0.2.1')), sdp + line('192.0.2.1'));
      candidates.described(sdp + line('192.0.2.1'));
      assert.equal(candidates.ufrag, `u${names.indexOf(name)}`);
      assert.deepEqual(candidates.evidence.theirs, ['host']);
      // In a later description of the same generation they count on.
      const many = times(60, (i) => line(`192.0.2.${i + 1}`)).join('');
      assert.equal(candidates.taken(sdp + many).split('192.0.2.').length - 1, 40);
      assert.throws(() => decodeBody('offer', JSON.stringify({ id: 1, sdp: sdp + line('192.0.2.1').repeat(129) })), /129 candidates/);
    }
  }
  assert.equal(ufragOf('v=0\r\n'), '');
});
