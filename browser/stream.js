// The application's data on a link: sends that wait for credit, over whatever
// connection there is (PROTOCOL.md section 4.5).

import { ACK_PAUSE, DataStream } from './data.js';
import { NoomError } from './errors.js';
import { MAX } from './limits.js';

// Bytes in a channel above which no answer is added: credit lets no honest member wait with more.
const MOST_WAITING = 2 * MAX.unacked;

const gone = () => new NoomError('closed', 'the peer is gone, or we are leaving');

export class Stream {
  #connections;
  #link; // {data(bytes, taken), failed(error), flooded(error), repeated() → whether one more that says nothing new is within bounds}
  #numbers = new DataStream();
  #waiting = []; // sends without credit: {payload, resolve, reject}
  #sealed = false; // we leave: nothing new is taken
  #deliveries = []; // resolvers of calls that wait for all to arrive
  #pause = 0; // timer: what is taken is not acknowledged one by one

  constructor(connections, link) {
    this.#connections = connections;
    this.#link = link;
  }

  /** Sends up to 61440 bytes; resolves when they are on their way, within the credit. */
  send(payload) {
    return new Promise((resolve, reject) => {
      if (this.#sealed) throw gone();
      this.#waiting.push({ payload: payload.slice(), resolve, reject });
      this.#sendWaiting();
    });
  }

  /** Sends what can be on its way at once; false if it cannot. */
  trySend(payload) {
    if (this.#sealed) throw gone();
    if (this.#waiting.length > 0 || !this.#numbers.hasCredit(payload.length)) return false;
    this.#connections.sendData(this.#numbers.send(payload));
    return true;
  }

  /** How many messages are not known to have arrived. */
  get missing() { return this.#numbers.missing; }

  /** Takes nothing new from now on; what waits to be taken is rejected. */
  seal() {
    this.#sealed = true;
    this.#rejectWaiting();
  }

  /** Resolves when all has arrived, or nothing more will. */
  delivered() {
    return new Promise((resolve) => {
      this.#acknowledge(this.#numbers.owed());
      this.#deliveries.push(resolve);
      this.#ask((frame) => this.#connections.sendData(frame));
    });
  }

  /** Takes bytes of a data channel. */
  receive(bytes) {
    const { message, number, credit, answer, arrived, violation } = this.#numbers.receive(bytes);
    if (violation) this.#link.failed(new NoomError('malformed', violation));
    else if (!message && !credit && !this.#link.repeated()) this.#link.flooded(new NoomError('malformed', 'the peer floods us with data that says nothing new'));
    if (credit) this.#sendWaiting();
    if (answer) this.#connections.sendData(answer, MOST_WAITING);
    if (credit || arrived) this.#lookDelivered();
    if (!message) return;
    this.#link.data(message, () => this.#acknowledge(this.#numbers.take(number)));
  }

  /** A connection's data channel is open: it carries what is unacknowledged. */
  reopen(connection) {
    for (const bytes of this.#numbers.reopen()) connection.sendData(bytes);
    this.#startPause();
    if (this.#deliveries.length > 0) this.#ask((frame) => connection.sendData(frame));
  }

  close() {
    clearTimeout(this.#pause);
    this.#pause = 0;
    this.#rejectWaiting();
    this.#resolveDeliveries();
  }

  // frame may be null: nothing is due.
  #acknowledge(frame) {
    if (frame) this.#connections.sendData(frame);
    this.#startPause();
  }

  #startPause() {
    if (this.#pause || !this.#numbers.pausing) return;
    this.#pause = setTimeout(() => {
      this.#pause = 0;
      this.#acknowledge(this.#numbers.pauseOver());
    }, ACK_PAUSE);
  }

  #rejectWaiting() {
    for (const { reject } of this.#waiting.splice(0)) reject(gone());
  }

  #ask(send) {
    if (this.missing > 0) send(this.#numbers.ask());
    else this.#resolveDeliveries();
  }

  #lookDelivered() {
    if (this.missing === 0) this.#resolveDeliveries();
  }

  #resolveDeliveries() {
    for (const resolve of this.#deliveries.splice(0)) resolve();
  }

  #sendWaiting() {
    while (this.#waiting.length > 0 && this.#numbers.hasCredit(this.#waiting[0].payload.length)) {
      const { payload, resolve } = this.#waiting.shift();
      this.#connections.sendData(this.#numbers.send(payload));
      resolve();
    }
  }
}
