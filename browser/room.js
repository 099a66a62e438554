// A joined room: what the application uses, and the hub's frames about ourselves. The roster has
// the others, hub.js the way to the hub.

import { isPair } from './codec.js';
import { toBytes } from './data.js';
import { NoomError, optionsOf, quoted } from './errors.js';
import { RoomEvents } from './events.js';
import { Hub } from './hub.js';
import { Identity, newLabel, newSession } from './identity.js';
import { MAX } from './limits.js';
import { checkSize } from './link.js';
import { Moderation } from './moderation.js';
import { cleanName, isID, nameProblem, roomProblem, textProblem } from './name.js';
import { Requests } from './requests.js';
import { may } from './rights.js';
import { Roster } from './roster.js';
import { Sender } from './sender.js';
import { Servers } from './servers.js';
import { hubURL } from './signaling.js';
import { Ears } from './speaker.js';

const REMEMBERED = 256; // chat ids, so that what is resent is shown once
const PATIENCE = 5_000; // ms for what was sent to arrive when we leave

// A bye about oneself, and the code the Room ends with.
const ENDED = new Map([['replaced', 'replaced'], ['kicked', 'kicked'], ['closed', 'room_closed'], ['expired', 'expired']]);

/**
 * Joins a room. Resolves once the hub has let us in; rejects with a NoomError. Events begin in the task after that, so
 * listeners set right behind the `await` miss none. See noom.d.ts for the options.
 */
export async function join(url, room, options = {}) {
  if (typeof RTCPeerConnection === 'undefined') throw new NoomError('unsupported', 'this browser has no WebRTC');
  checkOptions(optionsOf(options));
  const address = hubURL(url);
  const identity = options.identity ?? (await Identity.generate());
  const joining = new Room(address, cleanName(room), identity, options, SECRET);
  await joining[SECRET]();
  return joining;
}

const SECRET = Symbol('only join makes rooms');

export class Room extends RoomEvents {
  #name;
  #nickname; // the name that we asked for; the hub may have forced another
  #self = null; // Member, as the hub has it

  #hub;
  #requests = new Requests((message) => this.#hub.tell(message));
  #servers;
  #roster;
  #moderation;
  #senders = [];
  #ears = new Ears(() => this.peers, (id) => this.emit('activespeaker', { peer: this.peer(id) ?? null }));

  #shown = new Set(); // ids of chat that was delivered, oldest first
  #leaving = null; // the promise of leave, once it was called
  #hurry = () => {}; // ends its wait for what was sent
  #over = false;
  #gone = new AbortController(); // aborted when it is over
  #error = null;
  #ended; // resolves closed

  constructor(url, name, identity, options, secret) {
    if (secret !== SECRET) throw new TypeError('noom: use join');
    super();
    const nickname = cleanName(options.name ?? '');
    check('bad_room', 'room', name, roomProblem(name));
    check('bad_name', 'name', nickname, nameProblem(nickname));
    this.#name = name;
    this.#nickname = nickname;
    /** Resolves when the room is over, with the error it ended for or null. */
    this.closed = new Promise((resolve) => { this.#ended = resolve; });
    this.#assemble(url, identity, { connectTimeout: 15_000, dialTimeout: 5_000, redialMax: 2_000, verify: () => true, ...options });
    try {
      for (const t of options.tracks ?? []) this.#addSender(t?.track ?? t, t?.track ? t.name : undefined);
    } catch (error) {
      this.#gone.abort(); // the other tracks are no longer watched
      throw error;
    }
  }

  #assemble(url, identity, options) {
    const session = newSession();
    const emit = (...event) => this.emit(...event);
    this.#hub = new Hub({
      url, identity, session, room: this.#name, name: () => this.#nickname, options,
      member: {
        frame: (frame) => this.#handle(frame),
        lost: (error) => {
          this.#requests.release();
          this.emit('signalinglost', { error });
        },
        back: (joined) => this.#returned(joined),
        refused: (error) => this.#end(error),
      },
    });
    this.#servers = new Servers({
      own: options.iceServers,
      ask: () => this.#hub.tell({ type: 'servers' }),
      changed: () => this.#roster.links.forEach((link) => link.serversChanged()),
    });
    this.#moderation = new Moderation({
      self: () => this.self, member: (id) => this.peer(id)?.member ?? null, requests: this.#requests, emit,
    });
    this.#roster = new Roster({
      verify: options.verify,
      ears: this.#ears,
      room: { emit, over: () => this.#over, leaving: () => this.#leaving !== null, reborn: (member) => this.#hub.enqueue(() => this.#roster.welcome(member)) },
      self: { identity, session, room: this.#name },
      hub: this.#hub,
      senders: () => (this.may('publish') ? this.#senders : []),
      ask: (request) => this.#ask(request),
      checkRight: (right) => this.#checkRight(right),
      over: this.#gone.signal,
      options: { iceServers: () => this.#servers.list, connectTimeout: options.connectTimeout },
    });
  }

  async [SECRET]() {
    let joined;
    try {
      joined = await this.#hub.dial();
    } catch (error) {
      this.#gone.abort(); // the tracks are no longer watched
      throw error;
    }
    addEventListener('pagehide', this.#leaveWithPage);
    setTimeout(() => this.start());
    await this.#hub.enqueue(() => this.#joined(joined));
  }

  // ---- what the application uses

  /** The room's name in normal form. */
  get name() { return this.#name; }

  /** This member as the others see it. */
  get self() { return { ...this.#self }; }

  /** Everyone else, in join order. */
  get peers() { return this.#roster.peers; }

  /** The peer with that id, or undefined. */
  peer(id) { return this.#roster.get(id)?.peer; }

  /** What publish and the option tracks made, without what was closed. */
  get senders() { return [...this.#senders]; }

  /** Whether newcomers are kept out now. */
  get locked() { return this.#moderation.locked; }

  /** Why the room is over: null while it is not, and after leave. */
  get error() { return this.#error; }

  /** Sends a MediaStreamTrack to everyone, now and later. Returns its Sender at once. */
  publish(track, options = {}) {
    const { name } = optionsOf(options);
    this.#checkOpen();
    this.#checkRight('publish');
    const sender = this.#addSender(track, name);
    for (const link of this.#roster.links) link.addSender(sender);
    return sender;
  }

  /** Says text, 1 to 4096 bytes, to everyone; resolves once the hub has passed it on. */
  async chat(text) {
    checkChat(text);
    this.#checkOpen();
    await this.#requests.ask({ type: 'chat', id: newLabel(), text });
  }

  /** chat that never waits: false if there is no hub now, or too much waits for it, and nothing is said. */
  tryChat(text) {
    checkChat(text);
    this.#checkOpen();
    this.#checkRight('chat');
    if (!this.#hub.online || !this.#requests.room) return false;
    this.#requests.ask({ type: 'chat', id: newLabel(), text }).catch(() => {}); // the answer is not waited for
    return true;
  }

  /**
   * Sends data, up to 61440 bytes, to every peer; those that are being connected get it once they are. Rejects with an
   * AggregateError that names those that did not take it.
   */
  async send(data) {
    const bytes = toBytes(data);
    checkSize(bytes);
    this.#checkOpen();
    const { entries } = this.#roster;
    const results = await Promise.allSettled(entries.map(({ link }) => link.send(bytes)));
    const failed = results.flatMap((r, i) => (r.status === 'rejected' ? [Object.assign(r.reason, { peer: entries[i].peer })] : []));
    if (failed.length > 0) throw new AggregateError(failed, `noom: ${failed.length} of ${entries.length} peers did not take it`);
  }

  /** send that never waits; returns the peers that did not take it, because too much is on its way to them already. */
  trySend(data) {
    const bytes = toBytes(data);
    checkSize(bytes);
    this.#checkOpen();
    return this.#roster.entries.filter(({ link }) => !link.trySend(bytes)).map(({ peer }) => peer);
  }

  /** Changes the nickname; resolves once the hub has taken it. */
  async rename(name) {
    this.#checkOpen();
    const wanted = cleanName(name);
    check('bad_name', 'name', wanted, nameProblem(wanted));
    this.#nickname = wanted;
    await this.#requests.ask({ type: 'rename', name: wanted });
  }

  /** Whether we may publish, chat, kick, lock, mute or close. */
  may(right) { return may(this.#self, right); }

  /** Removes a member and keeps it out while the room is open. Takes the right kick. */
  async kick(id) {
    if (typeof id !== 'string' || !isID(id)) throw new NoomError('no_such_member', `kick: ${quoted(id)} is no member's id; take peer.id, which is not a name`);
    const session = this.#roster.get(id)?.link.member.session; // the hub may not know it, as after a restart
    await this.#ask({ type: 'kick', to: id, session });
  }

  /** Keeps newcomers out; members who lost their connection may return. Needs the right lock. */
  lock() { return this.#ask({ type: 'lock' }); }

  /** Ends a lock, by whichever member. Needs the right lock. */
  unlock() { return this.#ask({ type: 'unlock' }); }

  /** Ends the room for everyone. Takes the right close. */
  closeForAll() { return this.#ask({ type: 'close' }); }

  /**
   * Delivers what was sent and said, for at most timeout ms, says goodbye and closes every connection. Nothing new is
   * taken from now on. May be called again: the shortest time counts, and each call gives the same. Rejects with an
   * AggregateError that names the peers to which not everything is known to have arrived.
   */
  async leave(options = {}) {
    const { timeout = PATIENCE } = optionsOf(options);
    checkTime('timeout', timeout, 0);
    if (this.#over) return this.#leaving;
    this.#leaving ??= this.#depart();
    const timer = setTimeout(() => this.#hurry(), timeout);
    return this.#leaving.finally(() => clearTimeout(timer));
  }

  async #depart() {
    const impatience = new Promise((resolve) => { this.#hurry = resolve; });
    const { entries, links } = this.#roster;
    for (const link of links) link.seal();
    const answers = this.#hub.online ? [this.#requests.idle()] : [];
    const arrived = Promise.all([...answers, ...links.map((link) => link.deliver())]);
    await Promise.race([arrived, impatience, this.closed]);
    const failed = entries.flatMap(({ peer, link }) => undelivered(peer, link.undelivered));
    if (!this.#over) {
      await this.#sayGoodbye();
      this.#end(null);
    }
    if (failed.length > 0) throw new AggregateError(failed, `noom: left, and of ${entries.length} peers ${failed.length} may not have got everything`);
  }

  // Resolves when peers that no hub reaches know it.
  #sayGoodbye() {
    this.#hub.tell({ type: 'bye' });
    const unreached = this.#roster.links.filter((link) => !this.#hub.online || !link.present);
    return Promise.all(unreached.map((link) => link.farewell()));
  }

  async #ask(request) {
    this.#checkOpen();
    await this.#requests.ask(request);
  }

  // ---- what the hub says

  async #joined(joined) {
    this.#take(joined.self);
    this.#moderation.setLocked(joined.locked ?? false);
    this.#servers.take(joined);
    await this.#roster.joined(joined.members ?? [], joined.limits.members);
  }

  async #returned(joined) {
    await this.#joined(joined);
    while (this.#requests.confirm((r) => r.type === 'rename')); // which our join has set
    this.#requests.repeat();
    this.emit('signalingrestored');
  }

  async #handle(frame) {
    if (isPair(frame.type)) {
      this.#roster.get(frame.from)?.link.receive(frame);
      return;
    }
    switch (frame.type) {
      case 'welcome': return this.#roster.welcome(frame.member);
      case 'bye': return this.#bye(frame);
      case 'renamed': return this.#renamed(frame);
      case 'servers': return this.#servers.take(frame);
      case 'chat': return this.#chatted(frame);
      case 'locked': case 'unlocked': return this.#moderation.lockChanged(frame);
      case 'mute': return this.#moderation.muteRequested(frame);
      case 'error': return this.#refused(frame);
    }
  }

  // Takes what the hub says of us. Rights change only when we come back with
  // another token.
  #take(self) {
    const could = this.#self === null || this.may('publish');
    this.#self = self;
    const can = this.may('publish');
    if (could === can) return;
    for (const link of this.#roster.links) {
      for (const sender of this.#senders) {
        if (can) link.addSender(sender);
        else link.removeSender(sender);
      }
    }
  }

  #bye(frame) {
    const { from, reason } = frame;
    if (from === this.#self.id) {
      const code = ENDED.get(reason);
      if (code) this.#end(new NoomError(code, `out of the room: ${reason}`));
      return;
    }
    if (reason === 'kicked') this.#moderation.kicked(from);
    this.#roster.bye(frame);
  }

  #renamed(frame) {
    if (frame.from !== this.#self.id) {
      this.#roster.renamed(frame);
      return;
    }
    this.#self.name = frame.name ?? '';
    this.#requests.confirm((r) => r.type === 'rename');
  }

  #chatted({ from, id, text, at }) {
    if (from === this.#self.id) {
      this.#requests.confirm((r) => r.type === 'chat' && r.id === id);
      return;
    }
    const entry = this.#roster.get(from);
    const key = `${from} ${id}`;
    if (!entry || this.#shown.has(key)) return;
    this.#shown.add(key);
    if (this.#shown.size > REMEMBERED) this.#shown.delete(this.#shown.values().next().value);
    this.emit('chatreceived', { from: entry.peer.member, peer: entry.peer, text, at: new Date(at ?? 0) });
  }

  // The hub refused something we said; which, it says by type alone.
  #refused({ code, message, about }) {
    if (about === 'rename') this.#nickname = this.#self.name;
    this.#requests.refuse(about, new NoomError(code || 'refused', message || code || 'refused', { about }));
  }

  // ---- senders and the end

  #addSender(track, name = track?.kind === 'video' ? 'camera' : 'microphone') {
    const sender = new Sender(track, name, {
      carriers: () => this.#roster.links, over: this.#gone.signal,
      ended: (s) => { this.#senders = this.#senders.filter((other) => other !== s); },
    });
    this.#senders.push(sender);
    return sender;
  }

  #checkRight(right) {
    if (!this.may(right)) throw new NoomError('forbidden', `the hub does not let this member ${right}`);
  }

  #checkOpen() {
    if (this.#over || this.#leaving) throw new NoomError('closed', `the room "${this.#name}" is over`);
  }

  // A page that goes away, or into the back-forward cache, leaves, and can wait for nothing.
  #leaveWithPage = async () => {
    await this.#sayGoodbye();
    this.#end(null);
  };

  #end(error) {
    if (this.#over) return;
    this.#over = true;
    this.#gone.abort();
    this.#error = error;
    removeEventListener('pagehide', this.#leaveWithPage);
    this.#hub.close();
    this.#ears.close();
    this.#servers.close();
    this.#roster.close();
    this.#requests.end(new NoomError('closed', 'the room is over'), error?.code === 'room_closed');
    this.emit('closed', { error });
    this.end();
    this.#ended(error);
  }
}

function check(code, what, value, problem) {
  if (problem) throw new NoomError(code, `${what} ${quoted(value)}: ${problem}`);
}

function checkChat(text) {
  const problem = text === '' ? 'it is empty' : textProblem(text, MAX.chat);
  if (problem) throw new NoomError('bad_chat', `chat: ${problem}`);
}

function checkTime(what, ms, least) {
  // A timer of more ms than a number of 31 bits fires at once.
  if (!(Number.isFinite(ms) && ms >= least && ms <= MAX.number)) throw new NoomError('bad_argument', `${what} is a number of ms, ${least} to ${MAX.number}`);
}

function checkOptions({ token, verify, identity, iceServers, tracks, connectTimeout, dialTimeout, redialMax }) {
  const problem = token === undefined || typeof token === 'function' ? '' : textProblem(token, MAX.token);
  if (problem) throw new NoomError('bad_argument', `token: ${problem}`);
  if (verify !== undefined && typeof verify !== 'function') throw new NoomError('bad_argument', 'verify is a function');
  if (identity != null && !isIdentity(identity)) throw new NoomError('bad_argument', 'identity is what Identity.generate gives');
  for (const [what, list] of [['iceServers', iceServers], ['tracks', tracks]]) {
    if (list != null && !Array.isArray(list)) throw new NoomError('bad_argument', `${what} is an array`);
  }
  for (const [what, ms, least] of [['connectTimeout', connectTimeout, 1000], ['dialTimeout', dialTimeout, 100], ['redialMax', redialMax, 100]]) {
    if (ms !== undefined) checkTime(what, ms, least);
  }
}

const isIdentity = ({ id, key, sign }) => typeof id === 'string' && isID(id) && key instanceof Uint8Array && typeof sign === 'function';

// The error of a peer to which not everything is known to have arrived, if there is one.
function undelivered(peer, { messages, channels }) {
  if (messages === 0 && channels === 0) return [];
  const error = new NoomError('undelivered', `not known to have arrived at ${peer.name || peer.id} when we left: ${messages} messages, and what is in ${channels} channels; give leave more time`);
  return [Object.assign(error, { peer, messages, channels })];
}
