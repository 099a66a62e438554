// What applications see of a room's state, and its way to the other members: state.js decides, links carry its frames.

import { toBytes } from './data.js';
import { NoomError, optionsOf } from './errors.js';
import { Authors, Intake } from './intake.js';
import { isObject, parse } from './json.js';
import { BOUND, WANT, WRITTEN, attributesName, attributesOf, decodeFrame, encodeFrame, isName, textOf } from './records.js';
import { StateMachine } from './state.js';
import { Wake } from './wake.js';

const WANT_COST = 32; // records, which a member pays for asking us for all that we have of a writer

/** The first byte of its frames beside the messages of a link. */
export const STATE = 16;

const SECRET = Symbol('for the room alone');

export class State {
  #inside;

  /** Made only by the Room. */
  constructor(inside, secret) {
    if (secret !== SECRET) throw new TypeError('noom: use room.state');
    this.#inside = inside;
  }

  /** What shows under a key: {key, value, by, keep}; undefined: nothing does. */
  get(key) {
    const record = isName(key) ? this.#inside.machine.get(key) : null;
    return record ? this.#inside.entry(record) : undefined;
  }

  /** All that shows, sorted by key. */
  entries() {
    return this.#inside.machine.shown.filter(({ name }) => isName(name)).map((record) => this.#inside.entry(record));
  }

  /** Writes a value under a key. keep: it stays when we leave. */
  async set(key, value, options = {}) {
    const { keep = false } = optionsOf(options);
    if (typeof keep !== 'boolean') throw new NoomError('bad_argument', 'keep is true or false');
    checkKey(key);
    await this.#inside.write({ name: key, value: toBytes(value).slice(), keep });
  }

  /** Deletes what shows under a key, whoever has written it. */
  async delete(key) {
    checkKey(key);
    await this.#inside.write({ name: key, deleted: true });
  }
}

function checkKey(key) {
  if (!isName(key)) throw new NoomError('bad_key', 'a key of the room\'s state has 1 to 256 bytes of UTF-8 and does not begin with noom:');
}

/** A room's state with its driver. */
export class SharedState {
  machine;
  #room; // {identity, session, name, links(id) → link, peer(id), self() → Member, emit(type, fields), checkOpen()}
  #intake;
  #writing = Promise.resolve(); // our writes, one after the other
  #authors = new Authors();
  #wake = new Wake(() => this.#change((now) => this.machine.tick(now)));
  #over = false;

  constructor(room) {
    this.#room = room;
    this.machine = new StateMachine(room.identity.id, room.session);
    this.#intake = new Intake(room.links);
    /** What the application has. */
    this.state = new State(this, SECRET);
  }

  // ---- for the application

  entry(record) {
    const { name, value, keep } = record;
    return { key: name, value: value.slice(), by: this.#memberOf(record), keep };
  }

  #memberOf({ writer, session, key }) {
    const member = writer === this.#room.identity.id ? this.#room.self() : this.#room.peer(writer)?.member;
    return member?.session === session ? { ...member } : { id: writer, name: '', key: key.slice(), session };
  }

  /** The attributes of a member, as far as they have come here; null: none. */
  attributes(id) {
    const record = this.machine.get(attributesName(id));
    return record ? readAttributes(record.value) : null;
  }

  async setAttributes(attributes) {
    const value = toBytes(JSON.stringify(checkAttributes(copyOf(attributes))));
    if (value.length > BOUND.attributes) throw new NoomError('too_big', `attributes of ${value.length} bytes as JSON, at most ${BOUND.attributes}`);
    await this.write({ name: attributesName(this.#room.identity.id), value });
  }

  /** Writes, after all that was written before. */
  write(what) {
    const written = this.#writing.then(() => this.#writeNow(what));
    this.#writing = written.catch(() => {}); // its caller knows
    return written;
  }

  async #writeNow(what) {
    const { value } = what;
    if (value?.length > BOUND.value) throw new NoomError('too_big', `a value of ${value.length} bytes, at most ${BOUND.value}`);
    for (let refused = 'behind'; refused !== '';) {
      this.#room.checkOpen();
      if (what.deleted && !this.machine.get(what.name)) return;
      const { record, problem } = this.machine.prepare(this.#room.identity.key, what);
      if (problem) throw full();
      record.signature = await this.#room.identity.sign(textOf(record, this.#room.name));
      this.#change((now) => { refused = this.machine.write(now, record); }, false);
      if (refused === 'full') throw full(); // another's record has come while ours was signed
    }
  }

  // ---- from the room

  joined({ id, session }) { this.#change((now) => this.machine.joined(now, id, session)); }

  left({ id }) { this.#change((now) => this.machine.left(now, id)); }

  /** There is another connection to a member. */
  opened(id) { this.#change(() => this.machine.opened(id)); }

  /** Takes a frame of a member; conduct is what it may make us do. */
  came(id, conduct, bytes) {
    const frame = decodeFrame(bytes);
    if (!frame) return;
    const cost = frame.type === WANT ? WANT_COST : 1 + frame.records.length + Math.floor(frame.haves.length / 16);
    this.#intake.frame(id, conduct, {
      size: bytes.length, cost,
      check: () => Promise.all(frame.records.map((record) => this.machine.useful(record) && this.#isSigned(record))),
      take: (good) => this.#change((now) => this.machine.receive(now, id, { ...frame, records: frame.records.filter((_, i) => good[i]) })),
    });
  }

  close() {
    this.#over = true;
    this.#wake.stop();
  }

  // ----

  #isSigned(record) {
    return this.#authors.isSigned(record.writer, record.key, textOf(record, this.#room.name), record.signature);
  }

  // Changes the machine, and does what follows from it. The application is not told of what it has changed itself.
  #change(what, tell = true) {
    if (this.#over) return;
    const now = performance.now();
    what(now);
    const { frames, changes } = this.machine.flush();
    for (const { to, frame } of frames) {
      if (this.#room.links(to)?.sendAside(STATE, encodeFrame(frame), frame.type === WRITTEN) === false) this.machine.lost(to);
    }
    if (tell) for (const change of changes) this.#tell(change);
    if (!this.#over) this.#wake.at(this.machine.next(now));
  }

  #tell({ name, by, gone }) {
    const id = attributesOf(name);
    if (id === null) {
      this.#room.emit('statechanged', { key: name, value: gone ? null : by.value.slice(), by: this.#memberOf(by) });
      return;
    }
    const peer = this.#room.peer(id);
    if (peer) this.#room.emit('attributeschanged', { peer });
  }

}

const full = () => new NoomError('state_full', 'this member has too much in the room\'s state; delete some of it first');

// Attributes as an object of strings; null: they are none.
function readAttributes(value) {
  try {
    return checkAttributes(parse(new TextDecoder('utf-8', { fatal: true }).decode(value)));
  } catch {
    return null; // the member has signed something else
  }
}

function checkAttributes(attributes) {
  const right = isObject(attributes) && Object.entries(attributes).every(([name, text]) => isText(name) && isText(text));
  if (!right) throw new NoomError('bad_argument', 'attributes are an object whose members are strings');
  return attributes;
}

// What is written is what was checked, whatever the object does.
function copyOf(attributes) {
  try {
    return isObject(attributes) ? { ...attributes } : null;
  } catch {
    return null; // it does not let its members be read
  }
}

const isText = (text) => typeof text === 'string' && text.isWellFormed();
