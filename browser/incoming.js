// What a peer sends: its table of tracks (PROTOCOL.md section 4.4) and the
// RemoteTracks that follow from it. They outlive connections: the same track
// id under another mid in a later epoch is the same track.

import { Playback } from './playback.js';

let playbackOf; // (RemoteTrack) → its Playback, for Incoming alone

/** A track that a peer sends. */
export class RemoteTrack {
  #playback;

  static { playbackOf = (track) => track.#playback; }

  /** blocked is called with an element and whether the browser waits for a gesture there. */
  constructor(peer, id, row, stream, blocked) {
    this.peer = peer;
    this.id = id;
    this.name = row.name;
    this.kind = row.kind;
    this.muted = row.muted;
    /**
     * A stream of this one track, the same for as long as the RemoteTrack lives; rebuilds change what is in it, which
     * elements do not always notice: attach does.
     */
    this.stream = stream;
    this.#playback = new Playback(this, blocked);
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
}

export class Incoming {
  #peer;
  #report; // {trackAdded(track), trackRemoved(track), trackChanged(track), trackMuted(track), trackBlocked(track, element, blocked)}
  #version = 0;
  #allowed; // () => whether the peer may publish
  #webrtc; // {MediaStream}
  #latest = {}; // rows of that version
  #rows = {}; // those of them that count
  #tracks = new Map(); // id → RemoteTrack

  constructor(peer, report, allowed, webrtc) {
    this.#peer = peer;
    this.#report = report;
    this.#allowed = allowed;
    this.#webrtc = webrtc;
  }

  get tracks() {
    return [...this.#tracks.values()];
  }

  /** What a table would change: {fresh, changed} tracks. */
  weigh({ version, tracks }) {
    if (version <= this.#version) return { fresh: 0, changed: 0 };
    const rows = Object.values(tracks);
    const known = rows.filter(({ id }) => this.#tracks.has(id));
    return { fresh: rows.length - known.length, changed: known.filter(({ id, muted }) => this.#tracks.get(id).muted !== muted).length };
  }

  /** Takes a whole table, unless it is none newer than the last. */
  apply(table, pc) {
    if (table.version <= this.#version) return;
    this.#version = table.version;
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
        const fresh = new RemoteTrack(this.#peer, row.id, row, stream, (...where) => this.#report.trackBlocked(fresh, ...where));
        this.#tracks.set(row.id, fresh);
        added.add(fresh);
      } else if (track.muted !== row.muted) {
        track.muted = row.muted;
        this.#report.trackMuted(track);
      }
    }
    this.attach(pc, added);
    for (const track of added) this.#report.trackAdded(track);
  }

  /** Puts what each section receives into the stream of the track that flows there. */
  attach(pc, unannounced = new Set()) {
    const receivers = new Map(pc.getTransceivers().map((t) => [t.mid, t.receiver.track]));
    for (const [mid, row] of Object.entries(this.#rows)) {
      const track = this.#tracks.get(row.id);
      const { stream } = track;
      const media = receivers.get(mid);
      const old = stream.getTracks();
      if (!media || media.kind !== row.kind || old[0] === media) continue;
      if (media.muted && old[0]?.readyState === 'live' && !old[0].muted) {
        // The connection before this one still serves: until the first packet of this one.
        media.onunmute = () => this.attach(pc);
        continue;
      }
      stream.addTrack(media); // first, lest elements see a stream without a track
      for (const o of old) stream.removeTrack(o);
      playbackOf(track).changed();
      if (!unannounced.has(track)) this.#report.trackChanged(track);
    }
  }

  /** Ends all tracks: the peer is gone. Should it come back, its latest table counts again. */
  close() {
    this.#version = Math.max(0, this.#version - 1);
    this.#latest = {};
    this.#rows = {};
    for (const track of this.tracks) this.#remove(track);
  }

  #remove(track) {
    this.#tracks.delete(track.id);
    playbackOf(track).end();
    this.#report.trackRemoved(track);
  }
}
