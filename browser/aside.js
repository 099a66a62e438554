// Frames of the room's state and of chat, which go beside the messages of a link (PROTOCOL.md sections 4.8 and 4.9): they are
// neither numbered nor acknowledged, and what a connection has not carried is lost with it.

import { MAX } from './limits.js';

const KINDS = [16, 17]; // first bytes: of the state and of chat
const MOST = MAX.unacked / 2; // bytes that wait

export class Aside {
  #opened; // () there is another connection for them
  #came; // (kind, frame)
  #carrier = null; // the Connection that was told
  #frames = [];
  #size = 0;
  #unsure = false; // one was sent of which a member that leaves wants to know whether it has arrived

  constructor({ opened, came }) {
    this.#opened = opened;
    this.#came = came;
  }

  /** Whether all that matters to a member that leaves has arrived. */
  get arrived() { return !this.#unsure; }

  /** Keeps a frame to be sent; false: too much waits. sure: a member that leaves waits until it has arrived. */
  add(kind, payload, sure) {
    if (this.#size + payload.length > MOST) return false;
    const frame = new Uint8Array(payload.length + 1);
    frame[0] = kind;
    frame.set(payload, 1);
    this.#frames.push(frame);
    this.#size += frame.length;
    this.#unsure ||= sure;
    return true;
  }

  /** Looks whether there is another connection, of those that take data, what is to go first. */
  look([carrier = null]) {
    if (carrier === null || carrier === this.#carrier) return;
    this.close();
    this.#carrier = carrier;
    this.#opened();
  }

  /** Sends what waits; false: not all could be. put(frame) is false if it could not. */
  write(put) {
    while (this.#frames.length > 0) {
      if (!put(this.#frames[0])) return false;
      this.#size -= this.#frames.shift().length;
    }
    return true;
  }

  /** Takes bytes of a data channel; false: they are not for us. */
  receive(bytes) {
    if (!KINDS.includes(bytes[0])) return false;
    this.#came(bytes[0], bytes.slice(1));
    return true;
  }

  /** The other end says that it has all that was sent before it was asked. */
  confirm() { this.#unsure &&= this.#frames.length > 0; }

  close() {
    this.#carrier = null;
    this.#frames = [];
    this.#size = 0;
    this.#unsure = false;
  }
}
