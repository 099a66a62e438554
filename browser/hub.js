// The way to the hub and back to it after a loss: dial, join, redial. Of several hubs it
// takes the first in the room's order that lets us in. What it says is taken one frame after
// the other.

import { decode, encode } from './codec.js';
import { NoomError } from './errors.js';
import { Goodbye } from './goodbye.js';
import { Hubs } from './hubs.js';
import { MAX } from './limits.js';
import { textProblem } from './name.js';
import { Redial } from './redial.js';
import { Refusal, Signaling } from './signaling.js';
import { stepsOfJoining } from './steps.js';
import { Way } from './way.js';

// A hub that refuses us with one of these will do it again (PROTOCOL.md section 2, the column "final").
const FINAL = new Set(['refused', 'bad_room', 'bad_name', 'bad_proof', 'malformed', 'kicked']);

/** Whether a join that has failed so would fail again. */
export const isFinal = (error) => error instanceof Refusal && FINAL.has(error.code);

// Whatever the application's function fails with may pass.
async function tokenOf(source) {
  try {
    return await source();
  } catch (cause) {
    if (cause instanceof NoomError) throw cause;
    throw new NoomError('bad_argument', 'token: the function that gives it has failed; see cause', { cause });
  }
}

// How long a hub that says so is left alone, and up to as much again, so that not everyone comes back at once.
const stayAway = ({ retry = 0 }) => retry * (1 + Math.random());

// What several hubs come to that could not be used: [{url, error}].
function failureOf(failures) {
  if (failures.length === 1) return failures[0].error;
  const all = failures.map(({ url, error }, i) => `hub ${i + 1}, ${url}: ${error.message.replace(/^noom: /, '')}`);
  const first = failures.find(({ error }) => error instanceof Refusal)?.error ?? failures[0].error;
  const error = new NoomError(first.code, `none of ${all.length} hubs can be used: ${all.join('; ')}`, { cause: first, about: first.about, retry: first.retry });
  error.hubs = failures;
  return error;
}

// A URL as an error names it: without a password, and without a query, in which there may be one too.
const named = (url) => `${url.protocol}//${url.host}${url.pathname}`;

export class Hub {
  #join; // {identity, session, room}
  #name; // () → our nickname
  #sends; // () → the kinds of what we publish
  #options; // {token, joinInFrame, transport, WebSocket, httpURL, dialTimeout, redialMax}
  #member; // {frame(frame), lost(error), back(joined), refused(error)}
  #trace; // (direction, inBand, frame)
  #hubs;
  #ways; // by URL
  #url; // of the hub that let us in last
  #signaling = null;
  #since = 0; // when that was joined, by performance.now
  #redial;
  #hurry = () => {}; // ends the pause before a redial
  #goodbye;
  #arrival = stepsOfJoining(); // the first time
  #inbox = Promise.resolve(); // steps of the room, in order
  #gone = new AbortController(); // aborted when the room is over

  /** url is the hub's, or an array of those of hubs that serve the same rooms. */
  constructor({ url, name, sends = () => [], options, member, trace = () => {}, ...join }) {
    this.#join = join;
    const urls = [url].flat();
    this.#hubs = new Hubs(join.room, urls);
    this.#ways = new Map(urls.map((each) => [each, new Way(each, options)]));
    this.#goodbye = new Goodbye(join);
    this.#name = name;
    this.#sends = sends;
    this.#options = options;
    this.#redial = new Redial(options.redialMax);
    this.#member = member;
    this.#trace = trace;
  }

  /** Whether the hub can be reached. */
  get online() { return this.#signaling?.open ?? false; }

  /** When each step of the first join was reached. */
  get arrival() { return this.#arrival.dates; }

  /** Sends an encoded frame; false if there is no connection. */
  send(frame) { return this.#signaling?.send(frame) ?? false; }

  /**
   * Sends a message, if there is a connection. Throws for one that a hub would not take: it would refuse us with it.
   */
  tell(message) {
    const frame = encode(message);
    decode(frame);
    this.#signaling?.send(frame);
  }

  /**
   * Asks the hub for a sign of life, and gives up the connection if none comes. A redial that waits is made at once: the
   * network may be a better one now.
   */
  ask() {
    this.#signaling?.ask();
    this.#hurry();
  }

  get #over() { return this.#gone.signal.aborted; }

  /** Takes a step behind all that came before it, unless the room is over by then. */
  enqueue(step) {
    this.#inbox = this.#inbox.then(() => (this.#over ? undefined : step())).catch((error) => console.error(error));
    return this.#inbox;
  }

  /**
   * Dials and joins, and takes step(joined) before any frame that comes behind that. Of several hubs each is tried once, and
   * has an equal part of the time that is left. Resolves when the step is over; rejects with the hub's code, unreachable, or
   * closed if the room is over.
   */
  async dial(step) {
    this.#arrival.reach('began');
    const { token: source, dialTimeout } = this.#options;
    const token = typeof source === 'function' ? await tokenOf(source) : source;
    const problem = token === undefined || token === null ? '' : textProblem(token, MAX.token);
    if (problem) throw new NoomError('bad_argument', `token: ${problem}`);
    const began = performance.now();
    const urls = this.#hubs.order(began);
    const failures = [];
    for (const [i, url] of urls.entries()) {
      if (this.#over) throw this.#gone.signal.reason; // while the function was asked, say
      const left = began + dialTimeout - performance.now();
      try {
        await this.#enter(url, token, Math.max(left, 0) / (urls.length - i), step);
        return;
      } catch (error) {
        this.#hubs.failed(url, performance.now(), stayAway(error));
        if (this.#over || this.#hubs.size === 1 || isFinal(error)) throw error;
        failures.push({ url: named(url), error });
      }
    }
    throw failureOf(failures);
  }

  // Joins at one hub.
  async #enter(url, token, timeout, step) {
    let taken;
    await Signaling.open({
      ...this.#join, url, name: this.#name(), sends: this.#sends(), token,
      dial: async (signal, join) => {
        const dialled = await this.#ways.get(url).dial(signal, this.#options.joinInFrame ? '' : join);
        this.#arrival.reach('hub');
        return dialled;
      },
      timeout,
      signal: this.#gone.signal,
      onJoined: (signaling, joined) => {
        this.#signaling = signaling;
        this.#url = url;
        this.#hubs.worked(url);
        this.#since = performance.now();
        this.#arrival.reach('joined');
        this.#prepareGoodbye(joined);
        taken = this.enqueue(() => step(joined));
      },
      onFrame: (frame) => {
        if (frame.type === 'joined') this.#prepareGoodbye(frame);
        this.enqueue(() => this.#member.frame(frame));
      },
      onClose: (error) => this.#lost(error),
      invited: (frame) => this.#invited(frame),
      trace: this.#trace,
    });
    await taken;
  }

  /** Says goodbye, and can wait for nothing: the page goes away, and the connection may be gone before it. */
  leaveAtOnce() {
    this.#goodbye.post(); // first, because it may be all that there is time for
    this.tell({ type: 'bye' });
  }

  close() {
    this.#gone.abort(new NoomError('closed', 'the room is over'));
    this.#signaling?.close();
    this.#signaling = null;
  }

  #prepareGoodbye(joined) {
    this.#goodbye.prepare(joined.nonce, this.#signaling.url, this.#url).catch((error) => console.error(error));
  }

  // The error to lose the hub with, if a frame asks us to go and come back.
  #invited({ type, from, reason, retry }) {
    if (type !== 'bye' || from !== this.#join.identity.id) return null;
    if (reason === 'restart') return new NoomError('shutting_down', 'the hub restarts', { retry });
    if (reason === 'expired' && typeof this.#options.token === 'function') return new NoomError('expired', 'a new token is due');
    return null;
  }

  // Calls go on without a hub; redial until there is one again.
  async #lost(error) {
    this.#signaling = null;
    if (this.#over) return;
    this.#redial.lost(performance.now() - this.#since);
    this.#member.lost(error);
    if (error.code !== 'unreachable') this.#hubs.failed(this.#url, performance.now(), stayAway(error)); // it said so itself
    for (;;) {
      await this.#pause(this.#hubs.wait(performance.now()));
      if (this.#over) return;
      try {
        await this.dial((joined) => this.#member.back(joined));
        return;
      } catch (error) {
        if (this.#over) return;
        if (isFinal(error)) {
          this.#member.refused(error);
          return;
        }
      }
    }
  }

  // Waits before a redial. A hub that has asked us to stay away is not dialled earlier.
  #pause(wait) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#redial.next(wait));
      if (wait > 0) return;
      this.#hurry = () => {
        this.#redial.hurry();
        clearTimeout(timer);
        resolve();
      };
    }).finally(() => { this.#hurry = () => {}; });
  }
}
