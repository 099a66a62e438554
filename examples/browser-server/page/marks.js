// What members show of themselves in a call: a raised hand, a reaction, that they type, and that they record it. Each page
// tells the others by signs; what they tell it is bounded, and kept here for as long as they are there.

import { drawSwitch } from './controls.js';
import { nameOf } from './people.js';
import { decode, encode, inOrder, Intake, Bucket, REACTIONS } from './signs.js';
import { t } from './strings.js';
import { Typists } from './typing.js';

const $ = (id) => document.getElementById(id);
const TYPING_EACH = 3000; // ms: no more often do we say that we type
const QUIET = 10_000; // ms: no more often is the same of one member announced

const SAID = 5000; // ms that an announcement stays

const SELF = ''; // in place of our own id

export class Marks {
  #room;
  #changed; // (): what of says has
  #reacted; // (id, emoji): a member's, '' for ours
  #states = new Map([[SELF, { since: null, records: false }]]); // id → since when a hand is up, null: it is down
  #peers = new Map(); // id → {intake, timer, announced: when what was, said: that it records, quiet: until when that is not said again}
  #told = new WeakSet(); // peers that have heard of a state of ours
  #reactions = new Bucket(); // ours, as many as the others take in
  #typed = -Infinity; // when we said that we type
  #typists = new Typists();

  constructor(room, { changed, reacted }) {
    this.#room = room;
    this.#changed = changed;
    this.#reacted = reacted;
    this.draw();
  }

  /** What a member shows, '' for ourselves: hand is its place among those that are up, 0: it is down; of is how many are up. */
  of(id) {
    const order = inOrder([...this.#states].filter(([, { since }]) => since !== null).map(([member, { since }]) => [member, since]));
    return { hand: order.get(id) ?? 0, of: order.size, records: this.#states.get(id)?.records ?? false };
  }

  // ---- ours

  raiseHand() {
    const { since } = this.#states.get(SELF);
    this.#say({ since: since === null ? performance.now() : null });
  }

  /** Tells everyone that we record, or no longer. */
  record(records) { this.#say({ records }); }

  react(emoji) {
    if (!this.#reactions.take(performance.now())) return;
    this.#reacted(SELF, emoji);
    this.#tell({ kind: 'reaction', emoji });
  }

  types() {
    const now = performance.now();
    if (now - this.#typed < TYPING_EACH) return;
    this.#typed = now;
    this.#tell({ kind: 'typing' });
  }

  #say(change) {
    this.#states.set(SELF, { ...this.#states.get(SELF), ...change });
    for (const peer of this.#room.peers) this.#sayState(peer);
    this.#redraw();
  }

  #tell(sign) {
    for (const peer of this.#room.peers) send(peer, sign);
  }

  #sayState(peer) {
    const { since, records } = this.#states.get(SELF);
    if (since === null && !records && !this.#told.has(peer)) return; // programs that know no signs get none without need
    if (send(peer, { kind: 'state', hand: since === null ? null : performance.now() - since, records })) this.#told.add(peer);
  }

  // ---- the others'

  /** A peer is connected, perhaps again: it learns what is so now. */
  greet(peer) {
    if (peer.state === 'connected') this.#sayState(peer);
  }

  /** Takes a message of a peer, which may be anything. */
  take({ peer, data }) {
    const sign = decode(data);
    if (!sign || !this.#room.peers.includes(peer)) return;
    if (!this.#peers.has(peer.id)) this.#peers.set(peer.id, { intake: new Intake(), timer: 0, announced: new Map(), said: false, quiet: 0 });
    const its = this.#peers.get(peer.id);
    this.#act(peer, its.intake.take(sign, performance.now()));
    this.#wait(peer, its);
  }

  // A state that was one too many is taken later.
  #wait(peer, its) {
    const wait = its.intake.wait(performance.now());
    if (wait === null || its.timer) return;
    its.timer = setTimeout(() => {
      its.timer = 0;
      this.#act(peer, its.intake.takeLate(performance.now()));
      this.#wait(peer, its);
    }, wait);
  }

  #act(peer, sign) {
    switch (sign?.kind) {
      case 'state': return this.#stateOf(peer, sign);
      case 'reaction': {
        this.#reacted(peer.id, sign.emoji);
        return this.#announce(peer, 'reaction', t('reacted', nameOf(peer), t(`react_${REACTIONS[sign.emoji]}`)));
      }
      case 'typing': if (peer.may('chat')) this.#typists.add(peer.id, nameOf(peer));
    }
  }

  #stateOf(peer, { hand, records }) {
    const before = this.#states.get(peer.id) ?? { since: null, records: false };
    const since = hand === null ? null : before.since ?? performance.now() - hand;
    if (since === before.since && records === before.records) return;
    this.#states.set(peer.id, { since, records });
    if (since !== null && before.since === null) this.#announce(peer, 'hand', t('handUp', nameOf(peer)));
    this.#sayRecords(peer, this.#peers.get(peer.id));
    this.#redraw();
  }

  // Says whether a member records, and again when it is something else by the time that the same may be said again.
  #sayRecords(peer, its) {
    if (its.quiet) return;
    const { records } = this.#states.get(peer.id);
    if (records === its.said) return;
    its.said = records;
    announce(t(records ? 'records' : 'recordEnded', nameOf(peer)));
    its.quiet = setTimeout(() => {
      its.quiet = 0;
      this.#sayRecords(peer, its);
    }, QUIET);
  }

  #announce({ id }, what, text) {
    const { announced } = this.#peers.get(id);
    const now = performance.now();
    if (now - (announced.get(what) ?? -Infinity) < QUIET) return;
    announced.set(what, now);
    announce(text);
  }

  /** A peer has said something, so it no longer types. */
  spoke(id) { this.#typists.remove(id); }

  /** A peer is gone, and what it showed. */
  left({ id }) {
    if (this.#peers.has(id)) forget(this.#peers.get(id));
    this.#peers.delete(id);
    this.#typists.remove(id);
    if (this.#states.delete(id)) this.#redraw();
  }

  // ---- drawing

  /** Shows who records, and our hand. */
  draw() {
    const own = this.#states.get(SELF);
    drawSwitch($('hand'), own.since !== null, ['raiseHand', 'lowerHand'], 'hand');
    const recorders = this.#room.peers.filter(({ id }) => this.#states.get(id)?.records).map(nameOf);
    const [first] = recorders;
    const theirs = recorders.length > 1 ? t('recordsMore', first, recorders.length - 1) : recorders.length === 1 ? t('records', first) : '';
    $('recorded').hidden = !own.records && !theirs;
    $('recorded-who').textContent = [own.records ? t('recordYou') : '', theirs].filter(Boolean).join(' · ');
  }

  #redraw() {
    this.draw();
    this.#changed();
  }

  /** The call is over. */
  close() {
    for (const its of this.#peers.values()) forget(its);
    this.#typists.clear();
    $('announced').replaceChildren();
    $('recorded').hidden = true;
  }
}

// Only what is connected: what it misses, it learns when it is so again. What it does not take, it does not get.
function send(peer, sign) {
  try {
    return peer.state === 'connected' && peer.trySend(encode(sign));
  } catch {
    return false; // we leave
  }
}

function forget({ timer, quiet }) {
  clearTimeout(timer);
  clearTimeout(quiet);
}

// Each is a line of its own, because one that takes the place of another may keep that from being read out.
function announce(text) {
  const line = Object.assign(document.createElement('p'), { textContent: text });
  $('announced').append(line);
  setTimeout(() => line.remove(), SAID);
}
