// The events that wait for one iterator, by the rules of Go's queue.go.
//
// Beyond BOUND, those go first that later ones cancel out or replace, and all but the newest requests to mute; then the
// oldest that `lagged` counts: chat, and what somebody else has taken, a listener or another iterator: data and
// channels. State is never lost, so a queue is as long as BOUND and what describes the room as it is. What nobody has
// taken is bounded by credit (data.js), by how many channels may wait (channel.js) and how many files (filing.js).

import { MAX } from './limits.js';

const BOUND = 1024; // events
const TAKEN = MAX.unacked; // bytes of what somebody else has taken
const CHANNEL = MAX.unacked / 64; // bytes that a channel counts as
const ENTRIES = 4096; // changes of the room's state, kept beyond the bound, each of another key, because members choose the keys
const REQUESTS = 64; // to mute, kept beyond the bound, each for another track, because those who ask choose the names

// What may be done with a waiting event, by its type. begins, ends: what comes, or goes: if both events wait, all about
// it go; peer, track: what it is about, and with which it goes; state: the parts of the key of a state, of which only
// the last event is kept; chat, asking, entry, given: that it is chat, a request to mute, a change of the room's
// state, or something that is taken.
const RULES = {
  peerjoined: ({ peer }) => ({ begins: peer, peer }),
  peerleft: ({ peer }) => ({ ends: peer, peer }),
  peerrenamed: ({ peer }) => ({ peer, state: ['name', peer] }),
  peerstatechanged: ({ peer }) => ({ peer, state: ['connection', peer] }),
  qualitychanged: ({ peer }) => ({ peer, state: ['quality', peer] }),
  trackadded: ({ peer, track }) => ({ begins: track, peer, track }),
  trackremoved: ({ peer, track }) => ({ ends: track, peer, track }),
  trackmuted: ({ peer, track }) => ({ peer, track, state: ['muted', track] }),
  trackpaused: ({ peer, track }) => ({ peer, track, state: ['paused', track] }),
  trackchanged: ({ peer, track }) => ({ peer, track, state: ['media', track] }),
  trackblocked: ({ peer, track, element }) => ({ peer, track, state: ['blocked', track, element] }),
  trackrefused: ({ peer, sender }) => ({ peer, state: ['refused', peer, sender] }),
  activespeaker: ({ peer }) => ({ peer, state: ['speaker'] }),
  chatreceived: () => ({ chat: true }),
  datareceived: () => ({ given: true }), // kept when its peer goes
  channelopened: ({ peer }) => ({ peer, given: true }),
  fileoffered: ({ peer }) => ({ peer, given: true }),
  statechanged: ({ key }) => ({ entry: true, state: ['entry', key] }),
  attributeschanged: ({ peer }) => ({ peer, state: ['attributes', peer] }),
  muterequested: ({ by, track }) => ({ asking: true, state: ['mute', by.id, track] }),
  roomlocked: () => ({ state: ['lock'] }),
  signalinglost: () => ({ state: ['signaling'] }),
  signalingrestored: () => ({ state: ['signaling'] }),
  closed: () => ({}),
};

/** The types of the events that a queue can be given. */
export const TYPES = Object.keys(RULES);

/** Events, each as {event, taken}, where taken is called when the first queue, or listener, takes it. */
export class Queue {
  #items = [];
  #weight = 0; // of all
  #compactAt = BOUND;
  #compactWeight = TAKEN;
  #dropped = 0; // since it was last said

  /** Whether nothing is to be taken. */
  get empty() { return this.#items.length === 0 && this.#dropped === 0; }

  has(item) { return this.#items.includes(item); }

  push(item) {
    this.#items.push(item);
    this.#weight += weightOf(item.event);
    if (this.#items.length > this.#compactAt || this.#weight > this.#compactWeight) this.#compact();
  }

  /** Takes the oldest item, or one that has {dropped}: how many were dropped. */
  shift() {
    if (this.#dropped > 0) {
      const dropped = this.#dropped;
      this.#dropped = 0;
      return { dropped };
    }
    const item = this.#items.shift();
    this.#weight -= weightOf(item.event);
    take(item);
    return item;
  }

  /** Empties it, and returns what was in it. */
  clear() {
    this.#weight = this.#dropped = 0;
    return this.#items.splice(0);
  }

  #compact() {
    const { kept, dropped } = compacted(this.#items);
    this.#items = kept;
    this.#weight = kept.reduce((sum, { event }) => sum + weightOf(event), 0);
    this.#dropped += dropped;
    // If what is left has to stay, do not try again at each event.
    this.#compactAt = Math.max(BOUND, 2 * kept.length);
    this.#compactWeight = Math.max(TAKEN, 2 * this.#weight);
  }
}

/** Somebody has taken an item. */
export function take(item) {
  const { taken } = item;
  item.taken = undefined; // once
  taken?.();
}

// The bytes that an event keeps and that others choose.
function weightOf({ type, data }) {
  if (type === 'channelopened') return CHANNEL;
  return type === 'datareceived' ? data.length : 0;
}

// The items that are kept, and how many of those that are counted are not.
function compacted(items) {
  const rules = items.map(({ event }) => RULES[event.type](event));
  const gone = outdated(rules);
  dropOldest(gone, rules, 'asking', REQUESTS);
  let dropped = dropOldest(gone, rules, 'entry', ENTRIES);
  const taken = items.map((item, i) => Boolean(rules[i].given) && !item.taken && !gone.has(i)); // by somebody else
  let length = items.length - gone.size;
  let weight = items.reduce((sum, { event }, i) => sum + (taken[i] ? weightOf(event) : 0), 0);
  const kept = items.filter(({ event }, i) => {
    if (gone.has(i)) return false;
    const many = length > BOUND && (taken[i] || rules[i].chat);
    if (!many && !(taken[i] && weight > TAKEN)) return true;
    dropped++;
    length--;
    if (taken[i]) weight -= weightOf(event);
    return false;
  });
  return { kept, dropped };
}

// Which events are about what came and went unseen, or report a state that is over.
function outdated(rules) {
  const gone = new Set();
  const born = new Map(); // peer or track → index of the event by which it came
  const last = new States(); // index of its last event
  rules.forEach(({ begins, ends, state }, i) => {
    if (begins) born.set(begins, i);
    if (born.has(ends)) {
      for (let j = born.get(ends); j <= i; j++) if (isAbout(rules[j], ends)) gone.add(j);
      born.delete(ends);
    }
    if (state) {
      const before = last.set(state, i);
      if (before !== undefined) gone.add(before);
    }
  });
  return gone;
}

const isAbout = ({ peer, track }, subject) => track === subject || peer === subject;

// Of those of a kind only so many stay, the newest. Returns how many go.
function dropOldest(gone, rules, kind, most) {
  let count = 0;
  for (let i = rules.length - 1; i >= 0; i--) {
    if (rules[i][kind] && !gone.has(i) && ++count > most) gone.add(i);
  }
  return Math.max(0, count - most);
}

// A map whose keys have several parts, objects among them.
class States {
  #root = new Map();

  /** Returns what was there before. */
  set(parts, value) {
    let at = this.#root;
    for (const part of parts.slice(0, -1)) {
      if (!at.has(part)) at.set(part, new Map());
      at = at.get(part);
    }
    const before = at.get(parts.at(-1));
    at.set(parts.at(-1), value);
    return before;
  }
}
