// A joined room: what the application uses, and the hub's frames about ourselves. The roster has
// the others, hub.js the way to the hub.

import { topicIn, topicOf } from './asking.js';
import { Budget } from './budget.js';
import { CHAT, Chat, checkChat } from './chat.js';
import { isPair } from './codec.js';
import { toBytes } from './data.js';
import { NoomError, optionsOf, quoted } from './errors.js';
import { RoomEvents } from './events.js';
import { Hub } from './hub.js';
import { Identity, newSession } from './identity.js';
import { Farewell } from './leave.js';
import { checkSize } from './link.js';
import { Moderation } from './moderation.js';
import { cleanName, isID, nameProblem, roomProblem } from './name.js';
import { check, checkOptions, checkTime, checkTrace } from './options.js';
import { atHome, webrtcOf } from './platform.js';
import { Published } from './publish.js';
import { Requests } from './requests.js';
import { may } from './rights.js';
import { Roster } from './roster.js';
import { Servers } from './servers.js';
import { SharedState } from './shared.js';
import { hubURL } from './signaling.js';
import { Ears } from './speaker.js';
import { Tracer } from './trace.js';

const PATIENCE = 5_000; // ms for what was sent to arrive when we leave

/**
 * Joins a room. Resolves once the hub has let us in; rejects with a NoomError. Events begin in the task after that, so
 * listeners set right behind the `await` miss none. See noom.d.ts for the options.
 */
export async function join(url, room, options = {}) {
  checkOptions(optionsOf(options));
  const webrtc = webrtcOf(options);
  const address = Array.isArray(url) ? url.map(hubURL) : [hubURL(url)];
  if (address.length === 0) throw new NoomError('bad_argument', 'the array of hubs\' addresses is empty');
  if (address.length > 1 && options.httpURL !== undefined) throw new NoomError('bad_argument', 'httpURL is for one hub; several speak HTTP next to their addresses');
  const httpURL = options.httpURL === undefined ? undefined : hubURL(options.httpURL);
  const identity = options.identity ?? (await Identity.generate());
  const joining = new Room(address, cleanName(room), identity, { ...options, webrtc, httpURL }, SECRET);
  await joining[SECRET]();
  return joining;
}

const SECRET = Symbol('only join makes rooms');

// The options without those that are undefined, which stand for the default too.
const given = (options) => Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

export class Room extends RoomEvents {
  #name;
  #self = null; // Member, as the hub has it

  #hub;
  #requests = new Requests((message) => this.#hub.tell(message));
  #servers;
  #roster;
  #moderation;
  #chat;
  #tracer;
  #ears = new Ears(() => this.peers, (id) => this.emit('activespeaker', { peer: this.peer(id) ?? null }));
  #farewell = new Farewell({
    entries: () => this.#roster.entries, hub: () => this.#hub, answered: () => this.#chat.signed.then(() => this.#requests.idle()),
    ended: (error, atOnce) => this.#ended(error, atOnce),
  });

  #published;
  #shared;

  #handlers = new Map(); // topic → function that answers questions

  constructor(url, name, identity, options, secret) {
    if (secret !== SECRET) throw new TypeError('noom: use join');
    super();
    const nickname = cleanName(options.name ?? '');
    check('bad_room', 'room', name, roomProblem(name));
    check('bad_name', 'name', nickname, nameProblem(nickname));
    this.#name = name;
    /** Resolves when the room is over, with the error it ended for or null. */
    this.closed = this.#farewell.closed;
    this.#published = new Published(options.webrtc, () => this.#roster.links, this.#farewell.signal);
    this.#tracer = new Tracer((id) => this.peer(id), options.trace);
    this.#assemble(url, identity, { connectTimeout: 15_000, dialTimeout: 10_000, redialMax: 2_000, verify: () => true, ...given(options), name: nickname });
    try {
      for (const t of options.tracks ?? []) this.#published.add(t?.track ?? t, t?.track ? t : undefined);
    } catch (error) {
      this.#farewell.abandon(); // the other tracks are no longer watched
      throw error;
    }
  }

  #assemble(url, identity, options) {
    const session = newSession();
    const emit = (...event) => this.emit(...event);
    const trace = (...frame) => this.#tracer.frame(...frame);
    this.#hub = new Hub({
      url, identity, session, room: this.#name, name: () => this.#self?.name ?? options.name, sends: () => this.#published.kinds, options, trace,
      member: {
        frame: (frame) => this.#handle(frame),
        lost: (error) => {
          this.#requests.release();
          this.emit('signalinglost', { error });
        },
        back: (joined) => this.#returned(joined),
        refused: (error) => this.#farewell.end(error),
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
    const members = {
      identity, session, name: this.#name, links: (id) => this.#roster.get(id)?.link, peer: (id) => this.peer(id), self: () => this.#self, emit,
    };
    this.#chat = new Chat({
      ...members, history: options.history, requests: this.#requests, online: () => this.#hub.online, over: () => this.#farewell.over,
      verify: (member) => this.#roster.verified(member), lied: (what) => this.#roster.lied(what),
    });
    this.#shared = new SharedState({ ...members, checkOpen: () => this.#checkOpen() });
    const each = (what) => (about) => [this.#shared, this.#chat].forEach((part) => part[what](about));
    this.#roster = new Roster({
      verify: options.verify,
      ears: this.#ears,
      room: {
        emit, handler: (topic, peer) => this.#handlerOf(topic, peer), over: () => this.#farewell.over, beside: {
          joined: each('joined'), left: each('left'), opened: each('opened'),
          came: (kind, ...frame) => (kind === CHAT ? this.#chat : this.#shared).came(...frame),
        }, leaving: () => this.#farewell.leaving, reborn: (member) => this.#hub.enqueue(() => this.#roster.welcome(member)),
      },
      self: { identity, session, room: this.#name },
      hub: this.#hub,
      senders: () => (this.may('publish') ? this.#published.senders : []),
      attributes: (id) => this.#shared.attributes(id),
      ask: (request) => this.#ask(request),
      checkRight: (right) => this.#checkRight(right),
      over: this.#farewell.signal,
      options: {
        iceServers: () => this.#servers.list, connectTimeout: options.connectTimeout, webrtc: options.webrtc, atHome: url.some(atHome), preferred: [...(options.preferredCodecs ?? [])], budget: new Budget(options.uplink), maxFileSize: options.maxFileSize, trace,
        arrival: () => this.#hub.arrival,
      },
    });
  }

  async [SECRET]() {
    try {
      await this.#hub.dial((joined) => {
        this.#farewell.joined();
        return this.#joined(joined);
      });
    } catch (error) {
      this.#farewell.abandon(); // the tracks are no longer watched
      throw error;
    }
    setTimeout(() => this.start()); // and so when join has resolved, however long members take to check
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

  /** The map of small values that the members share: see noom.d.ts. */
  get state() { return this.#shared.state; }

  /** Sets what others see as peer.attributes of this member: an object of strings, at most 4096 bytes as JSON. */
  async setAttributes(attributes) {
    this.#checkOpen();
    await this.#shared.setAttributes(attributes);
  }

  /** What publish and the option tracks made, without what was closed. */
  get senders() { return this.#published.senders; }

  /** Whether newcomers are kept out now. */
  get locked() { return this.#moderation.locked; }

  /** Why the room is over: null while it is not, and after leave. */
  get error() { return this.#farewell.error; }

  /** The function that is called for each frame, as by the option of join; null: none. */
  get trace() { return this.#tracer.to; }

  set trace(to) {
    checkTrace(to);
    this.#tracer.to = to;
  }

  /** Sends a MediaStreamTrack to everyone, now and later. Returns its Sender at once. */
  publish(track, options = {}) {
    const { name, maxBitrate } = optionsOf(options);
    this.#checkOpen();
    this.#checkRight('publish');
    return this.#published.add(track, { name, maxBitrate });
  }

  /** Says text, 1 to 4096 bytes, to everyone; resolves once the hub has passed it on. */
  async chat(text) {
    checkChat(text);
    this.#checkOpen();
    await this.#chat.say(text);
  }

  /** chat that never waits: false if there is no hub now, or too much waits for it, and nothing is said. */
  tryChat(text) {
    checkChat(text);
    this.#checkOpen();
    this.#checkRight('chat');
    return this.#chat.trySay(text);
  }

  /**
   * Sends data, up to 61440 bytes, to every peer; those that are being connected get it once they are. Rejects with an
   * AggregateError that names those that did not take it. topic is that of peer.send.
   */
  async send(data, options = {}) {
    const topic = topicIn(options);
    const bytes = toBytes(data);
    checkSize(bytes);
    this.#checkOpen();
    const { entries } = this.#roster;
    const results = await Promise.allSettled(entries.map(({ link }) => link.send(bytes, topic)));
    const failed = results.flatMap((r, i) => (r.status === 'rejected' ? [Object.assign(r.reason, { peer: entries[i].peer })] : []));
    if (failed.length > 0) throw new AggregateError(failed, `noom: ${failed.length} of ${entries.length} peers did not take it`);
  }

  /** send that never waits; returns the peers that did not take it, because too much is on its way to them already. */
  trySend(data, options = {}) {
    const topic = topicIn(options);
    const bytes = toBytes(data);
    checkSize(bytes);
    this.#checkOpen();
    return this.#roster.entries.filter(({ link }) => !link.trySend(bytes, topic)).map(({ peer }) => peer);
  }

  /**
   * Has answer(peer, data, {signal}) called for each question under a topic; what it returns or resolves to, as send
   * takes it, is the answer. What it throws refuses the question, by its code if that is one. It replaces what the topic
   * had; null: nothing answers it any longer.
   */
  handle(topic, answer) {
    const name = topicOf(topic);
    if (answer === null) this.#handlers.delete(name);
    else if (typeof answer === 'function') this.#handlers.set(name, answer);
    else throw new NoomError('bad_argument', 'handle takes a function, or null');
  }

  #handlerOf(topic, peer) {
    const answer = this.#handlers.get(topic);
    return answer && ((...question) => answer(peer, ...question));
  }

  /** Changes the nickname; resolves once the hub has taken it. */
  async rename(name) {
    this.#checkOpen();
    const wanted = cleanName(name);
    check('bad_name', 'name', wanted, nameProblem(wanted));
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
    return this.#farewell.leave(timeout);
  }

  async #ask(request) {
    this.#checkOpen();
    await this.#requests.ask(request);
  }

  #checkRight(right) {
    if (!this.may(right)) throw new NoomError('forbidden', `the hub does not let this member ${right}`);
  }

  #checkOpen() {
    if (this.#farewell.over || this.#farewell.leaving) throw new NoomError('closed', `the room "${this.#name}" is over`);
  }

  // ---- what the hub says

  async #joined(joined) {
    this.#take(joined.self);
    this.#moderation.setLocked(joined.locked ?? false);
    this.#servers.take(joined);
    const { members = [], place = 0 } = joined;
    await this.#roster.joined(members, place > 0 ? place - 1 : members.length, joined.limits.members);
  }

  async #returned(joined) {
    await this.#joinedAgain(joined);
    this.emit('signalingrestored');
  }

  // After a return, or because the room may be at another hub now: then nothing was lost that an application could see.
  async #joinedAgain(joined) {
    await this.#joined(joined);
    this.#requests.repeat();
    this.#chat.missed();
  }

  async #handle(frame) {
    if (isPair(frame)) {
      this.#roster.get(frame.from)?.link.receive(frame);
      return;
    }
    switch (frame.type) {
      case 'joined': return this.#joinedAgain(frame);
      case 'welcome': return this.#roster.welcome(frame.member, frame.sends, frame.card);
      case 'bye': return this.#bye(frame);
      case 'renamed': return this.#renamed(frame);
      case 'servers': return this.#servers.take(frame);
      case 'chat': return this.#chat.take(frame);
      case 'said': return this.#chat.told(frame);
      case 'locked': case 'unlocked': return this.#moderation.lockChanged(frame);
      case 'mute': return this.#moderation.muteRequested(frame);
      case 'error': return this.#refused(frame);
    }
  }

  // Takes what the hub says about us. Rights change only when we come back with
  // another token.
  #take(self) {
    const could = this.#self === null || this.may('publish');
    this.#self = self;
    const can = this.may('publish');
    if (could !== can) this.#published.allow(can);
  }

  #bye(frame) {
    const { from, reason } = frame;
    if (from === this.#self.id) {
      this.#farewell.dismissed(reason);
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
    this.#requests.confirm((r) => r.type === 'rename' && r.name === this.#self.name);
  }

  // The hub refused something we said; which, it says by type alone.
  #refused({ code, message, about }) {
    this.#requests.refuse(about, new NoomError(code || 'refused', message || code || 'refused', { about }));
  }

  // The farewell has ended the room.
  #ended(error, atOnce) {
    this.#hub.close();
    this.#ears.close();
    this.#servers.close();
    this.#shared.close();
    this.#chat.close();
    this.#roster.close(atOnce);
    this.#requests.end(new NoomError('closed', 'the room is over'), error?.code === 'room_closed');
    this.emit('closed', { error });
    this.end();
  }
}
