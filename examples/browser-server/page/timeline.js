// What happens in a call, kept for reports and for the debug view: by kinds, states and numbers, without names, texts or
// addresses. Members have numbers, in the order in which they came.

import { reportOf } from './report.js';
import { pathOf, streamsOf } from './vitals.js';

const KEPT = 200; // events, and frames, of each member; older ones go
const GONE = 16; // members that have left
const REPORTED = 32; // members
const LONGEST = 40; // characters of a word
const QUIET = new Set(['activespeaker', 'chatreceived', 'datareceived']); // they say nothing of connections
const NEGOTIATION = ['offer', 'answer', 'ask', 'grant'];

/** The newest things of many. */
export class Ring {
  #items = [];
  count = 0; // ever

  get items() { return this.#items; }

  push(item) {
    this.#items.push(item);
    if (this.#items.length > KEPT) this.#items.shift();
    this.count++;
  }

  /** Those that came after the first count, as far as they are there. */
  since(count) { return this.#items.slice(Math.max(0, this.#items.length - (this.count - count))); }

  clear() { this.#items = []; }
}

const newEntry = (number) => ({ number, gone: false, events: new Ring(), frames: new Ring(), turns: {} });

export class Timeline {
  #begun = performance.now();
  #entries = new Map([[null, newEntry(0)]]); // Peer → its entry, null → that of the room
  #numbers = new WeakMap(); // Peer → its number
  #members = 0; // so many numbers were given
  #online = true; // at the server

  /** The entry of a peer, null for the room: {number, gone, events, frames, turns}. */
  of(peer) {
    if (!this.#entries.has(peer)) {
      if (!this.#numbers.has(peer)) this.#numbers.set(peer, ++this.#members);
      this.#entries.set(peer, newEntry(this.#numbers.get(peer)));
    }
    return this.#entries.get(peer);
  }

  /** Takes a frame that noom.js traces. */
  frame = ({ peer, direction, inBand, type, bytes }) => {
    if (this.#numbers.has(peer) && !this.#entries.has(peer)) return; // it was forgotten
    const entry = this.of(peer);
    const at = this.#now();
    entry.frames.push({ at, direction, inBand, type, bytes });
    if (NEGOTIATION.includes(type)) entry.turns[`${type} ${direction}`] = { count: (entry.turns[`${type} ${direction}`]?.count ?? 0) + 1, at };
  };

  /** Takes an event of the room. Of a peer that is unknown, or forgotten, only its coming counts. */
  event(event) {
    if (event.type === 'signalinglost') this.#online = false;
    if (event.type === 'signalingrestored') this.#online = true;
    if (QUIET.has(event.type)) return;
    const peer = event.peer ?? null;
    if (!this.#entries.has(peer) && event.type !== 'peerjoined') return;
    const entry = this.of(peer);
    entry.events.push({ at: this.#now(), type: event.type, what: whatOf(event) });
    if (event.type === 'peerjoined') entry.gone = false;
    if (event.type === 'peerleft') this.#left(peer, entry);
  }

  /** Nobody looks at frames any longer. */
  forgetFrames() {
    for (const entry of this.#entries.values()) {
      entry.frames.clear();
      entry.turns = {};
    }
  }

  /** A report as text. */
  async report() {
    const [[, room], ...members] = this.#entries;
    const [here, gone] = [members.filter(([, entry]) => !entry.gone), members.filter(([, entry]) => entry.gone)];
    const reported = [...here, ...gone.reverse()].slice(0, REPORTED).sort(([, a], [, b]) => a.number - b.number);
    return reportOf({
      date: new Date().toISOString(), agent: navigator.userAgent, online: this.#online, others: here.length,
      room: lists(room), left: members.length - reported.length,
      members: await Promise.all(reported.map(([peer, entry]) => describe(peer, entry))),
    });
  }

  #left(peer, entry) {
    entry.gone = true;
    this.#entries.delete(peer);
    this.#entries.set(peer, entry); // behind those that left before
    const gone = [...this.#entries].filter(([, each]) => each.gone);
    if (gone.length > GONE) this.#entries.delete(gone[0][0]);
  }

  #now() { return (performance.now() - this.#begun) / 1000; }
}

// What an event says, but for names and texts.
function whatOf({ state, quality, track, sender, muted, paused, blocked, reason, locked, existing, error }) {
  const words = [state, quality, (track ?? sender)?.kind, reason, error?.code];
  for (const [word, is] of Object.entries({ muted, paused, blocked, locked, existing })) if (typeof is === 'boolean') words.push(is ? word : `not ${word}`);
  return words.filter((word) => typeof word === 'string' && word.length <= LONGEST);
}

const lists = ({ events, frames }) => ({ events: events.items, frames: frames.items });

/** The states of a peer's connection, as its browser names them. */
export function statesOf(peer) {
  const { connection } = peer;
  if (!connection) return {};
  const { connectionState, iceConnectionState, iceGatheringState, signalingState } = connection;
  return { connectionState, iceConnectionState, iceGatheringState, signalingState };
}

async function describe(peer, entry) {
  const { number, gone } = entry;
  if (gone) return { number, gone, ...lists(entry) };
  const [stats, found] = await Promise.all([peer.stats().catch(() => new Map()), peer.diagnose().catch(() => null)]); // it may leave meanwhile
  return {
    number, gone, state: peer.state, quality: peer.quality, states: statesOf(peer), bandwidth: peer.bandwidth(),
    path: pathOf(stats), streams: streamsOf(stats), found: found && { verdict: found.verdict, code: found.error?.code, attempts: found.attempts, codecs: found.codecs },
    ...lists(entry),
  };
}
