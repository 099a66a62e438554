// How a room ends, once: what was sent arrives first, then goodbye is said, to the hub, which passes it on to all, and
// in-band to each peer that the hub may not reach. Or the hub ends it.

import { NoomError } from './errors.js';

// A bye about oneself, and the code the Room ends with.
const ENDED = new Map([['replaced', 'replaced'], ['kicked', 'kicked'], ['closed', 'room_closed'], ['expired', 'expired']]);

export class Farewell {
  #entries; // () → {peer, link} of each peer
  #hub; // () → {online, tell(message), leaveAtOnce()}
  #answered; // () resolves once no request waits for the hub
  #ended; // (error, atOnce): called once; atOnce: the page goes away
  #leaving = null; // the promise of leave, once it was called
  #hurry = () => {}; // ends its wait for what was sent
  #over = false;
  #gone = new AbortController(); // aborted when it is over
  #error = null;
  #resolve; // closed

  constructor({ entries, hub, answered, ended }) {
    this.#entries = entries;
    this.#hub = hub;
    this.#answered = answered;
    this.#ended = ended;
    /** Resolves when the room is over, with the error it ended for or null. */
    this.closed = new Promise((resolve) => { this.#resolve = resolve; });
  }

  get over() { return this.#over; }

  /** We leave, or have left. */
  get leaving() { return this.#leaving !== null; }

  /** An AbortSignal: the room is over. */
  get signal() { return this.#gone.signal; }

  /** Why the room is over: null while it is not, and after leave. */
  get error() { return this.#error; }

  /** The room is joined: it is left when its page goes away. */
  joined() {
    for (const leave of [this.#leaveWithPage, this.#leaveForSure]) globalThis.addEventListener?.('pagehide', leave); // Node has no page
  }

  /** The room was not joined, and will not be. */
  abandon() { this.#gone.abort(); }

  /** See Room.leave. */
  leave(timeout) {
    if (this.#over) return this.#leaving;
    this.#leaving ??= this.#depart();
    const timer = setTimeout(() => this.#hurry(), timeout);
    return this.#leaving.finally(() => clearTimeout(timer));
  }

  /** The hub says that we are no longer in the room. */
  dismissed(reason) {
    const code = ENDED.get(reason);
    if (code) this.end(new NoomError(code, `out of the room: ${reason}`));
  }

  /** Ends the room at once; atOnce: because the page goes away. */
  end(error, atOnce = false) {
    if (this.#over) return;
    this.#over = true;
    this.#gone.abort();
    this.#error = error;
    for (const leave of [this.#leaveWithPage, this.#leaveForSure]) globalThis.removeEventListener?.('pagehide', leave);
    this.#ended(error, atOnce);
    this.#resolve(error);
  }

  async #depart() {
    const impatience = new Promise((resolve) => { this.#hurry = resolve; });
    const entries = this.#entries();
    const links = entries.map(({ link }) => link);
    for (const link of links) link.seal();
    const answers = this.#hub().online ? [this.#answered()] : [];
    const arrived = Promise.all([...answers, ...links.map((link) => link.deliver())]);
    await Promise.race([arrived, impatience, this.closed]);
    const failed = entries.flatMap(({ peer, link }) => undelivered(peer, link.undelivered));
    if (!this.#over) {
      await this.#sayGoodbye();
      this.end(null);
    }
    if (failed.length > 0) throw new AggregateError(failed, `noom: left, and of ${entries.length} peers ${failed.length} may not have got everything`);
  }

  // Resolves when peers that no hub reaches know it.
  #sayGoodbye() {
    const hub = this.#hub();
    hub.tell({ type: 'bye' });
    const unreached = this.#entries().filter(({ link }) => !hub.online || !link.present);
    return Promise.all(unreached.map(({ link }) => link.farewell()));
  }

  // A page that goes away, or into the back-forward cache, leaves, and can wait for nothing.
  #leaveWithPage = () => {
    if (this.#over) return;
    this.#hub().leaveAtOnce();
    for (const { link } of this.#entries()) link.leaveAtOnce();
    this.end(null, true);
  };

  // Where a user navigates, Firefox stops a script in the middle (dom.ipc.cancel_content_js_when_navigating), but still
  // calls the next listener.
  #leaveForSure = () => this.#leaveWithPage();
}

// The error of a peer to which not everything is known to have arrived, if there is one.
function undelivered(peer, { messages, channels }) {
  if (messages === 0 && channels === 0) return [];
  const error = new NoomError('undelivered', `not known to have arrived at ${peer.name || peer.id} when we left: ${messages} messages, and what is in ${channels} channels; give leave more time`);
  return [Object.assign(error, { peer, messages, channels })];
}
