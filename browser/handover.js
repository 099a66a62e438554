// The Connections of a link: that of the current epoch and, while it comes up
// where no hub reaches, those that it is made over (PROTOCOL.md section 4.2):
// they carry frames, media and data until it is up. Which there are, recovery.js decides.

export class Connections {
  current = null; // of the current epoch; null before the first, and now and then between two
  #old = []; // of earlier epochs, oldest first

  /** Every Connection there is, newest first. */
  get all() {
    return [this.current, ...this.#old.toReversed()].filter((c) => c !== null);
  }

  /** The newest that works, or null. */
  get live() { return this.all.find((c) => c.up) ?? null; }

  /** The one that recovery.js calls so, or undefined. */
  numbered(number) { return this.all.find((c) => c.number === number); }

  /** Keeps the current one to serve, whenever it works, until the next is up. */
  setAside() {
    this.#old.push(this.current);
    this.current = null;
  }

  /** Sends a frame over the newest that works, over every one of them if again; false if there is none. */
  sendControl(frame, again) {
    let sent = false;
    for (const c of this.all) {
      if (sent && !again) break;
      sent = c.sendControl(frame) || sent;
    }
    return sent;
  }

  /** Those that take data, newest first; but those that work come before those in which it waits for the path. */
  get carriers() {
    return this.all.filter((c) => c.dataOpen).toSorted((a, b) => b.up - a.up);
  }

  /** Ends one. */
  lose(connection) {
    this.#old = this.#old.filter((c) => c !== connection);
    if (this.current === connection) this.current = null;
    connection?.close();
  }

  /** Ends all. */
  close() {
    for (const c of this.all) this.lose(c);
  }
}
