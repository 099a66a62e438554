// Events of a room, for listeners and for `for await`.
//
// Whatever happens is dispatched to listeners at once, and queued for every
// iterator, in a Queue that is bounded. Data is taken, and so acknowledged to
// its sender, when a listener was called with it or an iterator has pulled it,
// whichever is first; until then the sender's credit bounds it. A channel that
// a peer has opened is taken likewise; until then it counts as open. So is a
// file that a peer offers.

import { Queue, take } from './queue.js';

/** An Event whose further fields depend on its type; see noom.d.ts. */
export class RoomEvent extends Event {
  constructor(type, fields = {}) {
    super(type);
    Object.assign(this, fields);
  }
}

export class RoomEvents extends EventTarget {
  #iterators = new Set(); // that live
  #waiting = []; // {event, taken}: before start everything, then data not taken yet
  #started = false;
  #ending = false; // nothing more happens
  #over = false;
  #listeners = new Map([['datareceived', new Listeners()], ['channelopened', new Listeners()], ['fileoffered', new Listeners()]]); // to what is taken

  /** What happens from now on, as an async iterator; from join on if made at once. Ends after `closed`. */
  events() {
    const iterator = new EventIterator((left) => {
      this.#iterators.delete(iterator);
      this.#takeBack(left);
    });
    if (this.#over) {
      iterator.end();
      return iterator;
    }
    this.#iterators.add(iterator);
    if (this.#started) this.#deliverWaiting();
    return iterator;
  }

  addEventListener(type, ...rest) {
    super.addEventListener(type, ...rest);
    this.#listeners.get(type)?.add(...rest);
    if (type === 'datareceived' && this.#started) this.#deliverWaiting();
  }

  removeEventListener(type, ...rest) {
    super.removeEventListener(type, ...rest);
    this.#listeners.get(type)?.remove(...rest);
  }

  /** Lets events out: called a task after join resolved, so that there can be listeners. */
  start() {
    if (this.#started) return;
    this.#started = true;
    this.#deliverWaiting();
    if (this.#ending) this.#finish();
  }

  /** taken, if given, is called when the application has taken the event. */
  emit(type, fields, taken) {
    const item = { event: new RoomEvent(type, fields), taken };
    if (this.#started) this.#deliver(item);
    else this.#waiting.push(item);
  }

  /** Ends every iterator after what is queued; if that is before start, then after that. */
  end() {
    this.#ending = true;
    if (this.#started) this.#finish();
  }

  #finish() {
    this.#over = true;
    for (const iterator of this.#iterators) iterator.end();
    this.#iterators.clear();
  }

  #deliverWaiting() {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const item of waiting) this.#deliver(item);
  }

  #deliver(item) {
    const nobody = this.#iterators.size === 0;
    const heard = !item.taken || this.#listeners.get(item.event.type).call();
    if (!heard && nobody && isData(item)) {
      this.#waiting.push(item);
      return;
    }
    for (const iterator of this.#iterators) iterator.push(item);
    this.dispatchEvent(item.event);
    if (heard || nobody) take(item);
  }

  // An iterator has ended with these in it: the data that nobody has taken waits for who is next.
  #takeBack(items) {
    const queued = (item) => [...this.#iterators].some((iterator) => iterator.has(item));
    const left = items.filter((item) => item.taken && !queued(item));
    for (const item of left) if (!isData(item)) take(item);
    this.#waiting.unshift(...left.filter(isData));
    if (this.#started) this.#deliverWaiting();
  }
}

const isData = ({ event }) => event.type === 'datareceived';

// The listeners for one type of event, as the platform counts them.
class Listeners {
  #all = [new Map(), new Map()]; // those that bubble, and those that capture: listener → {once: it is called only once}

  add(listener, options) {
    const { once = false, signal } = Object(options);
    const listeners = this.#all[capture(options)];
    if (!listener || signal?.aborted || listeners.has(listener)) return;
    const added = { once };
    listeners.set(listener, added);
    signal?.addEventListener('abort', () => listeners.get(listener) === added && listeners.delete(listener), { once: true });
  }

  remove(listener, options) { this.#all[capture(options)].delete(listener); }

  /** They are called now; returns whether there are any. */
  call() {
    const any = this.#all.some(({ size }) => size > 0);
    for (const listeners of this.#all) for (const [listener, { once }] of listeners) if (once) listeners.delete(listener);
    return any;
  }
}

const capture = (options) => Number(Boolean(typeof options === 'object' ? options?.capture : options));

// An async iterator over a Queue.
class EventIterator {
  #queue = new Queue();
  #pulls = []; // resolvers of next() calls that wait
  #over = false;
  #gone; // called with what is left when it is ended early

  constructor(gone) {
    this.#gone = gone;
  }

  has(item) { return this.#queue.has(item); }

  push(item) {
    this.#queue.push(item);
    this.#serve();
  }

  end() {
    this.#over = true;
    this.#serve();
  }

  next() {
    return new Promise((resolve) => {
      this.#pulls.push(resolve);
      this.#serve();
    });
  }

  return() {
    const left = this.#queue.clear();
    this.end();
    this.#gone(left);
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  #serve() {
    while (this.#pulls.length > 0 && (this.#over || !this.#queue.empty)) {
      const resolve = this.#pulls.shift();
      if (this.#queue.empty) {
        resolve({ done: true, value: undefined });
      } else {
        const { event, dropped } = this.#queue.shift();
        resolve({ done: false, value: event ?? new RoomEvent('lagged', { dropped }) });
      }
    }
  }
}
