// What members may do (PROTOCOL.md section 2), and what is asked of the hub
// and waits for its answer.

/** What a member may do where nothing else is said. */
const USUAL = ['publish', 'chat'];

/** Reports whether a Member has a right: publish, chat, kick, lock, mute or close. */
export const may = (member, right) => (member.rights ?? USUAL).includes(right);

/** Requests that the hub confirms, or refuses with an error that tells their type alone. */
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

  /** Confirms the oldest request that fits. */
  confirm(fits) {
    this.#take(fits)?.resolve();
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
