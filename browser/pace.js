// How often we begin the epochs of a link: the pause before the next of ours. Pure. How many a
// member may make us build, whichever side begins, is for conduct.js.

const MAX_PAUSE = 30_000; // ms between two rebuilds

export class Pace {
  #failures = 0; // in a row

  /** Epochs given up in a row. */
  get failures() { return this.#failures; }

  /**
   * One more was given up; returns the pause before the next, in ms: none at first, then growing. chance is in [0, 1).
   */
  failed(chance) {
    const pause = this.#failures === 0 ? 0 : Math.min(MAX_PAUSE, 500 * 2 ** this.#failures) * (0.5 + chance / 2);
    this.#failures++;
    return pause;
  }

  /** What failed is forgotten. */
  forget() { this.#failures = 0; }
}
