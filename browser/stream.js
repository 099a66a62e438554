// The application's data on a link: sends that wait for credit, over whatever
// connection there is (PROTOCOL.md section 4.5).

import { DataStream } from './data.js';
import { NoomError } from './errors.js';

export class Stream {
  #connections;
  #link; // {data(bytes, taken), failed(error), flooded(error), repeated() → whether one more that says nothing new is within bounds}
  #numbers = new DataStream();
  #waiting = []; // sends without credit: {payload, resolve, reject}

  constructor(connections, link) {
    this.#connections = connections;
    this.#link = link;
  }

  /** Sends up to 61440 bytes; resolves when they are on their way, within the credit. */
  send(payload) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ payload: payload.slice(), resolve, reject });
      this.#sendWaiting();
    });
  }

  /** Takes bytes of a data channel. */
  receive(bytes) {
    const { message, number, credit, violation } = this.#numbers.receive(bytes);
    if (violation) this.#link.failed(new NoomError('malformed', violation));
    else if (!message && !credit && !this.#link.repeated()) this.#link.flooded(new NoomError('malformed', 'the peer floods us with data that says nothing new'));
    if (credit) this.#sendWaiting();
    if (!message) return;
    this.#link.data(message, () => this.#connections.sendData(this.#numbers.take(number)));
  }

  /** A connection's data channel is open: it carries what is unacknowledged. */
  reopen(connection) {
    for (const bytes of this.#numbers.reopen()) connection.sendData(bytes);
  }

  close() {
    for (const { reject } of this.#waiting.splice(0)) reject(new NoomError('closed', 'the peer is gone'));
  }

  #sendWaiting() {
    while (this.#waiting.length > 0 && this.#numbers.hasCredit(this.#waiting[0].payload.length)) {
      const { payload, resolve } = this.#waiting.shift();
      this.#connections.sendData(this.#numbers.send(payload));
      resolve();
    }
  }
}
