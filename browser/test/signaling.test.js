// What a closed WebSocket says about why.

import assert from 'node:assert/strict';
import test from 'node:test';
import { closeError } from '../signaling.js';

const url = new URL('wss://call.example:8443/ws');

test('an address without a path: where hubs are', () => {
  const { message } = closeError({ code: 1006, reason: '' }, new URL('wss://call.example:8443'));
  assert.equal(message, 'noom: no connection to a hub at call.example:8443; hubs are usually at wss://call.example:8443/ws, and the address has no path');
  assert.equal(closeError({ code: 1006, reason: '' }, url).message, 'noom: no connection to a hub at call.example:8443');
});

test('no password and no query of an address in what is said of it', () => {
  for (const code of [1006, 1011]) {
    const { message } = closeError({ code, reason: '' }, new URL('wss://jiwoo:hush@call.example:8443/?hush'));
    assert.ok(message.includes('call.example:8443') && !message.includes('hush'), message);
  }
});

for (const [code, reason, want, says] of [
  [1008, 'bad_proof', 'bad_proof', 'bad_proof'],
  [1007, 'malformed', 'malformed', 'malformed'],
  [1003, 'malformed', 'malformed', 'malformed'],
  [1009, 'too_big', 'too_big', 'too_big'],
  [1009, '', 'too_big', 'too big'],
  [1007, 'Invalid UTF-8.', 'malformed', 'UTF-8'],
  [1002, 'reserved bits', 'unreachable', 'reserved bits (WebSocket status 1002)'],
  [1001, '', 'unreachable', '(WebSocket status 1001)'],
  [1011, 'internal', 'unreachable', 'internal (WebSocket status 1011)'],
  [1006, '', 'unreachable', 'no connection to a hub at call.example:8443'],
  [1008, 'Go away!', 'unreachable', 'Go away! (WebSocket status 1008)'],
]) {
  test(`closed with ${code} "${reason}"`, () => {
    const error = closeError({ code, reason }, url);
    assert.equal(error.code, want);
    assert.ok(error.message.includes(says), error.message);
  });
}
