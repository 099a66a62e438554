// Decides about signed chat and its history (PROTOCOL.md section 4.9). The twin of Go's internal/chat. Pure: it is given what
// happens, messages with good signatures, and times in ms, and collects what is to be sent and to be shown.

import { BATCH, HAVE, MESSAGES, WANT, compare } from './chat_message.js';

export const KEEP = { usual: 100, most: 1000 }; // messages
export const BYTES = 262_144; // of their texts
const SEEN = 4096; // digests of messages that were taken or refused
const HOLES = 64; // missing numbers of a voice
const ABSENT = 64; // missing messages that others have seen

const PATIENCE = 5_000; // with a member that was asked for messages
const SETTLING = 250; // before a HAVE counts: what it names may be on its way from the hub
const REPAIR_DELAY = 1_000; // before others are asked about what is missing: it may just be late
const REPAIR_EVERY = 5_000;

const keyOf = ({ author, session }) => `${author} ${session}`;

export class ChatMachine {
  #self;
  #session;
  #keep;
  #number = 0; // of our last message
  #passed = 0; // the highest of ours that the hub has passed on
  #order = 0; // the highest that was taken or signed
  #since = 0; // the order of the first message that came by hub; 0: none has
  #last = null; // of others, the highest message
  #kept = []; // in order
  #bytes = 0; // of their texts
  #floor = null; // the highest message that was let go
  #seen = new Set(); // digests: taken or refused, and our own; oldest first
  #absent = []; // digests that others named when they had not come here
  #outage = false; // something may be missing that nobody has named
  #voices = new Map(); // 'id session' → {signs, first: from which number on all should come, 0: unknown, top: taken, holes}
  #peers = new Map(); // id → {session, open, talks, has: digests, passed, ready: when its HAVE counts, 0: it does}
  #opened = []; // ids to which there is a connection, the oldest first
  #asked = new Map(); // digest → {peer, until}
  #repairAt = Infinity;
  #repaired = -Infinity;
  #out = { frames: [], shown: [] };

  constructor(self, session, keep) {
    this.#self = self;
    this.#session = session;
    this.#keep = Math.min(keep, KEEP.most);
  }

  /** What has to be done: frames [{to, frame}], shown [{message, history, missing}]. */
  flush() {
    const out = this.#out;
    this.#out = { frames: [], shown: [] };
    return out;
  }

  /** Whether what a member says in a session counts only if it is signed. */
  signs(id, session) { return this.#voices.get(`${id} ${session}`)?.signs ?? false; }

  /** What is kept, in order. */
  get kept() { return [...this.#kept]; }

  // ---- our own messages

  /** Our next message, to be signed and then given to signed. */
  prepare(key, { name, text, sent }) {
    this.#number++;
    this.#order = Math.min(this.#order + 1, Number.MAX_SAFE_INTEGER);
    return {
      author: this.#self, key, session: this.#session, number: this.#number, order: this.#order,
      after: this.#last?.digest ?? '', sent, name, text,
    };
  }

  /** One of our messages is signed, and none that we lack. */
  signed({ digest }) { this.#see(digest); }

  /** The hub has passed one of ours on, whole or without its signature: then the others get it from us. */
  passed(message, whole) {
    if (message.number <= this.#passed) return; // it was sent again
    this.#passed = message.number;
    this.#store(message);
    if (whole) return;
    for (const id of this.#opened) {
      if (this.#peers.get(id).talks) this.#send(id, { type: MESSAGES, messages: [message] });
    }
  }

  // ---- who is in the room

  joined(now, { id, session }) {
    if (this.#peers.get(id)?.session === session) return;
    this.left(now, id);
    this.#peers.set(id, { session, open: false, talks: false, has: [], passed: 0, ready: 0 });
  }

  left(now, id) {
    const peer = this.#peers.get(id);
    if (!peer) return;
    this.#peers.delete(id);
    this.#close(id);
    this.#tidy(`${id} ${peer.session}`);
    this.#ask(now);
  }

  /** There is another connection to a member. */
  opened(now, id) {
    const peer = this.#peers.get(id);
    if (!peer) return;
    this.#close(id);
    Object.assign(peer, { open: true, talks: false, has: [], ready: 0 });
    this.#opened.push(id);
    this.#tell(id, false);
    this.#ask(now);
  }

  #close(id) {
    this.#opened = this.#opened.filter((o) => o !== id);
    for (const [digest, { peer }] of this.#asked) if (peer === id) this.#asked.delete(digest);
  }

  /** We may have missed something, as after an outage. */
  missed(now) {
    this.#outage = true;
    this.#repair(now);
  }

  #repair(now) {
    if (this.#repairAt === Infinity) this.#repairAt = Math.max(now + REPAIR_DELAY, this.#repaired + REPAIR_EVERY);
  }

  // ---- what comes

  /** Takes a frame of a member. */
  receive(now, from, frame) {
    const peer = this.#peers.get(from);
    if (!peer?.open) return;
    if (frame.type === HAVE) this.#takeHave(now, from, peer, frame);
    else if (frame.type === WANT) this.#answer(from, frame.digests);
    for (const message of frame.messages) {
      if (this.#asked.get(message.digest)?.peer === from) {
        this.#asked.delete(message.digest);
        this.#take(now, message, true);
      } else if (message.author === from && message.session === peer.session) {
        this.live(now, message);
      }
    }
    this.#ask(now);
  }

  #takeHave(now, from, peer, { reply, passed, digests }) {
    this.#voice(`${from} ${peer.session}`).signs = true;
    Object.assign(peer, { talks: true, has: digests, passed, ready: now + SETTLING });
    if (reply) this.#tell(from, false);
  }

  // Makes a HAVE count, if it is time; false: it is not.
  #settle(now, id, peer) {
    if (peer.ready === 0 || now < peer.ready) return peer.ready === 0;
    peer.ready = 0;
    const voice = this.#voice(`${id} ${peer.session}`);
    if (voice.first === 0) Object.assign(voice, { first: peer.passed + 1, top: peer.passed });
    return true;
  }

  /** Drops a message, and does not ask for it again. */
  refuse({ digest }) {
    this.#see(digest);
    this.#asked.delete(digest);
  }

  /** Takes a message in the turn of its author's messages: what the hub brings of a member that is in the room. */
  live(now, message) {
    if (this.#seen.has(message.digest)) return;
    this.#take(now, message, false);
    if (this.#since === 0) this.#since = message.order;
  }

  /** Takes a message that the hub has kept for those who come later. */
  told(now, message) {
    if (this.#keep > 0) this.#take(now, message, true);
  }

  // Takes a message. early: its author may have said others since.
  #take(now, message, early) {
    const key = keyOf(message);
    if (this.#seen.has(message.digest) || key === `${this.#self} ${this.#session}`) return;
    this.#see(message.digest);
    const voice = this.#voice(key);
    voice.signs = true;
    const counted = count(voice, message.number, () => this.#kept.some((m) => m.number === message.number && keyOf(m) === key));
    const history = early || (counted?.late ?? true);
    if (!counted || (history && this.#isBelow(message))) {
      this.#tidy(key);
      return;
    }
    let { missing } = counted;
    if (!history && this.#lacks(message)) {
      missing++;
      this.#absent = [...this.#absent, message.after].slice(-ABSENT);
    }
    if (missing > 0 && !history) this.#repair(now); // of history the others know no more
    this.#order = Math.max(this.#order, message.order);
    if (!this.#last || compare(message, this.#last) > 0) this.#last = message;
    if (this.#store(message) || !history) this.#out.shown.push({ message, history, missing });
  }

  // Whether the author had seen a message that we should have.
  #lacks({ after, order }) {
    return after !== '' && this.#since > 0 && order - 1 > this.#since && !this.#seen.has(after);
  }

  // ---- what is kept

  #isBelow(message) { return this.#floor !== null && compare(message, this.#floor) <= 0; }

  // Keeps a message; false: it is not kept.
  #store(message) {
    if (this.#keep <= 0 || this.#isBelow(message)) return false;
    const at = this.#kept.findIndex((m) => compare(m, message) > 0);
    this.#kept.splice(at < 0 ? this.#kept.length : at, 0, message);
    this.#bytes += message.size;
    while (this.#kept.length > this.#keep || this.#bytes > BYTES) {
      this.#floor = this.#kept.shift();
      this.#bytes -= this.#floor.size;
      this.#tidy(keyOf(this.#floor));
    }
    return !this.#isBelow(message);
  }

  #see(digest) {
    this.#seen.add(digest);
    if (this.#seen.size > SEEN) this.#seen.delete(this.#seen.values().next().value);
  }

  #voice(key) {
    if (!this.#voices.has(key)) this.#voices.set(key, { signs: false, first: 0, top: 0, holes: [] });
    return this.#voices.get(key);
  }

  // Forgets a voice that is not in the room if nothing that it has said is kept.
  #tidy(key) {
    const [id, session] = key.split(' ');
    if (this.#peers.get(id)?.session !== session && !this.#kept.some((m) => keyOf(m) === key)) this.#voices.delete(key);
  }

  // ---- what the members tell each other

  #send(to, frame) { this.#out.frames.push({ to, frame }); }

  #tell(to, reply) {
    this.#send(to, { type: HAVE, reply, passed: this.#passed, digests: this.#kept.map(({ digest }) => digest) });
  }

  // Sends what a member wants, in order.
  #answer(to, wanted) {
    const want = new Set(wanted);
    const list = this.#kept.filter(({ digest }) => want.has(digest));
    for (let i = 0; i < list.length; i += BATCH) this.#send(to, { type: MESSAGES, messages: list.slice(i, i + BATCH) });
  }

  // Asks for what others keep and we have not seen, each message of one member.
  #ask(now) {
    for (const id of this.#opened) {
      const peer = this.#peers.get(id);
      if (!this.#settle(now, id, peer) || this.#keep <= 0) continue;
      peer.has = peer.has.filter((digest) => !this.#seen.has(digest));
      const want = [...new Set(peer.has)].filter((digest) => !this.#asked.has(digest));
      for (const digest of want) this.#asked.set(digest, { peer: id, until: now + PATIENCE });
      if (want.length > 0) this.#send(id, { type: WANT, digests: want });
    }
  }

  /** Does what is due. */
  tick(now) {
    for (const [digest, { peer: id, until }] of this.#asked) {
      if (now < until) continue;
      this.#asked.delete(digest);
      const peer = this.#peers.get(id); // has not answered, so it is not asked for this again
      peer.has = peer.has.filter((o) => o !== digest);
    }
    this.#ask(now);
    if (now < this.#repairAt) return;
    const lacking = this.#outage || this.#absent.some((digest) => !this.#seen.has(digest)) ||
      [...this.#voices.values()].some(({ holes }) => holes.length > 0);
    this.#repairAt = Infinity;
    this.#absent = [];
    this.#outage = false;
    if (!lacking || this.#keep <= 0) return;
    this.#repaired = now;
    for (const id of this.#opened) if (this.#peers.get(id).talks) this.#tell(id, true);
  }

  /** When tick is due; Infinity: it is not. */
  get next() {
    const ready = this.#opened.map((id) => this.#peers.get(id).ready || Infinity);
    return Math.min(this.#repairAt, ...ready, ...[...this.#asked.values()].map(({ until }) => until));
  }
}

// Takes a number of a voice: how many before it are missing, and whether it comes late; null: it cannot be.
function count(voice, number, used) {
  const hole = voice.holes.indexOf(number);
  if (voice.first === 0) {
    Object.assign(voice, { first: number, top: number });
    return { missing: 0, late: false };
  }
  if (number > voice.top) {
    const missing = number - voice.top - 1;
    for (let n = Math.max(voice.top + 1, number - HOLES); n < number; n++) voice.holes.push(n);
    voice.holes = voice.holes.slice(-HOLES);
    voice.top = number;
    return { missing: Math.min(missing, 2 ** 30), late: false };
  }
  if (hole >= 0) {
    voice.holes.splice(hole, 1);
    return { missing: 0, late: true };
  }
  return number < voice.first && !used() ? { missing: 0, late: true } : null;
}
