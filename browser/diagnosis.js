// Why a peer is connected or is not: a pure function that judges what a Link
// knows, the twin of Go's, and how two candidates are read out of statistics.

import { NoomError } from './errors.js';

// How long each step of connecting may take before it is named: frames are
// sent again after 1 s and after 3.
const SUSPICIOUS = 4_000; // ms

/**
 * Returns the first thing that is wrong with what is known, in the order in which
 * a connection comes up: {verdict, words, error, codecs}. What is known:
 *
 *   online lost connected     at a hub; the hub has lost the member; data and media can move
 *   error                     why this epoch was given up, null if it was not
 *   acked pending             the peer has acknowledged something; something is unacknowledged
 *
 * and of the current connection, if there is one:
 *
 *   opened moved              ms since it was made, and since ICE went into its state
 *   path wasUp secured        that state; whether it was up; whether DTLS is
 *   remote open               the peer's description was applied; our offer is unanswered
 *   ours theirs               types of the candidates
 *   turn refusal codecs       TURN servers were configured; {server, reason} of one that refused; what the peer has refused
 */
export function judge(known) {
  const { error, codecs, ...e } = { ...NOTHING, ...known };
  const pathUp = e.path === 'connected' || e.path === 'completed';
  const late = (since) => error !== null || since > SUSPICIOUS;
  const say = (verdict, words, cause = error) => ({ verdict, words, error: cause, codecs });

  if (e.connected && codecs.length > 0) {
    return say('codec not shared', `connected, but the peer can decode none of ${codecs.join(', ')}; let it take VP8, H264 or Opus`);
  }
  if (e.connected) return say('connected', 'data and media can flow');
  if (BROKEN.has(error?.code)) return say('protocol broken', `${error.message}; run the same version of noom at both ends`);
  if (!e.online && (e.wasUp || !pathUp)) {
    return say('hub unreachable', 'there is no connection to the hub; noom keeps redialling, so check the network and that the hub is running');
  }
  if (pathUp && e.wasUp) return say('connecting', 'the peer has closed the connection and is about to open the next one');
  if (pathUp && !e.secured && late(e.moved)) {
    return say('DTLS failed', 'ICE has found a path, but the DTLS handshake does not complete; something on the path drops or changes its packets');
  }
  if (pathUp && late(e.moved)) return say('DTLS failed', 'DTLS is up, but SCTP over it is not; something on the path may drop large packets');
  if (pathUp) return say('connecting', 'a path was found; DTLS is under way');
  return signaling({ ...e, error }, late, say) ?? pairs(e, late, say);
}

// The exchange of descriptions; undefined: it is complete.
function signaling({ lost, error, opened, moved, remote, open, acked, pending, wasUp }, late, say) {
  if (lost) return say('frame undelivered', 'the hub has lost the peer, and nothing reaches it until it is back');
  if (opened === 0 && error === null) return say('connecting', "waiting for the peer's offer");
  if (opened === 0) return say('no answer', "the peer's offer has not arrived; the peer may be frozen, or refuse us by its option verify");
  if (remote && !open) return undefined;
  if (!late(opened) || (wasUp && !late(moved))) return say('connecting', 'descriptions are being exchanged');
  if (pending && (!acked || wasUp)) {
    return say('frame undelivered', 'the peer acknowledges nothing that we send through the hub; it may be frozen, be cut off from the hub, or refuse us by its option verify');
  }
  return say('no answer', 'the peer acknowledges our frames, but its description has not arrived; its connection may be stuck');
}

// Why ICE has found no path.
function pairs({ path, moved, ours, theirs, turn, refusal }, late, say) {
  const seen = `candidates here: ${kinds(ours)}; at the peer: ${kinds(theirs)}`;
  if (path !== 'failed' && !late(moved)) return say('connecting', 'looking for a path');
  if (ours.includes('relay') || theirs.includes('relay')) {
    return say('no candidate pair', `no path works, not even over a relay; check the networks at both ends, and that both reach the TURN server (${seen})`);
  }
  if (turn && refusal) {
    return say('TURN refused',
      `no direct path works, and the TURN server ${refusal.server} refuses us: ${refusal.reason}; check the credentials, and that they have not expired`,
      new NoomError('turn_refused', `${refusal.server}: ${refusal.reason}`));
  }
  if (turn) return say('TURN unreachable', `no direct path works, and no TURN server has answered; check their addresses and ports, and try TURN over TCP (${seen})`);
  if (ours.includes('srflx') && theirs.includes('srflx')) {
    return say('relay needed', `no direct path works, as is usual between two strict NATs; configure a TURN server, at the hub or in the option iceServers (${seen})`);
  }
  return say('no candidate pair', `no path works; check firewalls, and configure a STUN and a TURN server if the two members are in different networks (${seen})`);
}

const NOTHING = {
  online: false, lost: false, connected: false, error: null, acked: false, pending: false,
  opened: 0, moved: 0, path: 'new', wasUp: false, secured: false, remote: false, open: false,
  ours: [], theirs: [], turn: false, refusal: null, codecs: [],
};

// The codes of what one end sent and the other cannot accept.
const BROKEN = new Set(['description', 'malformed', 'turn']);

const kinds = (types) => ['host', 'srflx', 'relay'].filter((type) => types.includes(type)).join(', ') || 'none';

/** The type in a candidate attribute (RFC 8839 section 5.1); '' if it has none. */
export const typeOf = (candidate) => / typ (\S+)/.exec(candidate)?.[1] ?? '';

// What browsers say instead of an address that they do not reveal; Firefox the last.
const HIDDEN = new Set([undefined, null, '', '(redacted)']);

/** The pair of candidates that a connection uses, as its statistics have it; undefined if it has none. */
export function pairOf(report) {
  const all = [...report.values()];
  const transport = all.find((s) => s.type === 'transport' && s.selectedCandidatePairId);
  return transport ? report.get(transport.selectedCandidatePairId) : all.find((s) => s.type === 'candidate-pair' && s.nominated && s.state === 'succeeded');
}

/** The path that a connection uses, out of its statistics; null if it has none. */
export function pathOf(report) {
  const pair = pairOf(report);
  if (!pair) return null;
  const [local, remote] = [pair.localCandidateId, pair.remoteCandidateId].map((id) => {
    const { candidateType: type = '', protocol = '', address, port = 0 } = report.get(id) ?? {};
    return { type, protocol, address: HIDDEN.has(address) ? null : address, port };
  });
  const { currentRoundTripTime: seconds } = pair;
  return { local, remote, rtt: Number.isFinite(seconds) ? 1000 * seconds : null, relayed: local.type === 'relay' || remote.type === 'relay' };
}
