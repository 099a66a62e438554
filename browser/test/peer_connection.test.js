// What is said of ICE servers that a browser does not take.
import assert from 'node:assert/strict';
import test from 'node:test';
import { newPeerConnection } from '../peer_connection.js';

class Strict {
  #config;

  signalingState = 'stable';

  constructor(config) { this.setConfiguration(config); }

  getConfiguration() { return this.#config; }

  setConfiguration(config) {
    for (const { urls } of config.iceServers ?? []) if (urls.includes('@')) throw new SyntaxError(`'${urls}' is not a valid TURN URL`);
    this.#config = config;
  }
}

test('a server with a password in its URL is left out, and the password is not said', (t) => {
  const warn = t.mock.method(console, 'warn', () => {});
  const good = { urls: 'stun:call.example' };
  const pc = newPeerConnection({ RTCPeerConnection: Strict }, [good, { urls: 'turn:jiwoo:hush@call.example' }]);
  assert.deepEqual(pc.getConfiguration().iceServers, [good]);
  const said = warn.mock.calls.map(({ arguments: [text] }) => text);
  assert.equal(said.at(-1), "noom: an ICE server that cannot be used is left out: 'turn:…@call.example' is not a valid TURN URL");
  assert.ok(!said.join().includes('hush'));
});
