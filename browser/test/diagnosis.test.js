// What is judged of a link, and in which words.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { Candidates } from '../candidates.js';
import { judge, pathOf, typeOf } from '../diagnosis.js';
import { NoomError } from '../errors.js';

const CODES = { timeout: 'not_connected', connection: 'not_connected', DTLS: 'not_connected', description: 'description', credit: 'malformed' };

test('the findings of Go, in its words', () => {
  const rows = JSON.parse(readFileSync(new URL('../../internal/diagnose/testdata/diagnoses.json', import.meta.url), 'utf8'));
  assert.ok(rows.length > 20);
  for (const { name, evidence: { error: cause, ...evidence }, verdict, words } of rows) {
    const error = cause ? new NoomError(CODES[cause], cause) : null;
    const got = judge({ ...evidence, error });
    assert.equal(got.verdict, verdict, name);
    if (verdict === 'protocol broken') assert.match(got.words, /run the same version of noom/); // behind an error of its own
    else if (verdict === 'codec not shared') assert.match(got.words, /none of video\/AV1;/); // a page offers all it has
    else assert.equal(got.words, words.replace('in its Config.Verify', 'by its option verify').replace('Config.ICEServers', 'the option iceServers'), name);
    if (verdict === 'TURN refused') assert.equal(got.error.code, 'turn_refused');
    else assert.equal(got.error, error);
  }
});

test('candidates', () => {
  assert.equal(typeOf('candidate:1 1 udp 1677729535 203.0.113.7 5000 typ srflx raddr 0.0.0.0 rport 0'), 'srflx');
  assert.equal(typeOf(''), '');
});

test('the path in use', () => {
  const report = new Map([
    ['T', { type: 'transport', selectedCandidatePairId: 'P' }],
    ['O', { type: 'candidate-pair', nominated: true, state: 'succeeded', localCandidateId: 'L', remoteCandidateId: 'L' }],
    ['P', { type: 'candidate-pair', localCandidateId: 'L', remoteCandidateId: 'R', currentRoundTripTime: 0.025 }],
    ['L', { candidateType: 'host', protocol: 'udp', address: '192.0.2.1', port: 5000 }],
    ['R', { candidateType: 'relay', protocol: 'udp', port: 49152 }],
  ]);
  const path = { local: { type: 'host', protocol: 'udp', address: '192.0.2.1', port: 5000 }, remote: { type: 'relay', protocol: 'udp', address: null, port: 49152 }, rtt: 25, relayed: true };
  assert.deepEqual(pathOf(report), path);
  report.get('P').currentRoundTripTime = 0; // Firefox knows whole milliseconds
  assert.equal(pathOf(report).rtt, 0);
  delete report.get('P').currentRoundTripTime;
  assert.equal(pathOf(report).rtt, null);
  for (const hidden of ['', '(redacted)', null]) {
    report.get('R').address = hidden;
    assert.equal(pathOf(report).remote.address, null, `${hidden}`);
  }
  report.delete('T'); // not every browser reports it
  report.get('P').state = 'failed';
  assert.deepEqual(pathOf(report).remote.type, 'host');
  assert.equal(pathOf(new Map()), null);
});

test('a TURN server that refuses without a word', () => {
  const pc = {};
  const candidates = new Candidates(pc, {});
  pc.onicecandidateerror({ url: 'turn:turn.example:3478?transport=udp', errorCode: 401, errorText: '' });
  assert.deepEqual(candidates.evidence.refusal, { server: 'turn.example:3478', reason: 'error 401' });
  pc.onicecandidateerror({ url: 'turn:turn.example:3478', errorCode: 401, errorText: 'Unauthorized' });
  assert.deepEqual(candidates.evidence.refusal, { server: 'turn.example:3478', reason: 'Unauthorized (error 401)' });
});
