// The pieces in which questions and answers travel (PROTOCOL.md section 4.5.1), as bytes. The bounds and kinds are those of
// internal/questions/piece.go.

import { NoomError } from './errors.js';

export const MAX_SIZE = 1 << 20; // bytes in a question, and in an answer
const MAX_TOPIC = 128; // bytes
const MAX_TEXT = 1024; // bytes

export const QUESTION = 1;
export const QUESTION_MORE = 2;
export const UNWANTED = 3;
export const ANSWER = 4;
export const ANSWER_MORE = 5;
export const REFUSAL = 6;

const HEAD = 5; // bytes: the kind and the id

/** The error of another end that breaks the rules. */
export const broken = (what) => new NoomError('malformed', what);

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const NONE = new Uint8Array();

/** Whether a refusal may have that code. */
export const isCode = (code) => typeof code === 'string' && /^[a-z0-9_]{1,64}$/.test(code);

/** A text of at most so many bytes as a refusal may have. */
export function cutText(text) {
  const bytes = encoder.encode(text).subarray(0, MAX_TEXT);
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).replace(/\ufffd+$/, '');
}

/** The bytes of {kind, id, size, topic, code, text, rest}, of which each kind has its own. */
export function encodePiece({ kind, id, size = 0, topic = '', code = '', text = '', rest = NONE }) {
  const named = { [QUESTION]: topic, [REFUSAL]: code }[kind];
  const name = named === undefined ? NONE : encoder.encode(named);
  const sized = kind === QUESTION || kind === ANSWER;
  const last = kind === REFUSAL ? encoder.encode(text) : rest;
  const bytes = new Uint8Array(HEAD + (sized ? 4 : 0) + (named === undefined ? 0 : 1 + name.length) + last.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint32(1, id);
  let at = HEAD;
  if (sized) {
    view.setUint32(at, size);
    at += 4;
  }
  if (named !== undefined) {
    view.setUint8(at, name.length);
    bytes.set(name, at + 1);
    at += 1 + name.length;
  }
  bytes.set(last, at);
  return bytes;
}

/** The piece in bytes; null for a kind of a later version. Throws what broken makes. */
export function decodePiece(bytes) {
  if (bytes.length < HEAD) throw broken('a piece of fewer than 5 bytes');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const piece = { kind: bytes[0], id: view.getUint32(1), rest: bytes.subarray(HEAD) };
  switch (piece.kind) {
    case QUESTION:
      cutSize(piece, view);
      piece.topic = cutName(piece, MAX_TOPIC);
      checkSize(piece);
      return piece;
    case ANSWER:
      cutSize(piece, view);
      checkSize(piece);
      return piece;
    case QUESTION_MORE: case ANSWER_MORE:
      if (piece.rest.length === 0) throw broken('a piece with nothing in it');
      return piece;
    case UNWANTED: return piece;
    case REFUSAL:
      piece.code = cutName(piece, 64);
      if (!isCode(piece.code) || piece.rest.length > MAX_TEXT) throw broken('a refusal without a code, or with too long a text');
      piece.text = textOf(piece.rest);
      return piece;
    default: return null;
  }
}

function cutSize(piece, view) {
  if (piece.rest.length < 4) throw broken('a piece without its size');
  piece.size = view.getUint32(HEAD);
  piece.rest = piece.rest.subarray(4);
}

function checkSize({ size, rest }) {
  if (size > MAX_SIZE || rest.length > size) throw broken(`a question or an answer of ${size} bytes, of which ${rest.length} come first`);
}

function cutName(piece, most) {
  const length = piece.rest[0];
  if (!(length <= most) || piece.rest.length <= length) throw broken('a piece without its topic or code');
  const name = textOf(piece.rest.subarray(1, 1 + length));
  piece.rest = piece.rest.subarray(1 + length);
  return name;
}

function textOf(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    throw broken('a text that is no UTF-8');
  }
}
