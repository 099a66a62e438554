// Says whose first connection is built when: a few at a time, first come,
// first served, one place for each. Whoever leaves the queue before its turn
// has cost nothing. The twin of Go's admission.go. Pure; times are in ms and
// passed in.

import { Bucket } from './conduct.js';

const AT_ONCE = 8; // being built
const PACE = [4, 16]; // a second, and in a moment: a tab may make 500 connections in all
const PATIENT = 3_000; // ms: one that is not up by then holds nobody up

export class Admission {
  #pace = new Bucket(PACE);
  #open = new Map(); // being built → since when
  #queue = new Set();

  ask(who) {
    if (!this.#open.has(who)) this.#queue.add(who);
  }

  /** The connection is up, has failed, or is not wanted any longer. */
  done(who) {
    this.#open.delete(who);
    this.#queue.delete(who);
  }

  /** Whose turn it is now, or null, and after which pause to ask again: 0 if nobody waits. */
  next(now) {
    for (const [who, since] of this.#open) {
      if (now - since >= PATIENT) this.#open.delete(who);
    }
    const [first] = this.#queue;
    if (first === undefined) return { turn: null, again: 0 };
    if (this.#open.size >= AT_ONCE) return { turn: null, again: Math.min(...[...this.#open.values()].map((since) => since + PATIENT - now)) };
    if (!this.#pace.take(now)) return { turn: null, again: this.#pace.wait(now) };
    this.#queue.delete(first);
    this.#open.set(first, now);
    return { turn: first, again: 0 };
  }
}

/** Lets links build in their turn, each in a task of its own: making a connection keeps a page busy for milliseconds. */
export class Turns {
  #admission = new Admission();
  #timer = 0; // timeout
  #at = Infinity; // when it fires, ms
  #over = false;

  /** who.admit() is called when it is its turn. */
  ask(who) {
    this.#admission.ask(who);
    this.#look();
  }

  done(who) {
    this.#admission.done(who);
    this.#look();
  }

  close() {
    this.#over = true;
    clearTimeout(this.#timer);
  }

  #look(pause = 0) {
    const at = performance.now() + pause;
    if (this.#over || this.#at <= at) return;
    this.#at = at;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#at = Infinity;
      const { turn, again } = this.#admission.next(performance.now());
      if (turn || again > 0) this.#look(again);
      turn?.admit();
    }, pause);
  }
}
