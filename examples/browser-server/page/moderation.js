// What a member may do to others by right: ask to mute, remove, lock and close the room; and their
// requests, which are ours to decide.

import { ask } from './ask.js';
import * as chat from './chat.js';
import { attempt, drawSwitch, reveal } from './controls.js';
import { t } from './strings.js';

const $ = (id) => document.getElementById(id);

export class Moderation {
  #room;
  #quiet; // (senders): ends what they send, as if we had pressed their buttons
  #wish = null; // {by, tracks}: the member that asks us to mute, and the names of the tracks

  constructor(room, quiet) {
    this.#room = room;
    this.#quiet = quiet;
    $('lock-room').onclick = () => attempt(() => (room.locked ? room.unlock() : room.lock()));
    $('close-room').onclick = () => attempt(() => this.#close());
    $('asked-yes').onclick = () => this.#quiet(this.#wanted());
    $('asked-no').onclick = () => this.#forget();
    this.draw();
  }

  /** Whether there is anything that we may do to a member. */
  get manages() { return this.#room.may('kick') || this.#room.may('mute'); }

  /** Shows what we have a right to, and what is asked of us. */
  draw() {
    const { locked } = this.#room;
    $('lock-room').hidden = !this.#room.may('lock');
    $('close-room').hidden = !this.#room.may('close');
    $('locked').hidden = !locked || this.#room.may('lock'); // whose button says so
    drawSwitch($('lock-room'), locked, ['lockRoom', 'unlockRoom'], locked ? 'lock' : 'open-lock');
    this.#drawWish();
  }

  /** Offers what we may do to a peer. */
  async manage(peer, name) {
    const sounds = new Set(peer.tracks.filter((track) => track.kind === 'audio' && !track.muted).map((track) => track.name));
    const choices = [];
    if (this.#room.may('mute')) choices.push({ key: 'mute', words: t('askMute'), disabled: sounds.size === 0 });
    if (this.#room.may('kick')) choices.push({ key: 'remove', words: t('remove'), danger: true });
    switch (await ask({ title: name, choices })) {
      case 'mute': return attempt(async () => {
        await Promise.all([...sounds].map((sound) => peer.requestMute(sound)));
        chat.happened(t('askedThem', name));
      });
      case 'remove': return attempt(() => this.#remove(peer, name));
    }
  }

  async #remove(peer, name) {
    const choices = [{ key: 'yes', words: t('remove'), danger: true }];
    if (await ask({ title: t('removeWho', name), text: t('removeHow'), choices })) await this.#room.kick(peer.id);
  }

  async #close() {
    const choices = [{ key: 'yes', words: t('closeRoom'), danger: true }];
    if (await ask({ title: t('closeWhich', this.#room.name), text: t('closeHow'), choices })) await this.#room.closeForAll();
  }

  /** A member has locked or unlocked the room; by is null for the server's owner. */
  lockChanged({ locked, by }) {
    const which = locked ? 'locked' : 'unlocked';
    if (!by) chat.happened(t(`${which}Now`));
    else if (by.id === this.#room.self.id) chat.happened(t(`${which}You`));
    else chat.happened(t(`${which}By`, by.name || t('unnamed')));
    this.draw();
  }

  /** A member asks us to mute a track, all of them where it is ''. */
  asked({ by, track }) {
    const tracks = this.#wish?.by.id === by.id ? this.#wish.tracks : new Set();
    this.#wish = { by, tracks: tracks.add(track) };
    this.#drawWish();
  }

  // What the wish is about, and still sends.
  #wanted() {
    const { tracks } = this.#wish ?? { tracks: new Set() };
    return this.#room.senders.filter((s) => s.track && !s.muted && (tracks.has('') || tracks.has(s.name)));
  }

  #drawWish() {
    const kinds = new Set(this.#wanted().map((s) => s.kind));
    reveal($('asked'), kinds.size > 0);
    if (kinds.size === 0) {
      this.#wish = null; // done, by whichever way
      return;
    }
    const what = kinds.size === 2 ? 'All' : kinds.has('audio') ? 'Sound' : 'Picture';
    $('asked-what').textContent = t(`asked${what}`, this.#wish.by.name || t('unnamed'));
    $('asked-yes').textContent = t(`quiet${what}`);
  }

  #forget() {
    this.#wish = null;
    this.#drawWish();
  }
}
