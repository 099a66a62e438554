// A file on its way to a peer.

import { errorOf, give, Inbox, Progress, race, STALL, STALLED } from './file_channel.js';
import { CODE } from './file_frame.js';
import { FileSender } from './file_sender.js';

const NOTE = 15_000; // ms for the answer to an offer
const PAUSE = 250; // ms before a channel is opened again

export class Sending {
  #filing;
  #file; // Blob
  #name;
  #signal;
  #progress;
  #machine = null;
  #cause; // of a failure of ours

  constructor({ filing, file, name, signal, onprogress }) {
    this.#filing = filing;
    this.#file = file;
    this.#name = name;
    this.#signal = signal;
    this.#progress = new Progress(onprogress, file.size);
  }

  /** Offers the file, over as many connections as it takes. */
  async run() {
    const id = crypto.getRandomValues(new Uint8Array(16));
    this.#machine = await FileSender.offer({ id, size: this.#file.size, name: this.#name });
    while (!this.#machine.end) {
      const channel = await this.#open();
      const inbox = new Inbox(channel);
      await give(channel, this.#machine.open());
      await this.#use(channel, inbox);
      channel.close();
      this.#machine.lose();
      if (!this.#machine.end) await race(after(PAUSE), this.#signal);
    }
    const { code, remote } = this.#machine.end;
    if (code !== CODE.none && !remote) this.#signal.throwIfAborted();
    if (code !== CODE.none) throw errorOf(this.#machine.end, this.#cause);
    this.#progress.show(this.#file.size, true);
  }

  // Opens a channel, once there is a connection.
  async #open() {
    for (;;) {
      await this.#filing.connected(this.#signal);
      const opening = this.#filing.open();
      try {
        return await race(opening, this.#signal);
      } catch (error) {
        opening.then((channel) => channel.close(), () => {}); // one that comes too late
        this.#signal.throwIfAborted();
        if (error.code === 'closed') throw error;
      }
      await race(after(PAUSE), this.#signal); // the connection has just ended
    }
  }

  // Sends over one channel, until the file or the channel is over.
  async #use(channel, inbox) {
    while (!this.#machine.end) {
      const wants = this.#signal.aborted ? null : this.#machine.wants;
      const goesOn = wants ? await give(channel, await this.#read(wants)) : await this.#listen(channel, inbox);
      if (!goesOn) return;
    }
  }

  // Takes the next frame of the receiver. False: the channel is over.
  async #listen(channel, inbox) {
    const { unanswered, running } = this.#machine;
    const patience = unanswered ? NOTE : running ? STALL : Infinity; // a user decides
    let code;
    try {
      const { frame, unread } = await this.#filing.patiently(inbox.next(), this.#signal, patience);
      inbox.taken();
      if (frame) {
        await give(channel, this.#machine.receive(frame));
        this.#progress.show(this.#machine.progress, false);
      }
      if (unread) this.#machine.fail(CODE.broken);
      return Boolean(frame);
    } catch (reason) {
      code = reason !== STALLED ? CODE.cancelled : unanswered ? CODE.unsupported : CODE.stalled;
    }
    return give(channel, this.#machine.fail(code));
  }

  // The frame for a chunk, or the one that says why there is none.
  async #read({ offset, length }) {
    try {
      const chunk = new Uint8Array(await this.#file.slice(offset, offset + length).arrayBuffer());
      return chunk.length === length ? await this.#machine.chunk(chunk) : this.#machine.fail(CODE.changed);
    } catch (cause) {
      this.#cause = cause;
      return this.#machine.fail(cause?.name === 'NotReadableError' ? CODE.changed : CODE.failed); // so browsers say that
    }
  }
}

const after = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
