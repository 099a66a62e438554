// Decides about the state of a room: a map of small values that its members share without a hub (PROTOCOL.md section 4.8).
// The twin of Go's internal/state. Pure: it is given what happens, and what comes with good signatures, and times in ms, and
// collects what is to be sent and what has changed.

import {
  ANSWER, BOUND, HAVE, HAVES, WANT, WRITTEN, compare, digestOf, encodedSize, recordProblem, sizeOf,
} from './records.js';
import { MAX } from './limits.js';

const LIFE = 600_000; // of a tombstone, and of what does not show because its writer has gone
const TOLD = LIFE - 60_000; // for which tombstones are told to others, so that none lives on by going round
const PACE = 1_000; // between two of our haves
const PATIENCE = 5_000; // with a peer that we have asked
const CALM = 3_000; // after which what differs is not just on its way
const KNOWN = 2048; // writers of which a peer may say what it holds
const BATCH = MAX.data - 64; // bytes of records in a frame

const stays = (record) => record.keep || record.deleted;
const placeOf = (record) => (stays(record) ? `!${record.name}` : `~${record.name}`);
const byAge = (writer) => [...writer.records.values()].toSorted((a, b) => compare(a.record, b.record));
const sorted = (keys) => [...keys].toSorted();

export class StateMachine {
  #self;
  #session;
  #clock = 0; // the highest version taken
  #bytes = 0; // of names and values
  #entries = new Map(); // name → {base: what was kept or deleted last, over: what members have written since, what counts more first}
  #writers = new Map(); // id → writer
  #peers = new Map(); // id → peer
  #ahead = false; // a record was refused because its version was too far ahead
  #busy = false; // tick has something to do in a moment
  #due = Infinity; // when something expires
  #out = { frames: [], changes: [] };

  constructor(self, session) {
    this.#self = self;
    this.#session = session;
    this.#writer(self).session = session;
  }

  /** What has to be done: frames [{to, frame}], changes [{name, by: a record, gone}]. */
  flush() {
    const out = this.#out;
    this.#out = { frames: [], changes: [] };
    return out;
  }

  /** The record that shows under a name, or null. */
  get(name) {
    const entry = this.#entries.get(name);
    if (!entry) return null;
    const over = entry.over.find(({ record }) => this.#isPresent(record));
    if (over) return over.record;
    return entry.base && !entry.base.record.deleted ? entry.base.record : null;
  }

  /** All records that show, sorted by name. */
  get shown() { return sorted(this.#entries.keys()).map((name) => this.get(name)).filter((r) => r !== null); }

  /** Our next record, to be signed and given to write; {problem} if there cannot be one. */
  prepare(key, { name, value = new Uint8Array(), keep = false, deleted = false }) {
    const record = { writer: this.#self, key, session: this.#session, version: this.#clock + 1, keep, deleted, age: 0, name, value };
    const problem = recordProblem(record);
    if (problem) return { problem };
    return this.#fits(record) ? { record } : { problem: 'full' };
  }

  /** Takes our record and sends it; 'behind': another has come meanwhile, 'full', or '' if it is written. */
  write(now, record) {
    if (!this.#counts(record)) return 'behind';
    if (!this.#fits(record)) return 'full';
    const held = this.#put(now, record);
    for (const id of this.#talking) this.#send(id, { type: WRITTEN, records: [aged(now, held)] });
    return '';
  }

  /** Whether a record whose signature is good would be taken, whatever its version. */
  useful(record) {
    if (record.writer === this.#self && record.session === this.#session) return false; // we have it, or know better
    if (!stays(record) && !this.#isPresent(record)) return false;
    if (record.deleted && record.age >= LIFE) return false;
    return this.#counts(record) && this.#beyond(record) !== null && this.#hasRoom(record);
  }

  // ---- who is in the room

  joined(now, id, session) {
    if (id === this.#self) return;
    const writer = this.#writer(id);
    if (writer.session === session) return;
    this.#hide(now, writer);
    writer.met = true;
    for (const held of byAge(writer)) {
      if (stays(held.record)) continue;
      if (held.record.session === session) held.since = null;
      else this.#remove(now, held); // nothing of it comes back
    }
    this.#appear(writer, session);
    if (!this.#peers.has(id)) this.#peers.set(id, newPeer(false));
    for (const peer of this.#peers.values()) peer.tried.delete(id); // what was refused may be taken now
    this.#busy = true;
  }

  left(now, id) {
    const writer = this.#writers.get(id);
    if (!writer || id === this.#self) return;
    this.#release(id);
    this.#peers.delete(id);
    this.#hide(now, writer);
    writer.gone = now;
    this.#tidy(id);
    this.#boundAbsent(now);
    this.#busy = true;
  }

  /** There is another connection to a peer: what was on its way is lost. */
  opened(id) {
    if (!this.#peers.has(id)) return;
    this.#release(id);
    this.#peers.set(id, newPeer(true));
    this.#tell(id, true);
  }

  /** A frame for a peer was dropped, because too much waits for it. */
  lost(id) {
    const peer = this.#peers.get(id);
    if (!peer) return;
    peer.told.clear();
    this.#busy = true;
  }

  // ---- what comes

  /** Takes a frame of a peer, with the records whose signatures are good. */
  receive(now, from, frame) {
    const peer = this.#peers.get(from);
    if (!peer?.open) return;
    if (!peer.talks) { // what was written since it was connected was not sent to it
      peer.talks = true;
      this.#tell(from, false);
    }
    for (const record of frame.records) this.#take(now, record);
    if (frame.type === HAVE) this.#takeHave(now, peer, from, frame);
    else if (frame.type === WANT) this.#answer(now, from, frame.writer);
    else if (frame.type === ANSWER) this.#answered(now, peer, from, frame);
  }

  /** Does what is due, when next says so. */
  tick(now) {
    this.#busy = false;
    this.#expire(now);
    for (const id of sorted(this.#peers.keys())) {
      const peer = this.#peers.get(id);
      const about = peer.asking;
      if (about !== '' && now >= this.#writers.get(about).until) {
        this.#tryNot(peer, about);
        this.#release(id);
      }
      this.#busy ||= peer.asking !== '';
    }
    for (const id of this.#talking) this.#tell(id, false);
    this.#ask(now, this.#talking);
  }

  /** When tick is due; Infinity: it is not. */
  next(now) { return this.#busy ? Math.min(now + PACE, this.#due) : this.#due; }

  // ---- records

  #isPresent(record) { return this.#writers.get(record.writer)?.session === record.session; }

  #writer(id) {
    let writer = this.#writers.get(id);
    if (!writer) {
      // session: in which it is in the room, met: it has been there, live: records that are not deleted, digest of all that are
      // told, changed: when, asked: which peer was, until: when it is given up
      writer = { session: '', met: false, gone: 0, records: new Map(), live: 0, bytes: 0, digest: 0n, changed: -Infinity, asked: '', until: 0 };
      this.#writers.set(id, writer);
    }
    return writer;
  }

  // Returns a function that notes what has become of a name meanwhile; by is the record for which it may have.
  #watch(name) {
    const before = this.get(name);
    return (by) => {
      const now = this.get(name);
      if (now !== before) this.#out.changes.push({ name, by: now ?? by, gone: now === null });
    };
  }

  #counts(record) {
    const entry = this.#entries.get(record.name);
    if (!entry) return true;
    if (entry.base && compare(record, entry.base.record) <= 0) return false;
    const own = this.#writers.get(record.writer)?.records.get(placeOf(record));
    return !own || compare(record, own.record) > 0;
  }

  #take(now, record) {
    if (!this.useful(record)) return;
    if (record.version > Math.max(this.#clock, this.#roomClock) + BOUND.lead) this.#ahead = true;
    else {
      for (const held of this.#beyond(record)) {
        const look = this.#watch(held.record.name);
        this.#remove(now, held);
        look(held.record);
      }
      this.#put(now, record);
    }
  }

  // What a record of another member pushes out of its writer's bounds; null: itself. The newest have precedence, so that all
  // members that get the same records hold the same ones, whatever was signed.
  #beyond(record) {
    const writer = this.#writers.get(record.writer);
    if (!writer || record.deleted) return [];
    const own = writer.records.get(placeOf(record));
    const rest = byAge(writer).filter((held) => !held.record.deleted && held !== own);
    let live = 0;
    let bytes = 0;
    const out = [...rest, { record }].toSorted((a, b) => compare(b.record, a.record)).filter((held) => {
      const size = sizeOf(held.record);
      if (live === BOUND.names || bytes + size > BOUND.bytes) return true;
      live++;
      bytes += size;
      return false;
    });
    return out.some((held) => held.record === record) ? null : out;
  }

  // Whether a record of ours is within all bounds.
  #fits(record) { return this.#beyond(record)?.length === 0 && this.#hasRoom(record); }

  // Whether a record is within the bounds that hold for all writers, and for tombstones, which make room for newer ones.
  #hasRoom(record) {
    const writer = this.#writers.get(record.writer);
    const isNew = !writer || (writer.session === '' && writer.records.size === 0);
    if (isNew && this.#absent.length >= BOUND.absent && (!writer?.met || this.#stranger === '')) return false;
    if (record.deleted) {
      const oldest = oldestTombstone(writer);
      return !oldest || compare(record, oldest.record) > 0;
    }
    const own = writer?.records.get(placeOf(record))?.record;
    const instead = own && !own.deleted ? own : null;
    return this.#bytes + sizeOf(record) - (instead ? sizeOf(instead) : 0) <= BOUND.total;
  }

  // Takes a record that counts, in the place of what it replaces.
  #put(now, record) {
    const look = this.#watch(record.name);
    const writer = this.#writer(record.writer);
    if (!this.#entries.has(record.name)) this.#entries.set(record.name, { base: null, over: [] });
    const entry = this.#entries.get(record.name);
    const replaced = replace(entry, record);
    const held = { record, since: null, counted: false }; // since: it was deleted, or no longer showed
    if (stays(record)) entry.base = held;
    else {
      const at = entry.over.findIndex((other) => compare(record, other.record) > 0);
      entry.over.splice(at < 0 ? entry.over.length : at, 0, held);
    }
    for (const old of replaced) this.#forget(now, old);
    if (record.deleted) {
      held.since = now - record.age;
      const oldest = oldestTombstone(writer);
      if (oldest) this.#remove(now, oldest);
    }
    this.#count(now, writer, held);
    look(record);
    for (const old of replaced) this.#tidy(old.record.writer);
    if (writer.session === '') this.#boundAbsent(now);
    return held;
  }

  #count(now, writer, held) {
    const { record } = held;
    writer.records.set(placeOf(record), held);
    if (!record.deleted) {
      writer.live++;
      writer.bytes += sizeOf(record);
      this.#bytes += sizeOf(record);
    }
    if (!record.deleted || record.age < TOLD) {
      held.counted = true;
      writer.digest ^= digestOf(record);
    }
    this.#dueAt(held);
    writer.changed = now;
    this.#busy = true;
    this.#clock = Math.max(this.#clock, record.version);
  }

  #remove(now, held) {
    const { name } = held.record;
    const entry = this.#entries.get(name);
    if (entry.base === held) entry.base = null;
    entry.over = entry.over.filter((other) => other !== held);
    if (!entry.base && entry.over.length === 0) this.#entries.delete(name);
    this.#forget(now, held);
  }

  // Takes a record that is in no entry out of the sums.
  #forget(now, held) {
    const { record } = held;
    const writer = this.#writers.get(record.writer);
    writer.records.delete(placeOf(record));
    if (!record.deleted) {
      writer.live--;
      writer.bytes -= sizeOf(record);
      this.#bytes -= sizeOf(record);
    }
    this.#uncount(now, writer, held);
  }

  #uncount(now, writer, held) {
    if (!held.counted) return;
    held.counted = false;
    writer.digest ^= digestOf(held.record);
    writer.changed = now;
    this.#busy = true;
  }

  #tidy(id) {
    const writer = this.#writers.get(id);
    if (writer && writer.records.size === 0 && writer.session === '' && writer.asked === '') this.#writers.delete(id);
  }

  // ---- presence and time

  #appear(writer, session) {
    const looks = byAge(writer).filter(({ record }) => !stays(record)).map(({ record }) => [this.#watch(record.name), record]);
    writer.session = session;
    for (const [look, record] of looks) look(record);
  }

  #hide(now, writer) {
    if (writer.session === '') return;
    for (const held of byAge(writer)) {
      if (stays(held.record) || held.since !== null) continue;
      held.since = now;
      this.#dueAt(held);
    }
    this.#appear(writer, '');
  }

  get #absent() { return sorted([...this.#writers].filter(([, w]) => w.session === '' && w.records.size > 0).map(([id]) => id)); }

  // The absent writer that makes room for one that was in the room; '': there is none.
  get #stranger() { return this.#absent.find((id) => !this.#writers.get(id).met) ?? ''; }

  #boundAbsent(now) {
    for (let absent = this.#absent; absent.length > BOUND.absent; absent = this.#absent) {
      const id = this.#stranger || absent.reduce((a, b) => (this.#writers.get(b).gone < this.#writers.get(a).gone ? b : a));
      for (const held of byAge(this.#writers.get(id))) {
        const look = this.#watch(held.record.name);
        this.#remove(now, held);
        look(held.record);
      }
      this.#tidy(id);
    }
  }

  #expire(now) {
    this.#due = Infinity;
    for (const [id, writer] of this.#writers) {
      for (const held of writer.records.values()) {
        if (held.since === null) continue;
        if (now - held.since >= LIFE) {
          this.#remove(now, held);
          continue;
        }
        if (held.record.deleted && now - held.since >= TOLD) this.#uncount(now, writer, held);
        this.#dueAt(held);
      }
      this.#tidy(id);
    }
  }

  #dueAt(held) {
    if (held.since === null) return;
    this.#due = Math.min(this.#due, held.since + (held.record.deleted && held.counted ? TOLD : LIFE));
  }

  // ---- other members

  get #talking() { return sorted(this.#peers.keys()).filter((id) => this.#peers.get(id).open && this.#peers.get(id).talks); }

  // The upper median of the clocks that peers have.
  get #roomClock() {
    const clocks = [...this.#peers.values()].filter((p) => p.open && p.clock > 0).map((p) => p.clock).toSorted((a, b) => a - b);
    return clocks[Math.floor(clocks.length / 2)] ?? 0;
  }

  #digest(id) { return this.#writers.get(id)?.digest ?? 0n; }

  #send(to, frame) { this.#out.frames.push({ to, frame }); }

  #takeHave(now, peer, from, { clock, haves }) {
    const before = this.#roomClock;
    peer.clock = clock;
    for (const { writer, digest } of haves) {
      if (peer.known.has(writer) || peer.known.size < KNOWN) peer.known.set(writer, { digest, at: now });
    }
    if (this.#ahead && this.#roomClock > before) { // what was refused may be taken now
      this.#ahead = false;
      for (const other of this.#peers.values()) other.tried.clear();
    }
    this.#busy = true;
    this.#ask(now, [from]);
  }

  #answer(now, to, id) {
    let records = [];
    let size = 0;
    const writer = this.#writers.get(id);
    for (const held of writer ? byAge(writer) : []) {
      if (!held.counted) continue;
      size += encodedSize(held.record);
      if (size > BATCH) {
        this.#send(to, { type: ANSWER, writer: id, last: false, records });
        records = [];
        size = encodedSize(held.record);
      }
      records.push(aged(now, held));
    }
    this.#send(to, { type: ANSWER, writer: id, last: true, records });
  }

  #answered(now, peer, from, { writer, last }) {
    if (peer.asking !== writer) return; // it is late
    if (!last) {
      this.#writer(writer).until = now + PATIENCE;
      return;
    }
    this.#release(from);
    this.#tryNot(peer, writer);
    this.#ask(now, this.#talking);
  }

  // A peer need not be asked for a writer until something changes.
  #tryNot(peer, id) { peer.tried.set(id, [peer.known.get(id)?.digest ?? 0n, this.#digest(id)]); }

  // Waits no longer for a peer.
  #release(id) {
    const peer = this.#peers.get(id);
    if (!peer || peer.asking === '') return;
    const writer = this.#writers.get(peer.asking);
    if (writer) writer.asked = '';
    this.#tidy(peer.asking);
    peer.asking = '';
    this.#busy = true;
  }

  // Asks each of those peers for what we lack of it, unless it is being asked. It knows best about itself.
  #ask(now, ids) {
    for (const id of ids) {
      const peer = this.#peers.get(id);
      if (peer.asking !== '') continue;
      const about = [id, ...sorted(peer.known.keys())].find((writer) => this.#lacks(now, id, peer, writer));
      if (about === undefined) continue;
      Object.assign(this.#writer(about), { asked: id, until: now + PATIENCE });
      peer.asking = about;
      this.#busy = true;
      this.#send(id, { type: WANT, writer: about });
    }
  }

  #lacks(now, id, peer, about) {
    const known = peer.known.get(about);
    const ours = this.#digest(about);
    if (!known || known.digest === ours) return false;
    const tried = peer.tried.get(about);
    if (tried && tried[0] === known.digest && tried[1] === ours) return false;
    const writer = this.#writers.get(about);
    if (writer && writer.asked !== '') return false;
    if (about !== id && this.#reaches(about) && now - Math.max(known.at, writer?.changed ?? -Infinity) < CALM) {
      this.#busy = true;
      return false;
    }
    return true;
  }

  // Whether what a member writes comes to us at once.
  #reaches(id) {
    const peer = this.#peers.get(id);
    return id === this.#self || Boolean(peer?.open && peer.talks);
  }

  // Says to a peer what we hold: all, or what is not as we have said.
  #tell(id, all) {
    const { told } = this.#peers.get(id);
    const haves = [];
    for (const writer of sorted(this.#writers.keys())) {
      const digest = this.#digest(writer);
      if (digest === 0n || digest === told.get(writer) || haves.length >= HAVES) continue;
      told.set(writer, digest);
      haves.push({ writer, digest });
    }
    for (const writer of sorted(told.keys())) {
      if (this.#digest(writer) !== 0n || haves.length >= HAVES) continue;
      told.delete(writer);
      haves.push({ writer, digest: 0n });
    }
    if (all || haves.length > 0) this.#send(id, { type: HAVE, clock: this.#clock, haves });
  }
}

// open: there is, or was, a connection; talks: it has sent a frame over it; known: what it holds of each writer, and when it
// said so; told: what we have said; tried: what it was asked for in vain; asking: the writer that it is asked for.
const newPeer = (open) => ({ open, talks: false, clock: 0, known: new Map(), told: new Map(), tried: new Map(), asking: '' });

const aged = (now, { record, since }) => (record.deleted ? { ...record, age: Math.floor(now - since) } : record);

// The tombstone that makes room for the next; null: there is room.
function oldestTombstone(writer) {
  if (!writer || writer.records.size - writer.live < BOUND.tombstones) return null;
  return byAge(writer).find(({ record }) => record.deleted);
}

// Takes out of an entry what a record replaces: all before it if it stays, else what its writer has over the rest.
function replace(entry, record) {
  const goes = stays(record) ? (old) => compare(old.record, record) < 0 : (old) => old.record.writer === record.writer;
  const replaced = [...(stays(record) && entry.base ? [entry.base] : []), ...entry.over.filter(goes)];
  entry.over = entry.over.filter((old) => !goes(old));
  return replaced;
}
