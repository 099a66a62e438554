// What two members hold between them (PROTOCOL.md section 4): the sessions,
// the epoch and its Connection, the exchange, the signatures, the two paths a
// frame can take, and everything that outlives a connection: the peer's
// tracks, the versions of our table, the data stream. It decides when to
// begin the next epoch.

import { decode, encode } from './codec.js';
import { Connection } from './connection.js';
import { DataStream } from './data.js';
import { judge, pathOf } from './diagnosis.js';
import { NoomError } from './errors.js';
import { Exchange } from './exchange.js';
import { Connections } from './handover.js';
import { pairText, verifier } from './identity.js';
import { Incoming } from './incoming.js';
import { MAX } from './limits.js';
import { cleanName, nameProblem } from './name.js';
import { may } from './rights.js';

const TICK = 500; // ms
const PATIENCE = 2_000; // ms without anything arriving before ICE is restarted
const LOST_PATIENCE = 5_000; // the same, for a peer the hub has lost, before it is dropped
const STEADY = 10_000; // ms connected before failures are forgotten
const LINGER = 1_000; // ms that a connection stays once its successor is up, at the end that began the epoch
const FAREWELL = 1_000; // ms that a goodbye may take
const MAX_PAUSE = 30_000; // ms between two rebuilds
const BURST = 8; // epochs of the other's making taken at once; then one per MAX_PAUSE / BURST

export class Link {
  member; // Member, whose session this link belongs to
  present = true; // the hub has it in the room
  state = 'connecting';

  #self; // {identity, session, room}
  #hub; // {send(frame), online}
  #report; // {state(state, error), dead(), left(), stale(session), data(bytes, taken), channelOpened(channel), refused(sender, codec), track*}
  #options; // {iceServers(), senders(), connectTimeout}

  #exchange;
  #connections = new Connections();
  #incoming;
  #tableVersion = 0;
  #tableRows = ''; // as JSON, of that version
  #stream = new DataStream();
  #waiting = []; // sends without credit: {payload, resolve, reject}

  #verify;
  #inbox = Promise.resolve(); // verification, in the order of arrival
  #outbox = Promise.resolve(); // signing, in the order of sending

  #closed = false; // state is closed already while a goodbye is answered
  #failures = 0; // in a row
  #failedBy = null; // why this epoch was given up, null if it was not
  #found = {}; // evidence of the connection that has failed, until there is another
  #failure = null; // the Diagnosis of the last failure, until the peer is connected
  #wasUp = false; // in this epoch or before
  #allowance = BURST;
  #allowedAt = 0; // when the allowance was counted, ms
  #staleAt = -Infinity; // when the last stale was sent, ms
  #ticking = 0; // interval
  #deadline = 0; // timeout: the connection must be up, or the pause is over
  #patience = 0; // timeout: since nothing arrives
  #steady = 0; // timeout: since it is up
  #linger = 0; // timeout: for old connections, once the current one is up
  #parting = null; // {acked, done}: our goodbye, until the other side has it

  constructor({ member, peer, self, hub, report, options }) {
    this.member = member;
    this.#self = self;
    this.#hub = hub;
    this.#report = report;
    this.#options = options;
    this.#exchange = new Exchange(self.identity.id);
    this.#incoming = new Incoming(peer, report, () => may(this.member, 'publish'));
    this.#verify = verifier(member.key, () => console.warn(`noom: dropped what ${member.id} did not sign; the hub may be lying`));
  }

  get tracks() { return this.#incoming.tracks; }

  get pc() { return this.#connection?.pc ?? null; }

  /** Whether a connection is there or on its way. */
  get living() { return this.#connection !== null; }

  // ---- from the room

  /** Begins an epoch. */
  begin() {
    if (this.#closed) return;
    if (!this.#hubReaches && this.#connection?.up) this.#connections.setAside(); // the next epoch has no other way
    if (!this.#exchange.begin()) {
      this.#setState('failed', new NoomError('not_connected', 'no epochs are left'));
      return;
    }
    this.#build(true);
    this.#connection?.need(true);
  }

  /** Waits for the other side to begin, which a welcome makes it do, and begins when it does not. */
  await(ms = this.#options.connectTimeout) {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => {
      if (!this.#connection) this.#failure = this.#judge(new NoomError('not_connected', 'no offer came in time'));
      this.#retry();
    }, ms);
  }

  /** The member is in the room, and so are we. */
  online() {
    this.present = true;
    if (this.#connection) {
      this.#exchange.resend();
      this.#flush();
    } else {
      this.await(this.#failures > 0 ? PATIENCE : undefined);
    }
  }

  /** The hub has lost the member: it stays for as long as its connection lives. */
  lost() {
    this.present = false;
    if (!this.#connection && !this.#connections.moving) this.#report.dead();
    else this.#watch();
  }

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
      this.#exchange.send({ type: 'left' });
      this.#parting = { acked: this.#exchange.queued, done };
      setTimeout(done, FAREWELL);
      this.#flush();
    });
  }

  /** The other side has said goodbye, and closes the connection: it must hear first that we have heard. */
  fade() {
    this.state = 'closed';
    this.#incoming.close();
    setTimeout(() => this.close(), FAREWELL / 2);
  }

  /** Sends data; resolves when it is on its way, within the credit. */
  send(payload) {
    if (payload.length > MAX.data) {
      return Promise.reject(new NoomError('too_big', `data of ${payload.length} bytes, at most ${MAX.data}`));
    }
    if (this.#closed || !this.#wasUp || this.state === 'failed') {
      return Promise.reject(this.#notConnected());
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ payload: payload.slice(), resolve, reject });
      this.#sendWaiting();
    });
  }

  /** Opens a channel of the application's own on the connection there is. */
  async openChannel(label, options) {
    const name = cleanName(label);
    const problem = nameProblem(name);
    if (problem) throw new NoomError('bad_name', `channel label: ${problem}`);
    const { live } = this.#connections;
    if (!live) throw this.#notConnected();
    return live.openChannel(name, options);
  }

  /**
   * Lets go of the connection. The link can be used again should the same
   * session come back: the numbers it counts must go on.
   */
  close() {
    this.#closed = true;
    this.#stop();
    this.#drop();
    this.#dropOld();
    this.#parting?.done();
    this.#parting = null;
    this.#incoming.close();
    this.state = 'closed';
    for (const { reject } of this.#waiting.splice(0)) reject(new NoomError('closed', 'the peer is gone'));
  }

  /** Takes back what close ended. */
  reopen() {
    this.#closed = false;
    this.#failures = 0;
    this.state = 'connecting';
  }

  /** Why the peer is connected or is not: a Diagnosis. */
  async diagnose() {
    if (this.state === 'closed') throw new NoomError('closed', 'the peer is gone');
    let found = this.#judge(this.#failedBy);
    // While an attempt shows nothing yet, what ended the one before is the answer.
    if (found.verdict === 'connecting' && this.#failure) found = this.#failure;
    const diagnosis = { ...found, attempts: this.#failures, path: null };
    if (found.verdict !== 'connected' && found.verdict !== 'codec not shared') return diagnosis;
    const path = pathOf((await this.#connections.live?.pc.getStats()) ?? new Map());
    if (!path) return diagnosis;
    return { ...diagnosis, path, words: `${found.words} (${path.local.type} to ${path.remote.type} over ${path.local.protocol})` };
  }

  #judge(error, connected = this.state === 'connected') {
    return judge({
      online: this.#hub.online, lost: !this.present, connected, error,
      acked: this.#exchange.acked > 0, pending: this.#exchange.pending,
      ...(this.#connection?.evidence ?? this.#found),
    });
  }

  #notConnected() {
    return new NoomError('not_connected', `${this.member.name || this.member.id} is not connected`);
  }

  // ---- frames in

  /** Takes a frame that came by a Connection's control channel, or by hub if via is null. */
  receive(frame, via = null) {
    this.#inbox = this.#inbox.then(async () => {
      if (this.#closed || frame.to !== this.#self.identity.id) return;
      if (!(await this.#verify(pairText(frame, this.#self.room, this.member.id), frame.signature))) return;
      if (!this.#closed) this.#accept(frame, via);
    });
  }

  #accept(frame, via) {
    if (frame.sessions[1] !== this.#self.session) {
      if (frame.type !== 'stale') this.#sendStale(frame.sessions[0]);
      return;
    }
    if (frame.type === 'stale') {
      this.#report.stale(frame.sessions[0]);
      return;
    }
    if (frame.sessions[0] !== this.member.session) return;
    if (this.#exchange.ahead(frame.epoch) && !this.#allow()) return;
    const acked = this.#exchange.acked;
    const { messages, renewed, ok } = this.#exchange.receive(frame);
    if (!ok) return;
    if (renewed) {
      if (via !== null && via === this.#connection) this.#connections.setAside(); // as the other side does, or this would not have come
      this.#build(false);
    }
    for (const m of messages) {
      if (m.type === 'left') this.#report.left();
      else this.#connection?.handle(m, via === null);
    }
    if (renewed) this.#connection?.need();
    if (this.#exchange.acked > acked) this.#connection?.acknowledged(this.#exchange.acked);
    if (this.#exchange.acked >= this.#parting?.acked) this.#parting.done();
    this.#flush(via === null);
  }

  // Whether one more epoch of the other's making is within bounds.
  #allow() {
    const now = performance.now();
    this.#allowance = Math.min(BURST, this.#allowance + ((now - this.#allowedAt) * BURST) / MAX_PAUSE);
    this.#allowedAt = now;
    if (this.#allowance < 1) return false;
    this.#allowance--;
    return true;
  }

  // ---- frames out

  // byHub: what is answered came by the hub, so the channel may be dead at the
  // other end, and this one cannot know.
  #flush(byHub = false) {
    for (const frame of this.#exchange.flush()) this.#transmit({ ...frame, type: frame.type || 'ack', byHub });
    if (!this.#exchange.pending || this.#closed) {
      this.#stopTicking();
    } else if (!this.#ticking) {
      this.#ticking = setInterval(() => {
        this.#exchange.tick();
        this.#flush();
      }, TICK);
    }
  }

  #sendStale(session) {
    const now = performance.now();
    if (now - this.#staleAt < 1000) return;
    this.#staleAt = now;
    this.#transmit({ type: 'stale', epoch: [0, ''], seq: 0, ack: 0, hubOnly: true, session });
  }

  #transmit({ type, epoch, seq, ack, body, hubOnly, again, byHub, session = this.member.session }) {
    const message = { type, to: this.member.id, sessions: [this.#self.session, session], epoch, seq, ack, body };
    this.#outbox = this.#outbox.then(async () => {
      message.signature = await this.#self.identity.sign(pairText(message, this.#self.room, this.#self.identity.id));
      if (this.#closed) return;
      const frame = encode(message);
      const inBand = !hubOnly && this.#connections.sendControl(frame, again);
      if (!inBand || again || byHub) this.#hub.send(frame);
    }).catch((error) => this.#fail(error));
  }

  // ---- epochs

  #build(begun) {
    this.#drop();
    this.#stop();
    this.#tableRows = ''; // other mids: another version
    this.#failedBy = null;
    this.#found = {};
    this.#deadline = setTimeout(
      () => this.#fail(new NoomError('not_connected', 'the connection did not come up in time')),
      this.#options.connectTimeout,
    );
    try {
      const connection = new Connection({
        iceServers: this.#options.iceServers(),
        begun,
        senders: this.#options.senders(),
        incoming: this.#incoming,
        link: this.#forConnection((c) => c === this.#connection),
      });
      this.#connections.current = connection;
    } catch (error) {
      this.#fail(error); // the browser has no more connections to give
    }
  }

  // What a Connection may do to us; one that only serves until its successor is up negotiates no more.
  #forConnection(isCurrent) {
    return {
      send: (c, message, byHub) => {
        if (!isCurrent(c)) return Infinity;
        this.#exchange.send(message);
        const queued = this.#exchange.queued;
        this.#flush(byHub);
        return queued;
      },
      table: (rows, settled) => this.#table(rows, settled),
      changed: (c) => (isCurrent(c) ? this.#watch() : this.#watchOld(c)),
      failed: (c, error) => (isCurrent(c) ? this.#fail(error) : this.#oldLost(c)),
      refused: (sender, codec) => this.#report.refused(sender, codec),
      channelOpened: (channel) => this.#report.channelOpened(channel),
      control: (c, frame) => this.#control(frame, c),
      data: (bytes) => this.#data(bytes),
      dataOpen: (c) => isCurrent(c) && this.#stream.reopen().forEach((bytes) => c.sendData(bytes)),
    };
  }

  #control(text, via) {
    let frame;
    try {
      frame = decode(text);
    } catch {
      return;
    }
    if (frame.sessions && !frame.from) this.receive(frame, via);
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

  // Follows the connection's state.
  #watch() {
    if (!this.#connection) return;
    const { connectionState } = this.#connection.pc;
    if (connectionState === 'failed' || connectionState === 'closed') {
      this.#fail(new NoomError('not_connected', 'nothing arrives from the peer'));
    } else if (this.#connection.up) {
      this.#stop();
      this.#wasUp = true;
      this.#failure = null;
      if (this.#connections.moving) {
        const ours = this.#exchange.epoch[1] === this.#self.identity.id;
        this.#linger = setTimeout(() => this.#dropOld(), ours ? LINGER : 2 * LINGER);
      }
      this.#steady = setTimeout(() => { this.#failures = 0; }, STEADY);
      this.#setState('connected');
    } else if (connectionState === 'disconnected') {
      this.#interrupted();
    }
  }

  #interrupted() {
    clearTimeout(this.#patience);
    clearTimeout(this.#steady);
    if (this.present) {
      this.#patience = setTimeout(() => {
        if (!this.#hub.online) return;
        this.#connection?.restart();
        clearTimeout(this.#deadline);
        this.#deadline = setTimeout(() => this.#fail(new NoomError('not_connected', 'no path to the peer')), this.#options.connectTimeout);
      }, PATIENCE);
    } else {
      this.#patience = setTimeout(() => this.#fail(new NoomError('not_connected', 'the peer is gone')), LOST_PATIENCE);
    }
    this.#setState('interrupted');
  }

  // ---- make before break: a new connection, made over the one there is (PROTOCOL.md section 4.2)

  get #hubReaches() { return this.#hub.online && this.present; }

  // Until the new connection is up, the old one's state is the peer's.
  #watchOld(c) {
    const { connectionState } = c.pc;
    if (connectionState === 'failed' || connectionState === 'closed') this.#oldLost(c);
    else if (!this.#connection?.up) this.#setState(this.#connections.serving ? 'connected' : 'interrupted');
  }

  #oldLost(c) {
    this.#connections.lose(c);
    this.#reattach();
    if (this.#connections.live) return;
    if (this.#connection) this.#setState('interrupted');
    else if (!this.present) this.#report.dead();
    else this.#setState('failed');
  }

  #dropOld() {
    clearTimeout(this.#linger);
    this.#connections.loseOld();
    this.#reattach();
  }

  // What came by a connection that has gone comes by the current one.
  #reattach() {
    if (this.#connection) this.#incoming.attach(this.#connection.pc);
  }

  get #connection() { return this.#connections.current; }

  // Ends the connection; the next epoch begins after a pause that grows.
  #fail(cause) {
    if (this.state === 'closed') return;
    const error = cause instanceof NoomError ? cause : new NoomError('not_connected', cause.message, { cause });
    this.#failedBy = error;
    this.#found = this.#connection?.evidence ?? {};
    const diagnosis = this.#judge(error, false);
    this.#drop();
    this.#stop();
    if (!this.#connections.serving) {
      this.#failure = diagnosis;
      this.#setState('failed', error);
      if (!this.present) {
        this.#report.dead();
        return;
      }
    }
    const pause = this.#failures === 0 ? 0 : Math.min(MAX_PAUSE, 500 * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#failures++;
    this.#deadline = setTimeout(() => this.#retry(), pause);
  }

  // Without a hub there is nobody to tell; online comes back to it.
  #retry() {
    if (!this.#closed && !this.#connection && (this.#hubReaches || this.#connections.serving)) this.begin();
  }

  // Lets go of the connection; what its epoch would still repeat is of no use.
  #drop() {
    this.#connections.lose(this.#connection);
    this.#stopTicking();
  }

  #stop() {
    clearTimeout(this.#linger);
    clearTimeout(this.#deadline);
    clearTimeout(this.#patience);
    clearTimeout(this.#steady);
  }

  #stopTicking() {
    clearInterval(this.#ticking);
    this.#ticking = 0;
  }

  #setState(state, error = null) {
    if (this.state === state || this.state === 'closed') return;
    this.state = state;
    this.#report.state(state, error);
  }

  // ---- data

  #data(bytes) {
    const { message, number, credit, violation } = this.#stream.receive(bytes);
    if (violation) this.#fail(new NoomError('malformed', violation));
    if (credit) this.#sendWaiting();
    if (!message) return;
    this.#report.data(message, () => this.#connections.sendData(this.#stream.take(number)));
  }

  #sendWaiting() {
    while (this.#waiting.length > 0 && this.#stream.hasCredit(this.#waiting[0].payload.length)) {
      const { payload, resolve } = this.#waiting.shift();
      this.#connections.sendData(this.#stream.send(payload));
      resolve();
    }
  }
}
