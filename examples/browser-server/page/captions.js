// The captions in a call, and the button that shows or hides them, which is there once there is something to show.

import { decode, shownFor } from './caption.js';
import { choices, choose } from './choices.js';
import { drawSwitch } from './controls.js';
import { nameOf } from './people.js';
import { Bucket } from './signs.js';

const button = document.getElementById('captions');

export class Captions {
  #room;
  #show; // (id of the speaker, text, name of the sender, '' if it speaks itself); the text '' takes it away
  #buckets = new Map(); // id of a sender → Bucket
  #shown = new Map(); // id of a speaker → timeout

  constructor(room, show) {
    this.#room = room;
    this.#show = show;
    button.hidden = true;
    button.onclick = () => this.toggle();
    this.#draw();
  }

  /** Takes a message of a peer, which may be anything. */
  take({ peer, data }) {
    const caption = decode(data);
    if (!caption || !this.#room.peers.includes(peer) || !peer.may('chat')) return; // it is text, as chats are
    const speaker = caption.id || peer.id;
    if (speaker !== this.#room.self.id && !this.#room.peer(speaker)) return;
    if (!this.#buckets.has(peer.id)) this.#buckets.set(peer.id, new Bucket());
    if (!this.#buckets.get(peer.id).take(performance.now())) return;
    button.hidden = false;
    if (!choices().captions) return;
    clearTimeout(this.#shown.get(speaker));
    this.#shown.set(speaker, setTimeout(() => this.#hide(speaker), shownFor(caption.text)));
    this.#show(speaker, caption.text, speaker === peer.id ? '' : nameOf(peer));
  }

  /** Shows captions from now on, or hides them; kept for the next call. */
  toggle() {
    choose({ captions: !choices().captions });
    this.#draw();
    if (!choices().captions) this.#hideAll();
  }

  #draw() { drawSwitch(button, choices().captions, ['showCaptions', 'hideCaptions'], 'captions'); }

  /** A peer is gone, and what was written of it. */
  left({ id }) {
    this.#buckets.delete(id);
    this.#hide(id);
  }

  #hide(speaker) {
    clearTimeout(this.#shown.get(speaker));
    if (this.#shown.delete(speaker)) this.#show(speaker, '', '');
  }

  #hideAll() {
    for (const speaker of [...this.#shown.keys()]) this.#hide(speaker);
  }

  /** The call is over. */
  close() { this.#hideAll(); }
}
