// What a link has found out for peer.diagnose: about the connection there is,
// or the one that has failed, and what ended the attempt before.

import { judge, pathOf } from './diagnosis.js';

const STATISTICS = 1000; // ms to wait for them

/** The statistics of an RTCPeerConnection; undefined without one, or if none come within 1 s. */
export function statistics(pc) {
  if (!pc) return undefined;
  // Chromium may never answer for a connection that is closed meanwhile.
  return Promise.race([pc.getStats(), new Promise((resolve) => { setTimeout(resolve, STATISTICS); })]);
}

/** What an RTCPeerConnection itself says, for judge: since when it is there, and since when ICE is in the state it is in. */
export function evidenceOf(pc, { made, moved }) {
  const now = performance.now();
  return {
    opened: Math.max(1, now - made), moved: now - moved, path: pc.iceConnectionState, secured: pc.sctp?.transport.state === 'connected',
    turn: pc.getConfiguration().iceServers.some(({ urls }) => [urls].flat().some((url) => /^turns?:/.test(url))),
  };
}

export class Findings {
  #connections;
  #known; // () → what the link knows apart from its connections, for judge
  #failedBy = null; // why this epoch was given up, null if it was not
  #found = {}; // evidence of the connection that has failed, until there is another
  #failure = null; // of the last failure, until the peer is connected

  constructor(connections, known) {
    this.#connections = connections;
    this.#known = known;
  }

  /** A connection is made. */
  begun() {
    this.#failedBy = null;
    this.#found = {};
  }

  /** It works. */
  up() { this.#failure = null; }

  /** It is given up, but is there still. */
  failed(error) {
    this.#failedBy = error;
    this.#found = this.#connections.current?.evidence ?? {};
  }

  /** Keeps an attempt that ended with an error, until the next attempt shows something. */
  note(error) { this.#failure = this.#judge(error, { connected: false }); }

  /** A Diagnosis, after so many attempts. */
  async diagnose(attempts) {
    let found = this.#judge(this.#failedBy);
    if (found.verdict === 'connecting' && this.#failure) found = this.#failure;
    const diagnosis = { ...found, attempts, path: null };
    if (found.verdict !== 'connected' && found.verdict !== 'codec not shared') return diagnosis;
    const path = pathOf((await statistics(this.#connections.live?.pc)) ?? new Map());
    if (!path) return diagnosis;
    return { ...diagnosis, path, words: `${found.words} (${path.local.type} to ${path.remote.type} over ${path.local.protocol})` };
  }

  #judge(error, known) {
    return judge({ ...this.#known(), ...(this.#connections.current?.evidence ?? this.#found), error, ...known });
  }
}
