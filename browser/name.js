// Names: nicknames, rooms, tracks (PROTOCOL.md section 1); and the labels that
// stand for chats and tracks.

import { MAX } from './limits.js';

const encoder = new TextEncoder();

/** The number of bytes s takes in UTF-8. */
export const byteLength = (s) => encoder.encode(s).length;

const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/u;

/** Puts a name as a person typed it into the protocol's form. */
export const cleanName = (s) => (typeof s === 'string' ? s.trim().normalize('NFC') : s);

/** Says what is wrong with a nickname; '' if nothing is. The empty one is fine. */
export function nameProblem(s) {
  if (typeof s !== 'string') return `a string is wanted, not ${s === null ? 'null' : `a value of type ${typeof s}`}`;
  if (byteLength(s) > MAX.name) return `longer than ${MAX.name} bytes`;
  if (s.normalize('NFC') !== s) return 'not in Unicode normal form C';
  if (s.trim() !== s) return 'has space at an end';
  // U+200D joins emoji, U+200C keeps letters apart in Persian; neither reorders.
  if (FORBIDDEN.test(s.replace(/[\u200c\u200d]/g, ''))) return 'holds a control, bidi or line-breaking character';
  return '';
}

/** As nameProblem, and a room's name may not be empty. */
export const roomProblem = (s) => (s === '' ? 'empty' : nameProblem(s));

/** Says what is wrong with a text to say, of up to max bytes; '' if nothing is. */
export function textProblem(s, max) {
  if (typeof s !== 'string') return nameProblem(s);
  if (!s.isWellFormed()) return 'it ends or begins within a character, such as half an emoji; cut it at whole characters, or call toWellFormed';
  const size = byteLength(s);
  return size > max ? `it has ${size} bytes, at most ${max}` : '';
}

/** Reports whether s can be a member's id. */
export const isID = (s) => /^[a-z2-7]{26}$/.test(s);

/** Reports whether s can stand for a chat or a track. */
export const isLabel = (s) => /^[\w-]{1,64}$/.test(s);
