// What both ends of a file need beside its machine: to wait, to read and write its channel, to say how far it is and
// why it ended.

import { NoomError, optionsOf } from './errors.js';
import { CODE } from './file_frame.js';

export const STALL = 60_000; // ms without news of a file that was accepted, while connected

/** Why a wait is over: nothing came in time. */
export const STALLED = Symbol('nothing came for too long');

/** Resolves with a promise, or with late after so many ms; rejects with a signal's reason. */
export function race(promise, signal, ms = Infinity, late = undefined) {
  return new Promise((resolve, reject) => {
    const timer = ms < Infinity ? setTimeout(() => done(resolve, late), ms) : undefined;
    const stop = () => done(reject, signal.reason);
    const done = (end, value) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', stop);
      end(value);
    };
    if (signal.aborted) {
      stop();
      return;
    }
    signal.addEventListener('abort', stop);
    promise.then((value) => done(resolve, value), (error) => done(reject, error));
  });
}

/** What comes in a channel, one at a time: {frame}, or {unread} if the channel is over, and {} for another end of it. */
export class Inbox {
  #channel;
  #next = null;

  constructor(channel) {
    this.#channel = channel;
  }

  /** The same until it was taken: who no longer waits for it loses nothing. */
  next() {
    this.#next ??= this.#channel.receive().then((frame) => (frame ? { frame } : {}), ({ code }) => ({ unread: code === 'unread' }));
    return this.#next;
  }

  taken() { this.#next = null; }
}

/** Calls what a page wants to be called, once for each number of bytes, and with all once the file is whole. */
export class Progress {
  #call;
  #total;
  #last = -1;

  constructor(call, total) {
    this.#call = call;
    this.#total = total;
  }

  show(done, whole) {
    if (!this.#call || done === this.#last || (!whole && (done === 0 || done === this.#total))) return;
    this.#last = done;
    try {
      this.#call(done, this.#total);
    } catch (error) {
      console.error(error);
    }
  }
}

/** Sends a frame, if there is one. False: the channel is over. */
export async function give(channel, frame) {
  if (!channel || !frame) return true;
  try {
    await channel.send(frame);
    return true;
  } catch {
    return false;
  }
}

const ERRORS = {
  [CODE.declined]: ['declined', 'the peer does not want the file'],
  [CODE.cancelled]: ['cancelled', 'the file was cancelled'],
  [CODE.changed]: ['file_changed', 'the file has changed meanwhile, or can no longer be read; send it again'],
  [CODE.failed]: ['file_failed', 'the file cannot be read or written'],
  [CODE.busy]: ['file_busy', 'the peer has too many offers of files; try again later'],
  [CODE.tooBig]: ['too_big', 'the file is too big'],
  [CODE.stalled]: ['file_stalled', 'nothing of the file came for a minute'],
  [CODE.broken]: ['file_broken', 'the protocol of files was broken'],
  [CODE.unsupported]: ['unsupported', 'the peer does not know files'],
};

/** The error of a file's end. */
export function errorOf({ code, remote }, cause) {
  const [name, message] = ERRORS[code];
  return new NoomError(name, remote && code !== CODE.declined ? `${message}, says the peer` : message, remote ? {} : { cause });
}

/** The options of a file, as far as both ends have them. */
export function checkFileOptions(options) {
  const checked = optionsOf(options);
  const { signal, onprogress } = checked;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new NoomError('bad_argument', 'signal is an AbortSignal');
  if (onprogress !== undefined && typeof onprogress !== 'function') throw new NoomError('bad_argument', 'onprogress is a function');
  return checked;
}
