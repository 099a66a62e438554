// What two members need of each other's tracks (PROTOCOL.md section 4.4.1): what we show of the other's, which it is told,
// and what it shows of ours.

/** ms between two that are sent, at least. */
export const PAUSE = 500;

/** What we show of a peer's tracks, said whenever it changes. */
export class Wants {
  #link; // {shown() → {id: height} without what is wanted in full, ready() to send now, send(body)}
  #version = 0; // of the latest; 0: none was sent
  #sent = '{}'; // as JSON
  #due = false; // it may have changed
  #again = false; // a new epoch needs it
  #timer = 0; // until the next may be sent

  constructor(link) { this.#link = link; }

  /** Something else is shown. */
  changed() {
    this.#due = true;
    this.look();
  }

  /** An epoch begins: what was said before is said again. */
  renew() {
    this.#again = this.#version > 0;
    this.#due ||= this.#again;
  }

  /** Sends what is due, if that can be done now. */
  look() {
    if (!this.#due || this.#timer || !this.#link.ready()) return;
    this.#due = false;
    const wants = this.#link.shown();
    const json = JSON.stringify(wants);
    if (!this.#again && json === this.#sent) return;
    this.#sent = json;
    this.#again = false;
    this.#link.send(JSON.stringify({ version: ++this.#version, wants }));
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.look();
    }, PAUSE);
  }

  /** The peer is gone; should it come back, the version goes on. */
  close() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }
}

/** What a peer shows of our tracks. */
export class Needs {
  #changed; // called when it is something else, no more often than an honest peer says so
  #version = 0;
  #heights = new Map(); // track id → pixels
  #due = false;
  #timer = 0; // until changed may be called again

  constructor(changed) { this.#changed = changed; }

  /** In how many tracks what is told differs from what was. */
  weigh({ version, wants }) {
    if (version <= this.#version) return 0;
    const heights = new Map(Object.entries(wants));
    return [...new Set([...heights.keys(), ...this.#heights.keys()])].filter((id) => heights.get(id) !== this.#heights.get(id)).length;
  }

  /** Takes what the peer tells, unless it is none newer than the last. */
  apply({ version, wants }) {
    if (version <= this.#version) return;
    this.#version = version;
    this.#heights = new Map(Object.entries(wants));
    this.#due = true;
    this.#report();
  }

  /** The height in pixels in which the peer shows a track of ours, 0: it does not; Infinity: it wants all of it. */
  of(id) { return this.#heights.get(id) ?? Infinity; }

  /** The peer is gone; what it said last holds should it come back. */
  close() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  #report() {
    if (!this.#due || this.#timer) return;
    this.#due = false;
    this.#changed();
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#report();
    }, PAUSE);
  }
}
