// The application's data on a link: sends that wait for credit, over whatever
// connection there is (PROTOCOL.md section 4.5). It may be another for each message: what one has not carried is sent over
// it first, because a receiver drops what it has already, and takes no gap.

import { Aside } from './aside.js';
import { Asking } from './asking.js';
import { ACK_PAUSE, DataStream, isOfPieces } from './data.js';
import { NoomError } from './errors.js';
import { MAX } from './limits.js';

// Bytes in a channel above which nothing is added: credit lets no honest member wait with more, but for thousands of long
// topics, of which the last wait for room.
const MOST_WAITING = 2 * MAX.unacked;

// Bytes of pieces that are not acknowledged, so that messages do not wait behind them.
const MOST_PIECES = 256 << 10;

const gone = () => new NoomError('closed', 'the peer is gone, or we are leaving');

export class Stream {
  questions; // Asking

  #connections;
  // {data({data, topic}, taken), handler(topic), failed(error), flooded(error), repeated() → whether one more that says nothing new is
  // within bounds, asideOpened(), aside(kind, frame)}
  #link;
  #numbers = new DataStream();
  #aside; // frames of the room's state
  #pieces = new DataStream({ pieces: true }); // of questions and answers
  #lastAnswer = 0; // number of the last piece that may be of an answer
  #probed = false; // the peer is to show whether it knows pieces
  #known = false; // it does
  // Connection → {carried, told: the last message and acknowledgement that it carries, carriedPieces, toldPieces: the same of
  // pieces, asked: whether all has arrived, probed}
  #lanes = new WeakMap();
  #answer = null; // a frame: what the other end has asked for
  #waiting = []; // sends without credit: {payload, topic, resolve, reject}
  #sealed = false; // we leave: nothing new is taken
  #deliveries = []; // resolvers of calls that wait for all to arrive
  #pause = 0; // timer: what is taken is not acknowledged one by one

  constructor(connections, link) {
    this.#connections = connections;
    this.#link = link;
    this.#aside = new Aside({ opened: link.asideOpened, came: link.aside });
    this.questions = new Asking({ due: () => this.flush(), handler: link.handler });
  }

  /** Sends up to 61440 bytes under a topic, an empty one for none; resolves when they are on their way, within the credit. */
  send(payload, topic) {
    return new Promise((resolve, reject) => {
      if (this.#sealed) throw gone();
      this.#waiting.push({ payload: payload.slice(), topic, resolve, reject });
      this.#sendWaiting();
    });
  }

  /** Sends what can be on its way at once; false if it cannot. */
  trySend(payload, topic) {
    if (this.#sealed) throw gone();
    if (this.#waiting.length > 0 || !this.#numbers.hasCredit(payload.length)) return false;
    this.#numbers.send(payload, topic);
    this.flush();
    return true;
  }

  /** Sends a frame beside the messages; false: too much waits. sure: delivered waits for it. */
  sendAside(kind, payload, sure) {
    this.#aside.look(this.#connections.carriers);
    const taken = this.#aside.add(kind, payload, sure);
    if (taken) this.flush();
    return taken;
  }

  /** How many messages are not known to have arrived. */
  get missing() { return this.#numbers.missing; }

  /** Takes nothing new from now on; what waits to be taken is rejected. */
  seal() {
    this.#sealed = true;
    this.#rejectWaiting();
    this.questions.seal();
  }

  /** Resolves when all has arrived, or nothing more will. */
  delivered() {
    return new Promise((resolve) => {
      this.#numbers.owed(); // which is told now
      this.#pieces.owed();
      this.#deliveries.push(resolve);
      this.#lookDelivered();
      this.flush();
    });
  }

  /** Takes bytes of a data channel. */
  receive(bytes) {
    this.#aside.look(this.#connections.carriers);
    if (this.#aside.receive(bytes)) return;
    if (isOfPieces(bytes)) {
      this.#receivePiece(bytes);
      return;
    }
    const { message, topic, expects, number, credit, answer, arrived, violation } = this.#numbers.receive(bytes);
    if (violation) this.#link.failed(new NoomError('malformed', violation));
    else if (!message && !expects && !credit && !this.#link.repeated()) this.#link.flooded(new NoomError('malformed', 'the peer floods us with data that says nothing new'));
    if (credit) this.#sendWaiting();
    if (arrived && this.#deliveries.length > 0) this.#aside.confirm();
    if (credit || arrived) this.#lookDelivered();
    if (arrived && this.#probed && !this.#known) { // or it would have acknowledged the pieces before
      this.questions.refuse();
      this.#pieces.forget();
    }
    if (answer) {
      this.#answer = answer;
      this.flush();
    }
    if (!message) return;
    this.#link.data({ data: message, topic }, () => {
      if (this.#numbers.take(number)) this.flush();
    });
  }

  /**
   * Sends what is due, as far as there is room for it. Called too when there are other connections, when one works or no
   * longer does, and when one has sent what it was given.
   */
  flush() {
    const { carriers } = this.#connections;
    this.#aside.look(carriers);
    carriers.some((c) => this.#write(c));
    if (carriers.length > 0) this.#startPause();
  }

  close() {
    clearTimeout(this.#pause);
    this.#pause = 0;
    this.#aside.close();
    this.#rejectWaiting();
    this.#resolveDeliveries();
    this.questions.close();
  }

  #receivePiece(bytes) {
    this.#known = true;
    const { message, number, credit, violation } = this.#pieces.receive(bytes);
    if (violation) this.#link.failed(new NoomError('malformed', violation));
    else if (!message && !credit && !this.#link.repeated()) this.#link.flooded(new NoomError('malformed', 'the peer floods us with pieces that say nothing new'));
    if (credit) {
      this.#lookDelivered();
      this.flush();
    }
    if (!message) return;
    if (this.#pieces.take(number)) this.flush();
    try {
      this.questions.take(message);
    } catch (error) {
      this.#link.failed(error);
    }
  }

  // Sends what is due over one connection; false: that did not take all of it.
  #write(connection) {
    if (!this.#lanes.has(connection)) this.#lanes.set(connection, { carried: 0, told: 0, carriedPieces: 0, toldPieces: 0, asked: false, probed: false });
    const lane = this.#lanes.get(connection);
    const put = (frame) => connection.sendData(frame, MOST_WAITING);
    if (lane.told < this.#numbers.told) {
      if (!put(this.#numbers.tell())) return false;
      lane.told = this.#numbers.told;
    }
    if (lane.toldPieces < this.#pieces.told) {
      if (!put(this.#pieces.tell())) return false;
      lane.toldPieces = this.#pieces.told;
    }
    if (this.#answer) { // behind what is said of pieces
      if (!put(this.#answer)) return false;
      this.#answer = null;
    }
    if (!this.#aside.write(put)) return false;
    if (!this.#writePieces(lane, put)) return false;
    for (let next = this.#numbers.next(lane.carried); next; next = this.#numbers.next(lane.carried)) {
      if (next.topic && !put(next.topic)) return false;
      if (!put(next.frame)) return false;
      lane.carried = next.number;
    }
    if (this.#deliveries.length > 0 && !lane.asked && !this.#arrived) lane.asked = put(this.#numbers.ask());
    return true;
  }

  // Sends pieces, which are few, before messages; false: there is no room for all of them.
  #writePieces(lane, put) {
    while (this.#pieces.waiting < MOST_PIECES && this.#pieces.hasCredit(0)) {
      const { answering } = this.questions;
      const piece = this.questions.next();
      if (!piece) break;
      this.#pieces.send(piece);
      if (answering) this.#lastAnswer = this.#pieces.last;
    }
    for (let next = this.#pieces.next(lane.carriedPieces); next; next = this.#pieces.next(lane.carriedPieces)) {
      if (!put(next.frame)) return false;
      lane.carriedPieces = next.number;
    }
    if (lane.carriedPieces > 0 && !lane.probed && !this.#known) {
      lane.probed = put(this.#numbers.probe());
      this.#probed ||= lane.probed;
    }
    return true;
  }

  #startPause() {
    if (this.#pause || !(this.#numbers.pausing || this.#pieces.pausing)) return;
    this.#pause = setTimeout(() => {
      this.#pause = 0;
      const due = [this.#numbers.pauseOver(), this.#pieces.pauseOver()];
      if (due.some(Boolean)) this.flush();
    }, ACK_PAUSE);
  }

  #rejectWaiting() {
    for (const { reject } of this.#waiting.splice(0)) reject(gone());
  }

  #lookDelivered() {
    if (this.#arrived && !this.questions.answering && this.#lastAnswer <= this.#pieces.acknowledged) this.#resolveDeliveries();
  }

  get #arrived() { return this.missing === 0 && this.#aside.arrived; }

  #resolveDeliveries() {
    for (const resolve of this.#deliveries.splice(0)) resolve();
  }

  #sendWaiting() {
    while (this.#waiting.length > 0 && this.#numbers.hasCredit(this.#waiting[0].payload.length)) {
      const { payload, topic, resolve } = this.#waiting.shift();
      this.#numbers.send(payload, topic);
      resolve();
    }
    this.flush();
  }
}
