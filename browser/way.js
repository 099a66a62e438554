// The way to a hub: by WebSocket, or by HTTP where that does not get through.

import { Choice, HEAD_START } from './choice.js';
import { PROTOCOL } from './codec.js';
import { NoomError } from './errors.js';
import { HTTPSocket } from './http_socket.js';
import { closeError } from './signaling.js';

const OPEN = 1; // a readyState
const ABNORMAL = 1006; // the status of a WebSocket that was cut

const choices = new Map(); // what was found out about each hub, for all rooms of the page

export class Way {
  #url;
  #http;
  #WebSocket; // the class, where it is not the page's
  #kinds; // the transports that may be used
  #choice;

  /**
   * transport is auto, websocket or http; httpURL is where the hub speaks HTTP, if not beside url. Without WebSocket auto
   * is HTTP.
   */
  constructor(url, { transport = 'auto', httpURL, WebSocket }) {
    this.#url = url;
    this.#http = httpURL ?? beside(url);
    this.#WebSocket = WebSocket;
    const auto = this.#socketClass ? ['websocket', 'http'] : ['http'];
    this.#kinds = transport === 'auto' ? auto : [transport];
    if (!choices.has(url.href)) choices.set(url.href, new Choice());
    this.#choice = choices.get(url.href);
  }

  /** Gives an open connection with the face of a WebSocket; rejects with unreachable, or when signal is aborted. */
  async dial(signal) {
    const failures = new Map();
    const [first, second] = this.#choice.webSocketFirst(performance.now()) ? this.#kinds : this.#kinds.toReversed();
    const dials = new AbortController(); // ends those that are not needed
    const stop = AbortSignal.any([signal, dials.signal]);
    const attempt = (kind) => this.#open(kind, stop).catch((error) => { failures.set(kind, error); throw error; });
    const one = attempt(first);
    const other = second === undefined ? one : after(one, HEAD_START).then(() => attempt(second));
    try {
      const { kind, socket } = await Promise.any([one, other]);
      this.#found(kind, socket);
      return socket;
    } catch {
      throw failures.get('websocket') ?? failures.get(first) ?? signal.reason;
    } finally {
      dials.abort();
    }
  }

  get #socketClass() { return this.#WebSocket ?? globalThis.WebSocket; }

  // Resolves once a connection is open; one that is not wanted any longer by then is closed.
  #open(kind, stop) {
    return new Promise((resolve, reject) => {
      stop.throwIfAborted();
      const socket = kind === 'http' ? new HTTPSocket(this.#http) : newSocket(this.#socketClass, this.#url);
      const give = () => {
        if (socket.readyState !== OPEN) socket.close();
        reject(stop.reason);
      };
      stop.addEventListener('abort', give, { once: true });
      socket.onerror = () => {}; // close follows and says more
      socket.onclose = (event) => {
        stop.removeEventListener('abort', give);
        reject(closeError(event, kind === 'http' ? this.#http : this.#url));
      };
      socket.onopen = () => {
        stop.removeEventListener('abort', give);
        if (stop.aborted) socket.close();
        resolve({ kind, socket });
      };
    });
  }

  // Learns from a dial, and from what becomes of its connection.
  #found(kind, socket) {
    if (kind === 'websocket') {
      const since = performance.now();
      this.#choice.worked();
      socket.addEventListener?.('close', ({ code }) => {
        if (code === ABNORMAL) this.#choice.broke(performance.now(), performance.now() - since);
      });
      return;
    }
    if (!this.#kinds.includes('websocket')) return;
    if (this.#choice.webSocketFirst(performance.now())) this.#choice.failed(performance.now());
    this.#tryAgain(socket);
  }

  // Goes back to WebSocket when that works.
  async #tryAgain(socket) {
    await new Promise((resolve) => {
      setTimeout(resolve, this.#choice.trialAt - performance.now()).unref?.(); // which keeps no program in Node from its end
    });
    if (socket.readyState !== OPEN) return;
    try {
      const { socket: probe } = await this.#open('websocket', AbortSignal.timeout(10_000));
      probe.close(1000);
      this.#choice.worked();
      socket.retire();
    } catch {
      this.#choice.failed(performance.now());
      this.#tryAgain(socket);
    }
  }
}

// Where a hub speaks HTTP if it does not say so: at http, next to its WebSocket.
function beside(url) {
  const http = new URL('http', url);
  http.search = url.search;
  http.protocol = url.protocol.replace('ws', 'http');
  return http;
}

// Resolves when a promise has rejected, or after so many ms; rejects when it has resolved.
function after(promise, ms) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    promise.then(() => { clearTimeout(timer); reject(new Error('not needed')); }, () => { clearTimeout(timer); resolve(); });
  });
}

// A browser may refuse to dial at all, as from https to ws.
function newSocket(WebSocket, url) {
  if (!WebSocket) throw new NoomError('unsupported', 'there is no WebSocket here; use Node 22, or give join the option WebSocket, such as that of the package ws');
  try {
    return new WebSocket(url, PROTOCOL);
  } catch (cause) {
    throw new NoomError('unreachable', `the browser does not dial ${url.host}: ${cause.message}`, { cause });
  }
}
