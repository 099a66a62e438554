// Decompresses what a member has compressed: the offer in a card.

/**
 * The text in bytes that were compressed by DEFLATE (RFC 1951); null if it is none, is longer than most bytes, or if this
 * browser cannot decompress.
 */
export async function inflate(bytes, most) {
  try {
    const inflated = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw')).getReader();
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    let [text, size] = ['', 0];
    for (;;) {
      const { done, value } = await inflated.read();
      if (done) return text + decoder.decode();
      size += value.length;
      if (size > most) {
        await inflated.cancel();
        return null;
      }
      text += decoder.decode(value, { stream: true });
    }
  } catch {
    return null; // it came from the network
  }
}
