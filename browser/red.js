// Sound that a lost packet does not spoil: RED (RFC 2198), where both ends know it. Each packet then has the one before it in
// it too, which is little beside what a picture takes.

/** Has a section of sound offered with RED first; where the browser does not know it, as it is. The peer's answer may be without. */
export function preferRED(transceiver, { RTCRtpSender }) {
  const codecs = RTCRtpSender.getCapabilities?.('audio')?.codecs ?? [];
  const red = codecs.filter(({ mimeType }) => mimeType.toLowerCase() === 'audio/red');
  if (red.length === 0) return;
  try {
    transceiver.setCodecPreferences([...red, ...codecs.filter((codec) => !red.includes(codec))]);
  } catch (error) {
    console.warn(`noom: sound is sent without RED: ${error.message}`);
  }
}
