// How long to wait before each dial of a hub that was lost (PROTOCOL.md section 2). Pure.

const FIRST = 100; // ms
const CALM = 10_000; // ms of being connected, and the pauses start at FIRST again

export class Redial {
  #max; // ms
  #pause = FIRST;

  constructor(max) {
    this.#max = max;
  }

  /** A connection is lost that has lasted so many ms. One that breaks at once leaves the pauses as long as they were. */
  lost(lasted) {
    if (lasted > CALM) this.#pause = FIRST;
  }

  /** Gives the ms until the next dial; wait is how long no hub may be dialled. */
  next(wait = 0) {
    const pause = this.#pause * (0.5 + Math.random() / 2);
    this.#pause = Math.min(2 * this.#pause, this.#max);
    return Math.max(pause, wait);
  }

  /** The next dial is made at once, and the pauses start at FIRST again. */
  hurry() { this.#pause = FIRST; }
}
