// Signs: what pages tell each other of their members, in short messages to each peer. Pure: marks.js sends and draws them.
//
// A sign is JSON whose field noom says what it is:
//
//   {"noom":"state","hand":1200,"records":true}   all that is so now: a hand has been up for so many ms; the call is recorded
//   {"noom":"reaction","emoji":"👍"}
//   {"noom":"typing"}
//
// A state takes the place of the one before, so it may be said again at any time; the others are over in a moment. What
// a page does not know, it ignores. Any member can say anything: a sign proves nothing, and no text of it is ever shown.

/** The emoji of a reaction, and what strings.js calls them. */
export const REACTIONS = { '👍': 'thumb', '❤️': 'heart', '😂': 'laugh', '👏': 'clap', '🎉': 'party', '😮': 'wow' };

const LONGEST = 200; // bytes of a sign
const LONG_AGO = 86_400_000; // ms: no hand is up for longer
const BURST = 8; // signs of a peer at once, and then
const EACH = 500; // ms for one more

const BRACE = 0x7b;
const decoder = new TextDecoder('utf-8', { fatal: true });

const READ = {
  state: ({ hand, records }) => ({ kind: 'state', hand: typeof hand === 'number' && hand >= 0 ? Math.min(hand, LONG_AGO) : null, records: records === true }),
  reaction: ({ emoji }) => (isOneOf(REACTIONS, emoji) ? { kind: 'reaction', emoji } : null),
  typing: () => ({ kind: 'typing' }),
};

const isOneOf = (table, key) => typeof key === 'string' && Object.hasOwn(table, key);

/** The message of a sign: {kind: 'state', hand, records}, {kind: 'reaction', emoji} or {kind: 'typing'}. hand: ms, null: it is down. */
export function encode({ kind, hand, ...rest }) {
  return JSON.stringify({ noom: kind, ...(Number.isFinite(hand) ? { hand: Math.round(hand) } : {}), ...rest });
}

/** The sign in the bytes of a message, null if there is none that we know. */
export function decode(bytes) {
  if (bytes.length > LONGEST || bytes[0] !== BRACE) return null;
  try {
    const said = JSON.parse(decoder.decode(bytes));
    return isOneOf(READ, said.noom) ? READ[said.noom](said) : null;
  } catch {
    return null; // another program's
  }
}

/** A bucket of tokens: at most so many at once, and one more each so many ms. */
export class Bucket {
  #most;
  #each;
  #left;
  #at = null;

  constructor(most = BURST, each = EACH) {
    [this.#most, this.#each, this.#left] = [most, each, most];
  }

  take(now) {
    if (this.wait(now) > 0) return false;
    this.#left--;
    return true;
  }

  /** How long until there is one, in ms. */
  wait(now) {
    this.#left = Math.min(this.#most, this.#left + (now - (this.#at ?? now)) / this.#each);
    this.#at = now;
    return Math.max(0, Math.ceil((1 - this.#left) * this.#each - 1e-6));
  }
}

/** What is taken in of one peer's signs. Of too many it is the last state alone, once there is room for it. */
export class Intake {
  #bucket = new Bucket();
  #late = null;

  /** The sign, or null: it is one too many. */
  take(sign, now) {
    const fits = this.#bucket.take(now);
    if (sign.kind === 'state') this.#late = fits ? null : sign;
    return fits ? sign : null;
  }

  /** In how many ms there is a state to take that was one too many; null: there is none. */
  wait(now) { return this.#late && this.#bucket.wait(now); }

  /** That state, if it is time. */
  takeLate(now) { return this.#late ? this.take(this.#late, now) : null; }
}

/** Whose hand was up first: hands are [id, since when], and what comes back a Map of id → 1, 2, 3, … */
export function inOrder(hands) {
  const sorted = [...hands].sort(([a, since], [b, later]) => since - later || (a < b ? -1 : 1));
  return new Map(sorted.map(([id], i) => [id, i + 1]));
}
