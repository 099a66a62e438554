// What an application that traces a room is told.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Tracer } from '../trace.js';

const peer = { name: '지우' };
const tracer = (to) => new Tracer((id) => (id === 'a' ? peer : undefined), to);

test('trace: type, size and peer, and nothing of what is in a frame', () => {
  const told = [];
  const trace = tracer((frame) => told.push(frame));
  const offer = '{"type":"offer","from":"a","to":"b"}\n{"sdp":"비밀"}';
  trace.frame('in', false, offer);
  trace.frame('out', false, '{"type":"join","token":"secret"}');
  trace.frame('out', true, '{"type":"ack","to":"b"}', 'a');
  trace.frame('in', false, '{"type":"<b>","from":"a"}'); // of a later version, perhaps
  assert.deepEqual(told.map(({ at, ...rest }) => rest), [
    { peer, direction: 'in', inBand: false, type: 'offer', bytes: Buffer.byteLength(offer) },
    { peer: null, direction: 'out', inBand: false, type: 'join', bytes: 32 },
    { peer, direction: 'out', inBand: true, type: 'ack', bytes: 23 },
    { peer, direction: 'in', inBand: false, type: '', bytes: 25 },
  ]);
  assert.ok(told.every(({ at }) => at instanceof Date));
});

test('trace: without one nothing is read, and one that throws costs nothing', (t) => {
  tracer(null).frame('in', false, 'no frame');
  const shown = t.mock.method(console, 'error', () => {});
  tracer(() => { throw new Error('mine'); }).frame('in', false, '{"type":"pong"}');
  assert.equal(shown.mock.callCount(), 1);
});
