// The codecs in which a member would like to receive: of those in a section, the other side's browser sends in the first
// that it has (RFC 9429 section 4.2.6).

import { NoomError, quoted } from './errors.js';

// MIME types as browsers write them; in SDP they may be in any case.
export const KNOWN = ['audio/opus', 'audio/G722', 'audio/PCMU', 'audio/PCMA', 'video/VP8', 'video/VP9', 'video/H264', 'video/AV1', 'video/H265'];

const isSame = (a, b) => a.toLowerCase() === b.toLowerCase();

/** Throws for what is no list of codecs to prefer. */
export function checkPreferred(list) {
  if (!Array.isArray(list)) throw new NoomError('bad_argument', 'preferredCodecs is an array');
  for (const [i, type] of list.entries()) {
    if (typeof type !== 'string' || !KNOWN.some((known) => isSame(known, type))) {
      throw new NoomError('bad_argument', `preferredCodecs: ${quoted(String(type))} is unknown; known: ${KNOWN.join(', ')}`);
    }
    if (list.findIndex((other) => isSame(other, type)) < i) throw new NoomError('bad_argument', `preferredCodecs: ${quoted(type)} is there twice`);
  }
}

/** Has a section in which we receive described with the preferred codecs first, as far as the browser knows them. */
export function prefer(transceiver, preferred, { RTCRtpReceiver }) {
  const codecs = RTCRtpReceiver?.getCapabilities?.(transceiver.receiver.track.kind)?.codecs ?? [];
  const rank = ({ mimeType }) => {
    const type = isSame(mimeType, 'audio/red') ? 'audio/opus' : mimeType; // which is in it
    const i = preferred.findIndex((wanted) => isSame(wanted, type));
    return i < 0 ? preferred.length : i;
  };
  if (codecs.every((codec) => rank(codec) === preferred.length)) return;
  const first = ({ mimeType }) => (isSame(mimeType, 'audio/red') ? 0 : 1); // as preferRED has it
  try {
    transceiver.setCodecPreferences([...codecs].sort((a, b) => rank(a) - rank(b) || first(a) - first(b)));
  } catch (error) {
    console.warn(`noom: no codec is preferred: ${error.message}`);
  }
}
