// When the steps on the way to a peer were reached: those of joining the room, and those of each connection.

export class Steps {
  #dates;

  constructor(...names) {
    this.#dates = Object.fromEntries(names.map((name) => [name, null]));
  }

  /** A step is reached now; only the first time counts. */
  reach(name) { this.#dates[name] ??= new Date(); }

  /** A Date for each step, null for one that is not reached. */
  get dates() { return { ...this.#dates }; }
}

// A browser looks names up and does not tell.
export const stepsOfJoining = () => new Steps('began', 'resolved', 'hub', 'joined');

// Nor does it tell when a check comes.
export const stepsOfConnection = () => new Steps('offer', 'answer', 'check', 'ice', 'dtls', 'media');
