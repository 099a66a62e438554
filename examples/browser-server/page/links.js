// Links in what people type. Pure: chat.js draws them.

// As one types or copies it. It ends where a language with other letters goes on without a space, as Korean does:
// browsers copy such letters of an address in ASCII.
const ADDRESS = /\bhttps?:\/\/[!#-;=?-_a-z~]+/gi;
const BEHIND = /[.,:;!?)\]*_~']+$/; // a sentence's, and not the address's

/** Takes a text apart: a list of {text} and {text, href}, in its order. Only http and https are links. */
export function partsOf(text) {
  const parts = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = trimmed(found);
    const href = linkTo(address);
    if (!href) continue;
    if (index > end) parts.push({ text: text.slice(end, index) });
    parts.push({ text: address, href });
    end = index + address.length;
  }
  if (end < text.length) parts.push({ text: text.slice(end) });
  return parts;
}

// Without the dot at the end of a sentence; a bracket stays where it was opened in the address.
function trimmed(address) {
  const short = address.replace(BEHIND, '');
  return short.includes('(') && !short.includes(')') && address.startsWith(`${short})`) ? `${short})` : short;
}

// An address with a name before an @ looks like that of another host.
function linkTo(address) {
  try {
    const url = new URL(address);
    return /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' ? url.href : null;
  } catch {
    return null;
  }
}
