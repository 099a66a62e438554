// The ICE servers that a hub hands out. Their credentials may be short-lived:
// then it is asked for new ones in time, and connections take them for
// whatever they gather next (PROTOCOL.md section 2, servers).

const RETRY = 5_000; // ms between two questions, at least

export class Servers {
  #own; // given by the application, which sees to them itself; or undefined
  #fromHub = [];
  #timer = 0;
  #ask; // () asks the hub
  #changed; // () there are others

  constructor({ own, ask, changed }) {
    this.#own = own;
    this.#ask = ask;
    this.#changed = changed;
  }

  /** Those to use now. */
  get list() { return this.#own ?? this.#fromHub; }

  /** Takes them out of a joined or servers frame. */
  take({ iceServers = [], lifetime = 0 }) {
    this.#fromHub = iceServers;
    this.close();
    if (this.#own) return;
    if (lifetime > 0) this.#renew(lifetime, lifetime * 0.8);
    this.#changed();
  }

  // Asks after a pause, and again until there is an answer.
  #renew(lifetime, pause) {
    this.#timer = setTimeout(() => {
      this.#ask();
      this.#renew(lifetime, Math.max(lifetime / 10, RETRY));
    }, pause);
  }

  close() { clearTimeout(this.#timer); }
}
