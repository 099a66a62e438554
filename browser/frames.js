// Takes a link's pair frames from both paths and sends them: signatures,
// sessions, and the exchange that makes them a stream (PROTOCOL.md sections 4,
// 4.1 and 4.2).

import { decode, encode } from './codec.js';
import { Exchange } from './exchange.js';
import { pairText, verifier } from './identity.js';

const TICK = 500; // ms

export class Frames {
  #self; // {identity, session, room}
  #member; // () → Member, the other
  #hub; // {send(frame)}
  #connections;
  #link; // {allow() one more epoch, accepted({messages, renewed, acked, via}), stale(session), failed(error)}
  #exchange;
  #verify;
  #inbox = Promise.resolve(); // verification, in the order of arrival
  #outbox = Promise.resolve(); // signing, in the order of sending
  #closed = false;
  #staleAt = -Infinity; // when the last stale was sent, ms
  #ticking = 0; // interval

  constructor({ self, member, hub, connections, link }) {
    this.#self = self;
    this.#member = member;
    this.#hub = hub;
    this.#connections = connections;
    this.#link = link;
    this.#exchange = new Exchange(self.identity.id);
    const { id, key } = member();
    this.#verify = verifier(key, () => console.warn(`noom: dropped what ${id} did not sign; the hub may be lying`));
  }

  /** Whether we began the epoch there is. */
  get ours() { return this.#exchange.epoch[1] === this.#self.identity.id; }

  /** How many messages of this epoch the other end has. */
  get acked() { return this.#exchange.acked; }

  /** Whether anything waits for an acknowledgement. */
  get pending() { return this.#exchange.pending; }

  /** Starts the next epoch as ours; false if none are left. */
  begin() { return this.#exchange.begin(); }

  /** Sends a message; returns how many are acknowledged once the other end has it. */
  send(message, byHub) {
    this.#exchange.send(message);
    const { queued } = this.#exchange;
    this.#flush(byHub);
    return queued;
  }

  /** Sends all that is unacknowledged again: a path came back. */
  resend() {
    this.#exchange.resend();
    this.#flush();
  }

  /** Repeats nothing any more, until there is something new to send. */
  rest() {
    clearInterval(this.#ticking);
    this.#ticking = 0;
  }

  close() {
    this.#closed = true;
    this.rest();
  }

  reopen() { this.#closed = false; }

  // ---- in

  /** Takes what came by a Connection's control channel. */
  control(text, via) {
    let frame;
    try {
      frame = decode(text);
    } catch {
      return;
    }
    if (frame.sessions && !frame.from) this.receive(frame, via);
  }

  /** Takes a frame that came by a Connection, or by hub if via is null. */
  receive(frame, via = null) {
    this.#inbox = this.#inbox.then(async () => {
      if (this.#closed || frame.to !== this.#self.identity.id) return;
      if (!(await this.#verify(pairText(frame, this.#self.room, this.#member().id), frame.signature))) return;
      if (!this.#closed) this.#accept(frame, via);
    });
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
    if (frame.epoch[1] !== this.#self.identity.id && frame.epoch[1] !== this.#member().id) return;
    if (this.#exchange.ahead(frame.epoch) && !this.#link.allow()) return;
    const before = this.#exchange.acked;
    const { messages, renewed, ok } = this.#exchange.receive(frame);
    if (!ok) return;
    this.#link.accepted({ messages, renewed, acked: this.#exchange.acked > before, via });
    this.#flush(via === null);
  }

  // ---- out

  // byHub: what is answered came by the hub, so the channel may be dead at the
  // other end, and this one cannot know.
  #flush(byHub = false) {
    for (const frame of this.#exchange.flush()) this.#transmit({ ...frame, type: frame.type || 'ack', byHub });
    if (!this.#exchange.pending || this.#closed) {
      this.rest();
    } else if (!this.#ticking) {
      this.#ticking = setInterval(() => {
        this.#exchange.tick();
        this.#flush();
      }, TICK);
    }
  }

  #sendStale(session) {
    const now = performance.now();
    if (now - this.#staleAt < 1000) return;
    this.#staleAt = now;
    this.#transmit({ type: 'stale', epoch: [0, ''], seq: 0, ack: 0, hubOnly: true, session });
  }

  #transmit({ type, epoch, seq, ack, body, hubOnly, again, byHub, session = this.#member().session }) {
    const message = { type, to: this.#member().id, sessions: [this.#self.session, session], epoch, seq, ack, body };
    this.#outbox = this.#outbox.then(async () => {
      message.signature = await this.#self.identity.sign(pairText(message, this.#self.room, this.#self.identity.id));
      if (this.#closed) return;
      const frame = encode(message);
      const inBand = !hubOnly && this.#connections.sendControl(frame, again);
      if (!inBand || again || byHub) this.#hub.send(frame);
    }).catch((error) => this.#link.failed(error));
  }
}
