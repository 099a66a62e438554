// The frames of noom.v1 (PROTOCOL.md sections 1, 2 and 4): one line of JSON,
// and behind a newline the body of a pair frame. decode checks every rule that
// needs no knowledge of the room, as strictly as Go's codec does, except that
// JSON.parse cannot tell 1 from 1.0.

import { NoomError } from './errors.js';

export const PROTOCOL = 'noom.v1';

/** Bounds of the protocol, PROTOCOL.md section 6. */
export const MAX = Object.freeze({
  frame: 65536, // bytes
  name: 128, // bytes
  chat: 4096, // bytes
  token: 4096, // bytes
  sdp: 49152, // bytes
  candidates: 32, // in a frame
  candidate: 1024, // bytes
  sections: 64, // media sections in a description
  generation: 128, // candidates
  tracks: 64, // rows of a table
  label: 64, // characters of a track or chat id
  number: 2 ** 31 - 1, // epochs, seqs, acks, versions
  retry: 3_600_000, // ms after which to come back
  rights: 16, // of a member
  data: 61440, // payload bytes of a data message
  unacked: 1048576, // payload bytes on their way on one link
  unackedMessages: 4096, // data messages on their way on one link
  inFlight: 32, // unacknowledged pair frames on one link
});

const PAIR = new Set(['offer', 'answer', 'candidates', 'ask', 'grant', 'table', 'ack', 'stale', 'left']);

/** Reports whether frames of this type go from member to member. */
export const isPair = (type) => PAIR.has(type);

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The number of bytes s takes in UTF-8. */
export const byteLength = (s) => encoder.encode(s).length;

// ---- base64url (RFC 4648 section 5, no padding)

/** @param {Uint8Array} bytes */
export function toBase64url(bytes) {
  const binary = Array.from(bytes, (b) => String.fromCharCode(b)).join('');
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** Decodes strictly: no padding, no stray bits. Throws a NoomError. */
export function fromBase64url(text) {
  if (typeof text !== 'string' || !/^[\w-]*$/.test(text) || text.length % 4 === 1) {
    throw malformed('not base64url');
  }
  const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(binary, (c) => c.charCodeAt(0));
  if (toBase64url(bytes) !== text) throw malformed('not base64url: stray bits');
  return bytes;
}

// ---- names

const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/u;

/** Puts a name as a person typed it into the protocol's form. */
export const cleanName = (s) => s.trim().normalize('NFC');

/** Says what is wrong with a nickname; '' if nothing is. The empty one is fine. */
export function nameProblem(s) {
  if (byteLength(s) > MAX.name) return `longer than ${MAX.name} bytes`;
  if (s.normalize('NFC') !== s) return 'not in Unicode normal form C';
  if (s.trim() !== s) return 'has space at an end';
  // U+200D joins emoji, U+200C keeps letters apart in Persian; neither reorders.
  if (FORBIDDEN.test(s.replace(/[\u200c\u200d]/g, ''))) return 'holds a control, bidi or line-breaking character';
  return '';
}

/** As nameProblem, and a room's name may not be empty. */
export const roomProblem = (s) => (s === '' ? 'empty' : nameProblem(s));

const isLabel = (s) => /^[\w-]{1,64}$/.test(s);
const isSession = (s) => /^[\w-]{22}$/.test(s);
const isID = (s) => /^[a-z2-7]{26}$/.test(s);

// ---- envelopes

// How each field is read. A null counts as absent, as everywhere in the protocol.
const FIELDS = {
  type: string, from: string, to: string,
  room: string, name: string, key: fromBase64url, session: string, token: string,
  nonce: fromBase64url, signature: fromBase64url,
  self: member, members: listOf(member), iceServers: listOf(iceServer),
  lifetime: integer, heartbeat: integer, limits: object, member, reason: string,
  locked: boolean, retry: integer,
  id: string, text: string, at: integer,
  code: string, message: string, about: string,
  sessions, epoch, seq: integer, ack: integer,
};

/**
 * Encodes a message: the envelope, and its body if it has one. Fields that are
 * undefined, '' or 0 are left out; Uint8Arrays become base64url.
 */
export function encode({ body, ...envelope }) {
  const line = JSON.stringify(envelope, (_, value) => {
    if (value instanceof Uint8Array) return toBase64url(value);
    return value;
  });
  const frame = body === undefined ? line : `${line}\n${body}`;
  if (byteLength(frame) > MAX.frame) throw new NoomError('too_big', `a frame of more than ${MAX.frame} bytes`);
  return frame;
}

/**
 * Decodes one frame, a string or bytes. Throws a NoomError with the code an
 * error frame would carry. Of a frame of an unknown type only the type is
 * returned, to be ignored.
 */
export function decode(frame) {
  const text = toText(frame);
  const end = text.indexOf('\n');
  const raw = parse(end < 0 ? text : text.slice(0, end));
  if (!isObject(raw)) throw malformed('an envelope is an object');
  const message = {};
  if (typeof raw.type === 'string' && raw.type !== '' && !Object.hasOwn(RULES, raw.type)) {
    // A later version's; its fields may mean other things than ours.
    if (end >= 0) throw malformed('only pair frames have a body');
    return { type: raw.type };
  }
  for (const [name, read] of Object.entries(FIELDS)) {
    if (Object.hasOwn(raw, name) && raw[name] !== null) message[name] = read(raw[name], name);
  }
  if (!message.type) throw malformed('a frame needs a type');
  if (end >= 0) {
    if (!isPair(message.type)) throw malformed('only pair frames have a body');
    message.body = text.slice(end + 1);
  }
  if (message.from && !isID(message.from)) throw malformed('from: bad id');
  RULES[message.type](message);
  return message;
}

function toText(frame) {
  if (typeof frame === 'string') {
    if (byteLength(frame) > MAX.frame) throw new NoomError('too_big', 'frame too big');
    return frame;
  }
  if (frame.length > MAX.frame) throw new NoomError('too_big', 'frame too big');
  try {
    return decoder.decode(frame);
  } catch (cause) {
    throw malformed('a frame must be UTF-8', cause);
  }
}

const nothing = () => {};

// What a frame of each type must have besides well-formed fields.
const RULES = {
  join(m) {
    if (m.key?.length !== 32) throw malformed('key: want 32 bytes');
    if (!isSession(m.session ?? '')) throw malformed('bad session');
    if (byteLength(m.token ?? '') > MAX.token) throw malformed('token too long');
    const problem = roomProblem(m.room ?? '');
    if (problem) throw new NoomError('bad_room', `room name: ${problem}`);
    checkName(m.name);
  },
  rename: (m) => checkName(m.name),
  renamed: (m) => checkName(m.name),
  proof(m) {
    if (m.signature?.length !== 64) throw malformed('signature: want 64 bytes');
  },
  challenge(m) {
    if (m.nonce?.length !== 32) throw malformed('nonce: want 32 bytes');
  },
  chat(m) {
    if (!isLabel(m.id ?? '')) throw new NoomError('bad_chat', 'bad chat id');
    const size = byteLength(m.text ?? '');
    if (size < 1 || size > MAX.chat) throw new NoomError('bad_chat', `chat text of ${size} bytes`);
  },
  joined(m) {
    if (!m.self || !m.limits || !(m.heartbeat >= 1 && m.heartbeat <= 3_600_000)) {
      throw malformed('joined needs self, limits and a heartbeat of 1 ms to an hour');
    }
    const problem = memberProblem(m.self);
    if (problem) throw malformed(`self: ${problem}`);
    checkLifetime(m);
  },
  servers: checkLifetime,
  welcome(m) {
    if (!m.member) throw malformed('welcome needs a member');
  },
  kick: checkTo,
  mute(m) {
    checkTo(m);
    const problem = nameProblem(m.name ?? '');
    if (problem) throw malformed(`the track's name: ${problem}`);
  },
  bye: checkRetry, error: checkRetry,
  lock: nothing, unlock: nothing, locked: nothing, unlocked: nothing, close: nothing, ping: nothing, pong: nothing,
  offer: checkPair, answer: checkPair, candidates: checkPair, ask: checkPair,
  grant: checkPair, table: checkPair, ack: checkPair, stale: checkPair, left: checkPair,
};

function checkName(name = '') {
  const problem = nameProblem(name);
  if (problem) throw new NoomError('bad_name', `name: ${problem}`);
}

function checkLifetime({ lifetime = 0 }) {
  if (lifetime < 0 || lifetime > MAX.number) throw malformed('lifetime out of bounds');
}

function checkTo({ to = '' }) {
  if (!isID(to)) throw malformed('to: bad id');
}

function checkRetry({ retry = 0 }) {
  if (retry < 0 || retry > MAX.retry) throw malformed('retry out of bounds');
}

function checkPair(m) {
  const sequenced = m.type !== 'ack' && m.type !== 'stale';
  m.seq ??= 0;
  m.ack ??= 0;
  m.epoch ??= [0, ''];
  const [number, by] = m.epoch;
  if (!isID(m.to ?? '')) throw malformed('to: bad id');
  if (!m.sessions?.every(isSession)) throw malformed('sessions: want two');
  if (m.signature?.length !== 64) throw malformed('signature: want 64 bytes');
  if (m.seq < 0 || m.seq > MAX.number || m.seq > 0 !== sequenced) throw malformed('seq out of bounds');
  if (m.ack < 0 || m.ack > MAX.number) throw malformed('ack out of bounds');
  if (m.type === 'stale') {
    if (number !== 0 || by !== '') throw malformed('a stale has no epoch');
  } else if (number < 1 || number > MAX.number || !isID(by)) {
    throw malformed('epoch out of bounds');
  }
}

/**
 * Says which rule of its own a Member breaks; '' if none. Whether the id
 * follows from the key is for identity.js, for that takes a hash.
 */
export function memberProblem(m) {
  if (m.key?.length !== 32) return 'a key has 32 bytes';
  if (!isID(m.id ?? '')) return 'bad id';
  if (!isSession(m.session ?? '')) return 'bad session';
  if (m.rights?.length > MAX.rights) return 'too many rights';
  return nameProblem(m.name ?? '');
}

// ---- bodies (PROTOCOL.md sections 4.3 and 4.4)

/** Decodes the body of an offer, answer, candidates or table. Throws a NoomError. */
export function decodeBody(type, body = '') {
  const value = parse(body);
  if (!isObject(value)) throw malformed('a body is an object');
  BODIES[type](value);
  return value;
}

const BODIES = { offer: checkDescription, answer: checkDescription, candidates: checkCandidates, table: checkTableIn };

function checkDescription(b) {
  if (!Number.isInteger(b.id) || b.id < 1 || b.id > MAX.number) throw malformed('description id out of bounds');
  const size = byteLength(string(b.sdp));
  if (size < 1 || size > MAX.sdp) throw malformed(`SDP of ${size} bytes`);
  const sections = b.sdp.match(/(^|[\r\n])m=/g)?.length ?? 0;
  if (sections < 1 || sections > MAX.sections) throw malformed(`SDP of ${sections} media sections`);
  const candidates = b.sdp.split('a=candidate:').length - 1;
  if (candidates > MAX.generation) throw malformed(`SDP of ${candidates} candidates`);
  checkTableIn(b);
}

function checkTableIn(b) {
  b.table ??= {};
  checkTable(b.table);
}

function checkTable(table) {
  if (!isObject(table)) throw malformed('a table is an object');
  table.version ??= 0;
  table.tracks ??= {};
  if (!Number.isInteger(table.version) || table.version < 0 || table.version > MAX.number) throw malformed('table version');
  if (!isObject(table.tracks)) throw malformed('table tracks');
  const rows = Object.entries(table.tracks);
  if (rows.length > MAX.tracks) throw malformed(`a table of ${rows.length} tracks`);
  if (new Set(rows.map(([, row]) => row?.id)).size !== rows.length) throw malformed('a track twice in a table');
  for (const [mid, row] of rows) {
    if (mid === '' || byteLength(mid) > MAX.label || !isObject(row)) throw malformed('table: bad mid');
    row.name ??= '';
    row.muted ??= false;
    if (!isLabel(string(row.id))) throw malformed('table: bad track id');
    if (row.kind !== 'audio' && row.kind !== 'video') throw malformed('table: bad kind');
    if (typeof row.muted !== 'boolean') throw malformed('table: bad muted');
    const problem = nameProblem(string(row.name));
    if (problem) throw malformed(`table: name ${problem}`);
  }
}

function checkCandidates(b) {
  if (!Array.isArray(b.candidates) || b.candidates.length < 1 || b.candidates.length > MAX.candidates) {
    throw malformed('candidates: want 1 to 32');
  }
  const ufrag = byteLength(string(b.ufrag));
  if (ufrag < 1 || ufrag > 256) throw malformed('bad ufrag');
  for (const c of b.candidates) {
    if (!isObject(c)) throw malformed('a candidate is an object');
    c.candidate ??= '';
    c.sdpMid ??= '';
    c.sdpMLineIndex ??= 0;
    if (byteLength(string(c.candidate)) > MAX.candidate || byteLength(string(c.sdpMid)) > MAX.label) {
      throw malformed('candidate too long');
    }
    if (!Number.isInteger(c.sdpMLineIndex) || c.sdpMLineIndex < 0 || c.sdpMLineIndex > 65535) throw malformed('bad sdpMLineIndex');
  }
}

// ---- reading JSON

const malformed = (message, cause) => new NoomError('malformed', message, { cause });
const isObject = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);

function parse(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed('not JSON', cause);
  }
  checkKeys(text);
  return value;
}

// JSON.parse lets duplicate keys and lone surrogates pass. On text it has
// accepted, one pass over strings and brackets finds both.
function checkKeys(text) {
  const open = []; // a Set of keys for an object, null for an array
  let previous = '';
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (token[0] === '"') {
      const value = token.includes('\\u') ? JSON.parse(token) : token.slice(1, -1);
      if (/\p{Cs}/u.test(value)) throw malformed('a lone surrogate');
      const keys = open.at(-1);
      if (keys && (previous === '{' || previous === ',')) {
        const key = token.includes('\\') ? JSON.parse(token) : value;
        if (keys.has(key)) throw malformed(`duplicate key ${JSON.stringify(key)}`);
        keys.add(key);
      }
    }
    previous = token;
  }
}

function string(v, name = 'field') {
  if (typeof v !== 'string') throw malformed(`${name}: want a string`);
  return v;
}

function integer(v, name = 'field') {
  if (!Number.isSafeInteger(v)) throw malformed(`${name}: want a whole number`);
  return v;
}

function boolean(v, name = 'field') {
  if (typeof v !== 'boolean') throw malformed(`${name}: want true or false`);
  return v;
}

function object(v, name = 'field') {
  if (!isObject(v)) throw malformed(`${name}: want an object`);
  return v;
}

function listOf(read) {
  return (v, name) => {
    if (!Array.isArray(v)) throw malformed(`${name}: want an array`);
    return v.map((item) => read(item, name));
  };
}

function sessions(v) {
  if (!Array.isArray(v) || v.length !== 2) throw malformed('sessions: want two');
  return v.map((s) => string(s, 'sessions'));
}

function epoch(v) {
  if (!Array.isArray(v) || v.length !== 2) throw malformed('an epoch is [number, id]');
  return [integer(v[0], 'epoch'), string(v[1], 'epoch')];
}

function member(v) {
  object(v, 'member');
  const m = { id: string(v.id ?? ''), name: string(v.name ?? ''), key: fromBase64url(v.key ?? ''), session: string(v.session ?? '') };
  if (v.rights != null) m.rights = listOf(string)(v.rights, 'rights');
  return m;
}

function iceServer(v) {
  object(v, 'iceServers');
  const server = { urls: listOf(string)(v.urls ?? [], 'urls') };
  if (v.username) server.username = string(v.username, 'username');
  if (v.credential) server.credential = string(v.credential, 'credential');
  return server;
}
