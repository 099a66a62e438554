// Tells an application that traces a room which frames come and go, and how large they are: never what is in them.

import { byteLength, isLabel } from './name.js';

export class Tracer {
  to; // (TracedFrame): the application's; null: nothing is traced
  #peer; // (id) → Peer, or undefined

  constructor(peer, to = null) {
    this.#peer = peer;
    this.to = to;
  }

  /** An encoded frame comes (in) or goes (out), by the hub or in-band; then other is the member's id. */
  frame(direction, inBand, frame, other) {
    if (!this.to || typeof frame !== 'string') return;
    const { type, from, to } = JSON.parse(frame.split('\n', 1)[0]); // it was decoded, or encoded, before
    const peer = this.#peer(other ?? (direction === 'in' ? from : to)) ?? null;
    try {
      this.to({ at: new Date(), peer, direction, inBand, type: isLabel(type) ? type : '', bytes: byteLength(frame) });
    } catch (error) {
      console.error(error); // the application's, and no reason to lose the frame
    }
  }
}
