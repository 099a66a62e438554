// A published track: what the application holds of it. The connections that carry it belong to the
// links; a Sender informs them through its carriers.

import { NoomError } from './errors.js';
import { newLabel } from './identity.js';
import { nameProblem } from './name.js';

/** The MediaStreamTrack that connections send for a Sender; null: none. */
export let mediaOf;

/** Whether a Sender sends sound of two channels. */
export let sendsStereo;

/** What the picture of a Sender is like now: {width, height, screen}; sizes that the browser does not say are undefined. */
export let pictureOf;

const LOOK = 100; // ms between two looks at whether the page has changed or stopped its track, for which there is no event

export class Sender {
  #name;
  #kind;
  #maxBitrate;
  #track = null; // the page's, of which nothing but the contentHint is changed, where there is none
  #clone = null; // of the track: enabled where that is not, or the other way round
  #muteSet = false; // by setMuted
  #disabled = false; // the page has disabled the track, and setMuted has not overruled it since
  #enabled = true; // as the track was seen last
  #sent = null; // as the carriers know it
  #announced = false; // to the others, as muted
  #closed = false;
  #webrtc; // {MediaStream}
  #carriers; // () → the links that carry this sender now
  #ended; // called once, when closed
  #over; // AbortSignal: the room is over
  #changed = () => this.#update();
  #dispose = () => this.#rest();

  static {
    mediaOf = (sender) => sender.#clone ?? sender.#track;
    pictureOf = ({ name, track }) => {
      const { width, height } = track?.getSettings?.() ?? {};
      return { width, height, screen: track !== null && isScreen(track, name) };
    };
    sendsStereo = ({ kind, track }) => kind === 'audio' && track !== null && channelsOf(track) > 1;
  }

  /** Made by publish alone. */
  constructor(track, name, maxBitrate, { webrtc, carriers, ended, over }) {
    checkTrack(track, webrtc);
    const problem = nameProblem(name);
    if (problem) throw new NoomError('bad_name', `track name: ${problem}`);
    this.#name = name;
    this.#kind = track.kind;
    this.#maxBitrate = maxBitrate;
    this.#webrtc = webrtc;
    this.#carriers = carriers;
    this.#ended = ended;
    this.#over = over;
    /** The track's id on the wire; never used twice. */
    this.id = newLabel();
    this.#take(track);
    this.#sent = track;
    this.#announced = this.muted;
    over.addEventListener('abort', this.#dispose);
    watch(this.#changed);
  }

  /** The name chosen at publish: camera, microphone, screen, … */
  get name() { return this.#name; }

  /** audio or video */
  get kind() { return this.#kind; }

  /** The bits per second that each peer is sent at most; null: what noom.js finds right. */
  get maxBitrate() { return this.#maxBitrate; }

  /** The page's current MediaStreamTrack, null while paused. */
  get track() { return this.#track; }

  /**
   * Whether the others get nothing, and know it: by setMuted, because the page has disabled the track, because its
   * source is muted or has ended, or because there is none.
   */
  get muted() {
    this.#followPage();
    return this.#quiet || !this.#track || this.#track.muted || this.#track.readyState === 'ended';
  }

  /**
   * Swaps the track; nothing is negotiated and nothing freezes. null pauses. The old track is not stopped. A muted
   * sender stays muted. A track of another kind is refused and changes nothing.
   */
  async replaceTrack(track) {
    this.#check();
    if (track !== null) checkTrack(track, this.#webrtc);
    if (track && track.kind !== this.#kind) {
      throw new NoomError('kind', `an ${this.#kind} sender takes no ${track.kind} track; publish it instead`);
    }
    this.#followPage();
    this.#muteSet = this.#quiet;
    this.#let();
    const clone = this.#clone;
    this.#clone = null;
    this.#take(track);
    await this.#update(clone);
  }

  /**
   * Stops the media, or lets it flow again, and informs the others. The page's track stays as it is: it is a clone that
   * is disabled, or enabled.
   */
  setMuted(muted) {
    this.#check();
    if (typeof muted !== 'boolean') throw new NoomError('bad_argument', `setMuted takes true or false, not a value of type ${typeof muted}`);
    this.#followPage();
    this.#muteSet = muted;
    if (!muted) this.#disabled = false;
    this.#update();
  }

  /** Unpublishes. The track is not stopped. May be called more than once. */
  close() {
    if (this.#closed) return;
    const links = this.#carriers();
    this.#closed = true;
    this.#ended(this);
    for (const link of links) link.removeSender(this);
    this.#rest();
  }

  // ---- what is sent

  get #quiet() { return this.#muteSet || this.#disabled; }

  #take(track) {
    this.#track = track;
    this.#disabled = track ? !track.enabled : false;
    this.#enabled = track?.enabled ?? true;
    if (track?.kind === 'video' && track.contentHint === '') track.contentHint = isScreen(track, this.#name) ? 'detail' : 'motion';
    for (const type of ['mute', 'unmute', 'ended']) track?.addEventListener(type, this.#changed);
  }

  #let() {
    for (const type of ['mute', 'unmute', 'ended']) this.#track?.removeEventListener(type, this.#changed);
  }

  // A page that disables its track wants silence; one that enables it takes that back, but not setMuted.
  #followPage() {
    const enabled = this.#track?.enabled ?? true;
    if (enabled === this.#enabled) return;
    this.#enabled = enabled;
    this.#disabled = !enabled;
  }

  // The page's own track wherever it fits: what the page does to it then counts at once, and no clone holds a device.
  #needsClone() {
    const track = this.#track;
    return track !== null && track.enabled === this.#quiet && track.readyState === 'live' && !this.#over.aborted && !this.#closed;
  }

  // Sends and announces what has changed; resolves when it is sent. old: the clone of a track that
  // was swapped.
  async #update(old = null) {
    this.#followPage();
    const before = this.#sent;
    if (!this.#needsClone()) {
      old ??= this.#clone;
      this.#clone = null;
    } else {
      this.#clone ??= this.#track.clone();
      this.#clone.enabled = !this.#quiet;
    }
    this.#sent = mediaOf(this);
    const wasMuted = this.#announced;
    this.#announced = this.muted;
    const links = this.#carriers();
    if (wasMuted !== this.#announced) for (const link of links) link.tableChanged();
    try {
      if (before !== this.#sent) await Promise.all(links.map((link) => link.trackReplaced(this)));
    } finally {
      old?.stop();
    }
  }

  // Nothing more is sent.
  #rest() {
    unwatch(this.#changed);
    this.#let();
    this.#over.removeEventListener('abort', this.#dispose);
    this.#clone?.stop();
    this.#clone = null;
  }

  #check() {
    if (this.#closed) throw new NoomError('closed', `the sender "${this.#name}" is closed`);
  }
}

// Firefox counts the channels of devices, and says nothing of sound that the page makes, which may have two.
function channelsOf(track) {
  const unsaid = globalThis.navigator?.mediaDevices?.getSupportedConstraints().channelCount ? 2 : 1;
  return track.getSettings().channelCount ?? unsaid;
}

// Whether a picture must stay sharp rather than smooth: the application says so, or else it is of a screen.
function isScreen(track, name) {
  if (track.contentHint) return track.contentHint !== 'motion';
  return name === 'screen' || track.getSettings?.().displaySurface !== undefined;
}

// A MediaStream takes nothing but tracks, those of other windows among them.
function checkTrack(track, { MediaStream }) {
  try {
    new MediaStream([track]);
  } catch (cause) {
    throw new NoomError('kind', 'a MediaStreamTrack is wanted', { cause });
  }
}

// What looks at a track, as long as there is anything to look at.
const watched = new Set();
let looking = 0;

function watch(look) {
  watched.add(look);
  looking ||= setInterval(() => watched.forEach((each) => each()), LOOK);
}

function unwatch(look) {
  watched.delete(look);
  if (watched.size > 0) return;
  clearInterval(looking);
  looking = 0;
}
