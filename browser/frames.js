// Takes a link's pair frames from both paths and sends them: signatures,
// sessions, and the exchange that makes them a stream (PROTOCOL.md sections 4,
// 4.1 and 4.2).

import { decode, encode, isLeftAtOnce } from './codec.js';
import { NoomError } from './errors.js';
import { Exchange } from './exchange.js';
import { cardText, pairText, verifier } from './identity.js';
import { inflate } from './inflate.js';
import { MAX } from './limits.js';
import { timersLag } from './platform.js';

const TICK = 500; // ms
const ACK_TIME = 50; // ms that an acknowledgement waits for a frame on which to travel
const AWAITED = new Set(['table', 'left']); // the peer waits for the acknowledgement: with media, or to be gone
const MAX_WAITING = 256; // frames not yet verified; more are dropped, and the exchange brings them back
const MAX_QUEUED = 256; // messages that wait for a member that acknowledges none
const MAX_HELD = 32; // frames of a newcomer whose connection may not be built yet

export class Frames {
  #self; // {identity, session, room}
  #member; // () → Member, the other
  #hub; // {send(frame)}
  #connections;
  #link; // {wait() for our turn to build, allow() one more epoch, accepted({messages, renewed, acked, via}), stale(session), left(), failed(error), flooded(via, error)}
  #conduct; // of the member
  #trace; // (direction, inBand, frame, the member's id)
  #exchange;
  #verify;
  #inbox = Promise.resolve(); // verification, in the order of arrival
  #waiting = 0; // in it
  #held = []; // {frame, via}: verified, until it is our turn
  #outbox = Promise.resolve(); // signing, in the order of sending
  #closed = false;
  #staleAt = -Infinity; // when the last stale was sent, ms
  #ticking = 0; // interval
  #owing = 0; // timeout, while an acknowledgement is owed
  #owedByHub = false; // because a frame came by hub
  #goodbye = null; // a frame, once signed: nothing can be signed while a page goes away

  constructor({ self, member, hub, connections, conduct, link, trace = () => {} }) {
    this.#self = self;
    this.#member = member;
    this.#hub = hub;
    this.#connections = connections;
    this.#conduct = conduct;
    this.#trace = trace;
    this.#link = link;
    this.#exchange = new Exchange(self.identity.id);
    const { id, key } = member();
    this.#verify = verifier(key, () => console.warn(`noom: dropped what ${id} did not sign; the hub may be lying`));
  }

  /** How many messages of this epoch the other end has. */
  get acked() { return this.#exchange.acked; }

  /** Whether a message that is sent now leaves at once. */
  get room() { return this.#exchange.room; }

  /** Whether anything waits for an acknowledgement. */
  get pending() { return this.#exchange.pending; }

  /** Starts the next epoch as ours; false if none are left. */
  begin() { return this.#exchange.begin(); }

  /** Sends a message; returns how many are acknowledged once the other end has it. */
  send(message, byHub) {
    this.#exchange.send(message);
    const { queued, acked } = this.#exchange;
    this.#flush(byHub);
    if (queued - acked > MAX_QUEUED) this.#link.failed(new NoomError('not_connected', 'the peer acknowledges nothing'));
    return queued;
  }

  /** Signs the goodbye that leaveAtOnce sends. It holds for as long as the two sessions last. */
  async prepareGoodbye() {
    if (this.#goodbye) return;
    const message = this.#addressed({ type: 'left', epoch: [0, ''], seq: 0, ack: 0 });
    message.signature = await this.#self.identity.sign(pairText(message, this.#self.room, this.#self.identity.id));
    this.#goodbye = encode(message);
  }

  /** Says goodbye in-band, without waiting for anything, if that can be done. */
  leaveAtOnce() {
    if (this.#goodbye && !this.#closed && this.#connections.sendControl(this.#goodbye, true)) this.#traceInBand('out', this.#goodbye);
  }

  /** Sends all that is unacknowledged again: a path came back. */
  resend() {
    this.#exchange.resend();
    this.#flush();
  }

  /**
   * A connection is up: what should have been acknowledged by now is sent again. What is owed by hub needs the hub no
   * longer: the other side sent that before it could use the connection.
   */
  connected() {
    this.#owedByHub = false;
    this.#exchange.resendLate();
    this.#flush();
  }

  /**
   * Sends an acknowledgement that was not asked for, in-band alone: it means nothing to its receiver, whose SCTP answers.
   * What is owed stays owed, because the path may carry nothing.
   */
  probe() {
    const { epoch, state: { got } } = this.#exchange;
    this.#transmit({ type: 'ack', epoch, seq: 0, ack: got, inBandOnly: true });
  }

  /** Stops repeating, until there is something new to send. */
  rest() {
    clearInterval(this.#ticking);
    this.#ticking = 0;
  }

  close() {
    this.#closed = true;
    this.#held = [];
    this.rest();
    this.#owesNothing();
  }

  reopen() { this.#closed = false; }

  // ---- in

  /** Takes what came by a Connection's control channel. */
  control(text, via) {
    const verdict = this.#conduct.frame(performance.now());
    if (verdict === 'flood') this.#link.flooded(via, new NoomError('not_connected', 'the peer floods us with frames'));
    if (verdict !== 'taken' || typeof text !== 'string') return;
    this.#enqueue(() => {
      const frame = decode(text);
      this.#traceInBand('in', text);
      return frame.sessions && !frame.from ? frame : null;
    }, via);
  }

  /** Takes a frame that came by hub. */
  receive(frame) {
    if (this.#conduct.byHub(performance.now())) this.#enqueue(() => frame, null);
  }

  /** Takes the newcomer's first offer, which came with its welcome, for its first frame (PROTOCOL.md section 4.7). */
  card({ offer, signature }) {
    this.#inbox = this.#inbox.then(async () => {
      const { id, session } = this.#member();
      if (!(await this.#verify(cardText(this.#self.room, session, offer), signature))) return;
      const body = await inflate(offer, MAX.frame);
      if (body === null || this.#closed || this.#exchange.epoch[0] > 0) return;
      const [sessions, epoch] = [[session, this.#self.session], [1, id]];
      this.#accept({ type: 'offer', from: id, to: this.#self.identity.id, sessions, epoch, seq: 1, ack: 0, body }, null);
    }).catch((error) => console.error(error));
  }

  /** Calls done once all that has come is taken, or dropped. */
  whenTaken(done) { this.#inbox = this.#inbox.then(done).catch((error) => console.error(error)); }

  /** It is our turn to build: what was held is taken. */
  release() {
    for (const { frame, via } of this.#held.splice(0)) this.#accept(frame, via);
  }

  // One frame of each link at a time: between two of them the page, and the
  // other links, have theirs.
  #enqueue(read, via) {
    if (this.#waiting >= MAX_WAITING) return;
    this.#waiting++;
    this.#inbox = this.#inbox.then(async () => {
      this.#waiting--;
      if (this.#closed) return;
      let frame = null;
      try {
        frame = read();
      } catch {
        // it came from the network
      }
      if (frame?.to !== this.#self.identity.id) return;
      if (!(await this.#verify(pairText(frame, this.#self.room, this.#member().id), frame.signature))) return;
      if (!this.#closed) this.#accept(frame, via);
    }).catch((error) => console.error(error));
  }

  #accept(frame, via) {
    if (frame.sessions[1] !== this.#self.session) {
      if (frame.type !== 'stale') this.#sendStale(frame.sessions[0]);
      return;
    }
    if (frame.type === 'stale') {
      this.#link.stale(frame.sessions[0]);
      return;
    }
    if (frame.sessions[0] !== this.#member().session) return;
    if (isLeftAtOnce(frame)) {
      this.#link.left();
      return;
    }
    if (frame.epoch[1] !== this.#self.identity.id && frame.epoch[1] !== this.#member().id) return;
    if (this.#exchange.ahead(frame.epoch)) {
      if (this.#link.wait()) {
        if (this.#held.length < MAX_HELD) this.#held.push({ frame, via });
        return;
      }
      if (!this.#link.allow()) return;
    }
    const before = this.#exchange.acked;
    const { messages, renewed, ok } = this.#exchange.receive(frame);
    if (!ok) return;
    if (via === null && frame.seq > 0) this.#owedByHub = true;
    if (messages.some((m) => AWAITED.has(m.type)) || timersLag()) this.#exchange.press();
    this.#link.accepted({ messages, renewed, acked: this.#exchange.acked > before, via });
    this.#flush(via === null);
  }

  // ---- out

  // byHub: what is answered came by the hub, so the channel may be dead at the
  // other end, and this one cannot know.
  #flush(byHub = false) {
    byHub ||= this.#owedByHub;
    for (const frame of this.#exchange.flush()) this.#transmit({ ...frame, type: frame.type || 'ack', byHub });
    if (this.#exchange.owes && !this.#closed) this.#holdAck();
    else this.#owesNothing();
    if (!this.#exchange.pending || this.#closed) {
      this.rest();
    } else if (!this.#ticking) {
      this.#ticking = setInterval(() => {
        this.#exchange.tick();
        this.#flush();
      }, TICK);
    }
  }

  #holdAck() {
    this.#owing ||= setTimeout(() => {
      this.#owing = 0;
      this.#exchange.press();
      this.#flush();
    }, ACK_TIME);
  }

  #owesNothing() {
    clearTimeout(this.#owing);
    this.#owing = 0;
    this.#owedByHub = false;
  }

  #traceInBand(direction, frame) { this.#trace(direction, true, frame, this.#member().id); }

  #sendStale(session) {
    const now = performance.now();
    if (now - this.#staleAt < 1000) return;
    this.#staleAt = now;
    this.#transmit({ type: 'stale', epoch: [0, ''], seq: 0, ack: 0, hubOnly: true, session });
  }

  #addressed(message, session = this.#member().session) {
    return { ...message, to: this.#member().id, sessions: [this.#self.session, session] };
  }

  #transmit({ type, epoch, seq, ack, body, hubOnly, inBandOnly, again, byHub, session }) {
    const message = this.#addressed({ type, epoch, seq, ack, body }, session);
    this.#outbox = this.#outbox.then(async () => {
      message.signature = await this.#self.identity.sign(pairText(message, this.#self.room, this.#self.identity.id));
      if (this.#closed) return;
      const frame = encode(message);
      const inBand = !hubOnly && this.#connections.sendControl(frame, again);
      if (inBand) this.#traceInBand('out', frame);
      if (!inBandOnly && (!inBand || again || byHub)) this.#hub.send(frame);
    }).catch((error) => this.#link.failed(error));
  }
}
