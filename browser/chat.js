// What members of a room say to all.

import { NoomError } from './errors.js';
import { newLabel } from './identity.js';
import { MAX } from './limits.js';
import { textProblem } from './name.js';

const REMEMBERED = 256; // chat ids, so that what is resent is shown once

/** Throws for a text that a hub would not take. */
export function checkChat(text) {
  const problem = text === '' ? 'it is empty' : textProblem(text, MAX.chat);
  if (problem) throw new NoomError('bad_chat', `chat: ${problem}`);
}

export class Chat {
  #requests; // that wait for the hub's answer
  #online; // () → whether there is a hub
  #self; // () → our own id
  #peer; // (id) → Peer, or undefined
  #emit;
  #shown = new Set(); // ids of what was delivered, oldest first

  constructor({ requests, online, self, peer, emit }) {
    this.#requests = requests;
    this.#online = online;
    this.#self = self;
    this.#peer = peer;
    this.#emit = emit;
  }

  /** Resolves once the hub has passed it on. */
  say(text) { return this.#requests.ask({ type: 'chat', id: newLabel(), text }); }

  /** Says it now; false if it would have to wait. */
  trySay(text) {
    if (!this.#online() || !this.#requests.room) return false;
    this.say(text).catch(() => {}); // the answer is not waited for
    return true;
  }

  /** Takes what the hub passes on: another's, or ours, which it has taken. */
  take({ from, id, text, at }) {
    if (from === this.#self()) {
      this.#requests.confirm((r) => r.type === 'chat' && r.id === id);
      return;
    }
    const peer = this.#peer(from);
    const key = `${from} ${id}`;
    if (!peer || this.#shown.has(key)) return;
    this.#shown.add(key);
    if (this.#shown.size > REMEMBERED) this.#shown.delete(this.#shown.values().next().value);
    this.#emit('chatreceived', { from: peer.member, peer, text, at: new Date(at ?? 0) });
  }
}
