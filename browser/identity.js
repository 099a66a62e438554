// The identity of a member (PROTOCOL.md section 3): an Ed25519 key pair, made with every load of the page
// and kept only in memory, and the texts it signs.

import { memberProblem } from './codec.js';
import { NoomError } from './errors.js';
import { toBase64url } from './json.js';

const utf8 = new TextEncoder();

/** What a member signs to answer a challenge. */
export const proofText = (endpoint, room, session, nonce) =>
  ['noom.v1 join', endpoint, room, session, toBase64url(nonce)].join('\n');

/** What a member signs to say bye apart from its connection, which joined gave that nonce. */
export const byeText = (endpoint, room, session, nonce) =>
  ['noom.v1 bye', endpoint, room, session, toBase64url(nonce)].join('\n');

/** What a newcomer signs of its card. */
export const cardText = (room, session, offer) => ['noom.v1 card', room, session, toBase64url(offer)].join('\n');

/** What a member signs of a pair frame; from is the sender's id. */
export const pairText = (m, room, from) =>
  ['noom.v1 pair', m.type, room, from, m.to, ...m.sessions, m.epoch[0], m.epoch[1], m.seq, m.ack, m.body ?? ''].join('\n');

/** Draws a session: 128 random bits as base64url. */
export const newSession = () => toBase64url(crypto.getRandomValues(new Uint8Array(16)));

/** Draws a track or chat id: 96 random bits as base64url. */
export const newLabel = () => toBase64url(crypto.getRandomValues(new Uint8Array(12)));

/** The id that follows from a public key. */
export async function memberID(key) {
  const sum = new Uint8Array(await subtle().digest('SHA-256', key));
  return base32(sum).slice(0, 26);
}

/** Reports whether a Member keeps the rules and its id follows from its key. */
export async function isGenuine(member) {
  return memberProblem(member) === '' && (await memberID(member.key)) === member.id;
}

/** A key pair. sign gives the 64 bytes of a signature over a text. */
export class Identity {
  #privateKey;

  constructor(id, key, privateKey) {
    this.id = id;
    this.key = key;
    this.#privateKey = privateKey;
  }

  /** Draws a key pair. Throws insecure_context or unsupported. */
  static async generate() {
    try {
      const pair = await subtle().generateKey('Ed25519', false, ['sign', 'verify']);
      const key = new Uint8Array(await subtle().exportKey('raw', pair.publicKey));
      return new Identity(await memberID(key), key, pair.privateKey);
    } catch (cause) {
      if (cause instanceof NoomError) throw cause;
      throw new NoomError('unsupported', 'this browser has no Ed25519; use a current Chrome, Edge, Firefox or Safari', { cause });
    }
  }

  async sign(text) {
    if (typeof text !== 'string') throw new NoomError('bad_argument', 'what is signed is a string');
    return new Uint8Array(await subtle().sign('Ed25519', this.#privateKey, utf8.encode(text)));
  }
}

/**
 * Gives a function (text, signature) → Promise<boolean> for one public key. forged is called once, because a forger can
 * make many.
 */
export function verifier(key, forged = () => {}) {
  let told = false;
  const imported = subtle().importKey('raw', key, 'Ed25519', false, ['verify']);
  imported.catch(() => {}); // reported by the first verification
  return async (text, signature) => {
    let good = false;
    try {
      good = await subtle().verify('Ed25519', await imported, signature, utf8.encode(text));
    } catch {
      // 32 bytes that are no point of the curve
    }
    if (!good && !told) {
      told = true;
      forged();
    }
    return good;
  };
}

/** WebCrypto. Throws insecure_context where there is none. */
export function subtle() {
  if (!globalThis.crypto?.subtle) {
    throw new NoomError('insecure_context', 'the browser gives no cryptography to pages over plain http; open this one over https or on localhost');
  }
  return crypto.subtle;
}

function base32(bytes) {
  const bits = Array.from(bytes, (b) => b.toString(2).padStart(8, '0')).join('');
  return bits.match(/.{5}/g).map((five) => 'abcdefghijklmnopqrstuvwxyz234567'[parseInt(five, 2)]).join('');
}
