// What all pictures to one peer may take, in a browser that finds that out too late or not at all. Firefox says no
// estimate, and may go on with 600 kbit/s of a picture of 720p and more on a path of 300; once it was bounded for a
// moment, it follows the path by itself. The machine is pure: what meter.js has measured is passed in, once a second.

const FLOOD = 0.25; // of the packets are lost: far too much is sent
const MORE = 0.08; // is lost than before it was raised: that was too much
const PART = 0.8; // of what arrives is sent then; sound is in it too
const UP = 1.5; // times what it was, at first
const FURTHER = 2; // the same where that was not too much
const LEAST = 100_000; // bits per second
const MOST = 2_000_000; // from here on there is no bound
const AFTER = 2; // seconds before what was changed can be judged
const PAUSE = 4; // seconds before it is raised, and half as many more each time that this was too much
const LONGEST = 32;

export class Bound {
  #bitrate = Infinity;
  #loss = 0; // at the last step
  #since = AFTER; // seconds since the last change
  #pause = PAUSE;
  #raised = null; // {from, loss}: the last time, as long as it has not been too much

  /** Bits per second, Infinity: as many as the browser likes. */
  get bitrate() { return this.#bitrate; }

  /** Takes what was measured since the last step, as peer.bandwidth() has it; true if the bound has changed. */
  step({ estimate, sent, loss }) {
    const before = this.#bitrate;
    const least = Math.min(loss, this.#loss); // one report may be wrong
    this.#loss = loss;
    this.#since++;
    if (estimate > 0) {
      this.#bitrate = Infinity;
    } else if (this.#since > AFTER) {
      this.#judge(sent, least);
    }
    return this.#bitrate !== before;
  }

  #judge(sent, loss) {
    const failed = this.#raised && loss > this.#raised.loss + MORE;
    if (failed) this.#pause = Math.min(1.5 * this.#pause, LONGEST);
    if (loss >= FLOOD) {
      this.#set(Math.max(LEAST, Math.round(PART * (1 - loss) * Math.min(sent, this.#bitrate))), null);
    } else if (failed) {
      this.#set(this.#raised.from, null);
    } else if (this.#bitrate < Infinity && (this.#raised || this.#since > this.#pause)) {
      if (this.#raised) this.#pause = PAUSE;
      const bitrate = (this.#raised ? FURTHER : UP) * this.#bitrate;
      this.#set(bitrate < MOST ? Math.round(bitrate) : Infinity, { from: this.#bitrate, loss });
    }
  }

  #set(bitrate, raised) {
    this.#bitrate = bitrate;
    this.#raised = raised;
    this.#since = 0;
  }
}
