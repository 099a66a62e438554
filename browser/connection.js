// One epoch of a link: an RTCPeerConnection, the turn machine that says when it may offer, and the two data channels. The
// only caller of set*Description. Everything that touches the connection is a step on one promise chain, so that no two of
// them ever interleave; a step that fails ends the connection, and the link begins the next epoch.

import { decodeBody } from './body.js';
import { Candidates, ufragOf } from './candidates.js';
import { Channels } from './channel.js';
import { NoomError } from './errors.js';
import { evidenceOf } from './diagnose.js';
import { Found } from './found.js';
import { Machine } from './negotiate.js';
import { Outgoing } from './outgoing.js';
import { giveServers, newPeerConnection } from './peer_connection.js';
import { reservedIn } from './reserve.js';
import { tellSilence } from './silence.js';
import { stepsOfConnection } from './steps.js';
import { playStereo, stereoOf, tellStereo } from './stereo.js';
import { Table } from './table.js';

const CONTROL_ROOM = 256 << 10; // bytes that wait in the control channel; above, frames go by hub

export class Connection {
  number; // that recovery.js has for it
  #pc;
  #machine;
  #outgoing;
  #table;
  #incoming; // the link's, lives longer
  #link;
  #control;
  #data;
  #channels; // the application's own
  #candidates;
  #stereo = new Set(); // mids of sections in which the other side sends stereo
  #chain = Promise.resolve();
  #byHub = false; // the step that runs acts on what came by hub, and so is its answer
  #answered = null; // our username fragment in the latest answer to a restart, whose way its candidates go
  #introduced = false;
  #closed = false;
  #made = performance.now();
  #moved = this.#made; // when ICE went into the state it is in
  #wasUp = false;
  #found = new Found();
  #steps = stepsOfConnection();
  #path = 'untried'; // when pathChanged was last called

  /**
   * link gets the reports; c is this Connection: send(c, message, byHub) → how many were queued, room() → whether one
   * more leaves at once, table(rows, settled), changed(c), failed(c, error), control(c, frame), data(bytes), drained() of
   * data, channelClosed(c), restarting(c), channelOpened(channel), unseen() → how many of those the application has not
   * got yet, refused({sender, codec, error}), flooded(c, error), introduced(), reaches() → whether the hub does,
   * described(restarts), tabled(weight), wants(told) and lookup() → whether one more is within bounds, peer: its id,
   * wanted(sender) → the height in which it shows a picture, and most() → what all pictures to it may take. platform is
   * {webrtc, atHome, preferred, budget}; see Outgoing for senders and expects.
   */
  constructor({ number, platform: { webrtc, atHome, preferred, budget }, iceServers, begun, senders, expects, incoming, link }) {
    this.number = number;
    this.#link = link;
    this.#incoming = incoming;
    this.#machine = new Machine({ begun });
    this.#pc = newPeerConnection(webrtc, iceServers);
    this.#control = this.#channel('control', 0);
    this.#data = this.#channel('data', 1);
    this.#control.onmessage = this.#whatComes((data) => link.control(this, data));
    this.#data.onbufferedamountlow = () => this.#closed || link.drained();
    // Text, which is against the rules, would be taken for a number, of bytes.
    this.#data.onmessage = this.#whatComes((data) => link.data(typeof data === 'string' ? new Uint8Array() : new Uint8Array(data)));
    this.#channels = new Channels(this.#pc, {
      opened: (channel) => {
        this.#came();
        link.channelOpened(channel);
      },
      flooded: () => link.flooded(this, new NoomError('not_connected', 'the peer opens more channels than are refused')),
      unseen: () => link.unseen(),
      whole: () => isOpen(this.#control),
    });
    this.#candidates = new Candidates(this.#pc, {
      atHome, lookup: () => link.lookup(),
      later: (step) => this.#step(step),
      // If no hub can bring those of a restart, they are not to hold up what follows.
      send: (body, ufrag) => this.#send({ type: 'candidates', hubOnly: ufrag === this.#answered && link.reaches(), body }),
    });
    this.#pc.oniceconnectionstatechange = () => {
      this.#moved = performance.now();
      this.#found.said(this.#pc);
      this.#steps.look(this.#pc);
    };
    this.#pc.ontrack = ({ track }) => track.addEventListener('unmute', () => this.#steps.reach('media'), { once: true });
    this.#pc.onconnectionstatechange = () => {
      this.#found.said(this.#pc);
      this.#steps.look(this.#pc);
      this.#changed();
    };
    this.#outgoing = new Outgoing(this.#pc, { senders, expects, webrtc, preferred, budget, peer: link.peer, wanted: link.wanted, most: link.most });
    this.#table = new Table(this.#outgoing, {
      ready: () => this.introduced && link.room(), number: link.table, send: (body) => this.#send({ type: 'table', body }),
    });
  }

  /** The RTCPeerConnection, to look at. */
  get pc() { return this.#pc; }

  /** Whether data and media can move: connected, and both channels open. */
  get up() { return this.#connected && isOpen(this.#control) && isOpen(this.#data); }

  /** Whether what is sent now comes behind a description of ours. */
  get introduced() { return this.#introduced && !this.#closed; }

  /** When each step was reached. */
  get steps() { return this.#steps.dates; }

  get controlOpen() { return isOpen(this.#control); }

  get dataOpen() { return isOpen(this.#data); }

  /** What recovery.js calls it. */
  get path() {
    if (this.#connected) return 'found';
    return { new: 'untried', disconnected: 'disconnected', failed: 'noPath' }[this.#pc.connectionState] ?? 'checking';
  }

  /** Whether path is another than the last time that was asked. */
  pathChanged() {
    const { path } = this;
    const changed = path !== this.#path;
    this.#path = path;
    return changed;
  }

  get #connected() {
    const { connectionState, iceConnectionState, sctp } = this.#pc;
    return this.#found.now({ connectionState, iceConnectionState, secured: sctp?.transport.state === 'connected' });
  }

  // Whoever looks at the connection hears that it is up before what has come is taken.
  #came() {
    if (this.#found.came(this.#pc, this.#wasUp) || (this.up && !this.#wasUp)) this.#changed(); // a channel may be open before it says so
  }

  #whatComes(take) {
    return ({ data }) => {
      if (this.#closed) return;
      this.#came();
      take(data);
    };
  }

  /** What judge wants to know of a connection. */
  get evidence() {
    return {
      ...evidenceOf(this.#pc, { made: this.#made, moved: this.#moved }), wasUp: this.#wasUp, open: this.#machine.state.open,
      remote: this.#candidates.ufrag !== '', ...this.#candidates.evidence, codecs: this.#outgoing.refusedCodecs,
    };
  }

  /** Sends a frame in-band; false if that is not possible now. */
  sendControl(frame) {
    return this.#connected && isOpen(this.#control) && this.#control.bufferedAmount < CONTROL_ROOM && this.#put(this.#control, frame);
  }

  /** Sends bytes of the data stream; false if that is not possible now, or more than most bytes wait. */
  sendData(bytes, most = Infinity) {
    return isOpen(this.#data) && this.#data.bufferedAmount <= most && this.#put(this.#data, bytes);
  }

  /** Opens a channel of the application's own, with an RTCDataChannelInit; resolves when it can be used. */
  openChannel(label, init) { return this.#channels.open(label, init); }

  /** Closes the application's channels; resolves when they are empty, or lost. */
  emptyChannels() { return this.#channels.empty(); }

  /** How many of them are not known to be empty. */
  get filledChannels() { return this.#channels.filled; }

  /** These ICE servers are for whatever is gathered from now on. */
  setServers(iceServers) {
    if (!this.#closed) giveServers(this.#pc, iceServers);
  }

  /** There may be something to offer; always: there is. */
  need(always = false) {
    this.#step(() => (always || this.#outgoing.needsOffer ? this.#run(this.#machine.need()) : undefined));
  }

  /** Act on a message of the exchange, which came by hub or in-band. */
  handle(message, byHub) {
    this.#step(async () => {
      this.#byHub = byHub;
      try {
        await this.#act(message);
      } finally {
        this.#byHub = false;
      }
    });
  }

  addSender(sender) {
    this.#step(() => {
      if (this.#outgoing.add(sender) === 'announce') this.#table.changed();
      if (this.#outgoing.needsOffer) return this.#run(this.#machine.need());
    });
  }

  removeSender(sender) {
    this.#step(async () => {
      if (await this.#outgoing.remove(sender)) this.#table.changed();
    });
  }

  tableChanged() {
    this.#outgoing.changed(); // a mute may have come, or gone
    this.#step(() => this.#table.changed());
  }

  // Resolves once the sender's current media is what is sent. It waits for no other step: a member that mutes must not go
  // on sending until a negotiation is over.
  async trackReplaced(sender) {
    if (this.#closed) return;
    try {
      await this.#outgoing.replace(sender);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The other side has so many of our messages. */
  acknowledged(count) {
    this.#step(async () => {
      await this.#outgoing.acknowledged(count);
      this.#table.look();
    });
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#outgoing.close();
    this.#channels.lose();
    this.#pc.close();
  }

  // ---- the chain

  #step(step) {
    this.#chain = this.#chain.then(() => (this.#closed ? undefined : step())).catch((error) => this.#fail(error));
    return this.#chain;
  }

  #fail(error) {
    if (this.#closed) return;
    this.#link.failed(this, error); // which may still ask for the evidence
    this.close();
  }

  #changed() {
    if (this.#closed) return;
    this.#wasUp ||= this.up;
    this.#link.changed(this);
  }

  // A step may outlive its connection: what it would still send goes nowhere.
  #send(message) {
    return this.#closed ? Infinity : this.#link.send(this, message, this.#byHub);
  }

  async #act({ type, body }) {
    switch (type) {
      case 'offer': {
        const offer = decodeBody(type, body);
        const { ufrag } = this.#candidates;
        const restarts = ufrag !== '' && ufragOf(offer.sdp) !== ufrag;
        this.#countDescription(restarts);
        return this.#run(this.#machine.offered(offer.id, restarts), offer, restarts);
      }
      case 'answer': {
        const answer = decodeBody(type, body);
        this.#countDescription(false);
        return this.#run(this.#machine.answered(answer.id), answer);
      }
      case 'ask': return this.#run(this.#machine.asked());
      case 'grant': return this.#run(this.#machine.granted());
      case 'table': return this.#takeTable(decodeBody(type, body).table);
      case 'wants':
        if (!this.#link.wants(decodeBody(type, body))) throw new NoomError('description', 'the peer floods us with wants');
        return;
      case 'candidates': return this.#candidates.add(decodeBody(type, body));
    }
  }

  #countDescription(restarts) {
    if (!this.#link.described(restarts)) throw new NoomError('description', 'the peer floods us with descriptions');
  }

  #takeTable(table) {
    if (!this.#link.tabled(this.#incoming.weigh(table))) throw new NoomError('description', 'the peer floods us with tracks');
    this.#incoming.apply(table, this.#pc);
  }

  // ---- descriptions

  async #run(actions, received, restarts) {
    for (const { kind, id } of actions) {
      if (this.#closed) return;
      if (kind === 'offer') await this.#offer(id);
      else if (kind === 'answer') await this.#answer(id, received, restarts);
      else if (kind === 'apply') await this.#apply(received);
      else if (kind === 'rebuild') throw new NoomError('turn', 'an offer out of turn');
      else this.#send({ type: kind });
    }
  }

  async #offer(id) {
    for (const what of this.#outgoing.open()) this.#link.refused(what);
    const offer = await this.#pc.createOffer();
    await this.#setLocal(offer, reservedIn(offer.sdp, this.#pc)); // in which stereo may come, of which we have not heard yet
    this.#outgoing.offered(offer.sdp);
    this.#sendDescription('offer', id, offer.sdp, false);
  }

  async #answer(id, received, restarts) {
    if (restarts) this.#link.restarting(this);
    await this.#take('offer', { ...received, sdp: this.#outgoing.assign(received.sdp) });
    await this.#outgoing.fill();
    const answer = await this.#pc.createAnswer();
    if (restarts) this.#answered = ufragOf(answer.sdp);
    await this.#setLocal(answer);
    this.#outgoing.answered();
    // The sender of a restart may have no path left but the hub.
    this.#sendDescription('answer', id, answer.sdp, restarts);
    this.#incoming.attach(this.#pc);
  }

  async #apply(received) {
    await this.#take('answer', received);
    const refused = this.#outgoing.takeRefused();
    for (const what of refused) this.#link.refused(what);
    if (refused.length > 0) this.#table.changed();
  }

  // A browser plays in stereo what its own description says is so. One that does not take its description changed plays mono.
  async #setLocal(description, reserved = []) {
    const sdp = playStereo(description.sdp, new Set([...this.#stereo, ...reserved.map(({ mid }) => mid)]));
    if (sdp !== description.sdp) {
      try {
        await this.#pc.setLocalDescription({ type: description.type, sdp });
        return;
      } catch (error) {
        console.warn(`noom: sound comes as mono: ${error.message}`);
      }
    }
    await this.#pc.setLocalDescription(description);
  }

  #sendDescription(type, id, sdp, hubOnly) {
    const text = tellSilence(tellStereo(sdp, this.#outgoing.stereo, this.#stereo), this.#stereo);
    this.#table.sent(this.#send({ type, hubOnly, body: JSON.stringify({ id, sdp: text, table: this.#table.latest }) }));
    this.#steps.reach(type);
    this.#introduced = true;
    this.#link.introduced();
  }

  async #take(type, { sdp: told, table }) {
    const sdp = this.#candidates.taken(told);
    try {
      await this.#pc.setRemoteDescription({ type, sdp });
    } catch (cause) {
      throw new NoomError('description', `the peer's ${type} could not be taken`, { cause });
    }
    this.#steps.reach(type);
    this.#stereo = stereoOf(sdp);
    this.#candidates.described(sdp);
    this.#takeTable(table);
    this.#incoming.attach(this.#pc);
  }

  // ---- channels

  #channel(label, id) {
    const channel = this.#pc.createDataChannel(label, { negotiated: true, id });
    channel.binaryType = 'arraybuffer';
    channel.onopen = () => this.#changed();
    channel.onclose = () => {
      if (this.#closed) return;
      this.#link.channelClosed(this);
      this.close();
    };
    return channel;
  }

  #put(channel, data) {
    try {
      channel.send(data);
      return true;
    } catch {
      return false; // closing, or its buffer is full: the hub, or the next epoch, brings it back
    }
  }
}

const isOpen = (channel) => channel.readyState === 'open';
