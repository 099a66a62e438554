// Says whose first connection is built when: a few at a time, first come,
// first served, one place for each. A member that leaves the queue before its turn
// has cost nothing; in a crowd, the turn of the next comes when it has stayed
// for a moment. Pure; times are in ms and passed in. Go's admission.go is
// simpler, as connections are cheaper there.

import { Bucket } from './conduct.js';

const AT_ONCE = 8; // being built
const PACE = [4, 16]; // a second, and in a moment: a tab may make 500 connections in all
const CALM = [1, 8]; // newcomers a second, and in a moment, who need not have stayed for SETTLED
const SETTLED = 500; // ms: a connection to one that leaves before that was made in vain, and a page has not many connections to give
const PATIENT = 3_000; // ms: one that is not up by then holds nobody up

export class Admission {
  #pace = new Bucket(PACE);
  #open = new Map(); // being built → since when
  #calm = new Bucket(CALM);
  #queue = new Map(); // a link that waits → from when on it may have its turn

  ask(who, now) {
    if (!this.#open.has(who) && !this.#queue.has(who)) this.#queue.set(who, this.#calm.take(now) ? now : now + SETTLED);
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
    if (this.#queue.size === 0) return { turn: null, again: 0 };
    const [first] = [...this.#queue].find(([, from]) => from <= now) ?? [null];
    if (first === null) return { turn: null, again: Math.min(...this.#queue.values()) - now };
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
    this.#admission.ask(who, performance.now());
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
