// Checks what an application gives: names, times, and the options of join.

import { checkHistory } from './chat.js';
import { NoomError, quoted } from './errors.js';
import { MAX } from './limits.js';
import { isID, textProblem } from './name.js';
import { checkPreferred } from './preferred.js';

const MIN_BITRATE = 10_000; // no encoder makes sense of less

/** Throws for a value with a problem, if it has one. */
export function check(code, what, value, problem) {
  if (problem) throw new NoomError(code, `${what} ${quoted(value)}: ${problem}`);
}

export function checkTime(what, ms, least) {
  // A timer of more ms than a number of 31 bits fires at once.
  if (!(Number.isFinite(ms) && ms >= least && ms <= MAX.number)) throw new NoomError('bad_argument', `${what} is a number of ms, ${least} to ${MAX.number}`);
}

export function checkBitrate(what, bps) {
  if (!(Number.isFinite(bps) && bps >= MIN_BITRATE && bps <= MAX.number)) throw new NoomError('bad_argument', `${what} is a number of bits per second, ${MIN_BITRATE} to ${MAX.number}`);
}

export function checkTrace(to) {
  if (to !== null && typeof to !== 'function') throw new NoomError('bad_argument', 'trace is a function, or null');
}

/** Throws for options of join that are not what noom.d.ts says. */
export function checkOptions({ token, joinInFrame = false, verify, identity, iceServers, tracks, transport, webrtc, WebSocket, connectTimeout, dialTimeout, redialMax, uplink, maxFileSize, history, preferredCodecs, trace = null }) {
  const problem = token === undefined || typeof token === 'function' ? '' : textProblem(token, MAX.token);
  if (problem) throw new NoomError('bad_argument', `token: ${problem}`);
  if (typeof joinInFrame !== 'boolean') throw new NoomError('bad_argument', 'joinInFrame is a boolean');
  checkTrace(trace);
  if (verify !== undefined && typeof verify !== 'function') throw new NoomError('bad_argument', 'verify is a function');
  if (identity != null && !isIdentity(identity)) throw new NoomError('bad_argument', 'identity is what Identity.generate gives');
  if (webrtc !== undefined && typeof webrtc?.RTCPeerConnection !== 'function') throw new NoomError('bad_argument', 'webrtc is what has RTCPeerConnection');
  if (WebSocket !== undefined && typeof WebSocket !== 'function') throw new NoomError('bad_argument', 'WebSocket is the class');
  if (transport !== undefined && !['auto', 'websocket', 'http'].includes(transport)) throw new NoomError('bad_argument', 'transport is auto, websocket or http');
  for (const [what, list] of [['iceServers', iceServers], ['tracks', tracks]]) {
    if (list != null && !Array.isArray(list)) throw new NoomError('bad_argument', `${what} is an array`);
  }
  for (const [what, ms, least] of [['connectTimeout', connectTimeout, 1000], ['dialTimeout', dialTimeout, 100], ['redialMax', redialMax, 100]]) {
    if (ms !== undefined) checkTime(what, ms, least);
  }
  if (maxFileSize !== undefined && !(Number.isInteger(maxFileSize) && maxFileSize >= 0)) throw new NoomError('bad_argument', 'maxFileSize is a number of bytes');
  if (history !== undefined) checkHistory(history);
  if (preferredCodecs !== undefined) checkPreferred(preferredCodecs);
  if (uplink !== undefined) checkBitrate('uplink', uplink);
}

const isIdentity = ({ id, key, sign }) => typeof id === 'string' && isID(id) && key instanceof Uint8Array && typeof sign === 'function';
