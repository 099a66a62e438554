// The records of a room's state and the frames in which they travel (PROTOCOL.md section 4.8). Pure: bytes go in and come
// out. A record is {writer, key: its public key, session, version, keep, deleted, age, name: what it is written under, value,
// signature}, and is never changed.

import { Reader, Writer, check } from './binary.js';
import { toBase64url } from './json.js';
import { MAX } from './limits.js';

/** Bounds, of a record and of what one writer has. */
export const BOUND = Object.freeze({
  name: 256, // bytes of what a record is written under
  value: 32768, // bytes
  attributes: 4096, // bytes of their value
  bytes: 65536, // of names and values
  names: 256, // that are not deleted
  tombstones: 256, // the newest ones
  total: 8 << 20, // bytes of all writers
  absent: 64, // writers that are not in the room
  version: 2 ** 53 - 1,
  lead: 2 ** 20, // of a version before all that are known
});

/** The types of frames. */
export const HAVE = 1;
export const WANT = 2;
export const WRITTEN = 3;
export const ANSWER = 4;

export const HAVES = Math.floor((MAX.data - 9) / 34); // in a frame

const RESERVED = 'noom:';
const ATTRIBUTES = `${RESERVED}attributes:`;
const SIZE = 26 + 32 + 22 + 1 + 8 + 4 + 2 + 2 + 64; // of a record without what it is written under and its value
const KEEP = 1;
const DELETED = 2;

const encoder = new TextEncoder();
const ID = /^[a-z2-7]{26}$/;

/** What a member's attributes are written under. */
export const attributesName = (id) => ATTRIBUTES + id;

/** Whose attributes are written there; null: none are. */
export const attributesOf = (name) => (name.startsWith(ATTRIBUTES) ? name.slice(ATTRIBUTES.length) : null);

/** Whether applications can write there. */
export const isName = (name) => {
  if (typeof name !== 'string' || name === '' || !name.isWellFormed() || name.startsWith(RESERVED)) return false;
  return encoder.encode(name).length <= BOUND.name;
};

/** What a writer signs. */
export function textOf(record, room) {
  const flags = (record.keep ? KEEP : 0) | (record.deleted ? DELETED : 0);
  return [
    'noom.v1 state', room, record.writer, record.session, record.version, flags,
    toBase64url(encoder.encode(record.name)), toBase64url(record.value),
  ].join('\n');
}

/** How much of its writer's bytes a record takes. */
export const sizeOf = (record) => (record.deleted ? 0 : encoder.encode(record.name).length + record.value.length);

/** How many bytes it has in a frame. */
export const encodedSize = (record) => SIZE + encoder.encode(record.name).length + record.value.length;

/** Its part of its writer's digest. */
export const digestOf = ({ signature }) => new DataView(signature.buffer, signature.byteOffset).getBigUint64(32);

/** Above 0 if a counts and b does not. */
export function compare(a, b) {
  if (a.version !== b.version) return a.version - b.version;
  if (a.writer !== b.writer) return a.writer < b.writer ? -1 : 1;
  const at = a.signature.findIndex((byte, i) => byte !== b.signature[i]);
  return at < 0 ? 0 : a.signature[at] - b.signature[at];
}

/** Says which rule a record breaks, whoever is in the room; '': none. */
export function recordProblem({ writer, version, keep, deleted, age, name, value }) {
  if (!ID.test(writer)) return 'bad writer';
  if (!(version >= 1 && version <= BOUND.version)) return 'version out of bounds';
  if ((keep && deleted) || (deleted && value.length > 0) || (!deleted && age !== 0)) return 'what is deleted has an age and neither keep nor a value';
  if (value.length > BOUND.value) return `a value of ${value.length} bytes, at most ${BOUND.value}`;
  if (isName(name) || (name === attributesName(writer) && !keep && value.length <= BOUND.attributes)) return '';
  return 'bad name';
}

/** The bytes of a frame: {type, clock, haves: [{writer, digest}], writer, last, records}. */
export function encodeFrame({ type, clock = 0, haves = [], writer = '', last = false, records = [] }) {
  const out = new Writer();
  out.byte(type);
  if (type === HAVE) out.long(BigInt(clock));
  for (const have of haves) {
    out.text(have.writer);
    out.long(have.digest);
  }
  if (type === WANT || type === ANSWER) out.text(writer);
  if (type === ANSWER) out.byte(last ? 1 : 0);
  for (const r of records) {
    out.text(r.writer);
    out.bytes(r.key);
    out.text(r.session);
    out.byte((r.keep ? KEEP : 0) | (r.deleted ? DELETED : 0));
    out.long(BigInt(r.version));
    out.number(Math.floor(r.age), 4);
    out.sized(encoder.encode(r.name));
    out.sized(r.value);
    out.bytes(r.signature);
  }
  return out.done();
}

/** Reads a frame, whose signatures are not checked; null: it is none. */
export function decodeFrame(bytes) {
  if (bytes.length === 0 || bytes.length > MAX.data) return null;
  const from = new Reader(bytes);
  const frame = { type: from.byte(), clock: 0, haves: [], writer: '', last: false, records: [] };
  try {
    BODIES[frame.type](from, frame);
  } catch {
    return null; // it is too short, or of another type, or its text is none
  }
  return frame;
}

const BODIES = {
  [HAVE](from, frame) {
    frame.clock = from.version();
    while (!from.empty) frame.haves.push({ writer: from.id(), digest: from.long() });
  },
  [WANT](from, frame) {
    frame.writer = from.id();
    check(from.empty);
  },
  [WRITTEN](from, frame) {
    frame.records = readRecords(from);
    check(frame.records.length > 0);
  },
  [ANSWER](from, frame) {
    frame.writer = from.id();
    const last = from.byte();
    check(last <= 1);
    frame.last = last === 1;
    frame.records = readRecords(from);
    check(frame.records.every((r) => r.writer === frame.writer));
  },
};

function readRecords(from) {
  const list = [];
  while (!from.empty) list.push(readRecord(from));
  return list;
}

function readRecord(from) {
  const writer = from.id();
  const key = from.bytes(32);
  const session = from.text(22);
  const flags = from.byte();
  check(flags <= (KEEP | DELETED));
  const record = {
    writer, key, session, keep: (flags & KEEP) > 0, deleted: (flags & DELETED) > 0, version: from.version(), age: from.number(4),
    name: from.text(from.number(2)), value: from.bytes(from.number(2)), signature: from.bytes(64),
  };
  check(recordProblem(record) === '');
  return record;
}
