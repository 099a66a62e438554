// Makes a reliable, ordered stream of messages between two members out of paths that lose, repeat,
// reorder and delay frames (PROTOCOL.md sections 4.1 and 4.2). A pure machine, the twin of Go's
// internal/exchange: no timer, no network, no promise. Time is a number of ticks that are passed
// in.
//
// A message is {type, body, hubOnly}; a frame is a message with {epoch, seq,
// ack, again}, or a bare acknowledgement, whose type is ''. hubOnly says that
// it must not travel over the connection it is about; again, that it was sent
// before and is worth a second path.

import { MAX } from './limits.js';

/** How many messages may be unacknowledged in one direction. */
export const WINDOW = MAX.inFlight;

// So many frames wait for an acknowledgement before it goes by itself, so that the other end never waits for one with
// its window full.
const PROMPT = WINDOW / 4;

// Back-off of an unacknowledged message, in ticks.
const FIRST_WAIT = 2;
const LAST_WAIT = 16;

/** Reports whether epoch [number, by] a loses against b. */
export const epochLess = (a, b) => (a[0] !== b[0] ? a[0] < b[0] : a[1] < b[1]);

export class Exchange {
  #self;
  #epoch = [0, ''];

  // Sending: queue[0] has number acked + 1; the first `sent` of them are in flight.
  #acked = 0;
  #sent = 0;
  #queue = []; // {message, due, tries, wait}

  // Receiving.
  #got = 0; // all up to here was delivered
  #early = new Map(); // seq → what came ahead of it
  #owed = 0; // frames that wait for an acknowledgement; PROMPT: it waits for nothing

  /** The end of the member with id self, in no epoch yet. */
  constructor(self) {
    this.#self = self;
  }

  /** All it knows, as plain data: what Go writes its tables of transitions with. */
  get state() {
    return {
      epoch: this.#epoch, acked: this.#acked, sent: this.#sent, got: this.#got, owed: this.#owed,
      queue: this.#queue.map(({ message, ...rest }) => ({ ...message, ...rest })),
      early: [...this.#early].sort(([a], [b]) => a - b).map(([seq, message]) => ({ ...message, seq })),
    };
  }

  /** The exchange that knows a state; what the state leaves out is false, 0 or empty. */
  static restore(self, { epoch, acked = 0, sent = 0, queue = [], got = 0, early = [], owed = 0 }) {
    const x = new Exchange(self);
    x.#epoch = epoch;
    x.#acked = acked;
    x.#sent = sent;
    x.#queue = queue.map(({ due = false, tries = 0, wait = 0, ...message }) => ({ message, due, tries, wait }));
    x.#got = got;
    x.#early = new Map(early.map(({ seq, ...message }) => [seq, message]));
    x.#owed = owed;
    return x;
  }

  /** The current epoch; its number is 0 before the first. */
  get epoch() { return this.#epoch; }

  /** How many messages of this epoch the other end has. */
  get acked() { return this.#acked; }

  /**
   * How many messages were given to send. A message is acknowledged once acked has reached what queued was right after
   * its send.
   */
  get queued() { return this.#acked + this.#queue.length; }

  /** Whether a message given to send now would leave with the next flush. */
  get room() { return this.#queue.length < WINDOW; }

  /** Whether anything waits for an acknowledgement, and so whether ticks matter. */
  get pending() { return this.#queue.length > 0; }

  /** Whether a frame of this epoch would make receive throw the current one away. */
  ahead(epoch) { return epochLess(this.#epoch, epoch); }

  /**
   * Starts the next epoch as our own and forgets all of the last. Returns false, and changes nothing, when the numbers
   * are used up.
   */
  begin() {
    if (this.#epoch[0] >= MAX.number) return false;
    this.#reset([this.#epoch[0] + 1, this.#self]);
    return true;
  }

  #reset(epoch) {
    this.#epoch = epoch;
    this.#acked = this.#sent = this.#got = 0;
    this.#queue = [];
    this.#early = new Map();
    this.#owed = 0;
  }

  /** Queues a message for the other end. */
  send(message) {
    this.#queue.push({ message, due: false, tries: 0, wait: 0 });
  }

  /**
   * Takes a frame. renewed: it began a new epoch, the old one is over, and the messages belong to the new. ok is false
   * for a frame dropped whole.
   */
  receive(frame) {
    const { epoch, seq, ack } = frame;
    if (epochLess(epoch, this.#epoch) || epoch[0] < 1 || epoch[0] > MAX.number) return dropped;
    let renewed = false;
    if (epochLess(this.#epoch, epoch)) {
      if (ack !== 0 || seq < 0 || seq > WINDOW) return dropped;
      this.#reset(epoch);
      renewed = true;
    }
    const messages = [];
    if (ack < 0 || ack > this.#acked + this.#sent || seq < 0 || seq > this.#got + WINDOW) {
      return { messages, renewed, ok: renewed };
    }
    this.#acknowledge(ack);
    if (seq === 0) return { messages, renewed, ok: true };
    this.#owed = Math.min(this.#owed + 1, PROMPT);
    if (seq <= this.#got || this.#early.has(seq)) {
      this.press();
      return { messages, renewed, ok: true };
    }
    const { type, body, hubOnly } = frame;
    this.#early.set(seq, { type, body, hubOnly });
    while (this.#early.has(this.#got + 1)) {
      this.#got++;
      messages.push(this.#early.get(this.#got));
      this.#early.delete(this.#got);
    }
    return { messages, renewed, ok: true };
  }

  #acknowledge(ack) {
    const n = ack - this.#acked;
    if (n <= 0) return;
    this.#queue.splice(0, n);
    this.#acked = ack;
    this.#sent -= n;
  }

  /** Is called when one tick has passed. */
  tick() {
    for (const o of this.#queue.slice(0, this.#sent)) {
      if (--o.wait <= 0) o.due = true;
    }
  }

  /** Makes everything unacknowledged due, as after a path came back. */
  resend() { this.#queue.slice(0, this.#sent).forEach(hasten); }

  /**
   * Makes due what is unacknowledged since before the last tick, as when there is a path more: of what was sent since,
   * the acknowledgement may be on its way, or held.
   */
  resendLate() { this.#queue.slice(0, this.#sent).filter((o) => o.tries > 1 || o.wait < FIRST_WAIT).forEach(hasten); }

  /** Whether an acknowledgement waits for a frame on which to travel. */
  get owes() { return this.#owed > 0; }

  /** Makes an acknowledgement that is owed go with the next flush, alone if there is no other frame. */
  press() {
    if (this.owes) this.#owed = PROMPT;
  }

  /**
   * Returns the frames to send now. Each acknowledges what has come. A frame that does nothing else is among them only
   * after press, a repetition, or many frames; until then the acknowledgement is owed.
   */
  flush() {
    const frames = [];
    while (this.#sent < Math.min(this.#queue.length, WINDOW)) this.#queue[this.#sent++].due = true;
    this.#queue.slice(0, this.#sent).forEach((o, i) => {
      if (!o.due) return;
      frames.push({ ...o.message, epoch: this.#epoch, seq: this.#acked + 1 + i, ack: this.#got, again: o.tries > 0 });
      o.due = false;
      o.wait = Math.min(FIRST_WAIT << Math.min(o.tries, 8), LAST_WAIT);
      o.tries++;
    });
    if (frames.length === 0 && this.#owed >= PROMPT) {
      frames.push({ type: '', epoch: this.#epoch, seq: 0, ack: this.#got, again: false });
    }
    if (frames.length > 0) this.#owed = 0;
    return frames;
  }
}

function hasten(o) {
  o.due = true;
  o.tries = Math.min(o.tries, 1);
}

const dropped = Object.freeze({ messages: Object.freeze([]), renewed: false, ok: false });
