// How good a connection is, second by second: the machine of internal/quality in Go, where its rules are written. It is
// pure: what was measured is passed in. Times are in ms.

export const PERIOD = 1000; // between two steps
const WINDOW = 3;
const WORSEN = 2;
const IMPROVE = 5;

// From the best to the worst.
const QUALITIES = ['good', 'fair', 'poor', 'lost'];
const [GOOD, FAIR, POOR, LOST] = QUALITIES.keys();

const LIMITS = [
  [POOR, { loss: 0.12, roundTrip: 800, queue: 400, stalled: 0.30 }],
  [FAIR, { loss: 0.04, roundTrip: 400, queue: 150, stalled: 0.10 }],
];

export class Machine {
  #quality = GOOD;
  #latest; // {loss, stalled} of the last steps, newest first
  #run = 0; // seconds in a row that are all worse, or all better, than quality
  #worse = false;
  #mild = GOOD; // of the run, the one that is nearest to quality

  constructor() { this.#forget(); }

  /** good, fair, poor or lost */
  get quality() { return QUALITIES[this.#quality]; }

  /** Nothing arrives any longer; true if the quality has changed. */
  interrupt() {
    const changed = this.#quality !== LOST;
    this.#forget();
    this.#quality = LOST;
    return changed;
  }

  /** Takes what was measured since the last step: {loss, roundTrip, queue, stalled}; true if the quality has changed. */
  step({ loss = 0, roundTrip = 0, queue = 0, stalled = 0 }) {
    this.#latest = [{ loss, stalled: stalled / PERIOD }, ...this.#latest.slice(0, WINDOW - 1)];
    const before = this.#quality;
    this.#follow(this.#judge(roundTrip, queue));
    return this.#quality !== before;
  }

  #forget() {
    this.#latest = Array(WINDOW).fill({ loss: 0, stalled: 0 });
    this.#run = 0;
  }

  #judge(roundTrip, queue) {
    let [loss, stalled] = [0, 0];
    for (const latest of this.#latest) {
      loss += latest.loss / WINDOW;
      stalled += latest.stalled / WINDOW;
    }
    const reached = ([, limit]) => loss >= limit.loss || roundTrip >= limit.roundTrip || queue >= limit.queue || stalled >= limit.stalled;
    return LIMITS.find(reached)?.[0] ?? GOOD;
  }

  #follow(quality) {
    if (this.#quality === LOST) {
      this.#quality = quality;
      return;
    }
    if (quality === this.#quality) {
      this.#run = 0;
      return;
    }
    const worse = quality > this.#quality;
    if (this.#run === 0 || this.#worse !== worse) {
      this.#run = 0;
      this.#worse = worse;
      this.#mild = quality;
    } else {
      this.#mild = worse ? Math.min(this.#mild, quality) : Math.max(this.#mild, quality);
    }
    this.#run++;
    if (this.#run < (worse ? WORSEN : IMPROVE)) return;
    this.#quality = this.#mild;
    this.#run = 0;
  }
}
