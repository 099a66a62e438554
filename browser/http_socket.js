// A connection to a hub over HTTP (PROTOCOL.md section 1.1), with as much of the face of a WebSocket as signaling.js
// uses. Each frame arrives once and in order, whatever becomes of single requests.

import { follow } from './abort.js';
import { PROTOCOL } from './codec.js';
import { NoomError } from './errors.js';
import { batch, EventReader, parcel } from './http_text.js';
import { MAX } from './limits.js';
import { Mode, pauseAfter } from './mode.js';

const CONNECTING = 0;
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

const ANSWER = 9_000; // ms for the answer to a batch
const LOST = 10_000; // ms of failures after which the connection is lost
const PARTING = 10_000; // ms in which what waits is sent once we have closed
const BATCH = 65_536; // bytes of frames in a batch, and of events before we say that they have come
const OUTLIVES = 16_384; // bytes of a batch up to which its request outlives the page; browsers allow 64 KiB in all
const WAITING = 1_048_576; // bytes that wait to be sent, at most

export class HTTPSocket {
  onopen = () => {};
  onmessage = () => {};
  onclose = () => {};
  onerror = () => {};

  #url;
  #state = CONNECTING;
  #gone = new AbortController(); // aborted when it is over
  #session = '';
  #opened = 0; // when it was, by performance.now
  #mode = null;
  #asking = null; // the AbortController of the request that brings events
  #watch = 0; // a timer that looks at the mode
  #failing = null; // when requests began to fail; null: the last has not

  #parcels = []; // frames that the hub may not have
  #before = 0; // how many came before those
  #size = 0; // bytes in them
  #posting = false;
  #carrying = null; // the AbortController of the batch that is on its way
  #unsaid = 0; // characters that have come since we said so
  #ended = null; // the hub's code, once it has closed

  constructor(url) {
    this.#url = new URL(url);
    this.#url.protocol = this.#url.protocol.replace('ws', 'http');
    this.#open();
  }

  get url() { return this.#url.href; }

  get readyState() { return this.#state; }

  send(frame) {
    if (this.#state !== OPEN) return;
    const one = parcel(frame);
    this.#size += one.length;
    if (this.#size > WAITING) {
      this.#end(1006);
      return;
    }
    this.#parcels.push(one);
    this.#post();
  }

  close() {
    if (this.#state >= CLOSING) return;
    if (this.#state === CONNECTING) this.#end(1006);
    else if (this.#ended === null) this.#sayClose();
    else this.#state = CLOSING; // the hub has closed, and the last batch is on its way
  }

  /** Ends it for another connection to take its place. */
  retire() { this.#sayClose(1012, 'WebSocket works again'); }

  get #now() { return performance.now() - this.#opened; }

  async #open() {
    const began = performance.now();
    try {
      const response = await this.#fetch('POST', { headers: { 'Noom-Protocol': PROTOCOL } });
      const { session } = response.ok ? await response.json() : {};
      if (this.#state !== CONNECTING) return;
      if (typeof session !== 'string') {
        this.#end(1006, '', retryAfter(response));
        return;
      }
      this.#session = session;
    } catch {
      this.#end(1006);
      return;
    }
    this.#opened = performance.now();
    this.#mode = new Mode(this.#opened - began);
    this.#state = OPEN;
    this.onopen();
    this.#bringDown();
  }

  #fetch(method, { headers = {}, ...options }) {
    if (this.#session) headers['Noom-Session'] = this.#session;
    return fetch(this.#url, { method, headers, cache: 'no-store', redirect: 'error', signal: this.#gone.signal, ...options });
  }

  // Ends the connection with a status as a WebSocket has it, and after how many ms the hub would have us try again.
  #end(code, reason = '', retry = 0) {
    if (this.#state === CLOSED) return;
    this.#state = CLOSED;
    clearTimeout(this.#watch);
    this.#gone.abort();
    setTimeout(() => this.onclose({ code, reason, retry }), 0);
  }

  // ---- up

  // What waits, as the body of a request; stuck is what the hub has, if there are frames in it and it is to have more.
  #batch() {
    const parcels = [];
    let size = 0;
    for (const one of this.#parcels) {
      if (parcels.length > 0 && size + one.length > BATCH) break;
      parcels.push(one);
      size += one.length;
    }
    const all = parcels.length === this.#parcels.length;
    this.#unsaid = 0;
    const body = batch({ got: this.#mode.got, first: this.#before + 1, parcels, close: all && this.#state === CLOSING });
    return { body, stuck: parcels.length > 0 ? this.#before : -1 };
  }

  // Sends what waits, a batch at a time.
  async #post() {
    if (this.#posting) return;
    this.#posting = true;
    for (let failures = 0; this.#state === OPEN && this.#ended === null && (this.#parcels.length > 0 || this.#unsaid >= BATCH);) {
      try {
        await this.#carry();
        failures = 0;
      } catch (error) {
        if (this.#state !== OPEN) break; // the goodbye has taken over
        this.#failed(error);
        failures = Math.min(failures + 1, 10);
        await this.#pause(pauseAfter(failures));
      }
    }
    this.#posting = false;
  }

  // Sends one batch, and notes what the hub has. It waits for room itself: to ask at once again, when it takes nothing,
  // does not help.
  async #carry() {
    const { body, stuck } = this.#batch();
    const { taken, sent } = await this.#answer(body);
    if (!Number.isSafeInteger(taken) || taken > this.#before + this.#parcels.length) throw new Error('an answer that is none to a batch');
    if (taken <= stuck) throw new Error('the hub takes nothing');
    this.#failing = null;
    const arrived = this.#parcels.splice(0, Math.max(0, taken - this.#before));
    this.#before += arrived.length;
    for (const one of arrived) this.#size -= one.length;
    if (Number.isSafeInteger(sent)) this.#mode.has(this.#now, sent);
    this.#rearm();
  }

  async #answer(body) {
    const late = new AbortController();
    this.#carrying = late;
    const unfollow = follow(late, this.#gone.signal);
    const timer = setTimeout(() => late.abort(), ANSWER);
    try {
      const headers = { 'Content-Type': 'text/plain; charset=utf-8' };
      const response = await this.#fetch('POST', { body, headers, signal: late.signal, keepalive: body.length < OUTLIVES });
      if (!response.ok) throw new Refused(response.status);
      return await response.json();
    } finally {
      clearTimeout(timer);
      unfollow();
    }
  }

  // What waits goes before the goodbye, or with it. The first request is made at once: a page that goes away has no time.
  #sayClose(code = 1000, reason = '') {
    this.#state = CLOSING;
    this.#carrying?.abort(); // the next batch has all that is in it
    const timer = setTimeout(() => this.#end(code, reason), PARTING);
    this.#part().finally(() => {
      clearTimeout(timer);
      this.#end(code, reason);
    });
  }

  // Sends until the hub has all, and the goodbye.
  async #part() {
    for (let failures = 0; this.#state !== CLOSED;) {
      try {
        await this.#carry();
        failures = 0;
        if (this.#parcels.length === 0) return;
      } catch (error) {
        if (error instanceof Refused && error.final) return;
        failures = Math.min(failures + 1, 10);
        await this.#pause(pauseAfter(failures));
      }
    }
  }

  // Notes that a request has failed, and ends the connection if there is no use in another.
  #failed(error) {
    if (this.#state !== OPEN) return;
    this.#failing ??= this.#now;
    if (error instanceof NoomError) this.#end(1008, error.code);
    else if (error instanceof Refused && error.final) this.#end(1006);
    else if (this.#now - this.#failing > LOST) this.#end(1006);
  }

  #pause(ms) {
    const { signal } = this.#gone;
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener('abort', done);
    });
  }

  // ---- down

  async #bringDown() {
    while (this.#state === OPEN && this.#ended === null) {
      let failed = false;
      this.#asking = new AbortController();
      const unfollow = follow(this.#asking, this.#gone.signal);
      const stream = this.#mode.begin(this.#now);
      this.#rearm();
      try {
        await this.#ask(stream, this.#asking.signal);
      } catch (error) {
        failed = !this.#asking.signal.aborted;
        if (failed) this.#failed(error);
      }
      unfollow();
      this.#asking = null;
      const pause = this.#mode.ended(this.#now, failed);
      if (pause > 0) await this.#pause(pause);
    }
  }

  async #ask(stream, signal) {
    const headers = { 'Last-Event-ID': String(this.#mode.got) };
    if (stream) headers.Accept = 'text/event-stream';
    const response = await this.#fetch('GET', { headers, signal });
    if (!response.ok) throw new Refused(response.status);
    this.#failing = null;
    const events = new EventReader();
    const body = response.body.getReader();
    for (;;) {
      const { done, value } = await body.read();
      if (done) return;
      this.#failing = null;
      this.#mode.bytes(this.#now);
      for (const event of events.take(value)) this.#take(event);
      this.#rearm();
    }
  }

  #take({ number, frame, close }) {
    if (number <= this.#mode.got || this.#state === CLOSED) return;
    if (number > this.#mode.got + 1) throw new NoomError('malformed', 'an event was left out');
    this.#mode.event(this.#now, number);
    if (close !== undefined) {
      this.#ended = close;
      if (this.#state !== OPEN) return; // we have closed too, and the last batch is on its way
      this.#answer(this.#batch().body).catch(() => {}).finally(() => this.#end(close ? 1008 : 1000, close));
      return;
    }
    if ((this.#unsaid += Math.max(frame.length, BATCH / 256)) >= BATCH) this.#post(); // or 256 events
    if (this.#state === OPEN) this.onmessage({ data: frame });
  }

  // Sees to it that the mode is asked when it is time.
  #rearm() {
    clearTimeout(this.#watch);
    const due = this.#mode.due();
    if (due === 0 || !this.#asking) return;
    this.#watch = setTimeout(() => {
      if (this.#mode.check(this.#now)) this.#asking?.abort();
      else this.#rearm();
    }, Math.max(0, due - this.#now));
  }
}

// An answer that is not the one that was wanted.
class Refused extends Error {
  constructor(status) {
    super(`HTTP ${status}`);
    this.final = status < 500 && status !== 429 && status !== 408;
  }
}

// After how many ms a hub that has no room for us would have us try again; 0: it is not the hub that answers, or it
// does not say.
function retryAfter({ status, headers }) {
  const seconds = [429, 503].includes(status) ? headers.get('Retry-After') : null;
  return /^\d+$/.test(seconds ?? '') ? Math.min(seconds * 1000, MAX.retry) : 0;
}
