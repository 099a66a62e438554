// Signed messages of chat and the frames in which members give them to each other (PROTOCOL.md sections 3 and 4.9). A
// message is {author: id, key: its public key, session, number, order, after: a digest or '', sent, name, text, signature,
// digest, size: of its text}, and is never changed. Digests are hexadecimal digits.

import { Reader, Writer, check } from './binary.js';
import { signedProblem } from './codec.js';
import { subtle } from './identity.js';
import { toBase64url } from './json.js';
import { MAX } from './limits.js';
import { byteLength } from './name.js';

/** The types of frames. */
export const HAVE = 1;
export const WANT = 2;
export const MESSAGES = 3;

export const DIGESTS = 1024; // in a frame
export const BATCH = Math.floor(MAX.data / (26 + 32 + 22 + 24 + 17 + 1 + MAX.name + 2 + MAX.chat + 64)); // messages in a frame

const utf8 = new TextEncoder();
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
const fromHex = (digits) => Uint8Array.from({ length: digits.length / 2 }, (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16));

/** What an author signs. */
export const chatText = (m, room) => [
  'noom.v1 chat', room, m.author, m.session, m.number, m.order, toBase64url(fromHex(m.after)), m.sent, m.name, m.text,
].join('\n');

/** Adds to a message what follows from it. */
export async function withDigest(message, room) {
  const sum = new Uint8Array(await subtle().digest('SHA-256', utf8.encode(chatText(message, room))));
  return { ...message, digest: hex(sum.subarray(0, 16)), size: byteLength(message.text) };
}

/** The message that a frame of the hub has, of a Member. */
export const messageOf = ({ id, key, session }, { text, signed }) =>
  ({ author: id, key, session, ...signed, after: hex(signed.after), text });

/** The field signed of a message's frame. */
export const signedOf = ({ number, order, after, sent, name, signature }) =>
  ({ number, order, after: after === '' ? undefined : fromHex(after), sent, name: name === '' ? undefined : name, signature });

const string = (a, b) => (a < b ? -1 : Number(a > b));

/** Orders messages alike for all members. */
export function compare(a, b) {
  return a.order - b.order || a.sent - b.sent || string(a.author, b.author) || string(a.session, b.session) ||
    a.number - b.number || string(a.digest, b.digest);
}

/** The bytes of a frame: {type, reply, passed, digests, messages}. */
export function encodeFrame({ type, reply = false, passed = 0, digests = [], messages = [] }) {
  const out = new Writer();
  out.byte(type);
  if (type === HAVE) {
    out.byte(reply ? 1 : 0);
    out.long(BigInt(passed));
  }
  if (type !== MESSAGES) out.number(digests.length, 2);
  for (const digest of digests) out.bytes(fromHex(digest));
  for (const m of messages) {
    out.text(m.author);
    out.bytes(m.key);
    out.text(m.session);
    for (const n of [m.number, m.order, m.sent]) out.long(BigInt(n));
    const [after, name] = [fromHex(m.after), utf8.encode(m.name)];
    out.byte(after.length);
    out.bytes(after);
    out.byte(name.length);
    out.bytes(name);
    out.sized(utf8.encode(m.text));
    out.bytes(m.signature);
  }
  return out.done();
}

/** Reads a frame, whose signatures are not checked and whose messages have no digests; null: it is none. */
export function decodeFrame(bytes) {
  if (bytes.length === 0 || bytes.length > MAX.data) return null;
  const from = new Reader(bytes);
  const frame = { type: from.byte(), reply: false, passed: 0, digests: [], messages: [] };
  try {
    BODIES[frame.type](from, frame);
    check(from.empty);
  } catch {
    return null; // it is too short, or of another type, or its text is none
  }
  return frame;
}

const BODIES = {
  [HAVE](from, frame) {
    const reply = from.byte();
    check(reply <= 1);
    frame.reply = reply === 1;
    frame.passed = from.version();
    frame.digests = digests(from);
  },
  [WANT](from, frame) {
    frame.digests = digests(from);
    check(frame.digests.length > 0);
  },
  [MESSAGES](from, frame) {
    do frame.messages.push(message(from)); while (!from.empty);
  },
};

function digests(from) {
  const length = from.number(2);
  check(length <= DIGESTS);
  return Array.from({ length }, () => hex(from.bytes(16)));
}

function message(from) {
  const [author, key, session] = [from.id(), from.bytes(32), from.text(22)];
  const [number, order, sent] = [from.version(), from.version(), from.version()];
  const after = from.bytes(from.byte());
  const name = from.text(from.byte());
  const text = from.text(from.number(2));
  const signature = from.bytes(64);
  check(/^[\w-]{22}$/.test(session) && text !== '' && byteLength(text) <= MAX.chat);
  check(signedProblem({ number, order, after, sent, name, signature }) === '');
  return { author, key, session, number, order, after: hex(after), sent, name, text, signature };
}
