// Whether a connection has found its path: a pure machine. Chromium reports connectionState last: later than what it
// sums up, and now and then later than what the peer has sent at once. On a busy machine what has come overtakes even
// what is summed up, and shows the same.

export class Found {
  #flows = false; // something has come, and the browser does not say yet that the path is found

  /**
   * Whether the path is found now. browser is what the browser says: {connectionState, iceConnectionState} of the
   * RTCPeerConnection, and whether it is secured: SCTP's transport is connected.
   */
  now({ connectionState, iceConnectionState, secured }) {
    if (connectionState !== 'connecting' && connectionState !== 'new') return connectionState === 'connected';
    return this.#flows || (secured && (iceConnectionState === 'connected' || iceConnectionState === 'completed'));
  }

  /**
   * Something has come. Returns whether that is how the path is known to be found: only the first time. Of a path that is
   * looked for later, when the connection was up already, it says nothing: it may have come by the one before.
   */
  came({ connectionState }, wasUp) {
    if (this.#flows || wasUp || connectionState === 'connected') return false;
    this.#flows = true;
    return true;
  }

  /** The browser says something else: that the path is found, or that there is none. */
  said({ connectionState, iceConnectionState }) {
    if (connectionState === 'connected' || iceConnectionState === 'disconnected' || iceConnectionState === 'failed') this.#flows = false;
  }
}
