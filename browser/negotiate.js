// Decides which end offers, and when (PROTOCOL.md section 4.3). A pure machine, the twin of Go's
// internal/negotiate: messages and wishes go in, actions come out.
//
// No end ever rolls back, because glare cannot happen: in each epoch there is one turn, and only
// its holder may offer. The member that begins the epoch holds it. An offer hands it over: the
// member that answers holds it next. An end that needs to offer without it asks, once; an end that
// is asked while it holds the turn offers, or else grants.
//
// The actions, to be carried out in their order:
//
//   {kind: 'offer', id, restart}  create an offer, with new ICE credentials if
//                                 restart, apply it here and send it
//   {kind: 'answer', id}          apply the offer just received, answer it
//   {kind: 'apply', id}           apply the answer just received
//   {kind: 'ask'} {kind: 'grant'} send that message
//   {kind: 'rebuild'}             the other end broke the rules: begin an epoch

/** One end within one epoch. */
export class Machine {
  #turn; // may offer
  #asked = false; // an ask of ours is on its way or has arrived
  #need = false; // wishes to offer
  #restart = false; // wishes to offer with new ICE credentials
  #local = 0; // offers made
  #open = false; // the last of them is unanswered
  #remote = 0; // offers received

  /** @param {{begun: boolean}} options begun: this end began the epoch */
  constructor({ begun }) {
    this.#turn = begun;
  }

  /** All it knows, as plain data: what Go writes its tables of transitions with. */
  get state() {
    return {
      turn: this.#turn, asked: this.#asked, need: this.#need, restart: this.#restart,
      local: this.#local, open: this.#open, remote: this.#remote,
    };
  }

  /** The machine that knows a state; what the state leaves out is false or 0. */
  static restore({ turn = false, asked = false, need = false, restart = false, local = 0, open = false, remote = 0 }) {
    const m = new Machine({ begun: turn });
    m.#asked = asked;
    m.#need = need;
    m.#restart = restart;
    m.#local = local;
    m.#open = open;
    m.#remote = remote;
    return m;
  }

  /** Whether this end may offer. */
  get turn() { return this.#turn; }

  /** Whether it is stable and wishes nothing. */
  get rest() { return !this.#open && !this.#need && !this.#restart; }

  /** There is something to negotiate. */
  need() {
    this.#need = true;
    return this.#move([]);
  }

  /** ICE is to be restarted. */
  restart() {
    this.#restart = true;
    return this.#move([]);
  }

  /** Takes an offer. restarts: it carries new ICE credentials, which meets a wish of ours for a restart as well. */
  offered(id, restarts) {
    if (this.#turn || this.#open || id !== this.#remote + 1) return [{ kind: 'rebuild' }];
    this.#remote = id;
    this.#turn = true;
    this.#asked = false;
    if (restarts) this.#restart = false;
    return this.#move([{ kind: 'answer', id }]);
  }

  /** Takes an answer. One that answers nothing outstanding is dropped. */
  answered(id) {
    if (!this.#open || id !== this.#local) return [];
    this.#open = false;
    return this.#move([{ kind: 'apply', id }]);
  }

  /** Takes an ask. */
  asked() {
    if (!this.#turn) return [];
    // A holder is stable and wishes nothing, or it would have offered.
    this.#turn = false;
    return this.#move([{ kind: 'grant' }]);
  }

  /** Takes a grant. One that cannot be is dropped. */
  granted() {
    if (this.#turn || this.#open) return [];
    this.#turn = true;
    this.#asked = false;
    return this.#move([]);
  }

  // Does what the wishes and the turn allow now.
  #move(actions) {
    if (!this.#need && !this.#restart) return actions;
    if (this.#turn) {
      this.#local++;
      actions.push({ kind: 'offer', id: this.#local, restart: this.#restart });
      this.#turn = this.#need = this.#restart = false;
      this.#open = true;
    } else if (!this.#asked) {
      this.#asked = true;
      actions.push({ kind: 'ask' });
    }
    return actions;
  }
}
