// The files on their way from and to one peer: how many at a time, and how long each is waited for. What there is of
// Go's filing.go; file_send.js and file_receive.js drive the files themselves.

import { follow } from './abort.js';
import { NoomError } from './errors.js';
import { race, STALLED } from './file_channel.js';
import { cancelFrame, CODE, LABEL, MAX_SIZE, parseOffer } from './file_frame.js';
import { IncomingFile } from './file_receive.js';
import { Sending } from './file_send.js';

const MAX_SENDING = 16;
const MAX_PENDING = 16; // offers that are not decided on, or not seen to be
const MAX_RUNNING = 4; // files that come at a time
const MAX_OVER = 64; // ended files that are remembered
const OFFER_PATIENCE = 10_000; // ms for the first message of a channel

export class Filing {
  #openChannel; // (label), resolves with a Channel
  #offered; // (file, seen)
  #most; // bytes that a file may have that comes
  #stay = new AbortController(); // aborted when the peer leaves
  #sealed = false; // we leave
  #connected = false;
  #since = 0; // when that has changed, ms
  #waiting = []; // resolvers, called when there is a connection
  #incoming = new Map(); // id → IncomingFile
  #over = []; // FileReceivers
  #pending = 0;

  sending = new Places(MAX_SENDING);
  running = new Places(MAX_RUNNING);

  constructor({ openChannel, offered, most = MAX_SIZE }) {
    this.#openChannel = openChannel;
    this.#offered = offered;
    this.#most = most;
  }

  /** Sends a Blob under a name; see Peer.sendFile. */
  async send(file, { name, signal, onprogress }) {
    if (this.#sealed) throw gone();
    const { controller, stop } = this.until(signal);
    try {
      await this.sending.take(controller.signal);
      try {
        await new Sending({ filing: this, file, name, signal: controller.signal, onprogress }).run();
      } finally {
        this.sending.give();
      }
    } finally {
      stop();
    }
  }

  /** An AbortController that follows a signal, if there is one, and a stay of the peer. */
  until(signal, stay = this.#stay.signal) {
    const controller = new AbortController();
    return { controller, stop: follow(controller, stay, ...(signal ? [signal] : [])) };
  }

  /** Opens a channel, on the connection there is. */
  open() { return this.#openChannel(LABEL); }

  /** Whether channels can be opened now, and carry something. */
  setConnected(connected) {
    if (connected === this.#connected) return;
    this.#connected = connected;
    this.#since = performance.now();
    if (connected) for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /** Waits until there is a connection, or throws a signal's reason. */
  async connected(signal) {
    while (!this.#connected) await race(new Promise((resolve) => { this.#waiting.push(resolve); }), signal);
  }

  /** Waits for a promise; throws a signal's reason, or STALLED after so many ms without a break in the connection. */
  async patiently(promise, signal, patience) {
    for (const began = performance.now(); ;) {
      const got = await race(promise, signal, this.#rest(began, patience), STALLED);
      if (got !== STALLED) return got;
      if (this.#rest(began, patience) <= 0) throw STALLED;
    }
  }

  // What is left of a patience that began then.
  #rest(began, patience) {
    return this.#connected ? patience - (performance.now() - Math.max(began, this.#since)) : patience;
  }

  /** All files end, because the peer leaves, or for good because we do. */
  end(forGood = false) {
    this.#sealed ||= forGood;
    this.#connected = false;
    this.#stay.abort(gone());
    this.#stay = new AbortController();
    this.#incoming.clear();
    this.#over = [];
    this.#pending = 0;
  }

  /** Takes a channel for a file that the peer has opened. */
  async greet(channel) {
    const { signal } = this.#stay;
    try {
      const offer = await race(channel.receive(), signal, OFFER_PATIENCE, null);
      const answer = offer && !this.#sealed ? this.#take(channel, offer) : null;
      if (answer === true) return;
      if (answer) await channel.send(answer);
    } catch {
      // the channel is over, or the peer is gone
    }
    channel.close();
  }

  // Takes an offer, and returns true, or the answer that is all there is to say.
  #take(channel, frame) {
    const offer = parseOffer(frame);
    if (!offer) return cancelFrame(CODE.broken);
    const known = this.#incoming.get(offer.id);
    if (known) {
      known.arrived(channel, frame);
      return true;
    }
    const over = this.#over.find((machine) => machine.offer.id === offer.id);
    if (over) return over.open(frame);
    if (offer.size > this.#most) return cancelFrame(CODE.tooBig);
    if (this.#pending >= MAX_PENDING) return cancelFrame(CODE.busy);
    this.#pending++;
    const { signal } = this.#stay;
    const release = () => { if (!signal.aborted) this.#pending--; };
    const ended = (machine) => {
      if (signal.aborted) return;
      this.#incoming.delete(offer.id);
      this.#over.push(machine);
      if (this.#over.length > MAX_OVER) this.#over.shift();
    };
    const file = new IncomingFile({ filing: this, stay: signal, offer, channel, frame, release, ended });
    this.#incoming.set(offer.id, file);
    this.#offered(file.face, () => file.seen());
    return true;
  }
}

// Places for so many; the others wait in turn.
class Places {
  #free;
  #waiting = []; // resolvers

  constructor(most) {
    this.#free = most;
  }

  /** Waits for a place, or throws a signal's reason. */
  async take(signal) {
    signal.throwIfAborted();
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    let got;
    const turn = new Promise((resolve) => {
      got = resolve;
      this.#waiting.push(resolve);
    });
    try {
      await race(turn, signal);
    } catch (reason) {
      if (this.#waiting.includes(got)) this.#waiting.splice(this.#waiting.indexOf(got), 1);
      else this.give(); // it came at the same moment
      throw reason;
    }
  }

  give() {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}

const gone = () => new NoomError('closed', 'the peer is gone');
