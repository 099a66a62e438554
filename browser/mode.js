// How a member asks for frames over HTTP: by a stream, or, where a proxy holds it back, by one request after the other;
// when a request is given up, and when the next one begins. It is pure: time is passed in, in ms since the connection
// was opened. It is the twin of mode.go in noom/transport/http, which explains the fields; both replay
// signal/testdata/http_modes.json.

const LEAST_PATIENCE = 1_000;
const FIRST_TRIAL = 60_000;
const LAST_TRIAL = 16 * 60_000;
const FIRST_PAUSE = 100;
const LAST_PAUSE = 2_000;
const POLL = 20_000; // the hub answers by then, if with nothing

/** How long to wait after so many failures in a row. */
export const pauseAfter = (failures) => Math.min(FIRST_PAUSE * 2 ** (failures - 1), LAST_PAUSE);

export class Mode {
  #patience;
  #polling = false;
  #trialAt = 0;
  #trial = 0;
  #stream = false;
  #asked = 0;
  #live = false;
  #brought = false;
  #lame = false;
  #there = 0;
  #moved = 0;
  #pauses = 0;

  /** The highest number of an event that has come. */
  got = 0;

  constructor(opening) { this.#patience = Math.max(LEAST_PATIENCE, 4 * opening); }

  /** Begins a request; whether it asks for a stream. */
  begin(now) {
    this.#stream = !this.#polling || now >= this.#trialAt;
    this.#asked = now;
    this.#moved = now;
    this.#live = false;
    this.#brought = false;
    return this.#stream;
  }

  /** Something has come, if only a part of an event. */
  bytes(now) {
    this.#live = true;
    this.#moved = now;
  }

  /** An event has come whole. */
  event(now, number) {
    this.bytes(now);
    this.got = Math.max(this.got, number);
    this.#brought = true;
    this.#pauses = 0;
    if (!this.#stream) return;
    this.#polling = false;
    this.#lame = false;
  }

  /** There are events up to a number at the hub. */
  has(now, number) {
    if (this.#there <= this.got) this.#moved = now;
    this.#there = Math.max(this.#there, number);
  }

  /** When to ask check, if nothing happens before; 0: it need not be. */
  due() {
    if (this.#stream && !this.#live) return this.#asked + this.#patience;
    if (this.#there > this.got) return this.#moved + this.#patience;
    if (!this.#stream) return this.#asked + POLL + this.#patience;
    return 0;
  }

  /** Whether to give up the present request, because something holds back what comes or has lost the connection. */
  check(now) {
    const due = this.due();
    if (due === 0 || now < due) return false;
    if (!this.#stream) return true;
    if (this.#brought && !this.#lame) {
      this.#lame = true; // it may have been the connection alone
      return true;
    }
    this.#lame = false;
    this.#polling = true;
    this.#trial = Math.min(Math.max(2 * this.#trial, FIRST_TRIAL), LAST_TRIAL);
    this.#trialAt = now + this.#trial;
    return true;
  }

  /** The request has ended, by check or by itself; how long to wait before the next. */
  ended(now, failed) {
    if (!failed && (this.#brought || now - this.#asked >= 1_000)) {
      this.#pauses = 0;
      return 0;
    }
    this.#pauses = Math.min(this.#pauses + 1, 10);
    return pauseAfter(this.#pauses);
  }
}
