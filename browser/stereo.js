// Stereo in SDP (RFC 7587 section 6.1). Opus has two channels in every description; the sender's
// sprop-stereo=1 says whether there is something in them, and a browser sends and plays two only
// where the receiver's own description says stereo=1. Each section says it for itself.

/** The mids of the sections whose sender says that it sends stereo, as a Set. */
export function stereoOf(sdp) {
  const stereo = new Set();
  eachOpus(sdp, (mid, parameters) => {
    if (parameters.includes('sprop-stereo=1')) stereo.add(mid);
    return parameters;
  });
  return stereo;
}

/** A description that plays stereo in those sections. */
export function playStereo(sdp, received) {
  return eachOpus(sdp, (mid, parameters) => (
    received.has(mid) && !parameters.includes('stereo=1') ? [...parameters, 'stereo=1'] : parameters
  ));
}

/** A description that says for each section whether it is stereo, and nothing else. */
export function tellStereo(sdp, sent, received) {
  return eachOpus(sdp, (mid, parameters) => {
    const others = parameters.filter((p) => !/^(sprop-)?stereo=/i.test(p));
    if (sent.has(mid)) return [...others, 'sprop-stereo=1', 'stereo=1'];
    return received.has(mid) ? [...others, 'stereo=1'] : others;
  });
}

/** A description of the other side to which those sections are sent in stereo, and without pauses in silence. */
export function sendStereo(sdp, sent) {
  return eachOpus(sdp, (mid, parameters) => (
    sent.has(mid) ? [...parameters.filter((p) => !/^(stereo|usedtx)=/i.test(p)), 'stereo=1'] : parameters
  ));
}

/** What edit(mid, parameters) makes of the parameters of each section's Opus. */
export function eachOpus(sdp, edit) {
  return sdp.split(/^(?=m=)/m).map((section) => {
    if (!section.startsWith('m=audio')) return section;
    const [, mid = ''] = /^a=mid:(\S+)/m.exec(section) ?? [];
    const [, format] = /^a=rtpmap:(\d+) opus\//im.exec(section) ?? [];
    if (!format) return section;
    const [whole = '', text = ''] = new RegExp(`^a=fmtp:${format} ([^\\r\\n]*)`, 'm').exec(section) ?? [];
    const parameters = text === '' ? [] : text.split(';').map((p) => p.trim());
    const edited = edit(mid, parameters);
    if (edited === parameters || edited.join() === parameters.join()) return section;
    const line = `a=fmtp:${format} ${edited.join(';')}`;
    return whole ? section.replace(whole, () => line) : `${section.trimEnd()}\r\n${line}\r\n`;
  }).join('');
}
