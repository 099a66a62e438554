// What noom.js needs that is not JavaScript's: a page has it, and a program in Node gives it to join.

import { NoomError } from './errors.js';

const LOCAL = /^(localhost|127(\.\d+){3}|\[?::1\]?)$/;

/** The WebRTC that join's options name, or else the one there is. Throws unsupported. */
export function webrtcOf({ webrtc = globalThis }) {
  if (typeof webrtc.RTCPeerConnection === 'function') return webrtc;
  throw new NoomError('unsupported', globalThis.document
    ? 'this browser has no WebRTC'
    : 'there is no WebRTC here; give join the option webrtc, such as the package @roamhq/wrtc');
}

/** Whether we run on the machine that the page, or without one the hub, is served from: then others there may be our peers. */
export const atHome = (hub) => LOCAL.test(globalThis.location?.hostname || hub.hostname);

/** Whether timers may be a second late, as in a page that is hidden. */
export const timersLag = () => globalThis.document?.hidden ?? false;
