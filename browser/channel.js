// A data channel of the application's own, alongside the stream of peer.send (PROTOCOL.md section
// 4.5). It belongs to one connection: its successor ends it, and what was under way in it is lost.
//
// Messages are pulled, so none is lost before there is a reader. What waits is bounded: a channel
// left unread beyond that is closed.

import { toBytes } from './data.js';
import { NoomError, optionsOf } from './errors.js';
import { MAX } from './limits.js';
import { byteLength } from './name.js';

const MAX_UNREAD = 1024; // messages
const MAX_UNREAD_BYTES = 1 << 20;
const HIGH = 1 << 20; // bytes waiting to be sent, above which send waits
const LOW = 1 << 18; // below which it goes on
const CLOSING = 1000; // ms for the other end to confirm that a channel is closed in which nothing is under way
const YOUNG = 1000; // ms for the other page to learn of a channel: if its end comes before, Chromium throws away what was sent
const RECENT = 60_000; // ms, within which something that was sent may be under way

/** Turns openChannel's options into an RTCDataChannelInit. */
export function channelInit(options = {}) {
  const { unordered = false, maxRetransmits, maxLifetime } = optionsOf(options);
  const whole = (n, least) => Number.isInteger(n) && n >= least && n <= 65535;
  if (typeof unordered !== 'boolean') throw new NoomError('bad_argument', 'unordered is true or false');
  if (maxRetransmits !== undefined && !whole(maxRetransmits, 0)) throw new NoomError('bad_argument', 'maxRetransmits is 0 to 65535');
  if (maxLifetime !== undefined && (maxRetransmits !== undefined || !whole(maxLifetime, 1))) {
    throw new NoomError('bad_argument', 'maxLifetime is 1 to 65535 ms, and not together with maxRetransmits');
  }
  const init = { ordered: !unordered };
  if (maxRetransmits !== undefined) init.maxRetransmits = maxRetransmits;
  if (maxLifetime !== undefined) init.maxPacketLifeTime = maxLifetime;
  return init;
}

export class Channel {
  #dc;
  #unread = []; // Uint8Arrays
  #bytes = 0; // in them
  #over = false;
  #error = null; // why it is over; null: one end closed it
  #young = false; // we have opened it a moment ago
  #sentAt = -Infinity; // when something was sent last, ms
  #ending = false; // closed by the other end, so all has come; its confirmation may still be missing
  #shut = false; // closed at both ends, in order
  #lost = false; // its connection ended first
  #waiting = []; // resolvers of calls that should look again when something happens
  #senders = []; // sends that wait for their turn, in order

  /**
   * Made only by the connection, before dc can have messages. attach is given what no other code may have: opened(),
   * which resolves when the channel can be used; lose(), which says that its connection is over; emptied(), which closes
   * the channel and resolves with whether the other end has got all that was sent; and gone(), which resolves when it is
   * closed at both ends. whole() returns whether the connection is not lost, as far as its first channel knows.
   */
  constructor(dc, attach, whole) {
    this.#dc = dc;
    attach({ opened: () => this.#opened(), lose: () => this.#lose(), emptied: () => this.#emptied(), gone: () => this.#gone() });
    dc.binaryType = 'arraybuffer';
    dc.bufferedAmountLowThreshold = LOW;
    dc.onopen = dc.onbufferedamountlow = () => this.#wake();
    dc.onmessage = ({ data }) => this.#push(toBytes(data));
    dc.onclosing = () => { this.#ending ||= whole(); }; // or all channels close, because the connection is lost
    dc.onclose = () => this.#closed(); // when all channels close, the control channel does first, and calls lose
  }

  /** The name given to openChannel, by whichever end. */
  get label() { return this.#dc.label; }

  /** Whether it has ended; what came before that can still be received. */
  get over() { return this.#over; }

  /** Sends up to 61440 bytes; waits while more than 1 MiB has yet to leave. */
  async send(data) {
    const payload = toBytes(data).slice();
    if (payload.length > MAX.data) throw new NoomError('too_big', `a message of ${payload.length} bytes, at most ${MAX.data}`);
    this.#senders.push(payload);
    try {
      // One that is closing will say why when it has closed. No send overtakes another.
      while (!this.#over && (this.#senders[0] !== payload || this.#dc.readyState !== 'open' || this.#dc.bufferedAmount > HIGH)) await this.#news();
      this.#check();
      this.#sentAt = performance.now();
      this.#dc.send(payload);
    } finally {
      this.#senders = this.#senders.filter((other) => other !== payload);
      this.#wake();
    }
  }

  /**
   * Resolves with the next message, and with null after the last when either end closed the channel. Rejects with code
   * channel_lost when the connection was lost, unread when too much waited here.
   */
  async receive() {
    while (this.#unread.length === 0 && !this.#over) await this.#news();
    const data = this.#unread.shift();
    if (data) {
      this.#bytes -= data.length;
      return data;
    }
    if (this.#error) throw this.#error;
    return null;
  }

  /** Every message until the channel is closed. */
  async* [Symbol.asyncIterator]() {
    for (let data; (data = await this.receive()) !== null;) yield data;
  }

  /**
   * Closes the channel for both ends, and waits for nothing: what was sent before still arrives, as long as the
   * connection lives. May be called more than once.
   */
  close() {
    this.#end(null);
    this.#closeBehind();
  }

  // Closes behind what has yet to leave, which some browsers would throw away, as they would what the other page has yet
  // to learn of.
  async #closeBehind() {
    this.#dc.bufferedAmountLowThreshold = 0;
    while (!this.#lost && this.#dc.readyState === 'open' && (this.#dc.bufferedAmount > 0 || this.#mayBeLost)) await this.#news();
    this.#dc.close();
  }

  get #mayBeLost() { return this.#young && this.#sentAt > -Infinity; }

  async #gone() {
    while (!this.#shut && !this.#lost) await this.#news();
  }

  // The end of a channel travels behind what was sent in it, and is confirmed. What was sent long ago has arrived, or
  // the connection would be over: then the end alone is under way, and is not waited for as long.
  async #emptied() {
    const { readyState } = this.#dc;
    let waits = readyState === 'open' || readyState === 'closing';
    const due = waits && performance.now() - this.#sentAt < RECENT;
    this.close();
    const timer = due ? null : setTimeout(() => {
      waits = false;
      this.#wake();
    }, CLOSING);
    while (waits && !this.#lost && !this.#shut) await this.#news();
    clearTimeout(timer);
    return !due || !this.#lost;
  }

  #lose() {
    this.#lost ||= !this.#shut;
    this.#end(this.#ending ? null : lost());
    this.#wake();
  }

  #closed() {
    this.#shut = true;
    this.#end(null);
    this.#wake();
  }

  async #opened() {
    while (!this.#over && this.#dc.readyState === 'connecting') await this.#news();
    this.#check();
    this.#young = true;
    setTimeout(() => {
      this.#young = false;
      this.#wake();
    }, YOUNG);
  }

  #push(data) {
    if (this.#over) return;
    if (this.#unread.length >= MAX_UNREAD || this.#bytes + data.length > MAX_UNREAD_BYTES) {
      this.#end(new NoomError('unread', 'the channel was closed, because too much waited to be received'));
      this.#dc.close();
      return;
    }
    this.#unread.push(data);
    this.#bytes += data.length;
    this.#wake();
  }

  #end(error) {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    this.#wake();
  }

  #check() {
    if (this.#over) throw this.#error ?? new NoomError('closed', `the channel "${this.label}" is closed`);
  }

  #news() {
    return new Promise((resolve) => { this.#waiting.push(resolve); });
  }

  #wake() {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

const MAX_THEIRS = 64; // channels that the other end has opened and that are open, or not seen yet, at a time
const MAX_OURS = MAX_THEIRS / 2; // while some are closing, which the other page may learn later than we do

/** The application's channels on one connection. */
export class Channels {
  #pc;
  #entries = []; // {channel, dc, theirs, filled, opened, lose, emptied, gone}
  #refused = 0; // of the other end's
  #lost = false;
  #whole;

  /**
   * opened(channel) is called for those of the other end; flooded(), when it has opened too many; unseen() returns how
   * many the application has not got yet, over all connections; whole() as for Channel.
   */
  constructor(pc, { opened, flooded, unseen, whole }) {
    this.#pc = pc;
    this.#whole = whole;
    pc.ondatachannel = ({ channel: dc }) => {
      const open = this.#entries.filter((entry) => entry.theirs && !entry.channel.over).length;
      const theirs = Math.max(open, unseen()); // those that came and went unseen still hold what was sent in them
      if (!this.#lost && theirs < MAX_THEIRS && byteLength(dc.label) <= MAX.name) {
        opened(this.#add(dc, true).channel);
        return;
      }
      // It is for the other end to answer that it is to be closed: until it does, the browser keeps it.
      dc.close();
      if (!this.#lost && ++this.#refused > MAX_THEIRS) flooded();
    };
  }

  /** Opens one, with an RTCDataChannelInit; resolves when it can be used. */
  async open(label, options) {
    for (;;) {
      const ours = this.#entries.filter(({ theirs, dc: { readyState } }) => !theirs && readyState !== 'closed');
      const closing = ours.filter(({ channel: { over } }) => over);
      if (ours.length < MAX_OURS || closing.length === 0) break;
      await Promise.race(closing.map((entry) => entry.gone()));
      if (this.#lost) throw lost();
    }
    const entry = this.#add(this.#pc.createDataChannel(label, options), false);
    await entry.opened();
    return entry.channel;
  }

  /** Closes all; resolves when the other end has got all that was sent in them, or the connection is lost. */
  async empty() {
    await Promise.all(this.#entries.map(async (entry) => {
      entry.filled = true;
      entry.filled = !(await entry.emptied());
    }));
  }

  /** How many are not known to be empty. */
  get filled() { return this.#entries.filter((entry) => entry.filled).length; }

  /** The connection is over. */
  lose() {
    this.#lost = true;
    for (const { lose } of this.#entries) lose();
  }

  #add(dc, theirs) {
    this.#entries = this.#entries.filter(({ dc: { readyState } }) => readyState !== 'closed'); // one that is over may have something under way
    const entry = { theirs, dc, filled: false };
    entry.channel = new Channel(dc, (hooks) => Object.assign(entry, hooks), this.#whole);
    this.#entries.push(entry);
    return entry;
  }
}

const lost = () => new NoomError('channel_lost', 'the channel ended with its connection; open it again');
