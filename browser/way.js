// The way to a hub: by WebSocket, or by HTTP where that does not get through.

import { follow } from './abort.js';
import { Choice, HEAD_START } from './choice.js';
import { PROTOCOL } from './codec.js';
import { NoomError } from './errors.js';
import { HTTPSocket } from './http_socket.js';
import { toBase64url } from './json.js';
import { MAX } from './limits.js';
import { closeError } from './signaling.js';

const OPEN = 1; // a readyState
const ABNORMAL = 1006; // the status of a WebSocket that was cut

// What was found out about each hub, for all rooms of the page.
const choices = new Map();
const bare = new Set(); // whose requests do not get through with a join in them

/** What the request for a WebSocket offers: the protocol, and with it a join, if there is one that is not too long. */
export function offer(join) {
  const value = join && `noom.join.${toBase64url(new TextEncoder().encode(join))}`;
  return value && value.length <= MAX.request ? [PROTOCOL, value] : PROTOCOL;
}

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

  /**
   * Gives an open connection with the face of a WebSocket, and the messages that came over it early; rejects with
   * unreachable, or when signal is aborted. join, an encoded frame, is in the request for a WebSocket, unless it is ''.
   */
  async dial(signal, join = '') {
    const offered = bare.has(this.#url.href) ? PROTOCOL : offer(join);
    const failures = new Map();
    const [first, second] = this.#choice.webSocketFirst(performance.now()) ? this.#kinds : this.#kinds.toReversed();
    const dials = new AbortController(); // ends those that are not needed
    const unfollow = follow(dials, signal);
    const attempt = (kind, protocols) => this.#open(kind, dials.signal, protocols).catch((error) => { failures.set(kind, error); throw error; });
    // A request may fail because of the join in it.
    const again = (kind) => (error) => {
      if (kind === 'http' || offered === PROTOCOL) throw error;
      return attempt(kind, PROTOCOL);
    };
    const one = attempt(first, offered);
    const other = second === undefined ? one : after(one, HEAD_START).then(() => attempt(second, offered).catch(again(second)));
    try {
      const found = await Promise.any([one, one.catch(again(first)), other]);
      const without = found.kind === 'http' ? first === 'websocket' : found.protocols === PROTOCOL;
      if (offered !== PROTOCOL && without) bare.add(this.#url.href);
      this.#found(found, signal);
      return found;
    } catch {
      const error = failures.get('websocket') ?? failures.get(first) ?? signal.reason;
      const retry = failures.get('http')?.retry ?? 0;
      if (retry > 0) error.retry = retry; // a hub that has no room says that over HTTP alone
      throw error;
    } finally {
      unfollow();
      dials.abort();
    }
  }

  get #socketClass() { return this.#WebSocket ?? globalThis.WebSocket; }

  // Resolves once a connection is open; one that is not wanted any longer by then is closed.
  #open(kind, stop, protocols) {
    return new Promise((resolve, reject) => {
      stop.throwIfAborted();
      const socket = kind === 'http' ? new HTTPSocket(this.#http) : newSocket(this.#socketClass, this.#url, protocols);
      const opened = { kind, socket, protocols, early: [], heard: false };
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
      socket.addEventListener?.('message', () => { opened.heard = true; }, { once: true }); // before onmessage: it may give up
      // A WebSocket that is not a browser's may have messages before who waits for this promise runs.
      socket.onmessage = (event) => opened.early.push(event);
      socket.onopen = () => {
        stop.removeEventListener('abort', give);
        const agreed = kind === 'http' || !socket.protocol || socket.protocol === PROTOCOL; // and not to the join
        if (stop.aborted || !agreed) socket.close();
        if (agreed) resolve(opened);
        else reject(new NoomError('unreachable', `what answers at ${this.#url.host} is no hub`));
      };
    });
  }

  // Learns from a dial, and from what becomes of its connection; signal is aborted if the hub lets us in by none.
  #found(opened, signal) {
    const { kind, socket } = opened;
    if (kind === 'websocket') {
      this.#choice.worked();
      this.#watch(opened, signal);
      return;
    }
    if (!this.#kinds.includes('websocket')) return;
    if (this.#choice.webSocketFirst(performance.now())) this.#choice.failed(performance.now());
    this.#tryAgain(socket);
  }

  // A proxy may let a WebSocket open and then carry no frames. Its end may come a minute later, so what is given up
  // without one counts, unless it was we who left.
  #watch(opened, signal) {
    const since = performance.now();
    const { socket } = opened;
    socket.addEventListener?.('close', ({ code }) => {
      if (opened.heard && code === ABNORMAL) this.#choice.broke(performance.now(), performance.now() - since);
    });
    signal.addEventListener('abort', () => {
      const now = performance.now();
      if (!socket.addEventListener || opened.heard || signal.reason?.code === 'closed') return;
      if (this.#choice.webSocketFirst(now)) this.#choice.failed(now); // otherwise another room's has said so
    }, { once: true });
  }

  // Goes back to WebSocket when that works.
  async #tryAgain(socket) {
    await new Promise((resolve) => {
      setTimeout(resolve, this.#choice.trialAt - performance.now()).unref?.(); // which keeps no program in Node from its end
    });
    if (socket.readyState !== OPEN) return;
    const until = this.#choice.trialAt;
    try {
      const late = AbortSignal.timeout(10_000);
      const { socket: probe } = await this.#open('websocket', late, PROTOCOL);
      await this.#answered(probe, late);
      this.#choice.worked();
      socket.retire();
    } catch {
      if (socket.readyState !== OPEN) return;
      if (this.#choice.trialAt === until) this.#choice.failed(performance.now()); // otherwise another room's trial has ended meanwhile
      this.#tryAgain(socket);
    }
  }

  // Closes a WebSocket; rejects unless the hub has answered that, so that frames go both ways.
  #answered(socket, late) {
    return new Promise((resolve, reject) => {
      const give = () => reject(late.reason);
      late.addEventListener('abort', give);
      socket.onclose = (event) => {
        late.removeEventListener('abort', give);
        if (event.code === ABNORMAL) reject(closeError(event, this.#url));
        else resolve();
      };
      socket.close(1000);
    });
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
function newSocket(WebSocket, url, protocols) {
  if (!WebSocket) throw new NoomError('unsupported', 'there is no WebSocket here; use Node 22, or give join the option WebSocket, such as that of the package ws');
  try {
    return new WebSocket(url, protocols);
  } catch (cause) {
    if (cause.message.includes('://')) throw new NoomError('unreachable', `the browser does not dial ${url.host}: ${cause.name}`); // it may quote a password
    throw new NoomError('unreachable', `the browser does not dial ${url.host}: ${cause.message}`, { cause });
  }
}
