// The end that has a file: the machine of Go's internal/files/sender.go. It has no timer, channel or file. Methods that
// return a frame return null if there is nothing to send. Hashing takes a moment in a browser, so what hashes is async, and
// its driver calls one method after the other.

import { cancelFrame, chunkAt, CHUNK, chunkFrame, CHUNK_HEAD, chunksIn, CODE, codeIn, equal, firstHash, KIND, nextHash, numberIn, offerFrame, proofIn, WINDOW } from './file_frame.js';

const MAX_SILENCES = 3; // channels that end without an answer

export class FileSender {
  #offer; // its frame
  #size;
  #total; // chunks
  #phase = 'unconnected'; // offered, noted, running, over
  #have = 0; // chunks that the receiver has written
  #next = 0; // the chunk to send next
  #chain; // hashes after have chunks, and after each one that was read since
  #silences = 0; // channels that have ended without an answer
  #end = null;

  /** size: up to MAX_SIZE; name: as cleanFileName has it. */
  static async offer({ id, size, name }) {
    const frame = offerFrame({ id, size, name });
    return new FileSender(frame, size, await firstHash(frame));
  }

  constructor(frame, size, hash) {
    this.#offer = frame;
    this.#size = size;
    this.#total = chunksIn(size);
    this.#chain = [hash];
  }

  /** {code, remote}: how it ended; null: it has not. */
  get end() { return this.#end; }

  /** The offer has no answer yet. */
  get unanswered() { return this.#phase === 'offered'; }

  /** The file is on its way over the current channel. */
  get running() { return this.#phase === 'running'; }

  /** How many bytes the receiver has written. */
  get progress() { return Math.min(this.#have * CHUNK, this.#size); }

  /** There is a channel: returns its first frame. */
  open() {
    if (this.#end) return null;
    this.#phase = 'offered';
    return this.#offer;
  }

  /** The channel is over. */
  lose() {
    if (this.#end) return;
    if (this.#phase === 'offered') this.#silences++;
    this.#phase = 'unconnected';
    if (this.#silences >= MAX_SILENCES) this.#finish({ code: CODE.unsupported, remote: false });
  }

  /** Takes a frame of the receiver. */
  receive(frame) {
    if (this.#end || this.#phase === 'unconnected' || frame.length === 0) return null;
    return this.#takes(frame) ? null : this.fail(CODE.broken);
  }

  #takes(frame) {
    switch (frame[0]) {
      case KIND.noted: return this.#noted(frame);
      case KIND.accept: return this.#accepted(frame);
      case KIND.have: return this.#written(frame);
      case KIND.done:
        if (this.#hashed !== this.#total || !equal(this.#chain.at(-1), frame.subarray(1))) return false;
        this.#finish({ code: CODE.none, remote: true });
        return true;
      case KIND.cancel:
        if (codeIn(frame) === CODE.none) return false;
        this.#finish({ code: codeIn(frame), remote: true });
        return true;
      default: return true; // a later version's
    }
  }

  #noted(frame) {
    if (frame.length !== 1 || this.#phase !== 'offered') return false;
    this.#phase = 'noted';
    this.#silences = 0;
    return true;
  }

  // Where the receiver wants the file to go on.
  #accepted(frame) {
    if (frame.length !== CHUNK_HEAD || (this.#phase !== 'offered' && this.#phase !== 'noted')) return false;
    const { n, hash } = proofIn(frame);
    if (n < this.#have || n > this.#hashed || !equal(this.#chain[n - this.#have], hash)) return false;
    this.#advance(n);
    this.#next = n;
    this.#phase = 'running';
    this.#silences = 0;
    return true;
  }

  #written(frame) {
    if (frame.length !== 5 || this.#phase !== 'running') return false;
    const n = numberIn(frame);
    if (n <= this.#have || n > this.#next) return false;
    this.#advance(n);
    return true;
  }

  #advance(n) {
    this.#chain.splice(0, n - this.#have);
    this.#have = n;
  }

  // After how many chunks the last hash is.
  get #hashed() { return this.#have + this.#chain.length - 1; }

  /** {offset, length}: what to read for chunk; null while none may be sent. */
  get wants() {
    if (this.#phase !== 'running' || this.#next >= this.#total || this.#next - this.#have >= WINDOW) return null;
    return chunkAt(this.#next, this.#size);
  }

  /** The frame for what was read as wants says. */
  async chunk(data) {
    const hash = await nextHash(this.#chain[this.#next - this.#have], data);
    if (this.#next === this.#hashed) this.#chain.push(hash);
    else if (!equal(this.#chain[this.#next - this.#have + 1], hash)) return this.fail(CODE.changed);
    return chunkFrame(this.#next++, hash, data);
  }

  /** Ends it, for a reason of this end's. Returns what tells the receiver, if there is a channel. */
  fail(code) {
    if (this.#end) return null;
    const connected = this.#phase !== 'unconnected';
    this.#finish({ code, remote: false });
    return connected ? cancelFrame(code) : null;
  }

  #finish(end) {
    this.#phase = 'over';
    this.#end = end;
    if (end.code === CODE.none) this.#have = this.#total;
  }
}
