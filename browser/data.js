// The application's messages on channel 1 (PROTOCOL.md section 4.5): numbered
// over the life of the link, acknowledged when the application takes them, so
// that credit bounds what is on its way and a rebuild loses nothing. Pure:
// bytes go in and come out, and the caller has the timer.

import { NoomError } from './errors.js';
import { MAX } from './limits.js';
import { nameProblem } from './name.js';

const MESSAGE = 1;
const TAKEN = 2;
const ASKED = 3; // has all up to the number arrived? asked by a member that leaves
const ARRIVED = 4; // the reply
const PIECE = 5; // of a question or an answer
const PIECES = 6; // have been received
const TOPIC = 7; // of the message with the number

// What the application has taken is acknowledged at once, unless that was so a moment ago: then within ACK_PAUSE ms, or as
// soon as a part of the credit comes back by it.
export const ACK_PAUSE = 100;
const ACK_BYTES = MAX.unacked / 16;
const ACK_MESSAGES = MAX.unackedMessages / 16;

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The bytes of a string, an ArrayBuffer or a view of one. */
export function toBytes(data) {
  if (typeof data === 'string') {
    if (!data.isWellFormed()) throw new NoomError('bad_data', 'the text ends or begins within a character; cut it at whole characters, or call toWellFormed');
    return encoder.encode(data);
  }
  try {
    if (data instanceof ArrayBuffer) return new Uint8Array(data);
    if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  } catch (cause) {
    throw new NoomError('bad_data', 'the bytes have been transferred away', { cause });
  }
  throw new NoomError('bad_argument', 'data is a string, an ArrayBuffer or a view of one');
}

/** Whether a frame is about pieces of questions and answers, which have a DataStream of their own. */
export const isOfPieces = (bytes) => bytes[0] === PIECE || bytes[0] === PIECES;

export class DataStream {
  #message; // first bytes of its frames
  #acknowledgement;

  #number = 0; // of the last message sent
  #unacked = []; // {number, size, frame, topic: the frame with that, or null}
  #unackedBytes = 0;
  #arrived = 0; // number of the last message that the other end says it has

  #got = 0; // number of the last message received
  #taken = 0; // highest number the application took
  #held = []; // {number, size}: received, not yet taken
  #heldBytes = 0;
  #topic = { number: 0, text: '' }; // of the message with the number
  #topical = false; // a topic has come since the last message
  #told = 0; // highest number that we have acknowledged
  #untoldBytes = 0; // taken, not acknowledged
  #pausing = false; // we have acknowledged a moment ago

  /** pieces: those of questions and answers, not the application's messages. */
  constructor({ pieces = false } = {}) {
    this.#message = pieces ? PIECE : MESSAGE;
    this.#acknowledgement = pieces ? PIECES : TAKEN;
  }

  /** Bytes that are not acknowledged. */
  get waiting() { return this.#unackedBytes; }

  /** The number of the last message, 0 before the first, and that of the last that is acknowledged. */
  get last() { return this.#number; }

  get acknowledged() { return (this.#unacked[0]?.number ?? this.#number + 1) - 1; }

  /** Drops what is not acknowledged, because the other end takes nothing. */
  forget() {
    this.#unacked = [];
    this.#unackedBytes = 0;
  }

  /** Whether a payload of that many bytes may be sent now. */
  hasCredit(size) {
    return this.#unackedBytes + size <= MAX.unacked && this.#unacked.length < MAX.unackedMessages;
  }

  /**
   * Numbers a payload, up to MAX.data bytes, and returns its frame. topic is a name, or empty: none. It costs no credit: it is
   * short, and there are no more topics than messages.
   */
  send(payload, topic = '') {
    const number = ++this.#number;
    const frame = filled(this.#message, number, payload);
    this.#unacked.push({ number, size: payload.length, frame, topic: topic === '' ? null : filled(TOPIC, number, encoder.encode(topic)) });
    this.#unackedBytes += payload.length;
    return frame;
  }

  /** How many messages are not known to have arrived. */
  get missing() { return this.#unacked.filter((m) => m.number > this.#arrived).length; }

  /** The frame that asks the other end to say when all has arrived. */
  ask() { return header(ASKED, this.#number); }

  /** A frame that the other end replies to at once, because it has said itself that all up to there has come. */
  probe() { return header(ASKED, this.acknowledged); }

  /**
   * The first unacknowledged message above a number, as {number, frame, topic}, the last for the frame that goes before it, or
   * null; undefined: there is none.
   */
  next(number) {
    const first = this.#unacked[0]?.number ?? 0;
    return this.#unacked[Math.max(0, number + 1 - first)];
  }

  /**
   * Takes bytes from the channel. Returns {message, number, topic} for a new message, {expects: true} for the first topic
   * since the last message, {credit: true} when there is more room to send, {answer} with a frame to send, {arrived: true}
   * when more is known to have arrived, {} for what changes nothing, and {violation} for what breaks the rules.
   */
  receive(bytes) {
    if (bytes.length < 5) return { violation: 'a data frame of fewer than 5 bytes' };
    const number = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
    if (bytes[0] === this.#acknowledgement) return this.#acknowledged(number);
    if (bytes[0] === ASKED) return number <= this.#got ? { answer: header(ARRIVED, this.#got) } : {};
    if (bytes[0] === ARRIVED) return this.#hasArrived(number);
    if (bytes[0] === TOPIC) return this.#takeTopic(number, bytes.subarray(5));
    if (bytes[0] !== this.#message) return {}; // a later version's
    this.#topical = false;
    if (number <= this.#got) return {};
    const size = bytes.length - 5;
    if (number !== this.#got + 1) return { violation: `data message ${number} after ${this.#got}` };
    if (size > MAX.data) return { violation: `a data message of ${size} bytes` };
    if (this.#heldBytes + size > MAX.unacked || this.#held.length >= MAX.unackedMessages) return { violation: 'data beyond its credit' };
    this.#got = number;
    this.#held.push({ number, size });
    this.#heldBytes += size;
    return { message: bytes.slice(5), number, topic: this.#topic.number === number ? this.#topic.text : '' };
  }

  #takeTopic(number, bytes) {
    const text = textOf(bytes);
    if (text === '' || text === null || bytes.length > MAX.name) return { violation: `a topic of ${bytes.length} bytes${text === null ? ', not UTF-8' : ''}` };
    const expects = !this.#topical;
    this.#topical = true;
    if (number === this.#got + 1) this.#topic = { number, text: nameProblem(text) ? '' : text }; // or the message has been received before
    return expects ? { expects } : {};
  }

  #hasArrived(number) {
    if (number > this.#number) return { violation: `data message ${number} arrived, ${this.#number} sent` };
    this.#arrived = Math.max(this.#arrived, number);
    return { arrived: true };
  }

  #acknowledged(number) {
    if (number > this.#number) return { violation: `data message ${number} taken, ${this.#number} sent` };
    const before = this.#unacked.length;
    while (this.#unacked.length > 0 && this.#unacked[0].number <= number) {
      this.#unackedBytes -= this.#unacked.shift().size;
    }
    return this.#unacked.length < before ? { credit: true } : {};
  }

  /** The application took message number and all before; returns the frame that says so, null while that can wait. */
  take(number) {
    while (this.#held.length > 0 && this.#held[0].number <= number) {
      const { size } = this.#held.shift();
      this.#heldBytes -= size;
      this.#untoldBytes += size;
    }
    this.#taken = Math.max(this.#taken, number);
    const much = this.#taken - this.#told >= ACK_MESSAGES || this.#untoldBytes >= ACK_BYTES;
    return this.#pausing && !much ? null : this.tell();
  }

  /** Whether pauseOver has to be called in ACK_PAUSE ms. */
  get pausing() { return this.#pausing; }

  /** Returns the frame that acknowledges what was taken in the pause, or null. */
  pauseOver() {
    this.#pausing = false;
    return this.owed();
  }

  /** Returns the frame that acknowledges what was taken, null if the other end knows. */
  owed() { return this.#taken > this.#told ? this.tell() : null; }

  /** The number that was acknowledged last; 0 before the first. */
  get told() { return this.#told; }

  /** The frame that acknowledges all that was taken. */
  tell() {
    this.#told = this.#taken;
    this.#untoldBytes = 0;
    this.#pausing = true;
    return header(this.#acknowledgement, this.#taken);
  }
}

// null: it is not UTF-8.
function textOf(bytes) {
  try {
    return decoder.decode(bytes);
  } catch {
    return null;
  }
}

function filled(kind, number, payload) {
  const frame = header(kind, number, payload.length);
  frame.set(payload, 5);
  return frame;
}

function header(kind, number, size = 0) {
  const frame = new Uint8Array(5 + size);
  frame[0] = kind;
  new DataView(frame.buffer).setUint32(1, number);
  return frame;
}
