// Finds out for the machine of recovery.js whether anything arrives by a path.

import { statistics } from './diagnose.js';

export class Proof {
  #link; // {send() something by the path, answered(yes)}
  #sample = null; // {pc, bytes}: what had arrived when that was sent; bytes: a promise

  constructor(link) { this.#link = link; }

  /** Sends something whose arrival the other end's SCTP acknowledges. */
  probe(pc) {
    this.#sample = { pc, bytes: arrived(pc) };
    this.#link.send();
  }

  /** Reports whether anything has arrived since. Where that is not known, it counts as arrived. */
  async check(pc) {
    const sample = this.#sample;
    if (sample?.pc !== pc) return;
    const [before, now] = [await sample.bytes, await arrived(pc)];
    if (this.#sample !== sample) return; // another path
    this.#link.answered(!before || !now || [...now].some(([id, bytes]) => bytes > (before.get(id) ?? 0)));
  }
}

// The bytes that each candidate pair has received, ICE's own checks not among them; undefined if they are not known.
async function arrived(pc) {
  const stats = await statistics(pc)?.catch(() => undefined);
  if (!stats) return undefined;
  const pairs = [...stats.values()].filter(({ type, bytesReceived }) => type === 'candidate-pair' && bytesReceived !== undefined);
  return pairs.length > 0 ? new Map(pairs.map(({ id, bytesReceived }) => [id, bytesReceived])) : undefined;
}
