// The active speaker: the machine of internal/speaker in Go, where its rules are written, and its
// input here. Times are in ms, levels in dBov.

const LOUD = -45; // is speech
const FAINT = -55; // is still speech, from a voice that talks
const MARGIN = 6; // that much louder is plainly louder
const SILENCE = -127;

const PERIOD = 100; // between two steps
const BEGIN = 300;
const FULL = 800;
const HOLD = 1000;
const OVERTAKE = 1000;

export class Detector {
  #voices = new Map(); // id → {bucket, talking, audible, level}, in the order first heard
  #active = null; // id
  #silent = 0;
  #rival = null; // id
  #ahead = 0;
  #last = 0;

  /** The id of the active speaker, or null. */
  get active() { return this.#active; }

  get #idle() { return this.#active === null && this.#voices.size === 0; }

  /** Forgets a member that is gone; true if it was the active speaker. */
  remove(id) {
    this.#voices.delete(id);
    if (this.#active !== id) return false;
    this.#activate(null);
    return true;
  }

  /** Takes what was heard since the last step, a Map of id → dBov; true if the active speaker changed. */
  step(now, heard) {
    const elapsed = this.#idle ? PERIOD : Math.min(now - this.#last, 2 * PERIOD);
    this.#last = now;
    this.#listen(elapsed, heard);
    const before = this.#active;
    this.#decide(elapsed);
    return this.#active !== before;
  }

  #listen(elapsed, heard) {
    for (const [id, level] of heard) {
      if (level >= LOUD && !this.#voices.has(id)) this.#voices.set(id, { bucket: 0, talking: false, audible: false, level });
    }
    for (const [id, voice] of this.#voices) {
      hear(voice, elapsed, heard.get(id) ?? SILENCE);
      if (voice.bucket === 0) this.#voices.delete(id);
    }
  }

  #decide(elapsed) {
    const [id, loudest] = this.#loudest();
    const active = this.#voices.get(this.#active);
    if (active?.talking || active?.audible) this.#silent = 0;
    if (!active?.talking) {
      this.#silent += elapsed;
      if (loudest) this.#activate(id);
      else if (this.#silent > HOLD) this.#activate(null);
    } else if (loudest && loudest.level < active.level + MARGIN) {
      this.#rival = null;
      this.#ahead = 0;
    } else if (loudest) {
      if (this.#rival !== id) this.#ahead = 0;
      this.#rival = id;
      this.#ahead += elapsed;
      if (this.#ahead > OVERTAKE) this.#activate(id);
    }
  }

  #activate(id) {
    this.#active = id;
    this.#silent = 0;
    this.#rival = null;
    this.#ahead = 0;
  }

  // The loudest of those who talk and were just heard, as [id, voice].
  #loudest() {
    let best = [];
    for (const [id, voice] of this.#voices) {
      if (voice.talking && voice.audible && (!best[1] || voice.level > best[1].level)) best = [id, voice];
    }
    return best;
  }
}

function hear(voice, elapsed, level) {
  voice.audible = level >= LOUD || (level >= FAINT && voice.talking);
  if (voice.audible) {
    voice.bucket = Math.min(FULL, voice.bucket + elapsed);
    voice.level += ((level - voice.level) * elapsed) / BEGIN;
  } else {
    voice.bucket = Math.max(0, voice.bucket - elapsed);
  }
  if (voice.bucket >= BEGIN) voice.talking = true;
  else if (voice.bucket === 0) voice.talking = false;
}

/** Listens to the peers of a room for as long as they send sound. */
export class Ears {
  #peers; // () → Peers
  #changed; // (id of the active speaker, or null)
  #detector = new Detector();
  #timer = 0; // interval
  #heardAt = new WeakMap(); // RTCRtpReceiver → timestamp of what was heard last

  constructor(peers, changed) {
    this.#peers = peers;
    this.#changed = changed;
  }

  /** To be called when there is a track of sound. */
  open() {
    if (!this.#timer) this.#timer = setInterval(() => this.#listen(), PERIOD);
  }

  close() {
    clearInterval(this.#timer);
    this.#timer = 0;
  }

  /** A peer is gone. */
  forget(id) {
    if (this.#detector.remove(id)) this.#changed(null);
  }

  #listen() {
    const peers = this.#peers();
    const heard = new Map(peers.map((peer) => [peer.id, this.#level(peer)]));
    if (this.#detector.step(performance.now(), heard)) this.#changed(this.#detector.active);
    if (this.#detector.active === null && !peers.some((peer) => peer.tracks.some((track) => track.kind === 'audio'))) this.close();
  }

  // The loudest of what the peer sends, by the audio levels that come with it (RFC 6464). A browser
  // keeps reporting the last level after a sender has fallen silent; then its timestamp is the
  // same.
  #level(peer) {
    let level = SILENCE;
    for (const receiver of peer.connection?.getReceivers() ?? []) {
      if (receiver.track.kind !== 'audio') continue;
      const sources = receiver.getSynchronizationSources?.();
      const source = Array.isArray(sources) ? sources[0] : null; // not every browser has a list
      if (!source || source.timestamp === this.#heardAt.get(receiver)) continue;
      this.#heardAt.set(receiver, source.timestamp);
      if (source.audioLevel > 0) level = Math.max(level, 20 * Math.log10(source.audioLevel));
    }
    return level;
  }
}
