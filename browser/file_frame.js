// The frames of a channel that carries a file (PROTOCOL.md section 4.6), and what both ends keep to.

export const LABEL = 'noom.file'; // of a channel that carries a file
export const PREFIX = 'noom.'; // of labels that no application's channel may have
export const CHUNK = 32_768; // bytes in a chunk but the last
export const WINDOW = 24; // chunks sent and not known to be written
export const MAX_SIZE = 2 ** 46; // bytes in a file
export const KIND = Object.freeze({ offer: 1, noted: 2, accept: 3, chunk: 4, have: 5, done: 6, cancel: 7 });

/** Why a file did not arrive: the codes of a cancel frame, and unsupported, which is never sent. */
export const CODE = Object.freeze({
  none: 0, declined: 1, cancelled: 2, changed: 3, failed: 4, busy: 5, tooBig: 6, stalled: 7, broken: 8, unsupported: 9,
});

const ID = 16; // bytes
const HASH = 32;
const OFFER_HEAD = 1 + ID + 8;
export const CHUNK_HEAD = 5 + HASH;
const MAX_NAME = 255;

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function offerFrame({ id, size, name }) {
  const bytes = new TextEncoder().encode(name);
  const frame = new Uint8Array(OFFER_HEAD + bytes.length);
  frame[0] = KIND.offer;
  frame.set(id, 1);
  new DataView(frame.buffer).setBigUint64(1 + ID, BigInt(size));
  frame.set(bytes, OFFER_HEAD);
  return frame;
}

/** The {id, size, name} of an offer, id as text; null if the frame is none. */
export function parseOffer(frame) {
  if (frame.length <= OFFER_HEAD || frame.length > OFFER_HEAD + MAX_NAME || frame[0] !== KIND.offer) return null;
  const size = Number(viewOf(frame).getBigUint64(1 + ID));
  if (size > MAX_SIZE) return null;
  try {
    return { id: frame.slice(1, 1 + ID).join(), size, name: utf8.decode(frame.subarray(OFFER_HEAD)) };
  } catch {
    return null;
  }
}

/** H(0) of an offer. */
export const firstHash = (offer) => digest(offer);

/** The hash after one more chunk. */
export function nextHash(hash, chunk) {
  const both = new Uint8Array(HASH + chunk.length);
  both.set(hash);
  both.set(chunk, HASH);
  return digest(both);
}

const digest = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

export const chunksIn = (size) => Math.ceil(size / CHUNK);

/** Where chunk n of a file begins, and its length. */
export const chunkAt = (n, size) => ({ offset: n * CHUNK, length: Math.min(CHUNK, size - n * CHUNK) });

export const notedFrame = () => Uint8Array.of(KIND.noted);

export function haveFrame(n) {
  const frame = new Uint8Array(5);
  frame[0] = KIND.have;
  viewOf(frame).setUint32(1, n);
  return frame;
}

export const acceptFrame = (n, hash) => proofFrame(KIND.accept, n, hash, new Uint8Array());

export const chunkFrame = (n, hash, chunk) => proofFrame(KIND.chunk, n, hash, chunk);

function proofFrame(kind, n, hash, rest) {
  const frame = new Uint8Array(CHUNK_HEAD + rest.length);
  frame[0] = kind;
  viewOf(frame).setUint32(1, n);
  frame.set(hash, 5);
  frame.set(rest, CHUNK_HEAD);
  return frame;
}

/** The number, and the hash, in a frame that has both. */
export const proofIn = (frame) => ({ n: numberIn(frame), hash: frame.subarray(5, CHUNK_HEAD) });

export const numberIn = (frame) => viewOf(frame).getUint32(1);

export function doneFrame(hash) {
  const frame = new Uint8Array(1 + HASH);
  frame[0] = KIND.done;
  frame.set(hash, 1);
  return frame;
}

export const cancelFrame = (code) => Uint8Array.of(KIND.cancel, code === CODE.unsupported ? CODE.cancelled : code);

/** The code of a cancel frame; 0 if it has none. */
export function codeIn(frame) {
  if (frame.length !== 2) return CODE.none;
  return frame[1] === CODE.none || frame[1] > CODE.broken ? CODE.cancelled : frame[1];
}

export const equal = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);

const viewOf = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
