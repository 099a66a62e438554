// What pages and members ask each other: peer.ask and room.handle, around the machine of questions.js. The stream carries
// its pieces.

import { toBytes } from './data.js';
import { NoomError, optionsOf } from './errors.js';
import { cleanName, nameProblem } from './name.js';
import { MAX_SIZE } from './pieces.js';
import { Questions } from './questions.js';

/** A topic in normal form. */
export function topicOf(topic) {
  const name = cleanName(topic);
  const problem = nameProblem(name);
  if (problem) throw new NoomError('bad_name', `topic: ${problem}`);
  return name;
}

/** The topic in the options of send, in normal form; empty: none. */
export function topicIn(options) {
  const { topic } = optionsOf(options);
  return topic === undefined ? '' : topicOf(topic);
}

/** The questions between us and one peer. */
export class Asking {
  #books = new Questions();
  #open = new Map(); // id → {resolve, reject} of our questions
  #waiting = []; // those that wait for a place: {topic, data, resolve, reject, begun(id)}
  #aborts = new Map(); // id → AbortController of theirs
  #closed = false; // the peer is gone
  #sealed = false; // we leave
  #unsupported = false; // the peer does not know questions
  #due; // called when there may be a piece to send
  #handler; // (topic) → what room.handle was given, for the peer: (data, {signal}) → answer; or undefined

  constructor({ due, handler }) {
    this.#due = due;
    this.#handler = handler;
  }

  /** Asks the peer something; resolves with the answer. */
  ask(topic, question, signal) {
    const data = question.slice();
    return new Promise((resolve, reject) => {
      if (data.length > MAX_SIZE) throw new NoomError('too_big', `a question of ${data.length} bytes, at most ${MAX_SIZE}`);
      const over = this.#over;
      if (over) throw over;
      if (signal?.aborted) throw signal.reason;
      let id = 0; // until it has a place
      const entry = { topic, data, begun: (given) => { id = given; } };
      const stop = () => {
        if (id > 0) this.#giveUp(id);
        else this.#waiting = this.#waiting.filter((other) => other !== entry);
        entry.reject(signal.reason);
        this.#begin();
      };
      const end = (settle) => (value) => {
        signal?.removeEventListener('abort', stop);
        settle(value);
      };
      Object.assign(entry, { resolve: end(resolve), reject: end(reject) });
      signal?.addEventListener('abort', stop);
      this.#waiting.push(entry);
      this.#begin();
    });
  }

  /** The next piece to send, or null. */
  next() { return this.#books.next(); }

  /** Whether an answer of ours has yet to be sent. */
  get answering() { return this.#books.answering; }

  /** Takes a piece. Throws a NoomError if it breaks the rules. */
  take(bytes) { this.#do(this.#books.take(bytes)); }

  /** We leave: nothing more is asked, and what is answered is still sent. */
  seal() {
    this.#sealed = true;
    this.#end(() => this.#books.seal());
  }

  /** The peer is gone. */
  close() {
    this.#closed = true;
    this.#end(() => this.#books.close());
  }

  /** Takes back close. */
  open() {
    this.#closed = false;
    this.#books.open();
  }

  /** The peer does not know what questions are. */
  refuse() {
    this.#unsupported = true;
    this.#end(() => this.#books.seal());
    this.#books = new Questions(); // what waits is for nobody
  }

  get #over() {
    if (this.#closed || this.#sealed) return new NoomError('closed', 'the peer is gone, or we are leaving');
    return this.#unsupported ? new NoomError('unsupported', 'the peer runs a noom without questions and answers') : null;
  }

  #end(books) {
    for (const { reject } of this.#waiting.splice(0)) reject(this.#over);
    this.#do(books());
  }

  // Begins those that wait, the earliest first, as far as there are places.
  #begin() {
    while (this.#waiting.length > 0 && this.#books.place(this.#waiting[0].data.length)) {
      const entry = this.#waiting.shift();
      const id = this.#books.ask(entry.topic, entry.data);
      entry.begun(id);
      this.#open.set(id, entry);
    }
    this.#due();
  }

  #giveUp(id) {
    this.#open.delete(id);
    this.#books.cancel(id);
  }

  #settle(id, how) {
    const entry = this.#open.get(id);
    this.#open.delete(id);
    how(entry);
  }

  #do(actions) {
    for (const { ended, lost, asked, unwanted, topic, data, refusal } of actions) {
      if (refusal) this.#settle(ended, ({ reject }) => reject(new NoomError(refusal.code, `ask: ${refusal.text || refusal.code}`, { about: 'question' })));
      else if (ended) this.#settle(ended, ({ resolve }) => resolve(data));
      if (lost) this.#settle(lost, ({ reject }) => reject(this.#over));
      if (asked) this.#answer(asked, topic, data);
      if (unwanted) this.#aborts.get(unwanted).abort(new NoomError('cancelled', 'the question is no longer wanted'));
    }
    this.#begin();
  }

  async #answer(id, topic, data) {
    const handler = this.#handler(topic);
    if (!handler) {
      this.#books.refuse(id, 'not_handled', 'nobody answers questions under this topic');
      this.#due();
      return;
    }
    const books = this.#books;
    const abort = new AbortController();
    this.#aborts.set(id, abort);
    await null; // not within what the stream does
    try {
      const answer = await handler(data, { signal: abort.signal });
      books.answer(id, answer === undefined ? new Uint8Array() : toBytes(answer).slice());
    } catch (error) {
      if (typeof error?.code !== 'string' && !abort.signal.aborted) console.error(error); // nobody else says so
      books.refuse(id, error?.code, String(error?.message ?? error));
    }
    this.#aborts.delete(id);
    this.#due();
  }
}
