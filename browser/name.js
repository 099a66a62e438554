// Names: nicknames, rooms, tracks (PROTOCOL.md section 1); and the labels that
// stand for chats and tracks.

import { MAX } from './limits.js';

const encoder = new TextEncoder();

/** The number of bytes s takes in UTF-8. */
export const byteLength = (s) => encoder.encode(s).length;

const MARKS = 4; // that take no space, in a row
const JOINERS = '\u200c\u200d';
const FLAG = '\u{1f3f4}';

// The rules are those of runes.go, with the same names.
const FORBIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/u;
const HIDDEN = new RegExp('[\\u034f\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u2065\\u2800\\u3164\\ufdd0-\\ufdef\\ufe00-\\ufe0f\\uffa0'
  + '\\ufff0-\\ufff8\\ufffc\\u{16fe4}\\u{1d159}\\u{e0000}-\\u{e0fff}\\p{Noncharacter_Code_Point}]', 'u');
const EMOJI = new RegExp('[\\u00a9\\u00ae\\u203c\\u2049\\u2122\\u2139\\u2190-\\u21ff\\u2300-\\u23ff\\u2460-\\u24ff\\u25a0-\\u27bf\\u2900-\\u297f'
  + '\\u2b00-\\u2bff\\u3030\\u303d\\u3297\\u3299\\u{1f000}-\\u{1f1e5}\\u{1f200}-\\u{1f3fa}\\u{1f400}-\\u{1faff}]', 'u');
const JOINING = ['Arabic', 'Syriac', 'Nko', 'Mongolian', 'Devanagari', 'Bengali', 'Gurmukhi', 'Gujarati', 'Oriya', 'Tamil', 'Telugu', 'Kannada',
  'Malayalam', 'Sinhala', 'Khmer', 'Myanmar', 'Balinese', 'Javanese'].map((script) => new RegExp(`\\p{Script=${script}}`, 'u'));
const VIRAMAS = '\u094d\u09cd\u0a4d\u0acd\u0b4d\u0bcd\u0c4d\u0ccd\u0d4d\u0dca';
const FLAGS = ['gbeng', 'gbsct', 'gbwls'].map((region) => [...region].map((c) => String.fromCodePoint(0xe0000 + c.charCodeAt(0))).join('') + '\u{e007f}');

/** Puts a name as a person typed it into the protocol's form, but not half a character, which Firefox would replace. */
export const cleanName = (s) => (typeof s === 'string' && s.isWellFormed()
  ? s.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '').normalize('NFC').replace(/\p{Zs}+/gu, ' ') : s);

/** Says what is wrong with a nickname; '' if nothing is. The empty one is fine. */
export function nameProblem(s, max = MAX.name) {
  if (typeof s !== 'string') return `a string is wanted, not ${s === null ? 'null' : `a value of type ${typeof s}`}`;
  if (byteLength(s) > max) return `longer than ${max} bytes`;
  if (s.normalize('NFC') !== s) return s.isWellFormed() ? 'not in Unicode normal form C' : 'holds half a character';
  if (cleanName(s) !== s) return 'has space at an end, twice in a row, or another one than U+0020';
  return /^[ -~]*$/.test(s) ? '' : charactersProblem([...s]);
}

/** As nameProblem, for the account of a member, which may be longer, but holds no " and no \. */
export const accountProblem = (s) => (/["\\]/.test(s) ? 'holds a quotation mark or a backslash' : nameProblem(s, MAX.account));

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

function charactersProblem(name) {
  const unseen = 'holds a control, bidi, line-breaking or invisible character';
  let marks = 0;
  for (let i = 0; i < name.length; i++) {
    const c = name[i];
    if (c === FLAG && FLAGS.includes(name.slice(i + 1, i + 7).join(''))) i += 6;
    if (JOINERS.includes(c)) {
      if (!joins(name, i)) return unseen;
    } else if (HIDDEN.test(c)) {
      if (!shows(name, i)) return unseen;
    } else if (FORBIDDEN.test(c)) {
      return unseen;
    } else if ((i === 0 && /\p{M}/u.test(c)) || (/[\p{Mn}\p{Me}]/u.test(c) && ++marks > MARKS)) {
      return `begins with a combining mark, or has more than ${MARKS} in a row`;
    } else if (!/[\p{Mn}\p{Me}]/u.test(c)) {
      marks = 0;
    }
  }
  return '';
}

// Whether the joiner at i changes how its neighbours are drawn: between two emoji,
// between letters of a script that joins them, or behind a virama.
function joins(name, i) {
  const [before = '', after = ''] = [name[i - 1], name[i + 1]];
  if (name[i] === '\u200d') {
    if (before && VIRAMAS.includes(before)) return true;
    const modified = /[\ufe0f\u{1f3fb}-\u{1f3ff}]/u.test(before);
    if (EMOJI.test(after) && EMOJI.test(name[modified ? i - 2 : i - 1] ?? '')) return true;
  }
  if (!/[\p{L}\p{M}]/u.test(before)) return false;
  let letter = i - 1;
  while (letter > 0 && /\p{M}/u.test(name[letter])) letter--;
  const script = JOINING.find((s) => s.test(name[letter]));
  return script !== undefined && script.test(after) && /[\p{L}\p{M}]/u.test(after);
}

// Whether the character at i, which is not drawn as such, has something to do there: a variation of
// an emoji, a keycap, a Han or Mongolian letter, or a blank between two characters of Braille.
function shows(name, i) {
  const [before = '', c, after = ''] = [name[i - 1], name[i], name[i + 1]];
  if (c === '\u2800') return /[\u2801-\u28ff]/.test(before) && /[\u2801-\u28ff]/.test(after);
  if (/[\ufe0e\ufe0f]/.test(c)) return EMOJI.test(before) || (/[#*0-9]/.test(before) && c === '\ufe0f' && after === '\u20e3');
  if (/[\ufe00-\ufe02\u{e0100}-\u{e01ef}]/u.test(c)) return /\p{Script=Han}/u.test(before);
  if (/[\u180b-\u180d\u180f]/.test(c)) return /\p{Script=Mongolian}/u.test(before) && /\p{L}/u.test(before);
  return false;
}
