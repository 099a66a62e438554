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
import { Path } from './path.js';
import { may } from './rights.js';
import { Stream } from './stream.js';

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
  #told = null; // why the machine of recovery.js was told that something failed
  #stream;
  #incoming; // the peer's tracks
  #findings;
  #emptied = []; // Connections whose channels are being emptied
  #tableVersion = 0; // of what we send
  #tableRows = ''; // as JSON, of that version

  #closed = false; // state is closed already while a goodbye is answered
  #parted = null; // what to do once nothing more comes: the other side has said goodbye
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
    this.#path = new Path(options.connectTimeout, {
      facts: () => ({ online: hub.online, expired: false, wait: conduct.wait(performance.now()) }),
      act: (action) => this.#act(action),
      acted: () => this.#path.over && this.#parted?.(),
    });
    this.#findings = new Findings(this.#connections, () => ({
      online: hub.online, lost: !this.present, connected: this.state === 'connected',
      acked: this.#frames.acked > 0, pending: this.#frames.pending,
    }));
  }

  get tracks() { return this.#incoming.tracks; }

  get pc() { return this.#connection?.pc ?? null; }

  // ---- from the room

  /** The member has entered, or come back to, the hub while we were there. */
  welcome() {
    this.present = true;
    this.#path.on('welcome');
  }

  /** The member is in the room, to which we have come: a welcome makes the other side begin. */
  expect() {
    this.present = true;
    this.#path.on('expect');
  }

  /** The hub has lost the member: it stays for as long as its connection lives. */
  lost() {
    this.present = false;
    this.#path.on('hubLost');
  }

  /** It is our turn to build, of all newcomers. */
  admit() { this.#path.on('admitted'); }

  // Whether an epoch that the other side begins is a newcomer's, whose turn has not come. The other side's
  // time to come up begins with its offer, and ours with our connection.
  #mustWait() {
    if (!this.#path.mustWait) return false;
    this.#path.on('peerBegins');
    return true;
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
  restart() { this.#path.on('restart'); }

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
    this.#path.on('goodbye');
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
    if (this.pc?.connectionState === 'closed') this.#look(this.#connection);
    return this.#findings.diagnose(this.#path.failures);
  }

  /**
   * Lets go of the connection. The link can be used again should the same
   * session come back: the numbers it counts must go on.
   */
  close() {
    this.#closed = true;
    this.#parted = null;
    this.state = 'closed'; // which whoever closes knows
    this.#path.on('sleep');
  }

  /** Takes back what close ended. */
  reopen() {
    this.#closed = false;
    this.#frames.reopen();
    this.state = 'connecting';
    this.#path.on('wake');
  }

  #notConnected() {
    return new NoomError('not_connected', `${this.member.name || this.member.id} is not connected`);
  }

  // ---- epochs

  // Frames were taken: messages of the exchange, of another epoch if renewed.
  #accepted({ messages, renewed, acked, via }) {
    if (renewed) this.#path.on('renewed', via !== null && via === this.#connection ? via.number : 0);
    for (const m of messages) {
      if (m.type === 'left') this.#report.left();
      else this.#connection?.handle(m, via === null);
    }
    if (renewed) this.#connection?.need();
    if (acked) this.#connection?.acknowledged(this.#frames.acked);
    if (this.#frames.acked >= this.#parting?.acked) this.#parting.done();
  }

  #beginEpoch() {
    if (!this.#frames.begin()) {
      this.#path.on('exhausted');
      return;
    }
    this.#conduct.build(performance.now());
    this.#path.on('begun');
  }

  #build(number, begun) {
    this.#findings.begun();
    this.#tableRows = ''; // other mids: another version
    try {
      this.#connections.current = new Connection({
        number,
        iceServers: this.#options.iceServers(),
        begun,
        senders: this.#options.senders(),
        incoming: this.#incoming,
        link: this.#forConnection((c) => c === this.#connection),
      });
    } catch (error) {
      this.#told = notConnected(error); // the browser has no more connections to give
      this.#path.on('unbuilt');
      return;
    }
    if (begun) this.#connection.need(true);
  }

  // What a Connection may do to us; one that only serves until its successor is up negotiates no more.
  #forConnection(isCurrent) {
    return {
      send: (c, message, byHub) => (isCurrent(c) ? this.#frames.send(message, byHub) : Infinity),
      table: (rows, settled) => this.#table(rows, settled),
      changed: (c) => this.#look(c),
      channelClosed: (c) => this.#channelClosed(c),
      mayRestart: () => this.#path.mayRestart,
      restarting: (c) => isCurrent(c) && this.#path.on('restarted'),
      failed: (c, error) => this.#spoiled(c, error),
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

  // Reports the state of a connection.
  #look(c) {
    if (!this.#connections.all.includes(c)) return;
    if (c.pc.connectionState === 'closed') {
      this.#channelClosed(c);
      return;
    }
    if (c.pathChanged()) this.#path.on('pathChanged', c.number, c.path);
    if (c.controlOpen) this.#path.on('controlOpened', c.number);
    if (c.dataOpen) this.#path.on('dataOpened', c.number);
  }

  // A browser ends both channels with the connection.
  #channelClosed(c) {
    for (const data of [false, true]) {
      if (this.#connections.all.includes(c)) this.#path.on('channelClosed', c.number, data);
    }
  }

  // The epoch cannot go on.
  #fail(error) {
    if (this.#connection) {
      this.#spoiled(this.#connection, error);
      return;
    }
    this.#told = notConnected(error);
    this.#path.on('fail');
  }

  // Something went wrong over a connection, which ends.
  #spoiled(c, error) {
    if (!this.#connections.all.includes(c)) return;
    this.#told = notConnected(error);
    this.#path.on('spoiled', c.number);
  }

  // The other side floods us: the connection ends at once, and the next is made after a pause
  // that another session does not shorten.
  #flooded(c, error) {
    if (this.#closed || !this.#connections.all.includes(c)) return;
    console.warn(`noom: ${this.member.id} floods us; its connection is ended`, error);
    this.#conduct.fault(performance.now());
    this.#spoiled(c, error);
  }

  // ---- what recovery.js says

  #act({ kind, conn, ours, peer, cause }) {
    switch (kind) {
      case 'beginEpoch': this.#beginEpoch(); break;
      case 'build': this.#build(conn, ours); break;
      case 'setAside': this.#connections.setAside(); break;
      case 'close': this.#lose(this.#connections.numbered(conn)); break;
      case 'giveUp':
        this.#findings.failed(this.#cause(cause));
        this.#frames.rest(); // what its epoch would still repeat is of no use
        break;
      case 'note': this.#findings.note(this.#cause(cause)); break;
      case 'forget': this.#findings.up(); break;
      case 'restartICE': this.#connection?.restart(); break;
      case 'resend': this.#frames.resend(); break;
      case 'setState': this.#setState(peer, this.#cause(cause)); break;
      case 'drop': this.#report.dead(); break;
      case 'queue': this.#turns.ask(this); break;
      case 'release':
        this.#frames.release();
        this.#path.on('released');
        break;
      case 'yield': this.#turns.done(this); break;
      case 'end': this.#end(); break;
    }
  }

  #cause(cause) {
    switch (cause) {
      case 'told': return this.#told;
      case 'tooLate': return new NoomError('not_connected', this.#connection ? 'the connection did not come up in time' : 'no offer came in time');
      case 'pathLost': return new NoomError('not_connected', this.present ? 'nothing arrives from the peer' : 'the peer is gone');
      case 'epochsUsedUp': return new NoomError('not_connected', 'no epochs are left');
      default: return null;
    }
  }

  #lose(c) {
    const wasCurrent = c === this.#connection;
    this.#connections.lose(c);
    if (wasCurrent) this.#frames.rest();
    else if (this.#connection) this.#incoming.attach(this.#connection.pc); // what came by the old one
  }

  #end() {
    this.#frames.close();
    this.#connections.close();
    this.#parting?.done();
    this.#parting = null;
    this.#incoming.close();
    this.#stream.close();
  }

  get #connection() { return this.#connections.current; }

  #setState(state, error = null) {
    if (this.state === state || this.state === 'closed') return;
    this.state = state;
    this.#report.state(state, error);
  }
}

const notConnected = (cause) => (cause instanceof NoomError ? cause : new NoomError('not_connected', cause.message, { cause }));
