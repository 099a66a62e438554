// What the machine of recovery.js knows of one link, as plain data, and what it decides on an event.

/** Whether frames given to the control channel of a connection can be hoped to arrive. */
export const isUp = (c) => c !== null && c.control && c.path === 'found';

export class State {
  online = false; // what drivers see at any time
  expired = false;
  wait = 0;

  current = null; // {number, path, control, data}
  old = []; // of earlier epochs, oldest first; they serve until current is up

  peer = 'connecting';
  ours = false; // we began this epoch
  broken = false; // this epoch is given up; the next is due
  wasUp = false; // a connection of this epoch was up
  calm = false; // and that for so long that earlier failures do not matter
  everUp = false; // a connection of this session was up
  lost = false; // the hub has lost the peer
  left = false; // the peer has said goodbye
  asleep = false;
  over = false;
  admitted = false; // it is our turn to build
  due = false; // and when it is, an epoch of ours begins
  asked = false; // a restart is wanted even if the path works
  relayed = false; // the path that was interrupted went by a relay of ours
  unproven = false; // the path is new, and nothing is known to have arrived by it

  failures = 0; // epochs given up in a row
  restarts = 0; // in a row
  allowed = 0; // so many restarts, before a rebuild
  looks = 0; // in vain, for something that has arrived by the new path
  patience = 0; // that is left for a path when forRelay has ended
  armed = []; // timers

  #options; // of the link, see recovery.js
  #actions = []; // of the event being acted on

  constructor(options) {
    this.#options = options;
    this.allowed = options.restarts;
  }

  get options() { return this.#options; }

  get alive() { return this.current !== null && !this.broken; }

  get reaches() { return this.online && !this.lost; }

  get mustWait() { return !this.everUp && !this.admitted; }

  /** Whether an old connection works. */
  get serving() { return this.old.some(isUp); }

  /** The newest connection that works, or else the current one. */
  get live() {
    return isUp(this.current) ? this.current : this.old.findLast(isUp) ?? this.current;
  }

  /** A connection by its number, null if it is not there any longer. */
  find(number) {
    return [this.current, ...this.old].find((c) => c?.number === number) ?? null;
  }

  /** A number that no connection has. */
  get free() {
    let number = 1;
    while (this.find(number)) number++;
    return number;
  }

  // ---- what it says

  /** Acts on an event; returns what is to be done. */
  step(event) {
    this.#actions = [];
    event(this);
    return this.#actions;
  }

  do(kind, what = {}) { this.#actions.push({ kind, ...what }); }

  /** Says how the peer is from now on. */
  setState(peer, cause = '') {
    if (this.peer === peer) return;
    this.peer = peer;
    this.do('setState', { peer, cause });
  }

  /** Gives our turn back: the connection is up, has failed, or is not wanted any longer. */
  yieldTurn() {
    Object.assign(this, { admitted: false, due: false });
    this.do('yield');
  }
}
