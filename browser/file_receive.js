// A file that a peer offers, or sends.

import { NoomError } from './errors.js';
import { checkFileOptions, errorOf, give, Inbox, Progress, STALL, STALLED } from './file_channel.js';
import { CODE } from './file_frame.js';
import { cleanFileName } from './file_name.js';
import { FileReceiver } from './file_receiver.js';

const BLOB_PARTS = 256; // chunks that become one Blob, which a browser may keep on disk

export class IncomingFile {
  face; // what the page gets: an OfferedFile

  #filing;
  #stay; // AbortSignal: the peer is gone
  #name;
  #size;
  #release; // called once nothing waits for the page any longer
  #ended; // (machine)
  #arrival; // {channel, frame}: the newest channel that was not taken yet; null: there is none
  #news = () => {}; // called when there is
  #newest; // Channel, to be closed when another one comes
  #channel = null;
  #inbox = null;
  #machine = null;
  #undecided; // aborted once the user wants it or not
  #unfollow;
  #claimed = false; // accept or decline was called
  #declined = false;
  #unseen = true; // the event waits
  #waits = true; // it is neither running nor over
  #watched; // resolves when watch has ended

  constructor({ filing, stay, offer, channel, frame, release, ended }) {
    this.#filing = filing;
    this.#stay = stay;
    this.#name = cleanFileName(offer.name);
    this.#size = offer.size;
    this.#release = release;
    this.#ended = ended;
    this.#arrival = { channel, frame };
    this.#newest = channel;
    const { controller, stop } = filing.until(undefined, stay);
    this.#undecided = controller;
    this.#unfollow = stop;
    this.face = Object.freeze({ name: this.#name, size: this.#size, accept: (options) => this.#accept(options), decline: () => this.#decline() });
    this.#watched = this.#watch(frame);
  }

  /** A further channel has come for it. */
  arrived(channel, frame) {
    const old = this.#newest;
    this.#newest = channel;
    this.#arrival = { channel, frame };
    old.close(); // who reads it takes the new one then
    this.#news();
  }

  /** The page has got the event. */
  seen() {
    this.#unseen = false;
    if (!this.#waits) this.#release();
  }

  // It no longer waits for the user.
  #start() {
    if (this.#waits && !this.#unseen) this.#release();
    this.#waits = false;
  }

  #decline() {
    if (this.#claimed) return;
    this.#claimed = this.#declined = true;
    this.#undecided.abort();
  }

  // Answers the sender until the user has decided, or the sender has.
  async #watch(frame) {
    this.#machine = await FileReceiver.of(frame);
    const { signal } = this.#undecided;
    try {
      while (!this.#machine.end) await this.#next(signal, Infinity);
      await this.#finish(null);
    } catch {
      if (this.#declined) await this.#finish(this.#machine.fail(CODE.declined));
      else if (!this.#claimed) await this.#finish(this.#machine.fail(CODE.cancelled)); // the peer is gone
    }
    this.#unfollow();
  }

  // Takes a channel if there is none, otherwise a frame. Resolves with the chunk to write, if one came; rejects with the
  // signal's reason, or STALLED.
  async #next(signal, patience) {
    if (!this.#channel) {
      const { channel, frame } = await this.#filing.patiently(this.#nextArrival(), signal, patience);
      this.#arrival = null;
      this.#channel = channel;
      this.#inbox = new Inbox(channel);
      await give(channel, this.#machine.open(frame));
      return null;
    }
    const { frame, unread } = await this.#filing.patiently(this.#inbox.next(), signal, patience);
    this.#inbox.taken();
    if (frame) {
      const { chunk, reply } = await this.#machine.receive(frame);
      await give(this.#channel, reply);
      return chunk ?? null;
    }
    if (unread) this.#machine.fail(CODE.broken); // more came than may be under way
    this.#channel.close();
    this.#channel = null;
    this.#machine.lose();
    return null;
  }

  #nextArrival() {
    if (this.#arrival) return Promise.resolve(this.#arrival);
    return new Promise((resolve) => { this.#news = () => resolve(this.#arrival); });
  }

  // Ends it with its last frame.
  async #finish(last) {
    this.#ended(this.#machine);
    this.#start();
    await give(this.#channel, last);
    for (const channel of [this.#channel, this.#arrival?.channel]) channel?.close();
  }

  async #accept(options = {}) {
    const { writable, signal, onprogress } = checkFileOptions(options);
    if (writable !== undefined && typeof writable?.getWriter !== 'function') throw new NoomError('bad_argument', 'writable is a WritableStream');
    signal?.throwIfAborted();
    if (this.#claimed) throw new NoomError('closed', 'the file was accepted or declined before');
    const sink = writable ? new StreamSink(writable) : new BlobSink();
    this.#claimed = true;
    const { controller, stop } = this.#filing.until(signal, this.#stay);
    try {
      return await this.#acceptWithin(controller, sink, new Progress(onprogress, this.#size));
    } catch (error) {
      sink.abort(error);
      throw error;
    } finally {
      stop();
    }
  }

  async #acceptWithin({ signal }, sink, progress) {
    let placed = false;
    const place = this.#filing.running.take(signal).then(() => { placed = true; }, () => {});
    await Promise.race([place, this.#watched]);
    this.#undecided.abort();
    await this.#watched;
    try {
      if (this.#machine.end) {
        if (!this.#machine.end.remote) signal.throwIfAborted();
        throw errorOf(this.#machine.end);
      }
      this.#start();
      return await this.#receive(signal, sink, progress);
    } finally {
      place.then(() => { if (placed) this.#filing.running.give(); });
    }
  }

  // Takes all of the file.
  async #receive(signal, sink, progress) {
    let cause;
    let last = null;
    try {
      signal.throwIfAborted();
      await give(this.#channel, this.#machine.accept());
      while (!this.#machine.complete && !this.#machine.end) {
        const chunk = await this.#next(signal, STALL);
        if (!chunk) continue;
        await this.#filing.patiently(sink.write(chunk), signal, Infinity);
        await give(this.#channel, this.#machine.written());
        progress.show(this.#machine.progress, false);
      }
      if (this.#machine.complete) {
        const whole = await this.#filing.patiently(sink.close(), signal, Infinity);
        await this.#finish(this.#machine.finish());
        progress.show(this.#size, true);
        return whole;
      }
    } catch (error) {
      if (error !== STALLED) cause = error; // the sink's
      last = this.#machine.fail(signal.aborted ? CODE.cancelled : error === STALLED ? CODE.stalled : CODE.failed);
    }
    await this.#finish(last);
    if (!this.#machine.end.remote) signal.throwIfAborted();
    throw errorOf(this.#machine.end, cause);
  }
}

class BlobSink {
  #parts = [];
  #whole = []; // Blobs

  async write(chunk) {
    this.#parts.push(chunk);
    if (this.#parts.length === BLOB_PARTS) this.#whole.push(new Blob(this.#parts.splice(0)));
  }

  async close() { return new Blob([...this.#whole, ...this.#parts]); }

  abort() { this.#parts = this.#whole = []; }
}

class StreamSink {
  #writer;

  constructor(writable) {
    try {
      this.#writer = writable.getWriter();
    } catch (cause) {
      throw new NoomError('bad_argument', 'the writable is in use already', { cause });
    }
  }

  async write(chunk) {
    await this.#writer.ready;
    await this.#writer.write(chunk);
  }

  async close() { await this.#writer.close(); }

  abort(reason) { this.#writer.abort(reason).catch(() => {}); } // it may be over
}
