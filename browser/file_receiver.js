// The end that gets a file: the machine of Go's internal/files/receiver.go. See file_sender.js for its manners.

import { acceptFrame, cancelFrame, chunkAt, CHUNK, CHUNK_HEAD, chunksIn, CODE, codeIn, doneFrame, equal, firstHash, haveFrame, KIND, nextHash, notedFrame, parseOffer, proofIn } from './file_frame.js';

const HAVE_EVERY = 8; // chunks

export class FileReceiver {
  #frame; // of the offer, which no later one may differ from
  #offer;
  #total; // chunks
  #phase = 'unconnected'; // noted, running, over
  #accepted = false;
  #next = 0; // chunks written
  #told = 0; // of which the sender knows
  #chain; // hash after next chunks
  #coming = null; // hash after the chunk that has to be written; null: there is none
  #end = null;

  /** The receiver of the file that the first frame of a channel offers; open comes next, with the same frame. */
  static async of(frame) { return new FileReceiver(frame, await firstHash(frame)); }

  constructor(frame, hash) {
    this.#frame = frame;
    this.#offer = parseOffer(frame);
    this.#total = chunksIn(this.#offer.size);
    this.#chain = hash;
  }

  /** {id, size, name}, as the sender says. */
  get offer() { return this.#offer; }

  /** {code, remote}: how it ended; null: it has not. */
  get end() { return this.#end; }

  /** How many bytes are written. */
  get progress() { return Math.min(this.#next * CHUNK, this.#offer.size); }

  /** All chunks are written: then finish comes next. */
  get complete() { return this.#accepted && !this.#end && this.#next === this.#total; }

  /** There is a channel that begins with an offer of this id: returns the answer. */
  open(frame) {
    if (!equal(frame, this.#frame)) {
      this.fail(CODE.broken);
      return cancelFrame(CODE.broken);
    }
    if (this.#end) return this.#end.code === CODE.none ? doneFrame(this.#chain) : cancelFrame(this.#end.code);
    if (this.#accepted) return this.#goOn();
    this.#phase = 'noted';
    return notedFrame();
  }

  /** The channel is over. */
  lose() {
    if (!this.#end) this.#phase = 'unconnected';
  }

  /** The user wants the file. */
  accept() {
    if (this.#end || this.#accepted) return null;
    this.#accepted = true;
    return this.#phase === 'unconnected' ? null : this.#goOn();
  }

  #goOn() {
    this.#phase = 'running';
    this.#told = this.#next;
    return acceptFrame(this.#next, this.#chain);
  }

  /**
   * Takes a frame of the sender. Returns {reply}, and {chunk} if that has to be written behind what was: written comes
   * before the next receive.
   */
  async receive(frame) {
    if (this.#end || this.#phase === 'unconnected' || frame.length === 0) return { reply: null };
    switch (frame[0]) {
      case KIND.chunk: return this.#chunk(frame);
      case KIND.offer: return { reply: this.fail(CODE.broken) };
      case KIND.cancel:
        if (codeIn(frame) === CODE.none) return { reply: this.fail(CODE.broken) };
        this.#finish({ code: codeIn(frame), remote: true });
        return { reply: null };
      default: return { reply: null }; // a later version's
    }
  }

  async #chunk(frame) {
    if (this.#phase !== 'running' || this.#next >= this.#total || frame.length < CHUNK_HEAD) return { reply: this.fail(CODE.broken) };
    const { n, hash } = proofIn(frame);
    const chunk = frame.subarray(CHUNK_HEAD);
    if (n !== this.#next || chunk.length !== chunkAt(n, this.#offer.size).length) return { reply: this.fail(CODE.broken) };
    const coming = await nextHash(this.#chain, chunk);
    if (!equal(coming, hash)) return { reply: this.fail(CODE.broken) };
    this.#coming = coming;
    return { chunk, reply: null };
  }

  /** The chunk of the last receive is written. */
  written() {
    if (!this.#coming || this.#end) return null;
    this.#chain = this.#coming;
    this.#coming = null;
    this.#next++;
    if (this.#phase !== 'running' || (this.#next - this.#told < HAVE_EVERY && this.#next !== this.#total)) return null;
    this.#told = this.#next;
    return haveFrame(this.#next);
  }

  /** The file is there as a whole. */
  finish() {
    if (!this.complete) return null;
    const connected = this.#phase !== 'unconnected';
    this.#finish({ code: CODE.none, remote: false });
    return connected ? doneFrame(this.#chain) : null;
  }

  /** Ends it, for a reason of this end's. Returns what tells the sender, if there is a channel. */
  fail(code) {
    if (this.#end) return null;
    const connected = this.#phase !== 'unconnected';
    this.#finish({ code, remote: false });
    return connected ? cancelFrame(code) : null;
  }

  #finish(end) {
    this.#phase = 'over';
    this.#end = end;
    this.#coming = null;
  }
}
