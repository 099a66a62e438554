// A published track: what the application holds of it. The connections that
// carry it belong to the links; a Sender tells them through its carriers.

import { NoomError } from './errors.js';
import { newLabel } from './identity.js';
import { nameProblem } from './name.js';

export class Sender {
  #name;
  #kind;
  #track;
  #muted = false;
  #closed = false;
  #carriers; // () → the links that carry this sender now
  #ended; // told once, when closed

  /** Made by publish alone. */
  constructor(track, name, carriers, ended) {
    if (track?.kind !== 'audio' && track?.kind !== 'video') throw new NoomError('kind', 'a MediaStreamTrack is wanted');
    const problem = nameProblem(name);
    if (problem) throw new NoomError('bad_name', `track name: ${problem}`);
    this.#name = name;
    this.#kind = track.kind;
    this.#track = track;
    this.#carriers = carriers;
    this.#ended = ended;
    /** The track's id on the wire; never used twice. */
    this.id = newLabel();
  }

  /** The name chosen at publish: camera, microphone, screen, … */
  get name() { return this.#name; }

  /** audio or video */
  get kind() { return this.#kind; }

  /** The current MediaStreamTrack, null while paused. */
  get track() { return this.#track; }

  /** What setMuted set last. */
  get muted() { return this.#muted; }

  /**
   * Swaps the track; nothing is negotiated and nothing freezes. null pauses.
   * The old track is not stopped. A track of another kind is refused and
   * changes nothing.
   */
  async replaceTrack(track) {
    this.#check();
    if (track && track.kind !== this.#kind) {
      throw new NoomError('kind', `an ${this.#kind} sender takes no ${track.kind} track; publish it anew`);
    }
    if (track) track.enabled = !this.#muted;
    this.#track = track;
    await Promise.all(this.#carriers().map((link) => link.trackReplaced(this)));
  }

  /** Stops the media, or lets it flow again, and tells the others. */
  setMuted(muted) {
    this.#check();
    if (typeof muted !== 'boolean') throw new NoomError('bad_argument', `setMuted takes true or false, not a value of type ${typeof muted}`);
    if (muted === this.#muted) return;
    this.#muted = muted;
    if (this.#track) this.#track.enabled = !muted;
    for (const link of this.#carriers()) link.tableChanged();
  }

  /** Unpublishes. The track is not stopped. May be called twice. */
  close() {
    if (this.#closed) return;
    const links = this.#carriers();
    this.#closed = true;
    this.#ended(this);
    for (const link of links) link.removeSender(this);
  }

  #check() {
    if (this.#closed) throw new NoomError('closed', `the sender "${this.#name}" is closed`);
  }
}
