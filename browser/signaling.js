// One connection to a hub, over WebSocket or HTTP: the join with its challenge, the
// heartbeat, and frames in both directions. It does not redial; hub.js does.

import { decode, encode } from './codec.js';
import { Bucket } from './conduct.js';
import { NoomError } from './errors.js';
import { proofText } from './identity.js';
import { malformed } from './json.js';
import { MAX } from './limits.js';
import { byteLength } from './name.js';

/** Makes ws: or wss: of whatever address a page uses, a relative one included. */
export function hubURL(address) {
  const text = typeof address === 'string' ? address : address?.href; // a URL, or a page's location
  if (typeof text !== 'string' || !URL.canParse(text, globalThis.location?.href)) throw new NoomError('bad_argument', 'the hub\'s address is no URL');
  const url = new URL(text, globalThis.location?.href);
  url.protocol = url.protocol.replace('http', 'ws');
  url.hash = '';
  if (url.protocol !== 'ws:' && url.protocol !== 'wss:') throw new NoomError('bad_argument', 'the hub\'s address begins with ws, wss, http or https');
  return url;
}

/** The host of a hub's URL as proofs are bound to it (PROTOCOL.md section 3); URL has done the rest. */
export function endpointOf(url) {
  const name = url.hostname.replace(/\.$/, '');
  return ['', '80', '443'].includes(url.port) ? name : `${name}:${url.port}`;
}

const OPEN = 1; // a WebSocket's readyState
const ANSWER = 1_000; // ms for the hub to answer a question
const AGAIN = [1, 8]; // joined frames that may come again on one connection: so many a second, and so many at once

/** What a hub answers to a join with an error frame. */
export class Refusal extends NoomError {}

export class Signaling {
  #socket;
  #lastFrameAt = performance.now(); // when a frame came last, ms
  #pulse = 0;
  #asked = 0; // timer: until then the hub has to give a sign of life
  #closed = false;
  #onFrame; // (frame) while open
  #onClose; // (error) once, if it was not us
  #invited; // (frame): the error to end with if it is a bye after which one comes back
  #trace; // (direction, inBand, frame)
  #check; // (joined): throws if it is not for us
  #again = new Bucket(AGAIN);

  constructor(socket, check, onFrame, onClose, invited, trace) {
    this.#socket = socket;
    this.#check = check;
    this.#onFrame = onFrame;
    this.#onClose = onClose;
    this.#invited = invited;
    this.#trace = trace;
  }

  /**
   * Dials and joins: dial(signal, join) gives {socket, early}, and may hand the hub the join. Resolves when
   * onJoined(signaling, joined) was called; rejects with the hub's code, a Refusal, or unreachable. onFrame gets every
   * frame after joined, another joined too, some before this resolves, but none before onJoined.
   * invited(frame) gives an error to end with if we are to come back after it. trace(direction, inBand, frame) is called
   * for each frame. signal: we leave.
   */
  static open({ url, dial, identity, session, room, name, sends = [], token, timeout, signal, onJoined, onFrame, onClose, invited, trace }) {
    const late = new AbortController();
    return new Promise((resolve, reject) => {
      const join = { type: 'join', room, name, key: identity.key, session, sends: sends.length > 0 ? sends : undefined };
      let socket = null;
      let done = false;
      const put = (frame) => {
        trace('out', false, frame);
        socket.send(frame);
      };
      const leave = () => {
        if (socket?.readyState === OPEN) put(encode({ type: 'bye' })); // the hub may have let us in by now
        fail(signal.reason);
      };
      const over = () => {
        done = true;
        clearTimeout(timer);
        signal.removeEventListener('abort', leave);
      };
      const fail = (error) => {
        if (done) return;
        over();
        late.abort(error);
        socket?.close();
        reject(error);
      };
      const check = (joined) => {
        if (joined.self.id !== identity.id) throw malformed('the hub takes us for another member');
        if (joined.room && joined.room !== room) throw malformed('the hub takes us to another room');
      };
      const timer = setTimeout(() => fail(new NoomError('unreachable', `no answer from ${url.host}`)), timeout);
      const take = async ({ data }) => {
        try {
          const frame = decode(data);
          trace('in', false, data);
          if (frame.type === 'error') {
            fail(new Refusal(frame.code || 'refused', `join "${room}": ${frame.message || frame.code}`, { about: frame.about, retry: frame.retry }));
          } else if (frame.type === 'challenge') {
            const signature = await identity.sign(proofText(endpointOf(new URL(socket.url)), room, session, frame.nonce));
            put(encode({ type: 'proof', signature }));
          } else if (frame.type === 'joined' && !done) {
            check(frame);
            over();
            const signaling = new Signaling(socket, check, onFrame, onClose, invited, trace);
            signaling.#run(frame.heartbeat);
            onJoined(signaling, frame); // at once: over HTTP more frames may be here already
            resolve();
          }
        } catch (error) {
          fail(error);
        }
      };
      signal.addEventListener('abort', leave);
      dial(late.signal, encode(join)).then(({ socket: dialled, early }) => {
        socket = dialled;
        if (done) {
          socket.close();
          return;
        }
        socket.onclose = (event) => fail(closeError(event, url));
        socket.onmessage = take;
        put(encode({ ...join, token: token || undefined })); // too: whether the hub has it does not show
        for (const event of early) socket.onmessage(event);
      }).catch(fail);
    });
  }

  #run(heartbeat) {
    const socket = this.#socket;
    socket.onmessage = ({ data }) => {
      this.#lastFrameAt = performance.now();
      clearTimeout(this.#asked);
      this.#asked = 0;
      let frame;
      try {
        frame = decode(data);
        if (frame.type === 'joined') this.#checkAgain(frame);
      } catch (error) {
        // A name may be good to a hub with a later or earlier Unicode, and a member's choice must
        // not cost us the hub.
        if (error.code !== 'bad_name') this.#end(error);
        return;
      }
      this.#trace('in', false, data);
      const invitation = this.#invited(frame);
      if (invitation) this.#end(invitation);
      else if (frame.type === 'ping') this.send(encode({ type: 'pong' }));
      else if (frame.type !== 'pong' && !this.#closed) this.#onFrame(frame);
    };
    socket.onclose = (event) => this.#end(closeError(event, new URL(socket.url)));
    this.#pulse = setInterval(() => {
      const silence = performance.now() - this.#lastFrameAt;
      if (silence >= 2 * heartbeat) this.#end(new NoomError('unreachable', 'the hub fell silent'));
      else if (silence >= heartbeat) this.send(encode({ type: 'ping' }));
    }, heartbeat / 2);
  }

  // Throws for a joined frame that comes again and must not.
  #checkAgain(frame) {
    this.#check(frame);
    if (!this.#again.take(performance.now())) throw malformed('the hub says joined again and again');
  }

  /** The address of the connection. */
  get url() { return new URL(this.#socket.url); }

  get open() {
    return !this.#closed && this.#socket.readyState === OPEN;
  }

  /**
   * Sends an encoded frame; false if the connection is not open, or is stuck: then too much waits for it, and it is about to
   * be given up. Frames between members are repeated, and requests are made again over the next connection.
   */
  send(frame) {
    if (!this.open || (this.#socket.bufferedAmount ?? 0) + byteLength(frame) > MAX.outbox) return false;
    this.#trace('out', false, frame);
    this.#socket.send(frame);
    return true;
  }

  /** Asks the hub for a sign of life. The connection ends if none comes; who asks meanwhile waits for the same. */
  ask() {
    if (this.#asked || !this.open) return;
    this.#asked = setTimeout(() => this.#end(new NoomError('unreachable', `the hub has not answered for ${ANSWER} ms`)), ANSWER);
    this.send(encode({ type: 'ping' }));
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#asked);
    clearInterval(this.#pulse);
    this.#socket.close(1000);
  }

  #end(error) {
    if (this.#closed) return;
    this.close();
    this.#onClose(error);
  }
}

// A hub that closes for a reason says its code as text, with a status that
// fits (PROTOCOL.md section 2); what lies between it and us has none.
export function closeError({ code, reason, retry }, url) {
  if ([1003, 1007, 1008, 1009].includes(code) && /^[a-z_]+$/.test(reason)) {
    return new NoomError(reason, `the hub closed the connection: ${reason}`);
  }
  if (code === 1009) return new NoomError('too_big', 'a frame was too big for the hub');
  if (code === 1007) return new NoomError('malformed', 'the hub was sent what is no UTF-8');
  if (code === 1005 || code === 1006) {
    const advice = url.pathname === '/' ? `; hubs are usually at ${url.protocol}//${url.host}/ws, and the address has no path` : '';
    return new NoomError('unreachable', `no connection to a hub at ${url.host}${advice}`, { retry });
  }
  return new NoomError('unreachable', `${url.host} closed the connection: ${reason ? `${reason} ` : ''}(WebSocket status ${code})`);
}
