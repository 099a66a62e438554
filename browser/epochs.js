// The epochs of a link: carries out what recovery.js decides about its connections, and reports to it what they do.

import { Connection } from './connection.js';
import { NoomError } from './errors.js';
import { Path } from './path.js';
import { Proof } from './proof.js';

export class Epochs {
  #link; // {closed(), present(), id, expects() → kinds of what the peer is about to send, askTurn() to build, yieldTurn(), state(state, error), dead(), acted(), end()}
  #hub; // {online, ask()}
  #options; // {iceServers(), senders(), connectTimeout, webrtc, atHome, preferred, budget}
  #conduct; // what the member may make us do
  #connections;
  #frames;
  #stream;
  #incoming;
  #findings;
  #wants; // what we show of the member's tracks
  #needs; // what it shows of ours
  #report; // {channelOpened(channel, seen), refused({sender, codec, error})}

  #path;
  #proof; // of the path, once it is new
  #told = null; // the error that was reported to the machine of recovery.js
  #tableVersion = 0; // of what we send
  #tableRows = ''; // as JSON, of that version
  #unseen = new Set(); // Channels that the member has opened and the application has not got yet

  constructor({ link, hub, options, conduct, connections, frames, stream, incoming, findings, wants, needs, report }) {
    this.#link = link;
    this.#hub = hub;
    this.#options = options;
    this.#conduct = conduct;
    this.#connections = connections;
    this.#frames = frames;
    this.#stream = stream;
    this.#incoming = incoming;
    this.#findings = findings;
    this.#wants = wants;
    this.#needs = needs;
    this.#report = report;
    this.#path = new Path(options.connectTimeout, {
      facts: () => ({ online: hub.online, expired: false, wait: conduct.wait(performance.now()) }),
      act: (action) => this.#act(action),
      acted: () => {
        stream.flush(); // perhaps over another connection
        if (this.#path.over) link.acted();
      },
    });
    this.#proof = new Proof({ send: () => frames.probe(), answered: (yes) => this.on(yes ? 'answered' : 'unanswered') });
  }

  /** Reports an event of recovery.js. */
  on(event, ...what) { this.#path.on(event, ...what); }

  /** The member comes back. */
  wake() {
    this.#unseen.clear();
    this.on('wake');
  }

  /** Epochs given up since the last connection that lasted. */
  get failures() { return this.#path.failures; }

  /** Whether the next connection is a newcomer's whose turn has not come. */
  get mustWait() { return this.#path.mustWait; }

  /** Reports the state of a connection. */
  look(c) {
    if (!this.#connections.all.includes(c)) return;
    if (c.pc.connectionState === 'closed') {
      this.#channelClosed(c);
      return;
    }
    if (c.pathChanged()) this.on('pathChanged', c.number, c.path);
    if (c.controlOpen) this.on('controlOpened', c.number);
    if (c.dataOpen) this.on('dataOpened', c.number);
  }

  /** The epoch cannot go on. */
  fail(error) {
    if (this.#connection) {
      this.#spoiled(this.#connection, error);
      return;
    }
    this.#told = notConnected(error);
    this.on('fail');
  }

  /**
   * The other side floods us: the connection ends at once, and the next is made after a pause
   * that another session does not shorten.
   */
  flooded(c, error) {
    if (this.#link.closed() || !this.#connections.all.includes(c)) return;
    console.warn(`noom: ${this.#link.id} floods us; its connection is ended`, error);
    this.#conduct.fault(performance.now());
    this.#spoiled(c, error);
  }

  // ---- connections

  get #connection() { return this.#connections.current; }

  #beginEpoch() {
    if (!this.#frames.begin()) {
      this.on('exhausted');
      return;
    }
    this.#conduct.build(performance.now());
    this.on('begun');
  }

  #build(number, begun) {
    this.#findings.begun();
    this.#tableRows = ''; // other mids: another version
    this.#wants.renew();
    try {
      this.#connections.current = new Connection({
        number,
        platform: this.#options,
        iceServers: this.#options.iceServers(),
        begun,
        senders: this.#options.senders(),
        expects: begun ? this.#link.expects() : [],
        incoming: this.#incoming,
        link: this.#forConnection((c) => c === this.#connection),
      });
    } catch (error) {
      this.#told = notConnected(error); // the browser has no more connections to give
      this.on('unbuilt');
      return;
    }
    if (begun) this.#connection.need(true);
  }

  // What a Connection may do to us; one that only serves until its successor is up negotiates no more.
  #forConnection(isCurrent) {
    return {
      send: (c, message, byHub) => (isCurrent(c) ? this.#frames.send(message, byHub) : Infinity),
      room: () => this.#frames.room,
      table: (rows, settled) => this.#table(rows, settled),
      changed: (c) => this.look(c),
      channelClosed: (c) => this.#frames.whenTaken(() => this.#channelClosed(c)), // a goodbye may be among them
      restarting: (c) => isCurrent(c) && this.on('restarted'),
      failed: (c, error) => this.#spoiled(c, error),
      flooded: (c, error) => this.flooded(c, error),
      described: (restarts) => this.#conduct.described(performance.now(), restarts),
      tabled: ({ fresh, changed }) => this.#conduct.tabled(performance.now(), fresh, changed),
      introduced: () => this.#wants.look(),
      reaches: () => this.#hub.online && this.#link.present(),
      wants: (told) => this.#takeWants(told),
      lookup: () => this.#conduct.lookup(performance.now()),
      peer: this.#link.id,
      wanted: ({ id }) => this.#needs.of(id),
      most: () => this.#link.most(),
      refused: (what) => this.#report.refused(what),
      channelOpened: (channel) => {
        this.#unseen.add(channel);
        this.#report.channelOpened(channel, () => this.#unseen.delete(channel));
      },
      unseen: () => this.#unseen.size,
      control: (c, frame) => this.#frames.control(frame, c),
      data: (bytes) => this.#stream.receive(bytes),
      drained: () => this.#stream.flush(),
    };
  }

  // false: it is too much.
  #takeWants(told) {
    if (!this.#conduct.wanted(performance.now(), this.#needs.weigh(told))) return false;
    this.#needs.apply(told);
    return true;
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

  // A browser ends both channels with the connection.
  #channelClosed(c) {
    for (const data of [false, true]) {
      if (this.#connections.all.includes(c)) this.on('channelClosed', c.number, data);
    }
  }

  // Something went wrong over a connection, which ends.
  #spoiled(c, error) {
    if (!this.#connections.all.includes(c)) return;
    this.#told = notConnected(error);
    this.on('spoiled', c.number);
  }

  // ---- what recovery.js says

  #act({ kind, conn, ours, peer, cause, late }) {
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
      case 'probe': this.#proof.probe(this.#connection.pc); break;
      case 'checkProbe': this.#proof.check(this.#connection.pc); break;
      case 'resend':
        if (late) this.#frames.connected();
        else this.#frames.resend();
        break;
      case 'setState': this.#link.state(peer, this.#cause(cause)); break;
      case 'drop': this.#link.dead(); break;
      case 'askHub': this.#hub.ask(); break;
      case 'queue': this.#link.askTurn(); break;
      case 'release':
        this.#frames.release();
        this.on('released');
        break;
      case 'yield': this.#link.yieldTurn(); break;
      case 'end': this.#link.end(); break;
    }
  }

  #cause(cause) {
    switch (cause) {
      case 'told': return this.#told;
      case 'tooLate': return new NoomError('not_connected', this.#connection ? 'the connection did not come up in time' : 'no offer came in time');
      case 'pathLost': return new NoomError('not_connected', this.#link.present() ? 'nothing arrives from the peer' : 'the peer is gone');
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
}

const notConnected = (cause) => (cause instanceof NoomError ? cause : new NoomError('not_connected', cause.message, { cause }));
