// What a peer sends: its table of tracks (PROTOCOL.md section 4.4) and the
// RemoteTracks that follow from it. They outlive connections and sections: the
// same track id under another mid, then or in a later epoch, is the same track.

import { NoomError } from './errors.js';
import { MAX } from './limits.js';
import { Playback } from './playback.js';

const LOOK = 50; // ms: how often a section is looked at to which a track has moved
const PATIENCE = 2000; // ms: how long the one that it has left is shown, at most

// For Incoming alone, of a RemoteTrack: its Playback, and the height in pixels that is wanted, Infinity for all of it.
let playbackOf;
let wantedOf;

/** A track that a peer sends. */
export class RemoteTrack {
  #playback;
  #changed; // called when what is wanted may be something else
  #wanted = null; // by the application; null: what is shown

  static {
    playbackOf = (track) => track.#playback;
    wantedOf = (track) => track.#wanted ?? (track.kind === 'video' ? track.#playback.height : Infinity);
  }

  /**
   * blocked is called with an element and whether the browser waits for a gesture there, wantChanged when the peer may
   * have to send something else.
   */
  constructor(peer, id, row, stream, { blocked, wantChanged }) {
    this.peer = peer;
    this.id = id;
    this.name = row.name;
    this.kind = row.kind;
    this.muted = row.muted;
    this.paused = row.paused;
    /**
     * A stream of this one track, the same for as long as the RemoteTrack lives; rebuilds change what is in it, which
     * elements do not always notice: attach does.
     */
    this.stream = stream;
    this.#changed = wantChanged;
    this.#playback = new Playback(this, blocked, wantChanged);
  }

  /** The MediaStreamTrack of the current connection, or null. */
  get track() {
    return this.stream.getTracks()[0] ?? null;
  }

  /** Whether it is not played in one of its elements before somebody touches the page, because the browser says so. */
  get blocked() { return this.#playback.blocked; }

  /**
   * Plays the track in an element, a new one without, and goes on after rebuilds. Several tracks may be attached to one
   * element: camera and microphone. Returns the element.
   */
  attach(element) { return this.#playback.attach(element); }

  /** Plays it no longer in that element, without one in all; returns those elements. */
  detach(element) { return this.#playback.detach(element); }

  /**
   * Says how large it is shown, in pixels of the screen, where elements that it is attached to do not: 0 for not at all,
   * Infinity for all of it; null: the elements say it, as at first.
   */
  want(height) {
    if (height !== null && !(typeof height === 'number' && height >= 0)) {
      throw new NoomError('bad_argument', 'want takes a height in pixels, 0, Infinity, or null');
    }
    this.#wanted = height > MAX.height ? Infinity : height && Math.ceil(height);
    this.#changed();
  }
}

export class Incoming {
  #peer;
  #report; // {trackAdded(track), trackRemoved(track), trackChanged(track), trackMuted(track), trackPaused(track), trackBlocked(track, element, blocked)}
  #wantChanged; // called when wanted may be something else
  #version = 0;
  #told = false; // a table has come, since close
  #allowed; // () => whether the peer may publish
  #webrtc; // {MediaStream}
  #latest = {}; // rows of that version
  #rows = {}; // those of them that count
  #tracks = new Map(); // id → RemoteTrack
  #pc; // to which attach was called last
  #waits = new Map(); // the MediaStreamTrack of a section to which a track moves → what is waited for there

  constructor(peer, { report, wantChanged, allowed, webrtc }) {
    this.#peer = peer;
    this.#report = report;
    this.#wantChanged = wantChanged;
    this.#allowed = allowed;
    this.#webrtc = webrtc;
  }

  get tracks() {
    return [...this.#tracks.values()];
  }

  /** Whether the peer has said what it sends. */
  get told() { return this.#told; }

  /** The heights in pixels that are wanted, by id, without those of which all is. */
  get wanted() {
    return Object.fromEntries(this.tracks.map((track) => [track.id, wantedOf(track)]).filter(([, height]) => height !== Infinity));
  }

  /** What a table would change: {fresh, changed} tracks. */
  weigh({ version, tracks }) {
    if (version <= this.#version) return { fresh: 0, changed: 0 };
    const rows = Object.values(tracks);
    const known = rows.filter(({ id }) => this.#tracks.has(id));
    const changed = known.filter(({ id, muted, paused }) => {
      const track = this.#tracks.get(id);
      return track.muted !== muted || track.paused !== paused;
    });
    return { fresh: rows.length - known.length, changed: changed.length };
  }

  /** Takes a whole table, unless it is none newer than the last. */
  apply(table, pc) {
    if (table.version <= this.#version) return;
    this.#version = table.version;
    this.#told = true;
    this.#latest = table.tracks;
    this.retake(pc);
  }

  /**
   * Makes tracks of the latest table: of none of its rows if the peer has no right to publish, which only the receivers
   * can enforce.
   */
  retake(pc) {
    this.#rows = this.#allowed() ? this.#latest : {};
    const rows = Object.values(this.#rows);
    const ids = new Set(rows.map((row) => row.id));
    for (const track of this.tracks) {
      if (!ids.has(track.id)) this.#remove(track);
    }
    const added = new Set();
    for (const row of rows) {
      const track = this.#tracks.get(row.id);
      if (!track) {
        const stream = new this.#webrtc.MediaStream();
        const fresh = new RemoteTrack(this.#peer, row.id, row, stream, {
          blocked: (...where) => this.#report.trackBlocked(fresh, ...where), wantChanged: () => this.#wantChanged(),
        });
        this.#tracks.set(row.id, fresh);
        added.add(fresh);
        continue;
      }
      if (track.muted !== row.muted) {
        track.muted = row.muted;
        this.#report.trackMuted(track);
      }
      if (track.paused !== row.paused) {
        track.paused = row.paused;
        this.#report.trackPaused(track);
      }
    }
    this.attach(pc, added);
    for (const track of added) this.#report.trackAdded(track);
  }

  /** Puts what each section receives into the stream of the track that flows there. */
  attach(pc, unannounced = new Set()) {
    if (pc !== this.#pc) this.#waits.clear();
    this.#pc = pc;
    const receivers = new Map(pc.getTransceivers().map((t) => [t.mid, t.receiver]));
    const named = new Set(Object.keys(this.#rows).map((mid) => receivers.get(mid)?.track));
    for (const media of this.#waits.keys()) if (!named.has(media)) this.#waits.delete(media);
    for (const [mid, row] of Object.entries(this.#rows)) {
      const track = this.#tracks.get(row.id);
      const { stream } = track;
      const receiver = receivers.get(mid);
      const media = receiver?.track;
      const old = stream.getTracks();
      if (!media || media.kind !== row.kind || old[0] === media) continue;
      // The connection or the section before this one still serves: until the first packet of this one.
      if (old[0]?.readyState === 'live' && !old[0].muted && !this.#flows(receiver)) continue;
      stream.addTrack(media); // first, lest elements see a stream without a track
      for (const o of old) stream.removeTrack(o);
      playbackOf(track).changed();
      if (!unannounced.has(track)) this.#report.trackChanged(track);
    }
  }

  // Whether anything comes in a section to which a track has moved since this was asked first; if not, attach is called
  // again. One that carried another track before is not muted, so its packets are watched.
  #flows(receiver) {
    const media = receiver.track;
    const timestamp = receiver.getSynchronizationSources?.()[0]?.rtpTimestamp;
    const wait = this.#waits.get(media) ?? { muted: media.muted, timestamp, until: performance.now() + PATIENCE };
    const late = performance.now() >= wait.until || !receiver.getSynchronizationSources;
    if (wait.muted ? !media.muted : timestamp !== wait.timestamp || late) {
      this.#waits.delete(media);
      return true;
    }
    this.#waits.set(media, wait);
    const again = () => {
      if (this.#waits.get(media) === wait) this.attach(this.#pc);
    };
    clearTimeout(wait.timer);
    if (wait.muted) media.onunmute = again;
    else wait.timer = setTimeout(again, LOOK);
    return false;
  }

  /** Ends all tracks: the peer is gone. Should it come back, its latest table counts again. */
  close() {
    this.#version = Math.max(0, this.#version - 1);
    this.#told = false;
    this.#latest = {};
    this.#rows = {};
    this.#waits.clear();
    for (const track of this.tracks) this.#remove(track);
  }

  #remove(track) {
    this.#tracks.delete(track.id);
    playbackOf(track).end();
    this.#report.trackRemoved(track);
  }
}
