// The members of a room: a Peer and its Link for each, from its welcome to its bye, and those that
// were lost and may come back.

import { Turns } from './admission.js';
import { Conducts } from './conduct.js';
import { isGenuine } from './identity.js';
import { nameProblem } from './name.js';
import { Peer } from './peer.js';

const MOST = 512; // members, whatever a hub says; a tab may make 500 connections in all
const PARKED = 64; // links kept for members that may come back

export class Roster {
  #id; // our own
  #verify; // (member): the application's
  #peer; // what every Peer is made with
  #room; // {emit(type, fields, taken), handler(topic, peer), reborn(member), over(), beside: {joined(member), left(member), opened(id), came(kind, id, conduct, bytes)}: the state and chat}
  #ears; // hear the peers
  // id → {peer, link, loss, leaving}, in join order; loss says after which others the hub lost it, leaving that its page
  // goes away
  #entries = new Map();
  #parked = new Map(); // id → {peer, link}: dropped, but the same session may come back
  #lies = new Set(); // of the hub, each logged once
  #places = Infinity; // members in the room, ourselves among them
  #losses = 0; // members that the hub has lost
  #conducts = new Conducts(); // of all members, whatever becomes of their links
  #turns = new Turns(); // of newcomers

  constructor({ verify, ears, room, ...peer }) {
    this.#id = peer.self.identity.id;
    this.#verify = verify;
    this.#ears = ears;
    this.#room = room;
    this.#peer = peer;
  }

  get entries() { return [...this.#entries.values()]; }

  get peers() { return this.entries.map((e) => e.peer); }

  get links() { return this.entries.map((e) => e.link); }

  /** The {peer, link} of an id, or undefined. */
  get(id) { return this.#entries.get(id); }

  // ---- what the hub says

  /**
   * The members, of at most so many, at first, after each return and whenever the hub says it again: the others it has
   * lost. The first of them, before in number, were there before us; the rest has come after us.
   */
  async joined(members, before, places) {
    const here = new Set();
    for (const [i, member] of members.entries()) {
      const entry = await this.#admit(member, i < before);
      if (!entry) continue;
      here.add(member.id);
      if (i < before) entry.link.expect();
      else entry.link.welcome();
    }
    for (const entry of this.entries) {
      if (!here.has(entry.link.member.id)) this.#lose(entry);
    }
    this.#places = places > 0 ? places : Infinity;
    this.#dropGhosts();
  }

  /**
   * A member has come, or come back; sends: what it publishes, as far as is known; card: its first offer. A hub may repeat
   * the card of a member that we know, so that counts for nothing.
   */
  async welcome(member, sends, card) {
    const known = this.#entries.get(member.id)?.link.member.session === member.session;
    const entry = await this.#admit(member, false);
    if (!entry) return;
    entry.link.welcome(sends, known ? null : card);
    this.#dropGhosts();
  }

  bye({ from, session, reason, leaving = false }) {
    const entry = this.#entries.get(from);
    if (!entry || entry.link.member.session !== session) return;
    entry.leaving = leaving;
    if (reason === 'lost') this.#lose(entry);
    else if (reason === 'left') entry.link.part(() => this.#drop(entry, reason));
    else this.#drop(entry, reason);
  }

  renamed({ from, name = '' }) {
    const entry = this.#entries.get(from);
    if (entry) this.#rename(entry, name);
  }

  /** The room is over; atOnce: what was said last may still be on its way. */
  close(atOnce) {
    this.#turns.close();
    for (const link of this.links) {
      if (atOnce) link.fade();
      else link.close();
    }
    this.#entries.clear();
  }

  // ---- in and out

  // Makes sure that a member is in the roster and returns its entry; null if it must not be.
  async #admit(listed, existing) {
    // A name of another version of Unicode must not hide its member.
    const member = nameProblem(listed.name) === '' ? listed : { ...listed, name: '' };
    if (member.id === this.#id) return null;
    if (!(await isGenuine(member))) return this.lied('a false member was ignored');
    const known = this.#entries.get(member.id);
    if (known?.link.member.session === member.session) {
      known.leaving = false;
      this.#rename(known, member.name);
      known.link.setRights(member.rights, member.account);
      return known;
    }
    if (known) this.#drop(known, known.link.parting ? 'left' : 'lost'); // what belonged to another session is over
    if (this.#entries.size >= MOST) return this.lied('a member beyond the bound was ignored');
    if (!(await this.verified(member)) || this.#room.over()) return null;
    return this.#add(member, existing);
  }

  /** Whether the application wants to have to do with a member. */
  async verified(member) {
    try {
      return (await this.#verify(member)) !== false;
    } catch (error) {
      console.info(`noom: member ${member.id} refused`, error);
      return false;
    }
  }

  /** Logs, once for each kind, what an honest hub never says. */
  lied(what) {
    if (!this.#lies.has(what)) console.warn(`noom: ${what}; the hub may be lying`);
    this.#lies.add(what);
    return null;
  }

  #rename(entry, name) {
    const old = entry.link.member.name;
    if (old === name) return;
    entry.link.member.name = name;
    this.#room.emit('peerrenamed', { peer: entry.peer, old });
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
    this.#entries.set(member.id, entry);
    if (this.#room.leaving()) entry.link.seal();
    this.#room.emit('peerjoined', { peer: entry.peer, existing });
    this.#room.beside.joined(member);
    return entry;
  }

  #newEntry(member) {
    const entry = { peer: null, link: null, loss: 0, leaving: false };
    const now = performance.now();
    const conduct = this.#conducts.of(member.id, (id) => this.#entries.has(id) || this.#parked.has(id), now);
    const about = (type, fields, taken) => this.#room.emit(type, { peer: entry.peer, ...fields }, taken);
    entry.peer = new Peer({
      ...this.#peer,
      attach: (link) => { entry.link = link; },
      member,
      conduct,
      turns: this.#turns,
      report: {
        state: (state, error) => about('peerstatechanged', { state, error }),
        quality: (quality) => about('qualitychanged', { quality }),
        dead: () => this.#drop(entry, 'lost'),
        left: () => entry.link.part(() => this.#drop(entry, 'left', (link) => link.fade())),
        stale: (session) => this.#reborn(entry, conduct, session),
        data: (message, taken) => about('datareceived', message, taken),
        asideOpened: () => this.#room.beside.opened(member.id),
        asideFrame: (kind, bytes) => this.#room.beside.came(kind, member.id, conduct, bytes),
        handler: (topic) => this.#room.handler(topic, entry.peer),
        channelOpened: (channel, seen) => about('channelopened', { channel }, seen),
        fileOffered: (file, seen) => about('fileoffered', { file }, seen),
        refused: (what) => about('trackrefused', what),
        trackAdded: (track) => {
          if (track.kind === 'audio') this.#ears.open();
          about('trackadded', { track });
        },
        trackRemoved: (track) => about('trackremoved', { track }),
        trackChanged: (track) => about('trackchanged', { track }),
        trackBlocked: (track, element, blocked) => about('trackblocked', { track, element, blocked }),
        trackMuted: (track) => about('trackmuted', { track, muted: track.muted }),
        trackPaused: (track) => about('trackpaused', { track, paused: track.paused }),
      },
    });
    return entry;
  }

  #lose(entry) {
    if (entry.link.present) entry.loss = ++this.#losses;
    entry.link.lost();
  }

  // Drops peers that the hub has lost, those lost first before others, while there are more than
  // the room has places: otherwise a member that joins, cuts its line to the hub and joins under
  // another key could have any number of connections.
  #dropGhosts() {
    while (this.#entries.size >= this.#places) { // one place is our own
      const ghosts = this.entries.filter((e) => !e.link.present);
      if (ghosts.length === 0) return;
      this.#drop(ghosts.reduce((a, b) => (b.loss < a.loss ? b : a)), 'lost');
    }
  }

  // The member itself says that it runs a new session: which costs a connection, and so counts only
  // as often as that may be built.
  #reborn(entry, conduct, session) {
    const { member } = entry.link;
    if (this.#entries.get(member.id) !== entry || session === member.session || !conduct.reborn(performance.now())) return;
    this.#room.reborn({ ...member, session });
  }

  #drop(entry, reason, end = (link) => link.close()) {
    const { member } = entry.link;
    if (this.#entries.get(member.id) !== entry) return;
    this.#entries.delete(member.id);
    end(entry.link);
    this.#ears.forget(member.id);
    if (reason === 'lost' || reason === 'expired') { // it may get a new token
      this.#parked.set(member.id, entry);
      if (this.#parked.size > PARKED) this.#parked.delete(this.#parked.keys().next().value);
    }
    this.#room.beside.left(member);
    const why = reason === 'lost' && entry.leaving ? 'left' : reason;
    this.#room.emit('peerleft', { peer: entry.peer, member: { ...member }, reason: why });
  }
}
