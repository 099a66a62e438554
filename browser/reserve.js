// Saves the second round of a pair (PROTOCOL.md section 4.3): the first offer of an epoch reserves sections for what the
// other side is about to send, which that fills with its answer.

const NATIVE = /\{\s*\[native code\]\s*\}$/;

/**
 * Whether the addTransceiver of an RTCPeerConnection, or of the prototype, is the browser's. A page that has put another in
 * its place makes its pictures in its own way, such as in several encodings, which nothing but addTransceiver can give to
 * a section. So it fills no section of a picture, and reserves nothing, because its addTransceiver may expect a track.
 * WebRTC for Node looks the same, because it is written in JavaScript, and needs the second round too.
 */
export const makesSections = (pc) => NATIVE.test(String(pc?.addTransceiver));

/** The sections that an offer reserves for its answerer, as {mid, kind}. pc has not been given the offer yet. */
export function reservedIn(sdp, pc) {
  const known = new Set(pc.getTransceivers().map(({ mid }) => mid));
  const reserved = [];
  for (const section of sdp.split(/^(?=m=)/m)) {
    const [, kind] = /^m=(audio|video) /.exec(section) ?? [];
    const [, mid] = /^a=mid:(\S+)/m.exec(section) ?? [];
    if (kind && mid && !known.has(mid) && /^a=recvonly\s*$/m.test(section)) reserved.push({ mid, kind });
  }
  return reserved;
}
