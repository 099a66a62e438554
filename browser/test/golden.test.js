// The golden frames, names and signatures that Go is tested against too.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';
import { decode, encode } from '../codec.js';
import { byeText, cardText, isGenuine, memberID, pairText, proofText, verifier } from '../identity.js';
import { inflate } from '../inflate.js';
import { fromBase64url, toBase64url } from '../json.js';
import { MAX } from '../limits.js';
import { cleanName, nameProblem } from '../name.js';
import { safetyNumber } from '../safety.js';
import { endpointOf, hubURL } from '../signaling.js';

const testdata = new URL('../../signal/testdata/', import.meta.url);
const read = (name) => readFileSync(new URL(name, testdata));
const readJSON = (name) => JSON.parse(read(name));
const frames = (folder) => readdirSync(new URL(`${folder}/`, testdata))
  .filter((name) => name.endsWith('.frame'))
  .map((name) => [name.replace('.frame', ''), new Uint8Array(read(`${folder}/${name}`))]);

for (const [name, bytes] of frames('valid')) {
  test(`valid: ${name}`, () => {
    const frame = decode(bytes);
    if (Object.keys(frame).length > 1) assert.deepEqual(decode(encode(frame)), frame);
  });
}

const codes = readJSON('invalid.json');
for (const [name, bytes] of frames('invalid')) {
  test(`invalid: ${name}`, async () => {
    let code = '';
    try {
      // Whether an id follows from its key takes a hash, so decode leaves it to its caller.
      const { self } = decode(bytes);
      if (self && !(await isGenuine(self))) code = 'malformed';
    } catch (error) {
      code = error.code;
    }
    assert.equal(code, codes[name]);
  });
}

test('endpoints', () => {
  const rows = readJSON('endpoints.json');
  assert.ok(rows.length > 20);
  for (const { url, endpoint } of rows) assert.equal(endpointOf(hubURL(url)), endpoint, url);
});

test('names', () => {
  for (const { name, valid, why } of readJSON('names.json')) {
    assert.equal(nameProblem(name) === '', valid, `${JSON.stringify(name)}: ${why}`);
  }
});

test('names as they are typed', () => {
  for (const { typed, clean } of readJSON('cleaned.json')) assert.equal(cleanName(typed), clean);
});

test('ids, texts and signatures', async () => {
  const { identities, proofs, byes, cards, pairs } = readJSON('signing.json');
  const verifiers = new Map();
  for (const { name, key, id } of identities) {
    assert.equal(await memberID(fromBase64url(key)), id);
    verifiers.set(name, verifier(fromBase64url(key)));
  }
  for (const p of proofs) {
    assert.equal(proofText(p.endpoint, p.room, p.session, fromBase64url(p.nonce)), p.text);
    assert.ok(await verifiers.get(p.signer)(p.text, fromBase64url(p.signature)));
  }
  for (const b of byes) {
    assert.equal(byeText(b.endpoint, b.room, b.session, fromBase64url(b.nonce)), b.text);
    assert.ok(await verifiers.get(b.signer)(b.text, fromBase64url(b.signature)));
  }
  for (const c of cards) {
    const offer = fromBase64url(c.offer);
    assert.equal(cardText(c.room, c.session, offer), c.text);
    assert.ok(await verifiers.get(c.signer)(c.text, fromBase64url(c.signature)));
    assert.equal(await inflate(offer, MAX.frame), c.body);
  }
  for (const p of pairs) {
    const frame = decode(p.frame);
    const from = identities.find((i) => i.name === p.signer).id;
    assert.equal(pairText(frame, p.room, from), p.text, p.name);
    assert.equal(toBase64url(frame.signature), p.signature);
    assert.ok(await verifiers.get(p.signer)(p.text, frame.signature));
  }
});

test('safety numbers', async () => {
  for (const { a, b, digits, emoji } of readJSON('safety.json')) {
    assert.deepEqual(await safetyNumber({ id: a }, { id: b }), { digits, emoji });
    assert.deepEqual(await safetyNumber({ id: b }, { id: a }), { digits, emoji });
  }
});
