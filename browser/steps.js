// When the steps on the way to a peer were reached: those of joining the room, and those of each connection.

class Steps {
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

/** Those of a connection. A browser does not tell when a check comes. */
class ConnectionSteps extends Steps {
  constructor() { super('offer', 'answer', 'check', 'ice', 'dtls', 'media'); }

  /** Notes what the states of an RTCPeerConnection say. */
  look({ connectionState, iceConnectionState, sctp }) {
    if (['connected', 'completed'].includes(iceConnectionState)) this.reach('ice');
    if (connectionState === 'connected' || sctp?.transport.state === 'connected') this.reach('dtls');
  }
}

export const stepsOfConnection = () => new ConnectionSteps();
