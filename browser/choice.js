// By which transport a hub is dialled. It is pure: time is passed in, in ms. It is the twin of choice.go in
// noom/transport/auto, which explains the rules; both replay signal/testdata/choices.json.

/** For how long WebSocket is tried alone, in ms; then HTTP is too. */
export const HEAD_START = 2_000;

const FIRST_WAIT = 60_000;
const LAST_WAIT = 16 * 60_000;
const EARLY = 60_000; // a connection that breaks before was none
const STRIKES = 2; // such connections in a row

export class Choice {
  #blocked = false;
  #until = 0;
  #wait = 0;
  #strikes = 0;

  /** Whether WebSocket is dialled first. */
  webSocketFirst(now) { return !this.#blocked || now >= this.#until; }

  /** When WebSocket is to be tried again; 0: it is thought to work. */
  get trialAt() { return this.#blocked ? this.#until : 0; }

  /** WebSocket did not come through where HTTP did. */
  failed(now) {
    this.#blocked = true;
    this.#strikes = 0;
    this.#wait = Math.min(Math.max(2 * this.#wait, FIRST_WAIT), LAST_WAIT);
    this.#until = now + this.#wait;
  }

  /** WebSocket came through. */
  worked() { this.#blocked = false; }

  /** A WebSocket has broken, after so many ms. */
  broke(now, lasted) {
    if (lasted >= EARLY) {
      this.#strikes = 0;
      this.#wait = 0;
    } else if (++this.#strikes >= STRIKES) {
      this.failed(now);
    }
  }
}
