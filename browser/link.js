// What two members hold between them, over all the connections they ever have:
// it begins epochs and gives them up, and joins the parts that do the rest.

import { channelInit } from './channel.js';
import { Connection } from './connection.js';
import { Findings } from './diagnose.js';
import { NoomError } from './errors.js';
import { Frames } from './frames.js';
import { Connections } from './handover.js';
import { Incoming } from './incoming.js';
import { MAX } from './limits.js';
import { cleanName, nameProblem } from './name.js';
import { Pace } from './pace.js';
import { Path } from './path.js';
import { may } from './rights.js';
import { Stream } from './stream.js';

const PATIENCE = 2_000; // ms for the other side to begin, when it has failed before
const FAREWELL = 1_000; // ms that a goodbye may take

/** Throws for a payload above the bound, whoever it is for. */
export function checkSize(payload) {
  if (payload.length > MAX.data) throw new NoomError('too_big', `data of ${payload.length} bytes, at most ${MAX.data}`);
}

export class Link {
  member; // Member, whose session this link belongs to
  present = true; // the hub has it in the room
  state = 'connecting';

  #hub; // {send(frame), online}
  #report; // {state(state, error), dead(), left(), stale(session), data(bytes, taken), channelOpened(channel), refused({sender, codec, error}), track*}
  #options; // {iceServers(), senders(), connectTimeout}
  #conduct; // what the member may make us do, outlives the link
  #turns; // {ask(link), done(link)}: newcomers build one after the other

  #connections = new Connections();
  #frames;
  #path;
  #pace = new Pace();
  #stream;
  #incoming; // the peer's tracks
  #findings;
  #emptied = []; // Connections whose channels are being emptied
  #tableVersion = 0; // of what we send
  #tableRows = ''; // as JSON, of that version

  #closed = false; // state is closed already while a goodbye is answered
  #parted = null; // what to do once nothing more comes: the other side has said goodbye
  #wasUp = false; // in this epoch or before
  #admitted = false; // it is our turn to build
  #due = false; // an epoch of ours, when it is
  #parting = null; // {acked, done}: our goodbye, until the other side has it

  constructor({ member, peer, self, hub, report, options, conduct, turns }) {
    this.member = member;
    this.#hub = hub;
    this.#report = report;
    this.#options = options;
    this.#conduct = conduct;
    this.#turns = turns;
    const failed = (error) => this.#fail(error);
    this.#incoming = new Incoming(peer, report, () => may(this.member, 'publish'));
    this.#stream = new Stream(this.#connections, {
      data: report.data, failed, flooded: (error) => this.#flooded(this.#connection, error), repeated: () => conduct.repeated(performance.now()),
    });
    this.#frames = new Frames({
      self, hub, member: () => this.member, connections: this.#connections, conduct,
      link: {
        wait: () => this.#mustWait(), allow: () => conduct.build(performance.now()) === 0, accepted: (what) => this.#accepted(what),
        stale: report.stale, failed, flooded: (c, error) => this.#flooded(c, error),
      },
    });
    this.#path = new Path(this.#connections, options.connectTimeout, {
      present: () => this.present, online: () => hub.online, ours: () => this.#frames.ours,
      up: () => this.#up(), steady: () => this.#pace.forget(), state: (state) => this.#setState(state),
      reattach: () => this.#reattach(), failed, dead: report.dead,
    });
    this.#findings = new Findings(this.#connections, () => ({
      online: hub.online, lost: !this.present, connected: this.state === 'connected',
      acked: this.#frames.acked > 0, pending: this.#frames.pending,
    }));
  }

  get tracks() { return this.#incoming.tracks; }

  get pc() { return this.#connection?.pc ?? null; }

  /** Whether a connection is there or on its way. */
  get living() { return this.#connection !== null; }

  // ---- from the room

  /** Begins an epoch. */
  begin() {
    if (this.#closed) return;
    if (this.#mustWait()) {
      this.#due = true;
      return;
    }
    const wait = this.#conduct.build(performance.now());
    if (wait > 0) {
      this.#path.await(wait, () => this.begin());
      return;
    }
    if (!this.#hubReaches && this.#connection?.up) this.#connections.setAside(); // the next epoch has no other way
    if (!this.#frames.begin()) {
      this.#setState('failed', new NoomError('not_connected', 'no epochs are left'));
      return;
    }
    this.#build(true);
    this.#connection?.need(true);
  }

  /** It is our turn to build, of all newcomers. */
  admit() {
    if (this.#closed) return;
    this.#admitted = true;
    const due = this.#due;
    this.#due = false;
    this.#frames.release(); // the other side has begun, perhaps, which is as good
    if (due && !this.#connection) this.begin();
  }

  // Whether the next connection is a newcomer's whose turn has not come. The other side's
  // time to come up begins with its offer, and ours with our connection.
  #mustWait() {
    if (this.#wasUp || this.#admitted) return false;
    this.#turns.ask(this);
    return true;
  }

  #turnOver() {
    this.#admitted = this.#due = false;
    this.#turns.done(this);
  }

  /** The member is in the room, and so are we: a welcome makes the other side begin, and we do when it does not. */
  online() {
    this.present = true;
    if (this.#connection) {
      this.#frames.resend();
      return;
    }
    this.#path.await(this.#pace.failures > 0 ? PATIENCE : this.#options.connectTimeout, () => {
      if (!this.#connection) this.#findings.note(new NoomError('not_connected', 'no offer came in time'));
      this.#retry();
    });
  }

  /** The hub has lost the member: it stays for as long as its connection lives. */
  lost() {
    this.present = false;
    if (!this.#connection && !this.#connections.moving) {
      this.#report.dead();
      return;
    }
    if (!this.#wasUp) this.#turns.done(this); // its connection comes up by itself or not at all, and holds nobody up
    this.#path.lost();
  }

  /** Takes a pair frame that came by hub. */
  receive(frame) { this.#frames.receive(frame); }

  /** What the hub says the member may do now. */
  setRights(rights) {
    this.member.rights = rights;
    if (this.#connection) this.#incoming.retake(this.#connection.pc);
  }

  /** The ICE servers are others now. */
  serversChanged() { this.#connection?.setServers(this.#options.iceServers()); }

  addSender(sender) { this.#connection?.addSender(sender); }

  removeSender(sender) {
    for (const c of this.#connections.all) c.removeSender(sender);
  }

  tableChanged() { this.#connection?.tableChanged(); }

  async trackReplaced(sender) {
    this.#connection?.need(); // it may be stereo now
    await Promise.all(this.#connections.all.map((c) => c.trackReplaced(sender)));
  }

  /** Looks for a new path: by ICE restart, or without a hub by a new connection over the old one. */
  restart() {
    if (this.#hubReaches || !this.#connection?.up) this.#connection?.restart();
    else this.begin();
  }

  /** Says goodbye in-band; resolves when the other side has heard it, or cannot. */
  farewell() {
    if (!this.#connections.live) return Promise.resolve();
    return new Promise((done) => {
      this.#parting = { acked: this.#frames.send({ type: 'left' }), done };
      setTimeout(done, FAREWELL);
    });
  }

  /**
   * The other side has said goodbye, which may have overtaken what it sent before:
   * until the connection ends, or for a moment, that is still taken. Then calls done.
   */
  part(done) {
    if (this.#parted) return;
    this.#parted = done;
    if (this.#connections.live) setTimeout(done, FAREWELL / 2);
    else done();
  }

  /** Whether the other side has said goodbye. */
  get parting() { return this.#parted !== null; }

  /** We leave: nothing new is taken. */
  seal() { this.#stream.seal(); }

  /** Resolves when all that was sent has arrived, or nothing more will. */
  async deliver() {
    this.#emptied = this.#connections.all;
    await Promise.all([this.#stream.delivered(), ...this.#emptied.map((c) => c.emptyChannels())]);
  }

  /** What is not known to have arrived, after deliver: messages, and channels with something in them. */
  get undelivered() {
    return { messages: this.#stream.missing, channels: this.#emptied.reduce((sum, c) => sum + c.filledChannels, 0) };
  }

  /** The other side has said goodbye, and closes the connection: it must hear first that we have heard. */
  fade() {
    this.state = 'closed';
    this.#incoming.close();
    setTimeout(() => this.close(), FAREWELL / 2);
  }

  /** Sends data; resolves when it is on its way, or waits for a connection, within the credit. */
  async send(payload) {
    this.#checkSend(payload);
    await this.#stream.send(payload);
  }

  /** Sends data if there is credit; false if not. */
  trySend(payload) {
    this.#checkSend(payload);
    return this.#stream.trySend(payload);
  }

  #checkSend(payload) {
    checkSize(payload);
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
    // A page that closes the connection itself is told by no event.
    if (this.pc?.connectionState === 'closed') this.#path.look();
    return this.#findings.diagnose(this.#pace.failures);
  }

  /**
   * Lets go of the connection. The link can be used again should the same
   * session come back: the numbers it counts must go on.
   */
  close() {
    this.#closed = true;
    this.#parted = null;
    this.#turnOver();
    this.#frames.close();
    this.#path.stop();
    this.#connections.lose(this.#connection);
    this.#path.letGo();
    this.#parting?.done();
    this.#parting = null;
    this.#incoming.close();
    this.state = 'closed';
    this.#stream.close();
  }

  /** Takes back what close ended. */
  reopen() {
    this.#closed = false;
    this.#frames.reopen();
    this.#pace.forget();
    this.state = 'connecting';
  }

  #notConnected() {
    return new NoomError('not_connected', `${this.member.name || this.member.id} is not connected`);
  }

  // ---- epochs

  // Frames were taken: messages of the exchange, of another epoch if renewed.
  #accepted({ messages, renewed, acked, via }) {
    if (renewed) {
      if (via !== null && via === this.#connection) this.#connections.setAside(); // as the other side does, or this would not have come
      this.#build(false);
    }
    for (const m of messages) {
      if (m.type === 'left') this.#report.left();
      else this.#connection?.handle(m, via === null);
    }
    if (renewed) this.#connection?.need();
    if (acked) this.#connection?.acknowledged(this.#frames.acked);
    if (this.#frames.acked >= this.#parting?.acked) this.#parting.done();
  }

  #build(begun) {
    this.#drop();
    if (this.state === 'connected' && !this.#connections.serving) this.#setState('interrupted'); // the other side began this epoch
    this.#path.begun();
    this.#findings.begun();
    this.#tableRows = ''; // other mids: another version
    try {
      this.#connections.current = new Connection({
        iceServers: this.#options.iceServers(),
        begun,
        senders: this.#options.senders(),
        incoming: this.#incoming,
        link: this.#forConnection((c) => c === this.#connection),
      });
    } catch (error) {
      this.#fail(error); // the browser has no more connections to give
    }
  }

  // What a Connection may do to us; one that only serves until its successor is up negotiates no more.
  #forConnection(isCurrent) {
    return {
      send: (c, message, byHub) => (isCurrent(c) ? this.#frames.send(message, byHub) : Infinity),
      table: (rows, settled) => this.#table(rows, settled),
      changed: (c) => this.#path.changed(c),
      failed: (c, error) => (isCurrent(c) ? this.#fail(error) : this.#path.oldLost(c)),
      flooded: (c, error) => this.#flooded(c, error),
      described: (restarts) => this.#conduct.described(performance.now(), restarts),
      tabled: ({ fresh, changed }) => this.#conduct.tabled(performance.now(), fresh, changed),
      lookup: () => this.#conduct.lookup(performance.now()),
      refused: (what) => this.#report.refused(what),
      channelOpened: (channel) => this.#report.channelOpened(channel),
      control: (c, frame) => this.#frames.control(frame, c),
      data: (bytes) => this.#stream.receive(bytes),
      dataOpen: (c) => isCurrent(c) && this.#stream.reopen(c),
    };
  }

  // A table that is not settled goes out as version 0, which everyone ignores.
  #table(rows, settled) {
    if (!settled) return { version: 0, tracks: {} };
    const json = JSON.stringify(rows);
    if (json !== this.#tableRows) {
      this.#tableRows = json;
      this.#tableVersion++;
    }
    return { version: this.#tableVersion, tracks: rows };
  }

  #up() {
    this.#wasUp = true;
    this.#turnOver();
    this.#findings.up();
    this.#setState('connected');
  }

  // Ends the connection; the next epoch begins after a pause that grows.
  #fail(cause) {
    if (this.#parted) {
      this.#parted();
      return;
    }
    if (this.state === 'closed') return;
    const error = cause instanceof NoomError ? cause : new NoomError('not_connected', cause.message, { cause });
    this.#findings.failed(error);
    if (!this.#wasUp) this.#turnOver();
    this.#drop();
    this.#path.stop();
    if (!this.#connections.serving) {
      this.#setState('failed', error);
      if (!this.present) {
        this.#report.dead();
        return;
      }
    }
    this.#path.await(this.#pace.failed(Math.random()), () => this.#retry());
  }

  // The other side floods us: the connection ends at once, and the next is made after a pause
  // that another session does not shorten.
  #flooded(c, error) {
    if (this.#closed || !this.#connections.all.includes(c)) return;
    console.warn(`noom: ${this.member.id} floods us; its connection is ended`, error);
    this.#conduct.fault(performance.now());
    if (c === this.#connection) this.#fail(error);
    else this.#path.oldLost(c);
  }

  // Without a hub there is nobody to tell; online comes back to it.
  #retry() {
    if (!this.#closed && !this.#connection && (this.#hubReaches || this.#connections.serving)) this.begin();
  }

  // Lets go of the connection; what its epoch would still repeat is of no use.
  #drop() {
    this.#connections.lose(this.#connection);
    this.#frames.rest();
  }

  get #connection() { return this.#connections.current; }

  get #hubReaches() { return this.#hub.online && this.present; }

  // What came by a connection that has gone comes by the current one.
  #reattach() {
    if (this.#connection) this.#incoming.attach(this.#connection.pc);
  }

  #setState(state, error = null) {
    if (this.state === state || this.state === 'closed') return;
    this.state = state;
    this.#report.state(state, error);
  }
}
