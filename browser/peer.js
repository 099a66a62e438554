// Another member of the room: the face of a Link.

import { topicIn, topicOf } from './asking.js';
import { toBytes } from './data.js';
import { statistics } from './diagnose.js';
import { NoomError, optionsOf, quoted } from './errors.js';
import { checkFileOptions } from './file_channel.js';
import { LABEL, MAX_SIZE, PREFIX } from './file_frame.js';
import { cleanFileName } from './file_name.js';
import { Filing } from './filing.js';
import { Link } from './link.js';
import { cleanName, nameProblem } from './name.js';
import { Published } from './publish.js';
import { may } from './rights.js';
import { safetyNumber } from './safety.js';

export class Peer {
  #link;
  #self; // our own id
  #ask; // (request) of the hub
  #checkRight; // (right) throws if we have it not
  #attributes; // (id) of a member
  #published; // to this peer alone
  #filing;

  /** Made only by the Room; attach is given the Link, which no other code may have. */
  constructor({ attach, senders, ask, attributes, checkRight, over, report, ...rest }) {
    this.#published = new Published(rest.options.webrtc, () => [this.#link], over);
    this.#ask = ask;
    this.#attributes = attributes;
    this.#checkRight = checkRight;
    this.#self = rest.self.identity.id;
    this.#filing = new Filing({
      openChannel: (label) => this.#link.openChannel(label), offered: (file, seen) => report.fileOffered(file, seen), most: rest.options.maxFileSize,
    });
    this.#link = new Link({ ...rest, peer: this, report: this.#reporting(report), gone: () => this.#gone(), sealed: () => this.#filing.end(true), options: { ...rest.options, senders: () => [...senders(), ...this.#published.senders] } });
    attach(this.#link);
  }

  // What the link reports, of which files are not the page's.
  #reporting(report) {
    return {
      ...report,
      state: (state, error) => {
        this.#filing.setConnected(state === 'connected');
        report.state(state, error);
      },
      channelOpened: (channel, seen) => {
        if (channel.label !== LABEL) {
          report.channelOpened(channel, seen);
          return;
        }
        seen();
        this.#filing.greet(channel);
      },
    };
  }

  #gone() {
    this.#published.end();
    this.#filing.end();
  }

  /** The member id, which follows from its public key. */
  get id() { return this.#link.member.id; }

  /** The nickname, which may change and need not be unique. */
  get name() { return this.#link.member.name; }

  /** {id, name, key, session, rights} */
  get member() { return { ...this.#link.member }; }

  /** What the member has set with setAttributes, as far as it has come here; null: nothing. */
  get attributes() { return this.#attributes(this.id); }

  /** What both ends compare over another way: {digits, emoji}; see safetyNumber. */
  safetyNumber() { return safetyNumber({ id: this.#self }, { id: this.id }); }

  /** connecting, connected, interrupted, failed or closed */
  get state() { return this.#link.state; }

  /** How good the connection is: good, fair, poor or lost. */
  get quality() { return this.#link.quality; }

  /**
   * What the way to the peer takes, as it was measured within the last second: {estimate, sent, loss, roundTrip, queue}.
   * All are 0 while the peer is not connected.
   */
  bandwidth() { return this.#link.bandwidth; }

  /** What the peer sends now: RemoteTracks. */
  get tracks() { return this.#link.tracks; }

  /** The current RTCPeerConnection, to look at and not to negotiate; null between two. */
  get connection() { return this.#link.pc; }

  /**
   * When each step was reached, as Dates: {began, resolved, hub, joined} of join, {offer, answer, check, ice, dtls, media} of
   * the current connection. null: not yet, or not known; a browser says neither resolved nor check.
   */
  timeline() { return this.#link.timeline; }

  /** The statistics of the current connection; an empty map if there is none, or none come within 1 s. */
  async stats() {
    return (await statistics(this.#link.pc)) ?? new Map();
  }

  /** Sends a MediaStreamTrack to this peer alone; the Sender is closed when the peer goes. */
  publish(track, options = {}) {
    const { name, maxBitrate } = optionsOf(options);
    if (this.state === 'closed') throw new NoomError('closed', 'the peer is gone');
    this.#checkRight('publish');
    return this.#published.add(track, { name, maxBitrate });
  }

  /**
   * Sends up to 61440 bytes, reliably and in order, over rebuilds of the connection too. Resolves when they are on
   * their way, or wait for a connection; at most 1 MiB may be on its way to an application that does not take it. topic,
   * a name of up to 128 bytes, goes with them.
   */
  async send(data, options = {}) {
    const topic = topicIn(options);
    await this.#link.send(toBytes(data), topic);
  }

  /** send that never waits: false if too much is on its way already, and the peer does not get data. */
  trySend(data, options = {}) {
    const topic = topicIn(options);
    return this.#link.trySend(toBytes(data), topic);
  }

  /**
   * Asks the peer something under a topic; resolves with the bytes that its application answers. The question and the
   * answer have up to 1 MiB, and go on over rebuilds of the connection. signal ends it at both ends. A refusal is a
   * NoomError with the peer's code, and about question.
   */
  async ask(topic, data, options = {}) {
    const { signal } = optionsOf(options);
    if (signal !== undefined && !(signal instanceof AbortSignal)) throw new NoomError('bad_argument', 'signal is an AbortSignal');
    return this.#link.ask(topicOf(topic), toBytes(data), signal);
  }

  /**
   * Opens a data channel of your own and resolves with the Channel when it is usable; the peer gets it as
   * channelopened. Labels have up to 128 bytes, need not be unique, and do not begin with "noom.".
   */
  async openChannel(label, options) {
    const name = cleanName(label);
    if (typeof name === 'string' && name.startsWith(PREFIX)) throw new NoomError('bad_name', `channel label ${quoted(name)}: those that begin with "${PREFIX}" are noom's own`);
    return this.#link.openChannel(label, options);
  }

  /**
   * Offers a Blob or File to the peer, which gets it as fileoffered; resolves once the peer has all of it. It goes on where
   * it was when a connection was lost. See noom.d.ts for the options.
   */
  async sendFile(file, options = {}) {
    const { name = file?.name ?? '', signal, onprogress } = checkFileOptions(options);
    if (!(file instanceof Blob)) throw new NoomError('bad_argument', 'a file is a Blob or a File');
    if (typeof name !== 'string') throw new NoomError('bad_argument', 'the name of a file is a string');
    if (file.size > MAX_SIZE) throw new NoomError('too_big', `a file of ${file.size} bytes, at most ${MAX_SIZE}`);
    if (this.state === 'closed') throw new NoomError('closed', 'the peer is gone');
    await this.#filing.send(file, { name: cleanFileName(name), signal, onprogress });
  }

  /** Whether the peer may publish, chat, kick, lock, mute or close. */
  may(right) { return may(this.#link.member, right); }

  /**
   * Asks the peer to mute its tracks of that name, all of them without one; its application decides (muterequested).
   * Takes the right mute. Resolves once the hub has passed it on.
   */
  async requestMute(track = '') {
    const name = cleanName(track);
    const problem = nameProblem(name);
    if (problem) throw new NoomError('bad_name', `mute request: the track's name: ${problem}`);
    await this.#ask({ type: 'mute', to: this.id, name });
  }

  /**
   * Says why the peer is connected or is not: {verdict, words, error, attempts, path, codecs}. Ask when there is a
   * reason to; it changes nothing. Rejects when the peer is gone.
   */
  diagnose() { return this.#link.diagnose(); }

  /** Looks for a new path, by a new connection, in whose place the old one serves until it is up. */
  restartICE() { this.#link.restart(); }
}
