// What two members hold between them, over all the connections they ever have: what the room asks
// of it goes to the part that does it.

import { channelInit } from './channel.js';
import { Findings } from './diagnose.js';
import { Epochs } from './epochs.js';
import { NoomError } from './errors.js';
import { Frames } from './frames.js';
import { Connections } from './handover.js';
import { Incoming } from './incoming.js';
import { MAX } from './limits.js';
import { Meter } from './meter.js';
import { cleanName, nameProblem } from './name.js';
import { may } from './rights.js';
import { stepsOfConnection } from './steps.js';
import { Stream } from './stream.js';
import { Needs, Wants } from './wants.js';

const FAREWELL = 1_000; // ms that a goodbye may take

/** Throws for a payload above the bound, whichever peer it is for. */
export function checkSize(payload) {
  if (payload.length > MAX.data) throw new NoomError('too_big', `data of ${payload.length} bytes, at most ${MAX.data}`);
}

export class Link {
  member; // Member, whose session this link belongs to
  present = true; // the hub has it in the room
  state = 'connecting';

  #sends = []; // MIME types, or kinds, of what the member publishes, as far as the hub knows
  #gone; // called when the peer goes
  #sealed; // called when nothing new is taken, because we leave
  #report; // {state(state, error), quality(quality), dead(), left(), stale(session), data({data, topic}, taken), handler(topic), asideOpened(), asideFrame(kind, bytes), channelOpened(channel, seen), refused({sender, codec, error}), track*}
  #options; // {iceServers(), senders(), connectTimeout, webrtc, atHome, preferred, budget, trace, arrival()}

  #connections = new Connections();
  #frames;
  #epochs;
  #stream;
  #incoming; // the peer's tracks
  #wants; // of those, what we show
  #needs; // what the peer shows of ours
  #findings;
  #meter;
  #emptied = []; // Connections whose channels are being emptied

  #closed = false; // state is closed already while a goodbye is answered
  #parted = null; // what to do once nothing more comes: the other side has said goodbye
  #parting = null; // {acked, done}: our goodbye, until the other side has it

  /**
   * gone is called when the link is closed or fades, perhaps twice. hub is {send(frame), online, ask()}, turns {ask(link),
   * done(link)}: newcomers build one after the other. conduct is what the member may make us do, and outlives the link.
   */
  constructor({ member, peer, self, hub, report, options, conduct, turns, gone, sealed }) {
    this.member = member;
    this.#gone = gone;
    this.#sealed = sealed;
    this.#report = report;
    this.#options = options;
    const failed = (error) => this.#epochs.fail(error);
    this.#incoming = new Incoming(peer, {
      report, wantChanged: () => this.#wants.changed(), allowed: () => may(this.member, 'publish'), webrtc: options.webrtc,
    });
    this.#needs = new Needs(() => options.budget.changed());
    this.#wants = new Wants({
      shown: () => this.#incoming.wanted, ready: () => this.#connection?.introduced && this.#frames.room,
      send: (body) => this.#frames.send({ type: 'wants', body }),
    });
    this.#stream = new Stream(this.#connections, {
      data: report.data, handler: report.handler, failed, flooded: (error) => this.#epochs.flooded(this.#connection, error), repeated: () => conduct.repeated(performance.now()),
      asideOpened: report.asideOpened, aside: report.asideFrame,
    });
    this.#frames = new Frames({
      self, hub, member: () => this.member, connections: this.#connections, conduct, trace: options.trace,
      link: {
        wait: () => this.#mustWait(), allow: () => conduct.build(performance.now()) === 0, accepted: (what) => this.#accepted(what),
        stale: report.stale, left: report.left, failed, flooded: (c, error) => this.#epochs.flooded(c, error),
      },
    });
    this.#meter = new Meter({
      pc: () => this.#connections.live?.pc ?? null, changed: report.quality, bounded: () => options.budget.changed(),
      muted: () => this.tracks.filter(({ muted, track }) => muted && track).map(({ track }) => track.id),
    });
    this.#findings = new Findings(this.#connections, () => ({
      online: hub.online, lost: !this.present, connected: this.state === 'connected',
      acked: this.#frames.acked > 0, pending: this.#frames.pending,
    }));
    this.#epochs = new Epochs({
      link: {
        id: member.id, expects: () => this.#expects, most: () => this.#meter.bound, closed: () => this.#closed, present: () => this.present,
        askTurn: () => turns.ask(this), yieldTurn: () => turns.done(this),
        state: (state, error) => this.#setState(state, error), dead: () => report.dead(),
        acted: () => this.#parted?.(), end: () => this.#end(),
      },
      hub, options, conduct, report, connections: this.#connections, frames: this.#frames,
      stream: this.#stream, incoming: this.#incoming, findings: this.#findings, wants: this.#wants, needs: this.#needs,
    });
  }

  get tracks() { return this.#incoming.tracks; }

  get pc() { return this.#connection?.pc ?? null; }

  get quality() { return this.state === 'closed' ? 'lost' : this.#meter.quality; }

  get bandwidth() { return this.#meter.bandwidth; }

  /** When each step was reached: of joining, and of the current connection. */
  get timeline() {
    return { ...this.#options.arrival(), ...(this.#connection?.steps ?? stepsOfConnection().dates) };
  }

  // ---- from the room

  /**
   * The member has entered, or come back to, the hub while we were there; sends: what it publishes, as far as is known;
   * card: its first offer, if that is for us.
   */
  welcome(sends = [], card = null) {
    this.present = true;
    this.#sends = sends;
    if (!card) {
      this.#epochs.on('welcome');
      return;
    }
    this.#frames.card(card);
    this.#frames.whenTaken(() => {
      if (this.present) this.#epochs.on('welcome'); // which begins an epoch if the card has not
    });
  }

  /** The member is in the room, to which we have come: a welcome makes the other side begin. */
  expect() {
    this.present = true;
    this.#epochs.on('expect');
  }

  /** The hub has lost the member: it stays for as long as its connection lives. */
  lost() {
    this.present = false;
    this.#epochs.on('hubLost');
  }

  /** It is our turn to build, of all newcomers. */
  admit() { this.#epochs.on('admitted'); }

  // Whether an epoch that the other side begins is a newcomer's, whose turn has not come. The other side's
  // time to come up begins with its offer, and ours with our connection.
  #mustWait() {
    if (!this.#epochs.mustWait) return false;
    this.#epochs.on('peerBegins');
    return true;
  }

  /** Takes a pair frame that came by hub. */
  receive(frame) { this.#frames.receive(frame); }

  /** What the hub says now that the member may do, and whom it takes it for. */
  setRights(rights, account) {
    this.member.account = account;
    this.member.rights = rights;
    if (this.#connection) this.#incoming.retake(this.#connection.pc);
  }

  /** The ICE servers are others now. */
  serversChanged() { this.#connection?.setServers(this.#options.iceServers()); }

  addSender(sender) { this.#connection?.addSender(sender); }

  removeSender(sender) {
    if (this.state === 'closed') return; // as the connection is in a moment
    for (const c of this.#connections.all) c.removeSender(sender);
  }

  tableChanged() { this.#connection?.tableChanged(); }

  async trackReplaced(sender) {
    this.#connection?.need(); // it may be stereo now
    await Promise.all(this.#connections.all.map((c) => c.trackReplaced(sender)));
  }

  /** Looks for a new path: makes a new connection over the one there is. */
  restart() { this.#epochs.on('restart'); }

  /** Says goodbye in-band; resolves when the other side has got it, or cannot. */
  farewell() {
    if (!this.#connections.live) return Promise.resolve();
    return new Promise((done) => {
      this.#parting = { acked: this.#frames.send({ type: 'left' }), done };
      setTimeout(done, FAREWELL);
    });
  }

  /** Says goodbye in-band, and can wait for nothing: the page goes away. */
  leaveAtOnce() { this.#frames.leaveAtOnce(); }

  /**
   * The other side has said goodbye, which may have overtaken what it sent before:
   * until the connection ends, or for a moment, that is still taken. Then calls done.
   */
  part(done) {
    if (this.#parted) return;
    this.#parted = done;
    this.#epochs.on('goodbye');
  }

  /** Whether the other side has said goodbye. */
  get parting() { return this.#parted !== null; }

  /** We leave: nothing new is taken. */
  seal() {
    this.#stream.seal();
    this.#sealed();
  }

  /** Resolves when all that was sent has arrived, or nothing more will. */
  async deliver() {
    this.#emptied = this.#connections.all;
    await Promise.all([this.#stream.delivered(), ...this.#emptied.map((c) => c.emptyChannels())]);
  }

  /** What is not known to have arrived, after deliver: messages, and channels with something in them. */
  get undelivered() {
    return { messages: this.#stream.missing, channels: this.#emptied.reduce((sum, c) => sum + c.filledChannels, 0) };
  }

  /** It is over, but the connection stays for what was said last: an acknowledgement, or our own goodbye. */
  fade() {
    this.state = 'closed';
    this.#incoming.close();
    this.#meter.close();
    this.#stream.questions.close();
    this.#gone();
    setTimeout(() => this.close(), FAREWELL / 2);
  }

  /** Sends data under a topic; resolves when it is on its way, or waits for a connection, within the credit. */
  async send(payload, topic) {
    this.#checkSend(payload);
    await this.#stream.send(payload, topic);
  }

  /** Sends data if there is credit; false if not. */
  trySend(payload, topic) {
    this.#checkSend(payload);
    return this.#stream.trySend(payload, topic);
  }

  /** Sends a frame beside the messages; false: too much waits. sure: deliver waits until it has arrived. */
  sendAside(kind, frame, sure) { return this.#stream.sendAside(kind, frame, sure); }

  /** Asks the peer something; resolves with its answer. */
  async ask(topic, data, signal) {
    this.#checkOpen();
    return this.#stream.questions.ask(topic, data, signal);
  }

  #checkSend(payload) {
    checkSize(payload);
    this.#checkOpen();
  }

  #checkOpen() {
    if (this.#closed || this.state === 'closed') throw new NoomError('closed', 'the peer is gone');
  }

  /** Opens a channel of the application's own on the connection there is. */
  async openChannel(label, options) {
    const name = cleanName(label);
    const problem = nameProblem(name);
    if (problem) throw new NoomError('bad_name', `channel label: ${problem}`);
    const init = channelInit(options);
    if (this.#closed) throw new NoomError('closed', 'the peer is gone');
    const { live } = this.#connections;
    if (!live) throw this.#notConnected();
    return live.openChannel(name, init);
  }

  /** Why the peer is connected or is not: a Diagnosis. */
  async diagnose() {
    if (this.state === 'closed') throw new NoomError('closed', 'the peer is gone');
    // If the page closes the connection itself, no event reports it.
    if (this.pc?.connectionState === 'closed') this.#epochs.look(this.#connection);
    return this.#findings.diagnose(this.#epochs.failures);
  }

  /**
   * Lets go of the connection. The link can be used again should the same
   * session come back: the numbers it counts must go on.
   */
  close() {
    this.#closed = true;
    this.#parted = null;
    this.state = 'closed'; // the caller that closes it knows that
    this.#epochs.on('sleep');
    this.#gone();
  }

  /** Takes back what close ended. */
  reopen() {
    this.#closed = false;
    this.#frames.reopen();
    this.#stream.questions.open();
    this.state = 'connecting';
    this.#epochs.wake();
  }

  #notConnected() {
    return new NoomError('not_connected', `${this.member.name || this.member.id} is not connected`);
  }

  // ---- from its parts

  // The kinds of what the member is about to send: what its table says, and before that the hub.
  get #expects() {
    if (!may(this.member, 'publish')) return [];
    return this.#incoming.told ? this.tracks.map(({ kind }) => kind) : this.#sends.map((type) => type.split('/')[0]);
  }

  // Frames were taken: messages of the exchange, of another epoch if renewed.
  #accepted({ messages, renewed, acked, via }) {
    if (renewed) this.#epochs.on('renewed', via !== null && via === this.#connection ? via.number : 0);
    for (const m of messages) {
      if (m.type === 'left') this.#report.left();
      else this.#connection?.handle(m, via === null);
    }
    if (renewed) this.#connection?.need();
    if (acked) {
      this.#connection?.acknowledged(this.#frames.acked);
      this.#wants.look();
    }
    if (this.#frames.acked >= this.#parting?.acked) this.#parting.done();
  }

  #end() {
    this.#frames.close();
    this.#wants.close();
    this.#needs.close();
    this.#connections.close();
    this.#parting?.done();
    this.#parting = null;
    this.#incoming.close();
    this.#meter.close();
    this.#stream.close();
  }

  get #connection() { return this.#connections.current; }

  #setState(state, error = null) {
    if (this.state === state || this.state === 'closed') return;
    this.state = state;
    if (state === 'connected') this.#frames.prepareGoodbye().catch((failure) => console.error(failure));
    this.#report.state(state, error);
    this.#meter.state(state);
  }
}
