import assert from 'node:assert/strict';
import test from 'node:test';
import { decode } from '../codec.js';
import { Goodbye } from '../goodbye.js';
import { byeText, Identity, newSession, verifier } from '../identity.js';

test('a goodbye is signed ahead, for one connection, and posted to where it was dialled', async (t) => {
  const posts = [];
  t.mock.method(globalThis, 'fetch', async (url, { body }) => posts.push([String(url), body]));
  const identity = await Identity.generate();
  const session = newSession();
  const goodbye = new Goodbye({ url: new URL('wss://hub.example:8443/x/ws?y'), identity, session, room: '데모' });
  goodbye.post();
  await goodbye.prepare(); // by a hub that takes none
  goodbye.post();
  assert.deepEqual(posts, [], 'nothing was signed');

  const [first, second] = [1, 2].map((n) => new Uint8Array(32).fill(n));
  await Promise.all([goodbye.prepare(first), goodbye.prepare(second)]);
  goodbye.post();
  goodbye.post();
  assert.equal(posts.length, 1, 'it is said once');
  const [[url, body]] = posts;
  assert.equal(url, 'https://hub.example:8443/x/ws?y');
  const { type, room, from, session: of, signature } = decode(body);
  assert.deepEqual([type, room, from, of], ['bye', '데모', identity.id, session]);
  const good = (nonce) => verifier(identity.key)(byeText('hub.example:8443', '데모', session, nonce), signature);
  assert.equal(await good(second), true);
  assert.equal(await good(first), false, 'it is good for another connection');

  await goodbye.prepare(first, new URL('https://relay.example/http')); // a connection by another host
  goodbye.post();
  assert.equal(posts[1][0], url, 'where goodbyes are taken');
  assert.equal(await verifier(identity.key)(byeText('relay.example', '데모', session, first), decode(posts[1][1]).signature), true);
});
