// Drives the machine of recovery.js, which alone decides what becomes of a
// link's connections: reports to it what happens, keeps its timers, and has the
// link do the rest of what it says.

import { Recovery } from './recovery.js';

const LOST = 5_000; // ms that a peer the hub has lost has to be connected again

export class Path {
  #machine;
  #link; // {facts() → {online, expired, wait}, act(action), acted()}
  #timers = new Map(); // name → timeout

  constructor(connectTimeout, link) {
    this.#link = link;
    // A tab has few connections to give, and ICE in a browser keeps its path until it has another. We never restart it:
    // between two browsers that leads to a pair that both call connected, while one of them gets nothing.
    this.#machine = new Recovery({ connect: connectTimeout, lost: LOST, sparing: true, keepsPath: true, moves: true });
  }

  get over() { return this.#machine.over; }

  get failures() { return this.#machine.failures; }

  get mustWait() { return this.#machine.mustWait; }

  /** Whether a connection is there or on its way. */
  get alive() { return this.#machine.alive; }

  /** Reports an event of recovery.js, and does what follows. */
  on(event, ...what) {
    this.#machine.now(this.#link.facts());
    for (const action of this.#machine.on(event, ...what)) this.#act(action);
    this.#link.acted();
  }

  #act(action) {
    const { kind, timer, after } = action;
    if (kind === 'arm' || kind === 'disarm') clearTimeout(this.#timers.get(timer));
    if (kind === 'arm') this.#timers.set(timer, setTimeout(() => this.on('elapsed', timer), after));
    if (kind === 'end') for (const timeout of this.#timers.values()) clearTimeout(timeout);
    this.#link.act(action);
  }
}
