// Reads JSON as strictly as Go's codec does, and bytes within it: no duplicate
// keys, no lone surrogates, no 1.0 for 1, no stray bits in base64url, each value of its type.

import { NoomError } from './errors.js';

/** An error of the sender of what is read. */
export const malformed = (message, cause) => new NoomError('malformed', message, { cause });
export const isObject = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);

/** Parses JSON, strictly. Throws a NoomError, as all of what follows. */
export function parse(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw malformed('not JSON', cause);
  }
  if (!check(text)) return value;
  return JSON.parse(text.replaceAll(TOKENS, (token) => (isFraction(token) ? '0.5' : token)));
}

const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|-?\d[-+.\dEe]*|[{}[\],:]/g;

// Whether a token is a number that no whole number is written as: 1.0 and 1e3 are
// none to Go.
const isFraction = (token) => /^-?\d/.test(token) && /[.Ee]/.test(token);

// JSON.parse lets duplicate keys and lone surrogates pass. On text it has
// accepted, one pass over its tokens finds both, and says whether there are fractions.
function check(text) {
  const open = []; // a Set of keys for an object, null for an array
  let previous = '';
  let fractions = false;
  for (const [token] of text.matchAll(TOKENS)) {
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
    } else if (isFraction(token)) fractions = true;
    previous = token;
  }
  return fractions;
}

// Each gives v back if it is one; name is for the error.

export function string(v, name = 'field') {
  if (typeof v !== 'string') throw malformed(`${name}: want a string`);
  return v;
}

// Of 64 bits, as Go reads it. What must be exact has a bound of its own, below 2^53.
export function integer(v, name = 'field') {
  if (!Number.isInteger(v) || Math.abs(v) >= 2 ** 63) throw malformed(`${name}: want a whole number`);
  return v;
}

export function boolean(v, name = 'field') {
  if (typeof v !== 'boolean') throw malformed(`${name}: want true or false`);
  return v;
}

export function object(v, name = 'field') {
  if (!isObject(v)) throw malformed(`${name}: want an object`);
  return v;
}

/** A reader of arrays, each item of which read reads; zero is for those that are null. */
export function listOf(read, zero) {
  return (v, name) => {
    if (!Array.isArray(v)) throw malformed(`${name}: want an array`);
    return v.map((item) => read(item ?? zero, name));
  };
}

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
