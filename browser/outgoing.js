// What one connection sends: a media section per track, each on a sendonly
// transceiver of its own (PROTOCOL.md section 4.3), and the table that says
// what flows where (4.4). Sections are never removed: one whose sender closed
// lies idle until the next of its kind takes it over without negotiation.

import { NoomError } from './errors.js';
import { MAX } from './limits.js';
import { KNOWN, prefer } from './preferred.js';
import { preferRED } from './red.js';
import { makesSections, reservedIn } from './reserve.js';
import { mediaOf, sendsStereo } from './sender.js';
import { sendStereo } from './stereo.js';

// What a description has room for, in bytes.
const FIRST = 4096; // what is there apart from media sections
const WHOLE = MAX.sdp - 2048; // candidates may be added
const OURS = MAX.sdp / 2; // the rest is the other side's, whose sections a browser answers at greater length
const SECTION = { audio: 1280, video: 4096 }; // more than an offered one takes
const RESERVED = { audio: 1792, video: 5120 }; // the same of one that we reserve: browsers decode more than they encode

export class Outgoing {
  #pc;
  #webrtc; // {MediaStream, RTCRtpSender, RTCRtpReceiver}
  #preferred; // MIME types of what we would like to receive
  #stream; // its id ties sound and picture together, for lip sync
  #first; // senders there were from the start, which our first table must list
  #budget; // the room's
  #spent; // () when nothing more is sent
  #waiting; // senders that get a section with the next offer
  #expects; // kinds of what the other side is about to send, for which the next offer reserves sections
  #assigned = []; // {mid, kind, sender or null, stereo}: sections of the other side's offer that we are about to fill
  #filled = []; // those of #sections that we have just filled
  #sections = []; // {transceiver, sender or null, startsAt: acknowledgement that lets a takeover flow,
  // codecs: offered, refused: the other side knows none of them, stereo: offered as that}

  /**
   * senders: those there are from the start; expects: the kinds of what the other side is about to send, if the first
   * offer is ours; preferred: MIME types, see prefer; see Budget.use for peer, wanted and most.
   */
  constructor(pc, { senders, expects = [], webrtc, preferred = [], budget, peer, wanted, most }) {
    this.#pc = pc;
    this.#webrtc = webrtc;
    this.#preferred = preferred;
    this.#budget = budget;
    this.#spent = budget.use({ peer, wanted, most, legs: () => this.#legs });
    this.#stream = new webrtc.MediaStream();
    this.#first = [...senders];
    this.#waiting = [...senders];
    this.#expects = expects.slice(0, MAX.sends);
  }

  /**
   * Gives a sender a section. Returns 'negotiate' when that takes an offer, 'announce' when it took over an idle one:
   * it flows once start is called.
   */
  add(sender) {
    const idle = this.#sections.find((s) => !s.sender && kindOf(s) === sender.kind && isUsable(s.transceiver));
    if (idle) {
      idle.sender = sender;
      idle.startsAt = Infinity;
      return 'announce';
    }
    this.#waiting.push(sender);
    return 'negotiate';
  }

  /**
   * An offer is about to be made: waiting senders get a section, and so does what is expected, as far as they fit into a
   * description. Returns the other senders, as {sender, codec, error}.
   */
  open() {
    const left = [];
    for (const sender of this.#waiting.splice(0)) {
      if (this.#fits(sender.kind)) {
        const transceiver = this.#pc.addTransceiver(mediaOf(sender) ?? sender.kind, { direction: 'sendonly', streams: [this.#stream] });
        if (sender.kind === 'audio') preferRED(transceiver, this.#webrtc);
        this.#sections.push({ transceiver, sender, startsAt: 0, codecs: [], refused: false, stereo: false });
      } else {
        this.#first = this.#first.filter((s) => s !== sender);
        const codec = this.#webrtc.RTCRtpSender.getCapabilities(sender.kind)?.codecs[0]?.mimeType ?? '';
        left.push({ sender, codec, error: new NoomError('too_many_tracks', 'there is no room for another track between the two; close a Sender first') });
      }
    }
    this.#reserve();
    this.#prefer();
    this.changed();
    return left;
  }

  #reserve() {
    if (!makesSections(this.#pc)) return;
    let room = Math.min(OURS, WHOLE - FIRST - this.#sections.reduce((sum, s) => sum + SECTION[kindOf(s)], 0));
    for (const kind of this.#expects.splice(0)) {
      if (RESERVED[kind] > room) continue;
      room -= RESERVED[kind];
      const transceiver = this.#pc.addTransceiver(kind, { direction: 'recvonly' });
      if (kind === 'audio') preferRED(transceiver, this.#webrtc); // what comes is in the order that we say
    }
  }

  /**
   * An offer of the other side is about to be taken, which may reserve sections for us: chooses the senders that get them.
   * Returns the offer as it is to be taken.
   */
  assign(sdp) {
    const waiting = [...this.#waiting];
    this.#assigned = reservedIn(sdp, this.#pc).filter(({ kind }) => kind === 'audio' || makesSections(this.#pc)).map((section) => {
      const i = waiting.findIndex(({ kind }) => kind === section.kind);
      const [sender = null] = i < 0 ? [] : waiting.splice(i, 1);
      return { ...section, sender, stereo: sender !== null && sendsStereo(sender) };
    });
    return sendStereo(sdp, new Set(this.#assigned.filter(({ stereo }) => stereo).map(({ mid }) => mid)));
  }

  /** The offer was taken: fills those sections. Those without a sender are idle. */
  async fill() {
    for (const { mid, kind, sender, stereo } of this.#assigned.splice(0)) {
      const transceiver = this.#pc.getTransceivers().find((t) => t.mid === mid);
      if (!transceiver) continue;
      this.#waiting = this.#waiting.filter((s) => s !== sender);
      const section = { transceiver, sender, startsAt: 0, codecs: [], refused: false, stereo };
      this.#sections.push(section);
      this.#filled.push(section);
      transceiver.direction = 'sendonly';
      transceiver.sender.setStreams?.(this.#stream);
      if (kind === 'audio') preferRED(transceiver, this.#webrtc);
      if (sender) await transceiver.sender.replaceTrack(mediaOf(sender));
    }
    this.#prefer();
  }

  // A description is about to be made: the sections that are not ours are those in which we receive.
  #prefer() {
    if (this.#preferred.length === 0) return;
    const ours = new Set(this.#sections.map(({ transceiver }) => transceiver));
    for (const transceiver of this.#pc.getTransceivers()) {
      if (!ours.has(transceiver)) prefer(transceiver, this.#preferred, this.#webrtc);
    }
  }

  /**
   * The answer is made: a sender whose section the browser has rejected, because it knows no codec of it, waits for one of
   * its own.
   */
  answered() {
    for (const s of this.#filled.splice(0)) {
      if (!s.sender || isUsable(s.transceiver)) continue;
      this.#waiting.push(s.sender);
      s.sender = null;
    }
    this.changed();
  }

  #fits(kind) {
    let [ours, added] = [SECTION[kind], SECTION[kind]];
    for (const s of this.#sections) {
      ours += SECTION[kindOf(s)];
      if (s.transceiver.mid === null) added += SECTION[kindOf(s)];
    }
    return ours <= OURS && Math.max(FIRST, this.#pc.localDescription?.sdp.length ?? 0) + added <= WHOLE;
  }

  /** Takes a sender's section from it; false if it had none. */
  async remove(sender) {
    this.#first = this.#first.filter((s) => s !== sender);
    this.#waiting = this.#waiting.filter((s) => s !== sender);
    const section = this.#of(sender);
    if (!section) return false;
    section.sender = null;
    this.changed();
    await section.transceiver.sender.replaceTrack(null);
    return true;
  }

  /** Carries what the sender carries now, unless it must not flow yet. */
  async replace(sender) {
    const section = this.#of(sender);
    if (!section || section.startsAt > 0) return;
    await section.transceiver.sender.replaceTrack(mediaOf(sender));
    this.changed();
  }

  /** The takeovers announced just now flow once that many messages are acknowledged. */
  announced(queued) {
    for (const s of this.#sections) {
      if (s.sender && s.startsAt === Infinity) s.startsAt = queued;
    }
  }

  /** Lets flow what the other side now knows of. */
  async acknowledged(acked) {
    for (const s of this.#sections) {
      if (s.sender && s.startsAt > 0 && s.startsAt <= acked) {
        s.startsAt = 0;
        await s.transceiver.sender.replaceTrack(mediaOf(s.sender));
        this.changed();
      }
    }
  }

  /** Whether a sender waits for a section, or has changed to stereo since it was offered. */
  get needsOffer() {
    return this.#waiting.length > 0 || this.#sections.some((s) => s.sender && sendsStereo(s.sender) && !s.stereo && isUsable(s.transceiver));
  }

  /** The mids of the sections that carry stereo. */
  get stereo() {
    return new Set(this.#sections.filter((s) => s.sender && sendsStereo(s.sender)).map((s) => s.transceiver.mid));
  }

  /**
   * Whether rows is the whole truth. While we answer the other's first offer our own tracks have no sections yet;
   * that does not mean they are gone.
   */
  get settled() {
    return this.#first.every((sender) => this.#of(sender)?.transceiver.mid);
  }

  /** The offer that is out now: as what the sections would be sent. */
  offered(sdp) {
    for (const s of this.#sections) {
      s.codecs = codecsOf(sdp, s.transceiver.mid);
      s.stereo = s.sender !== null && sendsStereo(s.sender);
    }
  }

  /**
   * Returns what the other side refused, knowing no codec of it, as {sender, codec, error}, codec being the one it
   * would have been sent in; and lets go of the senders.
   */
  takeRefused() {
    this.changed(); // in every browser there are encodings from now on
    const refused = this.#sections.filter((s) => s.sender && !isUsable(s.transceiver));
    return refused.map((s) => {
      const { sender } = s;
      this.#first = this.#first.filter((other) => other !== sender);
      s.sender = null;
      s.refused = true;
      return { sender, codec: s.codecs[0] ?? '', error: new NoomError('codec', `the peer knows no codec of "${sender.name}"`) };
    });
  }

  /** All that the other side knows none of. */
  get refusedCodecs() {
    return [...new Set(this.#sections.filter((s) => s.refused).flatMap((s) => s.codecs))];
  }

  /** The rows of the table: mid → {id, name, kind, muted}. */
  rows() {
    const rows = {};
    for (const { transceiver, sender } of this.#sections) {
      if (!sender || transceiver.mid === null) continue;
      rows[transceiver.mid] = { id: sender.id, name: sender.name, kind: sender.kind, muted: sender.muted };
    }
    return rows;
  }

  /** Something else is sent, or nothing of what was. */
  changed() { this.#budget.changed(); }

  /** Nothing is sent any longer. */
  close() { this.#spent(); }

  get #legs() {
    return this.#sections.filter((s) => s.sender && s.startsAt === 0 && isUsable(s.transceiver)).map((s) => ({ sender: s.sender, rtp: s.transceiver.sender }));
  }

  #of(sender) {
    return this.#sections.find((s) => s.sender === sender);
  }
}

const mimeTypeOf = (kind, name) => {
  const type = `${kind}/${name}`;
  return KNOWN.find((known) => known.toLowerCase() === type.toLowerCase()) ?? type;
};

// What only accompanies a codec.
const HELPERS = new Set(['rtx', 'red', 'ulpfec', 'flexfec-03', 'telephone-event', 'cn']);

/** The MIME types of the codecs that a description has in a section, the preferred first. */
export function codecsOf(sdp, mid) {
  const section = sdp.split(/^(?=m=)/m).find((s) => s.split(/\r?\n/).includes(`a=mid:${mid}`));
  const [, kind, formats] = /^m=(\w+) \S+ \S+ (.*)/.exec(section ?? '') ?? [];
  const names = new Map([...(section ?? '').matchAll(/^a=rtpmap:(\d+) ([^/\s]+)/gm)].map(([, format, name]) => [format, name]));
  const codecs = (formats ?? '').trim().split(' ').map((format) => names.get(format)).filter((name) => name && !HELPERS.has(name.toLowerCase()));
  return [...new Set(codecs.map((name) => mimeTypeOf(kind, name)))];
}

const kindOf = (section) => section.transceiver.receiver.track.kind;

// A refused section is stopped, or stays inactive, after the answer.
function isUsable(transceiver) {
  return transceiver.currentDirection !== 'stopped' && transceiver.currentDirection !== 'inactive';
}
