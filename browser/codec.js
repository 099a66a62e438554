// The frames of noom.v1 (PROTOCOL.md sections 1, 2 and 4): one line of JSON,
// and behind a newline the body of a pair frame. decode checks every rule that
// needs no knowledge of the room, as strictly as Go's codec does.

import { NoomError } from './errors.js';
import { boolean, fromBase64url, integer, isObject, listOf, malformed, object, parse, string, toBase64url } from './json.js';
import { MAX } from './limits.js';
import { accountProblem, byteLength, isID, isLabel, nameProblem, roomProblem } from './name.js';

export const PROTOCOL = 'noom.v1';

const PAIR = new Set(['offer', 'answer', 'candidates', 'ask', 'grant', 'table', 'wants', 'ack', 'stale', 'left']);

/**
 * Reports whether a frame goes from member to member. One of a type that a later version has added does, if it has what a
 * pair frame with a number has.
 */
export const isPair = ({ type, seq }) => PAIR.has(type) || (seq > 0 && !Object.hasOwn(RULES, type));

/** Reports whether a frame is a left without a number, outside of the exchange: from a member that was gone with it. */
export const isLeftAtOnce = ({ type, seq }) => type === 'left' && seq === 0;

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

const isSession = (s) => /^[\w-]{22}$/.test(s);

// How each field is read. A null counts as absent, as everywhere in the protocol.
const FIELDS = {
  type: string, from: string, to: string,
  room: string, name: string, key: fromBase64url, session: string, token: string, sends: listOf(string, ''), card,
  nonce: fromBase64url, signature: fromBase64url,
  self: member, members: listOf(member, {}), iceServers: listOf(iceServer, {}),
  lifetime: integer, heartbeat: integer, limits, member, reason: string, leaving: boolean,
  locked: boolean, place: integer, retry: integer,
  id: string, text: string, at: integer, signed,
  code: string, message: string, about: string,
  sessions, epoch, seq: integer, ack: integer,
};

/**
 * Encodes a message: the envelope, and its body if it has one. Fields that are undefined, '' or 0 are left out;
 * Uint8Arrays become base64url.
 */
export function encode({ body, ...envelope }) {
  const line = JSON.stringify(envelope, (_, value) => {
    if (value instanceof Uint8Array) return toBase64url(value);
    if (typeof value === 'string' && !value.isWellFormed()) throw malformed('half a character, which is no UTF-8');
    return value;
  });
  const frame = body === undefined ? line : `${line}\n${body}`;
  if (byteLength(frame) > MAX.frame) throw new NoomError('too_big', `a frame of more than ${MAX.frame} bytes`);
  return frame;
}

/**
 * Decodes one frame, a string or bytes. Throws a NoomError with the code an error frame would carry. Of a frame of an
 * unknown type what a pair frame has is returned, to be acknowledged, or if it is none the type alone, to be ignored.
 */
export function decode(frame) {
  const text = toText(frame);
  const end = text.indexOf('\n');
  const raw = parse(end < 0 ? text : text.slice(0, end));
  if (!isObject(raw)) throw malformed('an envelope is an object');
  const message = {};
  if (typeof raw.type === 'string' && raw.type !== '' && !Object.hasOwn(RULES, raw.type)) {
    return decodeUnknown(raw, end < 0 ? undefined : text.slice(end + 1));
  }
  for (const [name, read] of Object.entries(FIELDS)) {
    if (Object.hasOwn(raw, name) && raw[name] !== null) message[name] = read(raw[name], name);
  }
  if (!message.type) throw malformed('a frame needs a type');
  if (end >= 0) {
    if (!PAIR.has(message.type)) throw malformed('only pair frames have a body');
    message.body = text.slice(end + 1);
  }
  if (message.from && !isID(message.from)) throw malformed('from: bad id');
  RULES[message.type](message);
  return message;
}

const PAIR_FIELDS = ['type', 'from', 'to', 'signature', 'sessions', 'epoch', 'seq', 'ack'];

// A later version's frame, whose fields may mean other things than ours.
function decodeUnknown(raw, body) {
  const message = {};
  try {
    for (const name of PAIR_FIELDS) {
      if (Object.hasOwn(raw, name) && raw[name] !== null) message[name] = FIELDS[name](raw[name], name);
    }
    if (!isLabel(message.type) || (message.from && !isID(message.from))) return { type: raw.type };
    checkPair(message);
  } catch {
    return { type: raw.type };
  }
  if (body !== undefined) message.body = body;
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

// What a frame of each type must have in addition to well-formed fields.
const RULES = {
  join(m) {
    if (m.key?.length !== 32) throw malformed('key: want 32 bytes');
    if (!isSession(m.session ?? '')) throw malformed('bad session');
    if (byteLength(m.token ?? '') > MAX.token) throw malformed('token too long');
    checkSends(m);
    checkCard(m);
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
    if (m.at < 0 || m.at > MAX.time) throw malformed('at out of bounds');
    const problem = m.signed ? signedProblem(m.signed) : '';
    if (problem) throw new NoomError('bad_chat', `signed: ${problem}`);
  },
  said(m) {
    if (!isID(m.from ?? '')) throw malformed('from: bad id');
    if (m.key?.length !== 32) throw malformed('key: want 32 bytes');
    if (!isSession(m.session ?? '')) throw malformed('bad session');
    const size = byteLength(m.text ?? '');
    if (size < 1 || size > MAX.chat) throw malformed(`a text of ${size} bytes`);
    const problem = m.signed ? signedProblem(m.signed) : 'absent';
    if (problem) throw malformed(`signed: ${problem}`);
  },
  joined(m) {
    if (!m.self || !m.limits || !(m.heartbeat >= 1 && m.heartbeat <= 3_600_000)) {
      throw malformed('joined needs self, limits and a heartbeat of 1 ms to an hour');
    }
    const problem = memberProblem(m.self);
    if (problem) throw malformed(`self: ${problem}`);
    if (m.nonce?.length > 0 && m.nonce.length !== 32) throw malformed('nonce: want 32 bytes');
    if (m.place < 0 || m.place > (m.members?.length ?? 0) + 1) throw malformed('place out of bounds');
    checkLifetime(m);
  },
  servers: checkLifetime,
  welcome(m) {
    if (!m.member) throw malformed('welcome needs a member');
    checkSends(m);
    checkCard(m);
  },
  kick(m) {
    checkTo(m);
    if (m.session && !isSession(m.session)) throw malformed('bad session');
  },
  mute(m) {
    checkTo(m);
    const problem = nameProblem(m.name ?? '');
    if (problem) throw malformed(`the track's name: ${problem}`);
  },
  bye: checkRetry, error: checkRetry,
  lock: nothing, unlock: nothing, locked: nothing, unlocked: nothing, close: nothing, ping: nothing, pong: nothing,
  offer: checkPair, answer: checkPair, candidates: checkPair, ask: checkPair,
  grant: checkPair, table: checkPair, wants: checkPair, ack: checkPair, stale: checkPair, left: checkPair,
};

function checkName(name = '') {
  const problem = nameProblem(name);
  if (problem) throw new NoomError('bad_name', `name: ${problem}`);
}

function checkLifetime({ lifetime = 0 }) {
  if (lifetime < 0 || lifetime > MAX.number) throw malformed('lifetime out of bounds');
}

// RFC 6838 section 4.2.
const MIME = /^(audio|video)(\/[\w!#$&^.+-]+)?$/;

function checkSends({ sends = [] }) {
  if (sends.length > MAX.sends || !sends.every((mime) => MIME.test(mime) && mime.length <= MAX.mime)) throw malformed('sends: bad MIME types');
}

function checkCard({ card: c }) {
  if (!c) return;
  const { offer, signature } = c;
  if (offer.length < 1 || offer.length > MAX.card) throw malformed('card: bad offer');
  if (signature.length !== 64) throw malformed('card: want a signature of 64 bytes');
}

function checkTo({ to = '' }) {
  if (!isID(to)) throw malformed("to: want a member's id, 26 characters of a-z and 2-7");
}

function checkRetry({ retry = 0 }) {
  if (retry < 0 || retry > MAX.retry) throw malformed('retry out of bounds');
}

function checkPair(m) {
  m.seq ??= 0;
  m.ack ??= 0;
  const bare = m.type === 'stale' || isLeftAtOnce(m);
  const sequenced = m.type !== 'ack' && !bare;
  m.epoch ??= [0, ''];
  const [number, by] = m.epoch;
  if (!isID(m.to ?? '')) throw malformed('to: bad id');
  if (!m.sessions?.every(isSession)) throw malformed('sessions: want two');
  if (m.signature?.length !== 64) throw malformed('signature: want 64 bytes');
  if (m.seq < 0 || m.seq > MAX.number || m.seq > 0 !== sequenced) throw malformed('seq out of bounds');
  if (m.ack < 0 || m.ack > MAX.number) throw malformed('ack out of bounds');
  if (bare) {
    if (number !== 0 || by !== '') throw malformed(`a ${m.type} without a number has no epoch`);
  } else if (number < 1 || number > MAX.number || !isID(by)) {
    throw malformed('epoch out of bounds');
  }
}

/**
 * Says which rule of its own a Member breaks; '' if none. Whether the id follows from the key is for identity.js,
 * because that takes a hash.
 */
export function memberProblem(m) {
  if (m.key?.length !== 32) return 'a key has 32 bytes';
  if (!isID(m.id ?? '')) return 'bad id';
  if (!isSession(m.session ?? '')) return 'bad session';
  if (m.rights?.length > MAX.rights) return 'too many rights';
  return nameProblem(m.name ?? '');
}

function sessions(v) {
  if (!Array.isArray(v) || v.length !== 2) throw malformed('sessions: want two');
  return v.map((s) => string(s ?? '', 'sessions'));
}

function epoch(v) {
  if (!Array.isArray(v) || v.length !== 2) throw malformed('an epoch is [number, id]');
  return [integer(v[0] ?? 0, 'epoch'), string(v[1] ?? '', 'epoch')];
}

function member(v) {
  object(v, 'member');
  const m = { id: string(v.id ?? ''), name: string(v.name ?? ''), key: fromBase64url(v.key ?? ''), session: string(v.session ?? '') };
  if (v.rights != null) m.rights = listOf(string, '')(v.rights, 'rights');
  const account = string(v.account ?? '', 'account');
  if (account !== '' && accountProblem(account) === '') m.account = account; // one of another version of Unicode must not hide its member
  return m;
}

function card(v) {
  object(v, 'card');
  return { offer: fromBase64url(v.offer ?? ''), signature: fromBase64url(v.signature ?? '') };
}

function signed(v) {
  object(v, 'signed');
  return {
    number: integer(v.number ?? 0, 'number'), order: integer(v.order ?? 0, 'order'), after: fromBase64url(v.after ?? ''),
    sent: integer(v.sent ?? 0, 'sent'), name: string(v.name ?? ''), signature: fromBase64url(v.signature ?? ''),
  };
}

// Says which rule the field signed of a chat breaks; '': none.
export function signedProblem({ number, order, after, sent, name, signature }) {
  if (!(number >= 1 && number <= MAX.time)) return 'number out of bounds';
  if (!(order >= 1 && order <= MAX.time)) return 'order out of bounds';
  if (!(sent >= 0 && sent <= MAX.time)) return 'sent out of bounds';
  if (after.length !== 0 && after.length !== 16) return 'after: want 16 bytes';
  if (signature.length !== 64) return 'signature: want 64 bytes';
  return byteLength(name) > MAX.name || name.includes('\n') ? 'bad name' : '';
}

function iceServer(v) {
  object(v, 'iceServers');
  const server = { urls: listOf(string, '')(v.urls ?? [], 'urls') };
  for (const name of ['username', 'credential']) {
    const text = string(v[name] ?? '', name);
    if (text !== '') server[name] = text;
  }
  return server;
}

const LIMITS = ['frame', 'name', 'chat', 'members', 'rate', 'burst', 'queue', 'join', 'rooms', 'connections', 'address'];

function limits(v) {
  object(v, 'limits');
  return Object.fromEntries(LIMITS.filter((name) => v[name] != null).map((name) => [name, integer(v[name], name)]));
}
