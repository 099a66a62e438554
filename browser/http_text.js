// The texts that go over HTTP (PROTOCOL.md section 1.1): batches of frames up, server-sent events down.

import { NoomError } from './errors.js';
import { MAX } from './limits.js';

const utf8 = new TextEncoder();
const MAX_EVENT = Math.ceil(MAX.frame / 3) * 4; // a frame in base64

/** A frame as it goes up: its bytes with their number before them. */
export function parcel(frame) {
  const bytes = utf8.encode(frame);
  return concat([utf8.encode(`${bytes.length}\n`), bytes]);
}

/**
 * A batch: got is the highest number of an event that has come, first that of the first parcel. close says that nothing
 * comes behind.
 */
export function batch({ got, first, parcels, close }) {
  return concat([utf8.encode(`${got} ${first}\n`), ...parcels, ...(close ? [utf8.encode('close\n')] : [])]);
}

function concat(parts) {
  const whole = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Reads server-sent events out of a text that comes in pieces, any of which may end anywhere. */
export class EventReader {
  #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #rest = ''; // of a line that has not ended
  #event = {};

  /** Takes bytes; gives {number, frame} or {number, close} for each event that is whole. Throws a NoomError. */
  * take(bytes) {
    const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split('\n');
    this.#rest = lines.pop();
    if (this.#rest.length > MAX_EVENT + 64) throw tooBig();
    for (const line of lines) {
      if (line !== '') {
        this.#field(line);
        continue;
      }
      const { number, data, kind = '' } = this.#event;
      this.#event = {};
      if (number !== undefined && data !== undefined) yield { number, ...meaning(kind, data) };
    }
  }

  #field(line) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'id') {
      if (!/^[1-9]\d{0,15}$/.test(value)) throw new NoomError('malformed', 'an event whose id is no number');
      this.#event.number = Number(value);
    } else if (name === 'event') {
      this.#event.kind = value;
    } else if (name === 'data') {
      this.#event.data = this.#event.data === undefined ? value : `${this.#event.data}\n${value}`;
      if (this.#event.data.length > MAX_EVENT) throw tooBig();
    }
  }
}

const tooBig = () => new NoomError('too_big', `an event of more than ${MAX_EVENT} characters`);

function meaning(kind, data) {
  if (kind === '') return { frame: data };
  if (kind === 'close') return { close: data };
  if (kind !== 'base64') throw new NoomError('malformed', 'an event of a kind that is not known');
  try {
    return { frame: new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(atob(data), (c) => c.charCodeAt(0))) };
  } catch (cause) {
    throw new NoomError('malformed', 'an event that is no base64', { cause });
  }
}
