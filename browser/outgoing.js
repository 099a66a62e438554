// What one connection sends: a media section per track, each on a sendonly
// transceiver of its own (PROTOCOL.md section 4.3), and the table that says
// what flows where (4.4). Sections are never removed: one whose sender closed
// lies idle until the next of its kind takes it over without negotiation.

export class Outgoing {
  #pc;
  #stream = new MediaStream(); // its id ties sound and picture together, for lip sync
  #first; // sections of the senders there were from the start
  #sections = []; // {transceiver, sender or null, startsAt: acknowledgement that lets a takeover flow,
  // codecs: offered, refused: the other side knows none of them}

  /** senders: those there are from the start. */
  constructor(pc, senders) {
    this.#pc = pc;
    for (const sender of senders) this.add(sender);
    this.#first = [...this.#sections];
  }

  /**
   * Gives a sender a section. Returns 'negotiate' when that takes an offer,
   * 'announce' when it took over an idle one: it flows once start is called.
   */
  add(sender) {
    const idle = this.#sections.find((s) => !s.sender && s.transceiver.receiver.track.kind === sender.kind && isUsable(s.transceiver));
    if (idle) {
      idle.sender = sender;
      idle.startsAt = Infinity;
      return 'announce';
    }
    const streams = [this.#stream];
    const transceiver = this.#pc.addTransceiver(sender.track ?? sender.kind, { direction: 'sendonly', streams });
    this.#sections.push({ transceiver, sender, startsAt: 0, codecs: [], refused: false });
    return 'negotiate';
  }

  /** Takes a sender's section from it; false if it had none. */
  async remove(sender) {
    const section = this.#of(sender);
    if (!section) return false;
    section.sender = null;
    await section.transceiver.sender.replaceTrack(null);
    return true;
  }

  /** Carries what the sender carries now, unless it must not flow yet. */
  async replace(sender) {
    const section = this.#of(sender);
    if (section && section.startsAt === 0) await section.transceiver.sender.replaceTrack(sender.track);
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
        await s.transceiver.sender.replaceTrack(s.sender.track);
      }
    }
  }

  /** Whether some section has not been offered yet. */
  get needsOffer() {
    return this.#sections.some((s) => s.sender && s.transceiver.mid === null);
  }

  /**
   * Whether rows tells the whole truth. While we answer the other's first offer
   * our own tracks have no sections yet; that does not mean they are gone.
   */
  get settled() {
    return this.#first.every((s) => !s.sender || s.transceiver.mid !== null);
  }

  /** The offer that is out now: as what the sections would be sent. */
  offered(sdp) {
    for (const s of this.#sections) s.codecs = codecsOf(sdp, s.transceiver.mid);
  }

  /**
   * Returns what the other side refused, knowing no codec of it, as {sender,
   * codec}, the one it would have been sent in; and lets go of the senders.
   */
  takeRefused() {
    const refused = this.#sections.filter((s) => s.sender && !isUsable(s.transceiver));
    return refused.map((s) => {
      const { sender } = s;
      s.sender = null;
      s.refused = true;
      return { sender, codec: s.codecs[0] ?? '' };
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

  #of(sender) {
    return this.#sections.find((s) => s.sender === sender);
  }
}

// What only accompanies a codec.
const HELPERS = new Set(['rtx', 'red', 'ulpfec', 'flexfec-03', 'telephone-event', 'cn']);

/** The MIME types of the codecs that a description has in a section, the preferred first. */
export function codecsOf(sdp, mid) {
  const section = sdp.split(/^(?=m=)/m).find((s) => s.split(/\r?\n/).includes(`a=mid:${mid}`));
  const [, kind, formats] = /^m=(\w+) \S+ \S+ (.*)/.exec(section ?? '') ?? [];
  const names = new Map([...(section ?? '').matchAll(/^a=rtpmap:(\d+) ([^/\s]+)/gm)].map(([, format, name]) => [format, name]));
  const codecs = (formats ?? '').trim().split(' ').map((format) => names.get(format)).filter((name) => name && !HELPERS.has(name.toLowerCase()));
  return [...new Set(codecs.map((name) => `${kind}/${name}`))];
}

// A refused section is stopped, or stays inactive, after the answer.
function isUsable(transceiver) {
  return transceiver.currentDirection !== 'stopped' && transceiver.currentDirection !== 'inactive';
}
