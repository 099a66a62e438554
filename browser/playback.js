// Plays RemoteTracks in elements of the page: through rebuilds, after which an element has to be given what it plays
// again, and where the browser starts nothing before somebody has touched the page.

import { NoomError } from './errors.js';
import { View } from './view.js';

// What a browser may take for somebody touching the page.
const GESTURES = ['pointerdown', 'pointerup', 'touchend', 'click', 'keydown'];

const players = new WeakMap(); // element → its Player
const all = new Set(); // WeakRefs of Players: a page may forget an element without a word
const documents = new WeakSet(); // that are listened to

function eachPlayer(act) {
  for (const ref of all) {
    const player = ref.deref();
    if (player) act(player);
    else all.delete(ref);
  }
}

function listenTo(document) {
  if (documents.has(document)) return;
  documents.add(document);
  for (const type of GESTURES) document.addEventListener(type, () => eachPlayer((player) => player.touched()), { capture: true, passive: true });
  document.addEventListener('visibilitychange', () => eachPlayer((player) => player.shown()));
}

/** The elements of the page in which one RemoteTrack is played. */
export class Playback {
  #track;
  #report; // (element, blocked)
  #seen; // called when height may be another
  #elements = []; // WeakRefs
  #over = false; // the track is gone

  constructor(track, report, seen = () => {}) {
    this.#track = track;
    this.#report = report;
    this.#seen = seen;
  }

  /**
   * The height in pixels of the largest picture in which it is shown, 0: it is in no sight; Infinity: that is not known, as
   * where no element plays it.
   */
  get height() {
    const players = this.#players;
    return players.length > 0 ? Math.max(...players.map((player) => player.height)) : Infinity;
  }

  /** Whether the browser waits for a gesture in one of them. */
  get blocked() { return this.#players.some((player) => player.blocked); }

  /** See RemoteTrack.attach. */
  attach(element = newElement(this.#track.kind)) {
    if (typeof element?.play !== 'function') throw new NoomError('bad_argument', 'a track is attached to an element <audio> or <video>');
    if (!this.#all.includes(element)) this.#elements.push(new WeakRef(element));
    if (!this.#over) playerOf(element).add(this.#track, { blocked: (blocked) => this.#report(element, blocked), seen: this.#seen });
    return element;
  }

  /** See RemoteTrack.detach. */
  detach(element) {
    const [gone, kept] = [[], []];
    for (const e of this.#all) (element === undefined || e === element ? gone : kept).push(e);
    this.#elements = kept.map((e) => new WeakRef(e));
    for (const e of gone) players.get(e)?.remove(this.#track);
    this.#seen();
    return gone;
  }

  /** The track has another MediaStreamTrack. */
  changed() {
    for (const player of this.#players) player.changed();
  }

  /** The track is gone: nothing of it is played any longer. */
  end() {
    this.#over = true;
    for (const player of this.#players) player.remove(this.#track);
  }

  get #all() { return this.#elements.map((ref) => ref.deref()).filter(Boolean); }

  get #players() { return this.#all.map((e) => players.get(e)).filter((player) => player?.plays(this.#track)); }
}

function newElement(kind) {
  const element = globalThis.document?.createElement(kind);
  if (element && kind === 'video') element.playsInline = true; // an iPhone would fill its screen with it
  return element;
}

function playerOf(element) {
  const player = players.get(element) ?? new Player(element);
  players.set(element, player);
  return player;
}

// What one element plays: one stream of its own, of all the tracks that are attached to it.
class Player {
  #element;
  #tracks = new Map(); // RemoteTrack → {blocked(blocked), seen()} to be called when that changes, or how large it is shown
  #stream = null; // that the element was given; null: none
  #blocked = false; // until a gesture
  #paused = false; // by somebody who uses the element's controls
  #placed = false; // it has been in a document
  #view = null; // of a video that plays something

  constructor(element) {
    this.#element = element;
    all.add(new WeakRef(this));
    listenTo(element.ownerDocument);
    element.addEventListener('pause', () => { this.#paused ||= this.#pausedByHand; });
    element.addEventListener('play', () => { this.#paused = false; });
  }

  get blocked() { return this.#blocked; }

  /** See View. */
  get height() { return this.#view?.height ?? Infinity; }

  plays(track) { return this.#tracks.has(track); }

  add(track, report) {
    const isNew = !this.#tracks.has(track);
    if (!isNew || this.#tracks.size === 0) this.#paused = false; // otherwise somebody has paused another track here
    this.#tracks.set(track, report);
    if (isNew && this.#blocked) report.blocked(true);
    const { track: media } = track;
    if (!this.#owns || this.#element.ended) this.#give();
    else if (media) this.#stream.addTrack(media); // does nothing if it is there
    this.#play();
    if ('videoWidth' in this.#element) {
      this.#view ??= new View(this.#element, () => this.#tracks.forEach(({ seen }) => seen()));
      if (this.#tracks.size === 1) this.#view.open();
    }
    report.seen();
  }

  remove(track) {
    const report = this.#tracks.get(track);
    if (!this.#tracks.delete(track)) return;
    const owns = this.#owns;
    if (owns && track.track) this.#stream.removeTrack(track.track);
    if (this.#tracks.size === 0) {
      if (owns) this.#element.srcObject = null;
      this.#stream = null;
      this.#view?.close();
    }
    if (this.#blocked) report.blocked(false);
    if (this.#tracks.size === 0) this.#blocked = false;
  }

  changed() {
    if (!this.#owns) return; // the page has given the element something else
    this.#give();
    this.#play();
  }

  /** Somebody has touched the page. */
  touched() {
    if (this.#blocked) this.#play();
  }

  /** The page is hidden, or can be seen again. */
  shown() {
    this.#view?.look();
    if (this.#element.ownerDocument.hidden) return;
    // Safari pauses pictures in the background and does not always go on.
    if (this.#owns && this.#element.paused && !this.#blocked) this.#play();
  }

  get #owns() { return this.#stream !== null && this.#element.srcObject === this.#stream; }

  // A browser pauses what has ended, what is taken out of the page, and what nobody sees.
  get #pausedByHand() {
    const { paused, ended, isConnected, ownerDocument } = this.#element;
    return paused && !ended && isConnected && !ownerDocument.hidden && this.#owns && this.#stream.active && !this.#blocked;
  }

  // An element may stay paused, or black, when the only track of its stream gives way to another.
  #give() {
    this.#stream = new MediaStream([...this.#tracks.keys()].map(({ track }) => track).filter(Boolean));
    this.#element.srcObject = this.#stream;
  }

  #play() {
    const element = this.#element;
    if (this.#paused || this.#isTakenOut) return;
    const stream = this.#stream;
    element.play()?.catch((error) => {
      // Anything else is a newer call of play, or of pause.
      if (error.name === 'NotAllowedError' && this.#stream === stream && element.paused) this.#setBlocked(true);
    });
    if (!element.paused) this.#setBlocked(false); // what may not play stays paused
  }

  get #isTakenOut() {
    this.#placed ||= this.#element.isConnected;
    return this.#placed && !this.#element.isConnected;
  }

  #setBlocked(blocked) {
    if (this.#blocked === blocked) return;
    this.#blocked = blocked;
    for (const report of this.#tracks.values()) report.blocked(blocked);
  }
}
