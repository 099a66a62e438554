// What members do to each other by right, which the hub grants: requests to mute, locks, and
// whether the room is locked.

export class Moderation {
  #locked = false;
  #self; // () → Member
  #member; // (id) → Member or null
  #requests; // that wait for the hub's answer
  #emit;

  constructor({ self, member, requests, emit }) {
    this.#self = self;
    this.#member = member;
    this.#requests = requests;
    this.#emit = emit;
  }

  /** Whether newcomers are kept out now. */
  get locked() { return this.#locked; }

  /** The hub says whether it is; by is the member that did it, null where that is not known. */
  setLocked(locked, by = null) {
    if (this.#locked === locked) return;
    this.#locked = locked;
    this.#emit('roomlocked', { locked, by });
  }

  lockChanged({ type, from }) {
    if (from === this.#self().id) this.#requests.confirm((r) => r.type === (type === 'locked' ? 'lock' : 'unlock'));
    this.setLocked(type === 'locked', this.#who(from));
  }

  muteRequested({ from, to, name = '' }) {
    const { id } = this.#self();
    if (from === id) this.#requests.confirm((r) => r.type === 'mute' && r.to === to && r.name === name);
    const by = this.#who(from);
    if (to === id && by) this.#emit('muterequested', { by, track: name });
  }

  /** A member was removed, by us perhaps. */
  kicked(id) {
    this.#requests.confirm((r) => r.type === 'kick' && r.to === id);
  }

  #who(id) {
    const self = this.#self();
    return id === self.id ? self : this.#member(id);
  }
}
