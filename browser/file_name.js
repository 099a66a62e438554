// What a file that comes is called here, by the rules of Go's files.CleanName: internal/files/testdata/names.json holds
// them together.

import { byteLength, cleanName } from './name.js';

const MAX_NAME = 255; // bytes
const MAX_KIND = 16; // bytes in what follows the last dot, which is kept when a name is cut
const UNSEEN = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}]/gu; // but for what scripts and emoji need
const DEVICE = /^(con|prn|aux|nul|com[0-9]|lpt[0-9]) *(\.|$)/i;

/**
 * A name for a file that every system takes, made of any text: what is behind the last slash, without what is invisible;
 * 1 to 255 bytes.
 */
export function cleanFileName(text) {
  const base = text.toWellFormed().replace(/^.*[/\\]/s, '');
  const seen = cleanName(base.replace(UNSEEN, '').replace(/[<>:"|?*]/g, '_'));
  const name = cut(seen.replace(/^[ .-]+/, '').replace(/[ .]+$/, ''), MAX_NAME - 1); // a device's grows by one
  return (DEVICE.test(name) ? `_${name}` : name) || 'file';
}

// Shortens a name to so many bytes, at a whole character, and keeps what it says of the kind of file.
function cut(name, most) {
  if (byteLength(name) <= most) return name;
  const dot = name.lastIndexOf('.');
  const kind = dot > 0 && byteLength(name.slice(dot)) <= MAX_KIND ? name.slice(dot) : '';
  let rest = most - byteLength(kind);
  let kept = '';
  for (const c of name.slice(0, name.length - kind.length)) {
    rest -= byteLength(c);
    if (rest < 0) break;
    kept += c;
  }
  return kept.replace(/[ .]+$/, '') + kind;
}
