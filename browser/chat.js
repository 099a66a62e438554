// What members of a room say to all: chat_machine.js decides what counts, the hub carries it, and links the history.

import { ChatMachine, KEEP } from './chat_machine.js';
import { MESSAGES, WANT, chatText, decodeFrame, encodeFrame, messageOf, signedOf, withDigest } from './chat_message.js';
import { NoomError } from './errors.js';
import { newLabel } from './identity.js';
import { Authors, Intake } from './intake.js';
import { MAX } from './limits.js';
import { nameProblem, textProblem } from './name.js';
import { may } from './rights.js';
import { Wake } from './wake.js';

const REMEMBERED = 256; // ids of messages that are not signed, so that what is resent is shown once; and our own
const WANT_COST = 32; // records, which a member pays for asking us for messages

/** The first byte of its frames beside the messages of a link. */
export const CHAT = 17;

/** Throws for a text that a hub would not take. */
export function checkChat(text) {
  const problem = text === '' ? 'it is empty' : textProblem(text, MAX.chat);
  if (problem) throw new NoomError('bad_chat', `chat: ${problem}`);
}

/** Throws for what the option history cannot be. */
export function checkHistory(keep) {
  if (!Number.isInteger(keep) || keep < 0 || keep > KEEP.most) throw new NoomError('bad_argument', `history is a number of messages, 0 to ${KEEP.most}`);
}

export class Chat {
  #room; // {identity, session, name, requests, online(), over(), self() → Member, peer(id) → Peer, links(id) → Link, verify(member), lied(what), emit(type, fields)}
  #machine;
  #intake;
  #authors = new Authors();
  #shown = new Set(); // of members that do not sign: ids of what was delivered, oldest first
  #ours = new Map(); // id → our message that the hub has not passed on, oldest first
  #signing = Promise.resolve(); // our messages, one after the other
  #unsigned = 0; // of them that wait to be signed
  #wake = new Wake(() => this.#change((now) => this.#machine.tick(now)));
  #over = false;

  constructor({ history = KEEP.usual, ...room }) {
    this.#room = room;
    this.#machine = new ChatMachine(room.identity.id, room.session, history);
    this.#intake = new Intake(room.links);
  }

  /** Resolves once the hub has passed it on. */
  say(text) {
    if (this.#room.requests.left <= this.#unsigned) {
      return Promise.reject(new NoomError('would_block', `chat: ${MAX.requests} requests wait for the hub; try again later`));
    }
    const id = newLabel();
    this.#unsigned++;
    const signed = this.#signing.then(() => this.#sign(id, text)).finally(() => { this.#unsigned--; });
    const asked = signed.then((message) => {
      if (this.#room.over()) throw new NoomError('closed', 'the room is over');
      return { answer: this.#room.requests.ask({ type: 'chat', id, text, signed: signedOf(message) }) };
    });
    this.#signing = asked.catch(() => {}); // its caller knows
    return asked.then(({ answer }) => answer);
  }

  /** Says it now; false if it would have to wait. */
  trySay(text) {
    if (!this.#room.online() || this.#room.requests.left <= this.#unsigned) return false;
    this.say(text).catch(() => {}); // the answer is not waited for
    return true;
  }

  /** Resolves when all that was said is on its way to the hub. */
  get signed() { return this.#signing; }

  async #sign(id, text) {
    const { identity, name, self } = this.#room;
    const unsigned = await withDigest(this.#machine.prepare(identity.key, { name: self().name, text, sent: Date.now() }), name);
    this.#machine.signed(unsigned);
    const message = { ...unsigned, signature: await identity.sign(chatText(unsigned, name)) };
    this.#ours.set(id, message);
    if (this.#ours.size > REMEMBERED) this.#ours.delete(this.#ours.keys().next().value);
    return message;
  }

  /** Takes what the hub passes on: another's, or ours, which it has taken. */
  async take(frame) {
    const { from, id, text, at = 0, signed } = frame;
    if (from === this.#room.self().id) {
      this.#takeOurs(frame);
      this.#room.requests.confirm((r) => r.type === 'chat' && r.id === id);
      return;
    }
    const peer = this.#room.peer(from);
    if (!peer) return;
    const { member } = peer;
    if (signed) {
      const message = await withDigest(messageOf(member, frame), this.#room.name);
      if (await this.#isSigned(message)) this.#change((now) => this.#machine.live(now, message), { message, at, peer });
      else this.#room.lied('chat with a wrong signature was dropped');
    } else if (this.#machine.signs(from, member.session)) {
      this.#room.lied('chat without a signature was dropped');
    } else {
      this.#takeUnsigned(peer, { key: `${from} ${id}`, text, at });
    }
  }

  /** Takes what the hub says was said in the room before we came. */
  async told(frame) {
    const { message, good, refused } = await this.#check(messageOf({ ...frame, id: frame.from }, frame));
    if (!good) this.#room.lied('chat with a wrong signature was dropped');
    else if (!refused) this.#change((now) => this.#machine.told(now, message));
  }

  #takeOurs({ id, text, signed }) {
    const message = this.#ours.get(id);
    if (!message) return;
    this.#ours.delete(id);
    const whole = signed?.signature.every((byte, i) => byte === message.signature[i]) && text === message.text;
    this.#change(() => this.#machine.passed(message, whole ?? false));
  }

  #takeUnsigned(peer, { key, text, at }) {
    if (this.#shown.has(key)) return;
    this.#shown.add(key);
    if (this.#shown.size > REMEMBERED) this.#shown.delete(this.#shown.values().next().value);
    this.#room.emit('chatreceived', { from: peer.member, peer, text, at: new Date(at), sent: null, signed: false, history: false, missing: 0 });
  }

  // ---- from the room

  joined(member) { this.#change((now) => this.#machine.joined(now, member)); }

  left({ id }) { this.#change((now) => this.#machine.left(now, id)); }

  /** There is another connection to a member. */
  opened(id) { this.#change((now) => this.#machine.opened(now, id)); }

  /** The hub is back. */
  missed() { this.#change((now) => this.#machine.missed(now)); }

  /** Takes a frame of a member; conduct is what it may make us do. */
  came(id, conduct, bytes) {
    const frame = decodeFrame(bytes);
    if (!frame) return;
    const cost = 1 + frame.messages.length + Math.floor(frame.digests.length / 16) + (frame.type === WANT ? WANT_COST : 0);
    this.#intake.frame(id, conduct, {
      size: bytes.length, cost,
      check: () => Promise.all(frame.messages.map((message) => this.#check(message))),
      take: (checked) => this.#change((now) => {
        for (const { message, refused } of checked) if (refused) this.#machine.refuse(message);
        const messages = checked.filter(({ good, refused }) => good && !refused).map(({ message }) => message);
        this.#machine.receive(now, id, { ...frame, messages });
      }),
    });
  }

  close() {
    this.#over = true;
    this.#wake.stop();
  }

  // ----

  // Whether a message that comes over a link is signed, and of somebody who may say it.
  async #check(unread) {
    const message = await withDigest(unread, this.#room.name);
    if (!(await this.#isSigned(message))) return { message, good: false, refused: false };
    const peer = this.#room.peer(message.author);
    if (peer) return { message, good: true, refused: !may(peer.member, 'chat') };
    const known = message.author === this.#room.identity.id || (await this.#room.verify(this.#author(message)));
    return { message, good: true, refused: !known };
  }

  #isSigned(message) {
    return this.#authors.isSigned(message.author, message.key, chatText(message, this.#room.name), message.signature);
  }

  // Who has said something.
  #author({ author, session, key, name }) {
    const member = author === this.#room.identity.id ? this.#room.self() : this.#room.peer(author)?.member;
    return member?.session === session ? { ...member } : { id: author, name: nameProblem(name) === '' ? name : '', key: key.slice(), session };
  }

  // Changes the machine, and does what follows from it. byHub: {message, at, peer}, what the hub has passed on.
  #change(what, byHub = {}) {
    if (this.#over) return;
    what(performance.now());
    const { frames, shown } = this.#machine.flush();
    for (const { to, frame } of frames) this.#room.links(to)?.sendAside(CHAT, encodeFrame(frame), frame.type === MESSAGES); // what is lost is asked for again
    for (const { message, history, missing } of shown) {
      const here = message === byHub.message;
      const from = here ? byHub.peer.member : this.#author(message);
      const peer = here ? byHub.peer : this.#room.peer(message.author) ?? null;
      const sent = new Date(message.sent);
      this.#room.emit('chatreceived', { from, peer, text: message.text, at: here ? new Date(byHub.at) : sent, sent, signed: true, history, missing });
    }
    if (!this.#over) this.#wake.at(this.#machine.next);
  }

}
