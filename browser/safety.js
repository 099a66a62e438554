// What two members compare over another way, to know that no hub stands
// between them (PROTOCOL.md section 3).

import { NoomError } from './errors.js';
import { subtle } from './identity.js';
import { isID } from './name.js';

const EMOJI = [
  ...'🐶🐱🐴🐷🐘🐰🐼🐔🐧🐢🐟🐙🐌🐝🐫🐸',
  ...'🌵🌲🌹🍄🌙🔥🌈⭐🍎🍌🍇🍓🍉🌽🍕🎂',
  ...'🎈🎁🏆⚽🎸🎺🔔🔑🔨💡📖🚀🚗🚲🚢🚂',
  ...'⏰📷💎👑👓👟🎩👻⛄☔🏠📌🎲🎨💰🎹',
];

/**
 * The safety number of two Members, in either order: {digits, emoji}. It
 * follows from their ids alone. digits carries 199 bits, emoji 144; a hub that
 * would forge one may choose two keys, so half of that is its work.
 */
export async function safetyNumber(a, b) {
  const ids = [a?.id, b?.id];
  if (!ids.every((id) => typeof id === 'string' && isID(id))) throw new NoomError('bad_argument', 'a safety number is of two members');
  const [first, second] = ids.sort();
  const text = new TextEncoder().encode(`noom.v1 safety\n${first}\n${second}`);
  const sum = new Uint8Array(await subtle().digest('SHA-512', text));
  const groups = Array.from({ length: 12 }, (_, i) => {
    const n = sum.subarray(5 * i, 5 * i + 5).reduce((high, byte) => high * 256 + byte, 0); // 40 bits: exact in a double
    return String(n % 100_000).padStart(5, '0');
  });
  const bits = Array.from(sum.subarray(0, 18), (byte) => byte.toString(2).padStart(8, '0')).join('');
  const emoji = bits.match(/.{6}/g).map((six) => EMOJI[parseInt(six, 2)]);
  return { digits: groups.join(' '), emoji: emoji.join(' ') };
}
