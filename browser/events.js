// Events of a room, for listeners and for `for await`.
//
// Whatever happens is dispatched to listeners at once, and queued for every
// iterator. Queues are bounded: chat beyond QUEUE goes oldest first, and
// `lagged` says how much; events of a state are never dropped. Data is taken,
// and so acknowledged to its sender, when a listener was called with it or an
// iterator has pulled it; until then the sender's credit bounds it.

const QUEUE = 1024; // events waiting in one iterator before old chat goes

/** An Event whose further fields depend on its type; see noom.d.ts. */
export class RoomEvent extends Event {
  constructor(type, fields = {}) {
    super(type);
    Object.assign(this, fields);
  }
}

export class RoomEvents extends EventTarget {
  #queues = new Set(); // of the live iterators
  #waiting = []; // {event, taken}: before start everything, then data not taken yet
  #started = false;
  #ending = false; // nothing more happens
  #over = false;
  #dataHeard = false; // there is a listener for data

  /** What happens from now on, as an async iterator; from join on if made at once. Ends after `closed`. */
  events() {
    const queue = new Queue(() => this.#queues.delete(queue));
    if (this.#over) {
      queue.end();
      return queue;
    }
    this.#queues.add(queue);
    if (this.#started) this.#deliverWaiting();
    return queue;
  }

  addEventListener(type, ...rest) {
    super.addEventListener(type, ...rest);
    if (type !== 'datareceived') return;
    this.#dataHeard = true;
    if (this.#started) this.#deliverWaiting();
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
    const event = new RoomEvent(type, fields);
    if (this.#started) this.#deliver(event, taken);
    else this.#waiting.push({ event, taken });
  }

  /** Ends every iterator after what is queued; if that is before start, then after that. */
  end() {
    this.#ending = true;
    if (this.#started) this.#finish();
  }

  #finish() {
    this.#over = true;
    for (const queue of this.#queues) queue.end();
    this.#queues.clear();
  }

  #deliverWaiting() {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { event, taken } of waiting) this.#deliver(event, taken);
  }

  #deliver(event, taken) {
    const heard = !taken || this.#dataHeard;
    if (!heard && this.#queues.size === 0) {
      this.#waiting.push({ event, taken });
      return;
    }
    for (const queue of this.#queues) queue.push({ event, taken });
    this.dispatchEvent(event);
    if (heard) taken?.();
  }
}

// An async iterator over a bounded queue.
class Queue {
  #items = [];
  #pulls = []; // resolvers of next() calls that wait
  #dropped = 0;
  #over = false;
  #gone;

  constructor(gone) {
    this.#gone = gone;
  }

  push(item) {
    this.#items.push(item);
    if (this.#items.length > QUEUE) {
      const oldest = this.#items.findIndex((i) => i.event.type === 'chatreceived');
      if (oldest >= 0) {
        this.#items.splice(oldest, 1);
        this.#dropped++;
      }
    }
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
    this.#items = [];
    this.end();
    this.#gone();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  #serve() {
    while (this.#pulls.length > 0) {
      let value;
      if (this.#dropped > 0) {
        value = new RoomEvent('lagged', { dropped: this.#dropped });
        this.#dropped = 0;
      } else if (this.#items.length > 0) {
        const { event, taken } = this.#items.shift();
        taken?.();
        value = event;
      } else if (!this.#over) {
        return;
      }
      this.#pulls.shift()(value ? { done: false, value } : { done: true, value: undefined });
    }
  }
}
