// Takes the frames that members send beside their messages. A signature takes a while to check, so what a member sends is
// taken one after the other.

import { memberID, verifier } from './identity.js';

const WAITING = 2 ** 20; // bytes of one member's frames that wait for their signatures to be checked
const KEYS = 256; // of authors, kept so that they need not be read again

export class Intake {
  #links; // (id) → Link
  #waiting = new Map(); // id → {bytes, done: what has come is taken then}

  constructor(links) {
    this.#links = links;
  }

  /** Takes a frame of so many bytes, which costs so many records, unless there are too many: check() → Promise, then take(what that gave). */
  frame(id, conduct, { size, cost, check, take }) {
    const waiting = this.#waiting.get(id) ?? { bytes: 0, done: Promise.resolve() };
    if (waiting.bytes + size > WAITING || !conduct.records(performance.now(), cost)) return;
    waiting.bytes += size;
    this.#waiting.set(id, waiting);
    const link = this.#links(id);
    waiting.done = waiting.done.then(async () => {
      const checked = await check();
      waiting.bytes -= size;
      if (waiting.bytes === 0) this.#waiting.delete(id);
      if (link === this.#links(id)) take(checked); // else the member has gone meanwhile
    });
  }
}

/** Checks signatures by the keys that come with what they are for. */
export class Authors {
  #keys = new Map(); // id → verifier

  async isSigned(id, key, text, signature) {
    let verify = this.#keys.get(id);
    if (!verify) {
      if ((await memberID(key)) !== id) return false;
      verify = verifier(key);
      if (this.#keys.size >= KEYS) this.#keys.delete(this.#keys.keys().next().value);
      this.#keys.set(id, verify);
    }
    return verify(text, signature);
  }
}
