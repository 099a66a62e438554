// A room one has joined: the roster, the connection to the hub and the way
// back to one after a loss. What concerns one peer alone is its Link's.

import { encode, isPair } from './codec.js';
import { toBytes } from './data.js';
import { NoomError } from './errors.js';
import { RoomEvents } from './events.js';
import { Identity, isGenuine, newLabel, newSession } from './identity.js';
import { MAX } from './limits.js';
import { byteLength, cleanName, nameProblem, roomProblem } from './name.js';
import { Peer } from './peer.js';
import { Requests } from './requests.js';
import { may } from './rights.js';
import { Sender } from './sender.js';
import { Servers } from './servers.js';
import { hubURL, Signaling } from './signaling.js';
import { Ears } from './speaker.js';

const REDIAL_FIRST = 100; // ms
const REMEMBERED = 256; // chat ids, so that what is resent is shown once
const MOST = 512; // members, whatever a hub says; a tab may make 500 connections in all
const PARKED = 64; // links kept for members who may come back

// A hub that says one of these will say it again.
const FINAL = new Set(['refused', 'bad_room', 'bad_name', 'bad_proof', 'malformed', 'replaced', 'kicked', 'closed']);
// A bye about oneself, and the code the Room ends with.
const ENDED = { replaced: 'replaced', kicked: 'kicked', closed: 'room_closed', expired: 'expired' };

/**
 * Joins a room. Resolves once the hub has let us in; rejects with a NoomError.
 * Events begin in the task after that, so listeners set right behind the
 * `await` miss none. See noom.d.ts for the options.
 */
export async function join(url, room, options = {}) {
  if (typeof RTCPeerConnection === 'undefined') throw new NoomError('unsupported', 'this browser has no WebRTC');
  const identity = options.identity ?? (await Identity.generate());
  const joining = new Room(hubURL(url), cleanName(room), identity, options, SECRET);
  await joining[SECRET]();
  return joining;
}

const SECRET = Symbol('only join makes rooms');

export class Room extends RoomEvents {
  #url;
  #name;
  #identity;
  #session = newSession();
  #options; // defaults filled in
  #nickname; // what we want to be called; the hub may have forced another
  #self = null; // Member, as the hub tells it
  #servers;

  #roster = new Map(); // id → {peer, link}, in join order
  #parked = new Map(); // id → {peer, link}: dropped, but the same session may come back
  #senders = [];
  #ears = new Ears(() => this.peers, (id) => this.emit('activespeaker', { peer: this.peer(id) ?? null }));

  #signaling = null;
  #inbox = Promise.resolve(); // frames of the hub, in order
  #requests = new Requests((message) => this.#tell(message));
  #locked = false;
  #shown = new Set(); // ids of chat that was delivered, oldest first
  #lies = new Set(); // of the hub, each told once
  #over = false;
  #error = null;
  #ended; // resolves closed

  constructor(url, name, identity, options, secret) {
    if (secret !== SECRET) throw new TypeError('noom: use join');
    super();
    const nickname = cleanName(options.name ?? '');
    check('bad_room', `room "${name}"`, roomProblem(name));
    check('bad_name', `name "${nickname}"`, nameProblem(nickname));
    this.#url = url;
    this.#name = name;
    this.#identity = identity;
    this.#nickname = nickname;
    this.#options = { connectTimeout: 15_000, dialTimeout: 5_000, redialMax: 2_000, verify: () => true, ...options };
    /** Resolves when the room is over, with the error it ended for or null. */
    this.closed = new Promise((resolve) => { this.#ended = resolve; });
    this.#servers = new Servers({
      own: this.#options.iceServers,
      ask: () => this.#tell({ type: 'servers' }),
      changed: () => this.#links().forEach((link) => link.serversChanged()),
    });
    for (const t of options.tracks ?? []) this.#addSender(t.track ?? t, t.track ? t.name : undefined);
  }

  async [SECRET]() {
    const joined = await this.#dial();
    addEventListener('pagehide', this.#leaveWithPage);
    setTimeout(() => this.start());
    await this.#enqueue(() => this.#joined(joined, true));
  }

  // ---- what the application uses

  /** The room's name in normal form. */
  get name() { return this.#name; }

  /** This member as the others see it. */
  get self() { return { ...this.#self }; }

  /** Everyone else, in join order. */
  get peers() { return [...this.#roster.values()].map((e) => e.peer); }

  /** The peer with that id, or undefined. */
  peer(id) { return this.#roster.get(id)?.peer; }

  /** What publish and the option tracks made, without what was closed. */
  get senders() { return [...this.#senders]; }

  /** Whether nobody can join now. */
  get locked() { return this.#locked; }

  /** Why the room is over: null while it is not, and after leave. */
  get error() { return this.#error; }

  /** Sends a MediaStreamTrack to everyone, now and later. Returns its Sender at once. */
  publish(track, { name } = {}) {
    this.#checkOpen();
    this.#checkRight('publish');
    const sender = this.#addSender(track, name);
    for (const link of this.#links()) link.addSender(sender);
    return sender;
  }

  /** Says text, 1 to 4096 bytes, to everyone; resolves once the hub has passed it on. */
  async chat(text) {
    this.#checkOpen();
    const size = byteLength(text);
    if (size < 1 || size > MAX.chat) throw new NoomError('bad_chat', `a chat text has 1 to ${MAX.chat} bytes, not ${size}`);
    await this.#requests.ask({ type: 'chat', id: newLabel(), text });
  }

  /**
   * Sends data, up to 61440 bytes, to every connected peer. Rejects with an
   * AggregateError that names those who got nothing.
   */
  async send(data) {
    this.#checkOpen();
    const bytes = toBytes(data);
    const connected = [...this.#roster.values()].filter(({ link }) => link.state === 'connected');
    const results = await Promise.allSettled(connected.map(({ link }) => link.send(bytes)));
    const failed = results.flatMap((r, i) => (r.status === 'rejected' ? [Object.assign(r.reason, { peer: connected[i].peer })] : []));
    if (failed.length > 0) throw new AggregateError(failed, `noom: ${failed.length} of ${connected.length} peers got nothing`);
  }

  /** Changes the nickname; resolves once the hub has taken it. */
  async rename(name) {
    this.#checkOpen();
    const wanted = cleanName(name);
    check('bad_name', `name "${wanted}"`, nameProblem(wanted));
    this.#nickname = wanted;
    await this.#requests.ask({ type: 'rename', name: wanted });
  }

  /** Whether we may publish, chat, kick, lock, mute or close. */
  may(right) { return may(this.#self, right); }

  /** Removes a member and keeps it out while the room is open. Takes the right kick. */
  kick(id) { return this.#ask({ type: 'kick', to: id }); }

  /** Lets nobody in any more but who was there and lost its connection. Takes the right lock. */
  lock() { return this.#ask({ type: 'lock' }); }

  /** Ends a lock, whoever's it was. Takes the right lock. */
  unlock() { return this.#ask({ type: 'unlock' }); }

  /** Ends the room for everyone. Takes the right close. */
  closeForAll() { return this.#ask({ type: 'close' }); }

  /** Says goodbye and closes every connection. May be called twice. */
  async leave() {
    this.#tell({ type: 'bye' });
    const unreached = this.#links().filter((link) => !this.#signaling?.open || !link.present);
    await Promise.all(unreached.map((link) => link.farewell())); // in-band: no hub tells them
    this.#end(null);
  }

  // ---- the hub

  #tell(message) {
    this.#signaling?.send(encode(message));
  }

  async #ask(request) {
    this.#checkOpen();
    await this.#requests.ask(request);
  }

  async #dial() {
    const { token: source, dialTimeout } = this.#options;
    const token = typeof source === 'function' ? await source() : source;
    const { signaling, joined } = await Signaling.open({
      url: this.#url, identity: this.#identity, session: this.#session, room: this.#name, name: this.#nickname, token,
      timeout: dialTimeout,
      onFrame: (frame) => this.#enqueue(() => this.#handle(frame)),
      onClose: (error) => this.#lostHub(error),
      invited: (frame) => this.#invited(frame),
    });
    if (this.#over) signaling.close();
    else this.#signaling = signaling;
    return joined;
  }

  // The error to lose the hub with, if a frame tells us to go and come back.
  #invited({ type, from, reason, retry }) {
    if (type !== 'bye' || from !== this.#identity.id) return null;
    if (reason === 'restart') return new NoomError('shutting_down', 'the hub restarts', { retry });
    if (reason === 'expired' && typeof this.#options.token === 'function') return new NoomError('expired', 'a new token is due');
    return null;
  }

  #enqueue(step) {
    this.#inbox = this.#inbox.then(() => (this.#over ? undefined : step())).catch((error) => console.error(error));
    return this.#inbox;
  }

  // Calls go on without a hub; redial until there is one again.
  async #lostHub(error) {
    this.#signaling = null;
    if (this.#over) return;
    this.emit('signalinglost', { error });
    let { retry = 0 } = error;
    for (let pause = REDIAL_FIRST; ; pause = Math.min(2 * pause, this.#options.redialMax)) {
      await new Promise((resolve) => { setTimeout(resolve, Math.max(pause * (0.5 + Math.random() / 2), retry * (1 + Math.random()))); });
      if (this.#over) return;
      try {
        const joined = await this.#dial();
        this.#enqueue(() => this.#joined(joined, false));
        return;
      } catch (refusal) {
        if (FINAL.has(refusal.code)) {
          this.#end(refusal);
          return;
        }
        retry = refusal.retry ?? 0;
      }
    }
  }

  async #joined(joined, first) {
    this.#take(joined.self);
    this.#lock(joined.locked ?? false, null);
    this.#servers.take(joined);
    const here = new Set();
    for (const member of joined.members ?? []) {
      const entry = await this.#admit(member, true);
      if (!entry) continue;
      here.add(member.id);
      entry.link.online();
    }
    for (const { link } of this.#roster.values()) {
      if (!here.has(link.member.id)) link.lost();
    }
    if (first) return;
    while (this.#requests.confirm((r) => r.type === 'rename')); // which our join has told
    this.#requests.repeat();
    this.emit('signalingrestored');
  }

  // Makes sure that a member is in the roster and returns its entry; null if it must not be.
  async #admit(member, existing) {
    if (member.id === this.#identity.id) return null;
    if (!(await isGenuine(member))) return this.#lied('a false member was ignored');
    const known = this.#roster.get(member.id);
    if (known?.link.member.session === member.session) {
      this.#rename(known, member.name);
      known.link.setRights(member.rights);
      return known;
    }
    if (known) this.#drop(known, 'lost'); // what belonged to another session is over
    if (this.#roster.size >= MOST) return this.#lied('a member beyond the bound was ignored');
    if (!(await this.#verified(member)) || this.#over) return null;
    return this.#add(member, existing);
  }

  async #verified(member) {
    try {
      return (await this.#options.verify(member)) !== false;
    } catch (error) {
      console.info(`noom: member ${member.id} refused`, error);
      return false;
    }
  }

  // Tells, once for each kind, of what an honest hub never says.
  #lied(what) {
    if (!this.#lies.has(what)) console.warn(`noom: ${what}; the hub may be lying`);
    this.#lies.add(what);
    return null;
  }

  // ---- frames

  async #handle(frame) {
    if (isPair(frame.type)) {
      this.#roster.get(frame.from)?.link.receive(frame);
      return;
    }
    switch (frame.type) {
      case 'welcome': return this.#welcome(frame.member);
      case 'bye': return this.#bye(frame);
      case 'renamed': return this.#renamed(frame);
      case 'servers': return this.#servers.take(frame);
      case 'chat': return this.#chatted(frame);
      case 'locked': case 'unlocked': return this.#lockChanged(frame);
      case 'mute': return this.#muteRequested(frame);
      case 'error': return this.#refused(frame);
    }
  }

  async #welcome(member) {
    const entry = await this.#admit(member, false);
    if (!entry) return;
    entry.link.present = true;
    if (entry.link.living) entry.link.online();
    else entry.link.begin();
  }

  #bye({ from, session, reason }) {
    if (from === this.#identity.id) {
      const code = ENDED[reason];
      if (code) this.#end(new NoomError(code, `out of the room: ${reason}`));
      return;
    }
    if (reason === 'kicked') this.#requests.confirm((r) => r.type === 'kick' && r.to === from);
    const entry = this.#roster.get(from);
    if (!entry || entry.link.member.session !== session) return;
    if (reason === 'lost') entry.link.lost();
    else this.#drop(entry, reason);
  }

  #lockChanged({ type, from }) {
    if (from === this.#identity.id) this.#requests.confirm((r) => r.type === (type === 'locked' ? 'lock' : 'unlock'));
    this.#lock(type === 'locked', this.#member(from));
  }

  #lock(locked, by) {
    if (this.#locked === locked) return;
    this.#locked = locked;
    this.emit('roomlocked', { locked, by });
  }

  #muteRequested({ from, to, name = '' }) {
    if (from === this.#identity.id) this.#requests.confirm((r) => r.type === 'mute' && r.to === to && r.name === name);
    const by = this.#member(from);
    if (to === this.#identity.id && by) this.emit('muterequested', { by, track: name });
  }

  #member(id) {
    return id === this.#identity.id ? this.self : this.#roster.get(id)?.peer.member ?? null;
  }

  // Takes what the hub says of us. Rights change only when we come back with
  // another token.
  #take(self) {
    const could = this.#self === null || this.may('publish');
    this.#self = self;
    const can = this.may('publish');
    if (could === can) return;
    for (const link of this.#links()) {
      for (const sender of this.#senders) {
        if (can) link.addSender(sender);
        else link.removeSender(sender);
      }
    }
  }

  #renamed({ from, name = '' }) {
    if (from === this.#identity.id) {
      this.#self.name = name;
      this.#requests.confirm((r) => r.type === 'rename');
    } else if (this.#roster.has(from)) {
      this.#rename(this.#roster.get(from), name);
    }
  }

  #chatted({ from, id, text, at }) {
    if (from === this.#identity.id) {
      this.#requests.confirm((r) => r.type === 'chat' && r.id === id);
      return;
    }
    const entry = this.#roster.get(from);
    const key = `${from} ${id}`;
    if (!entry || this.#shown.has(key)) return;
    this.#shown.add(key);
    if (this.#shown.size > REMEMBERED) this.#shown.delete(this.#shown.values().next().value);
    this.emit('chatreceived', { from: { ...entry.link.member }, peer: entry.peer, text, at: new Date(at ?? 0) });
  }

  // The hub refused something we said; which, it says by type alone.
  #refused({ code, message, about }) {
    if (about === 'rename') this.#nickname = this.#self.name;
    this.#requests.refuse(about, new NoomError(code || 'refused', message || code || 'refused', { about }));
  }

  // ---- the roster

  #rename(entry, name) {
    const old = entry.link.member.name;
    if (old === name) return;
    entry.link.member.name = name;
    this.emit('peerrenamed', { peer: entry.peer, old });
  }

  // A member we do not know in this session.
  #add(member, existing) {
    let entry = this.#parked.get(member.id);
    this.#parked.delete(member.id);
    if (entry?.link.member.session === member.session) {
      entry.link.member = member;
      entry.link.present = true;
      entry.link.reopen();
    } else {
      entry = this.#newEntry(member);
    }
    this.#roster.set(member.id, entry);
    this.emit('peerjoined', { peer: entry.peer, existing });
    return entry;
  }

  #newEntry(member) {
    const entry = { peer: null, link: null };
    const about = (type, fields, taken) => this.emit(type, { peer: entry.peer, ...fields }, taken);
    entry.peer = new Peer({
      attach: (link) => { entry.link = link; },
      member,
      self: { identity: this.#identity, session: this.#session, room: this.#name },
      hub: this.#hubForLinks(),
      senders: () => (this.may('publish') ? this.#senders : []),
      ask: (request) => this.#ask(request),
      checkRight: (right) => this.#checkRight(right),
      options: { iceServers: () => this.#servers.list, connectTimeout: this.#options.connectTimeout },
      report: {
        state: (state, error) => about('peerstatechanged', { state, error }),
        dead: () => this.#drop(entry, 'lost'),
        left: () => this.#drop(entry, 'left', (link) => link.fade()),
        stale: (session) => this.#enqueue(() => this.#welcome({ ...entry.link.member, session })),
        data: (data, taken) => about('datareceived', { data }, taken),
        channelOpened: (channel) => about('channelopened', { channel }),
        refused: (sender, codec) => about('trackrefused', { sender, codec }),
        trackAdded: (track) => {
          if (track.kind === 'audio') this.#ears.open();
          about('trackadded', { track });
        },
        trackRemoved: (track) => about('trackremoved', { track }),
        trackChanged: (track) => about('trackchanged', { track }),
        trackMuted: (track) => about('trackmuted', { track, muted: track.muted }),
      },
    });
    return entry;
  }

  #hubForLinks() {
    const signaling = () => this.#signaling;
    return {
      send: (frame) => signaling()?.send(frame) ?? false,
      get online() { return signaling()?.open ?? false; },
    };
  }

  #drop(entry, reason, end = (link) => link.close()) {
    const { member } = entry.link;
    if (this.#roster.get(member.id) !== entry) return;
    this.#roster.delete(member.id);
    end(entry.link);
    this.#ears.forget(member.id);
    if (reason === 'lost') {
      this.#parked.set(member.id, entry);
      if (this.#parked.size > PARKED) this.#parked.delete(this.#parked.keys().next().value);
    }
    this.emit('peerleft', { peer: entry.peer, member: { ...member }, reason });
  }

  #links() {
    return [...this.#roster.values()].map((e) => e.link);
  }

  // ---- senders and the end

  #addSender(track, name = track.kind === 'video' ? 'camera' : 'microphone') {
    const sender = new Sender(track, name, () => this.#links(), (s) => {
      this.#senders = this.#senders.filter((other) => other !== s);
    });
    this.#senders.push(sender);
    return sender;
  }

  #checkRight(right) {
    if (!this.may(right)) throw new NoomError('forbidden', `the hub does not let this member ${right}`);
  }

  #checkOpen() {
    if (this.#over) throw new NoomError('closed', `the room "${this.#name}" is over`);
  }

  // A page that goes away, or into the back-forward cache, leaves.
  #leaveWithPage = () => this.leave();

  #end(error) {
    if (this.#over) return;
    this.#over = true;
    this.#error = error;
    removeEventListener('pagehide', this.#leaveWithPage);
    this.#signaling?.close();
    this.#signaling = null;
    this.#ears.close();
    this.#servers.close();
    for (const link of this.#links()) link.close();
    this.#roster.clear();
    this.#requests.end(new NoomError('closed', 'the room is over'), error?.code === 'room_closed');
    this.emit('closed', { error });
    this.end();
    this.#ended(error);
  }
}

function check(code, what, problem) {
  if (problem) throw new NoomError(code, `${what}: ${problem}`);
}
