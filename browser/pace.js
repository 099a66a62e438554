// How often the epochs of a link may begin: the pause before the next of ours,
// and how many of the other end's making are taken. Pure; the clock is told.

const MAX_PAUSE = 30_000; // ms between two rebuilds
const BURST = 8; // epochs of the other's making taken at once; then one per MAX_PAUSE / BURST

export class Pace {
  #failures = 0; // in a row
  #allowance = BURST;
  #allowedAt = 0; // when the allowance was counted, ms

  /** Epochs given up in a row. */
  get failures() { return this.#failures; }

  /** One more was given up; returns the pause before the next, in ms: none at first, then growing. chance is in [0, 1). */
  failed(chance) {
    const pause = this.#failures === 0 ? 0 : Math.min(MAX_PAUSE, 500 * 2 ** this.#failures) * (0.5 + chance / 2);
    this.#failures++;
    return pause;
  }

  /** What failed is forgotten. */
  forget() { this.#failures = 0; }

  /** Whether one more epoch of the other's making is within bounds, at now, in ms. */
  allow(now) {
    this.#allowance = Math.min(BURST, this.#allowance + ((now - this.#allowedAt) * BURST) / MAX_PAUSE);
    this.#allowedAt = now;
    if (this.#allowance < 1) return false;
    this.#allowance--;
    return true;
  }
}
