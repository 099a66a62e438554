// The others in a call: a tile for each, and one for each screen they share.

import * as safety from './safety.js';
import { never, soon } from './soon.js';
import { t } from './strings.js';
import { Tile } from './tiles.js';

const $ = (id) => document.getElementById(id);

export const nameOf = (peer) => peer.name || t('unnamed');

export class People {
  #moderation; // what may be done to them
  #marks; // what they show of themselves
  #acts; // inspect(peer) shows how its connection is, attach(peer) lets us choose files for it
  #members = new Map(); // id → Tile, null until it is drawn first
  #screens = new Map(); // RemoteTrack → Tile: ids are the peer's choice, and another's may be the same

  constructor(moderation, marks, acts) {
    this.#moderation = moderation;
    this.#marks = marks;
    this.#acts = acts;
  }

  add(peer) {
    this.#members.set(peer.id, null);
    this.draw(peer);
  }

  remove(peer) {
    never(peer);
    this.#members.get(peer.id)?.remove();
    this.#members.delete(peer.id);
  }

  /** A track is gone. */
  forget(track) {
    this.#screens.get(track)?.remove();
    this.#screens.delete(track);
  }

  /** Marks the one that speaks, undefined for none. */
  speaks(speaker) {
    for (const [id, tile] of this.#members) if (tile) tile.speaking = id === speaker;
  }

  /** Shows a reaction of a member. */
  react(id, emoji) { this.#members.get(id)?.react(emoji); }

  /** Shows a caption of what a member says. */
  caption(id, text, by) { this.#members.get(id)?.caption(text, by); }

  /** Shows how many we are, ourselves among them. */
  count() {
    soon($('count'), () => { $('count').textContent = t('people', this.#members.size + 1); });
  }

  /** Shows in a moment how a peer is. */
  draw(peer) {
    soon(peer, () => this.#members.has(peer.id) && this.#drawNow(peer));
  }

  /** Takes all tiles away. */
  clear() {
    for (const tile of [...this.#members.values(), ...this.#screens.values()]) tile?.remove();
    this.#members.clear(); // what was to be drawn is not
  }

  #drawNow(peer) {
    const tile = this.#members.get(peer.id) ?? this.#tile(peer);
    const screens = peer.tracks.filter((track) => track.name.startsWith('screen'));
    const others = peer.tracks.filter((track) => !screens.includes(track));
    const camera = others.find((track) => track.kind === 'video');
    const microphones = others.filter((track) => track.kind === 'audio');
    tile.name = nameOf(peer);
    tile.state = peer.state;
    tile.quality = peer.quality;
    tile.marks = this.#marks.of(peer.id);
    tile.manageable = this.#moderation.manages;
    tile.camera = Boolean(camera && !camera.muted && !camera.paused);
    tile.paused = Boolean(camera && !camera.muted && camera.paused);
    tile.muted = microphones.every((track) => track.muted);
    tile.play([camera, ...microphones, ...screens.filter((track) => track.kind === 'audio')]);
    for (const track of screens.filter((s) => s.kind === 'video')) {
      if (!this.#screens.has(track)) this.#screens.set(track, new Tile({ screen: peer.id }));
      const screen = this.#screens.get(track);
      screen.name = t('screenOf', nameOf(peer));
      screen.camera = true;
      screen.paused = track.paused;
      screen.play([track]);
    }
  }

  #tile(peer) {
    const tile = new Tile({ member: peer.id }, {
      onSafety: async () => safety.show(nameOf(peer), await peer.safetyNumber()),
      onManage: () => this.#moderation.manage(peer, nameOf(peer)),
      onQuality: () => this.#acts.inspect(peer),
      onAttach: () => this.#acts.attach(peer),
    });
    this.#members.set(peer.id, tile);
    return tile;
  }
}
