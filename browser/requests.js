// What was said to the hub and waits for its answer: chats, a new name, and
// what takes a right. A refusal tells a type alone: the oldest of it is meant.

export class Requests {
  #waiting = []; // {message, resolve, reject}, oldest first
  #tell;

  /** tell(message) sends to the hub, if there is one. */
  constructor(tell) {
    this.#tell = tell;
  }

  /** Asks; resolves when confirmed, rejects when refused. */
  ask(message) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ message, resolve, reject });
      this.#tell(message);
    });
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

  /** Asks again, of a hub that may not have heard. */
  repeat() {
    for (const { message } of this.#waiting) this.#tell(message);
  }

  /** The room is over: closeForAll has what it wanted if it was closed. */
  end(error, closed) {
    for (const { message, resolve, reject } of this.#waiting.splice(0)) {
      if (closed && message.type === 'close') resolve();
      else reject(error);
    }
  }

  #take(fits) {
    const at = this.#waiting.findIndex(({ message }) => fits(message));
    return at < 0 ? undefined : this.#waiting.splice(at, 1)[0];
  }
}
