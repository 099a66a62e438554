// Wakes what has something to do later.

/** Calls something once at the earliest of the times that it was given, in ms of performance.now(). */
export class Wake {
  #call;
  #timer = 0;
  #due = Infinity; // of timer

  constructor(call) {
    this.#call = call;
  }

  /** Infinity: nothing has to be done. A time that comes earlier stays, and what is called then says the next one. */
  at(time) {
    if (this.#timer && this.#due <= time) return;
    this.stop();
    if (time === Infinity) return;
    this.#due = time;
    this.#timer = setTimeout(() => {
      this.stop();
      this.#call();
    }, Math.max(0, time - performance.now()));
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#due = Infinity;
  }
}
