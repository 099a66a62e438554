// Our table of tracks on one connection (PROTOCOL.md section 4.4): it travels with each description and, when it has
// changed, alone.

export class Table {
  #outgoing;
  #link; // {ready() to be sent a message that leaves at once, number(rows, settled) → the table, send(body) → how many were queued}
  #due = false; // it has changed since it was sent

  constructor(outgoing, link) {
    this.#outgoing = outgoing;
    this.#link = link;
  }

  /** What goes with a description now. */
  get latest() { return this.#link.number(this.#outgoing.rows(), this.#outgoing.settled); }

  /** It was sent with a description, which is acknowledged once that many messages are. */
  sent(queued) {
    if (!this.#outgoing.settled) return;
    this.#due = false;
    this.#outgoing.announced(queued);
  }

  /** Something in it has changed. */
  changed() {
    this.#due = true;
    this.look();
  }

  /** Sends it if it has changed and can be sent: of changes that come faster than the peer acknowledges, the last. */
  look() {
    if (!this.#due || !this.#outgoing.settled || !this.#link.ready()) return;
    this.sent(this.#link.send(JSON.stringify({ table: this.latest })));
  }
}
