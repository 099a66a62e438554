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
  #dataListeners = new Listeners();

  /** What happens from now on, as an async iterator; from join on if made at once. Ends after `closed`. */
  events() {
    const queue = new Queue((left) => {
      this.#queues.delete(queue);
      this.#takeBack(left);
    });
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
    this.#dataListeners.add(...rest);
    if (this.#started) this.#deliverWaiting();
  }

  removeEventListener(type, ...rest) {
    super.removeEventListener(type, ...rest);
    if (type === 'datareceived') this.#dataListeners.remove(...rest);
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
    for (const queue of this.#queues) queue.end();
    this.#queues.clear();
  }

  #deliverWaiting() {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const item of waiting) this.#deliver(item);
  }

  #deliver(item) {
    const heard = !item.taken || this.#dataListeners.call();
    if (!heard && this.#queues.size === 0) {
      this.#waiting.push(item);
      return;
    }
    for (const queue of this.#queues) queue.push(item);
    this.dispatchEvent(item.event);
    if (heard) take(item);
  }

  // An iterator has ended with these in it: the data that nobody has taken waits for who is next.
  #takeBack(items) {
    const queued = (item) => [...this.#queues].some((queue) => queue.has(item));
    this.#waiting.unshift(...items.filter((item) => item.taken && !queued(item)));
    if (this.#started) this.#deliverWaiting();
  }
}

function take(item) {
  const { taken } = item;
  item.taken = undefined; // once
  taken?.();
}

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

  has(item) { return this.#items.includes(item); }

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
    const left = this.#items;
    this.#items = [];
    this.end();
    this.#gone(left);
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
        const item = this.#items.shift();
        take(item);
        value = item.event;
      } else if (!this.#over) {
        return;
      }
      this.#pulls.shift()(value ? { done: false, value } : { done: true, value: undefined });
    }
  }
}
