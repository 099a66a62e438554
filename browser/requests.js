// What was said to the hub and waits for its answer: chats, a new name, and what takes a right. A
// refusal names only a type: it means the oldest of it.

import { NoomError } from './errors.js';
import { MAX } from './limits.js';

const PATIENCE = 30_000; // ms for the answer

export class Requests {
  #waiting = []; // {message, resolve, reject}, oldest first
  #idle = []; // resolvers of calls that wait until no request waits
  #tell;

  /** tell(message) sends to the hub, if there is one. */
  constructor(tell) {
    this.#tell = tell;
  }

  /** For how many more there is room. */
  get left() { return MAX.requests - this.#waiting.length; }

  /** Asks; resolves when confirmed, rejects when refused, and when there is no answer for 30 s. */
  ask(message) {
    return new Promise((resolve, reject) => {
      if (this.left <= 0) throw new NoomError('would_block', `${message.type}: ${MAX.requests} requests wait for the hub; try again later`);
      this.#tell(message); // first, because it throws what cannot be sent
      const timer = setTimeout(() => {
        this.#take((m) => m === message);
        reject(new NoomError('no_hub', `${message.type}: unanswered for ${PATIENCE / 1000} s; there is no hub, or it does not answer`));
      }, PATIENCE);
      const request = {
        message,
        resolve: () => { clearTimeout(timer); resolve(); },
        reject: (error) => { clearTimeout(timer); reject(error); },
      };
      this.#waiting.push(request);
    });
  }

  /** Resolves once nothing waits for an answer, or release is called. */
  idle() {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      if (this.#waiting.length === 0) this.release();
    });
  }

  /** There is no hub to answer. */
  release() {
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Confirms the oldest request that fits; false if there is none. */
  confirm(fits) {
    const request = this.#take(fits);
    request?.resolve();
    return request !== undefined;
  }

  /** Refuses the oldest request of a type. */
  refuse(type, error) {
    this.#take((message) => message.type === type)?.reject(error);
  }

  /** Asks again, because the hub may not have got it. */
  repeat() {
    for (const { message } of this.#waiting) this.#tell(message);
  }

  /** The room is over: closeForAll has what it wanted if it was closed. */
  end(error, closed) {
    for (const { message, resolve, reject } of this.#waiting.splice(0)) {
      if (closed && message.type === 'close') resolve();
      else reject(error);
    }
    this.release();
  }

  #take(fits) {
    const at = this.#waiting.findIndex(({ message }) => fits(message));
    if (at < 0) return undefined;
    const [request] = this.#waiting.splice(at, 1);
    if (this.#waiting.length === 0) this.release();
    return request;
  }
}
