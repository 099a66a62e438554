// How a connection is, out of the browser's statistics (webrtc-stats). Addresses are not read.

const TYPES = ['host', 'srflx', 'prflx', 'relay'];
const PROTOCOLS = ['udp', 'tcp', 'tls'];
const MOST = 32; // streams
const SAMPLE_RATE = 48_000; // of sound, as browsers count it

// From which on a share, or a time in ms, is worth a word: what noom.js calls fair.
const LOSS = 0.04;
const ROUND_TRIP = 400;
const STALLED = 100; // ms in a second

/** Looks at one peer again and again. Each look is compared with the one before so many others. */
export class Looks {
  #span;
  #past = []; // {report, connection, at}, oldest first
  #freezes = 0; // since the first look
  #froze = 0; // for so many seconds

  constructor(span = 1) { this.#span = span; }

  /** What can be said of the peer now, or at a time in ms, as performance.now() has it. */
  async look(peer, at) {
    const { connection } = peer;
    const report = await peer.stats().catch(() => new Map()); // the connection was closed meanwhile
    const now = { report, connection, at: at ?? performance.now() };
    this.#past = this.#past.filter((look) => look.connection === connection);
    const before = this.#past[0] ?? null;
    for (const { count, took } of freezesOf(this.#past.at(-1) ?? null, now)) {
      this.#freezes += count;
      this.#froze += took;
    }
    this.#past.push(now);
    if (this.#past.length > this.#span) this.#past.shift();
    const { loss, roundTrip, estimate } = peer.bandwidth();
    return { ...measure(before, now), freezes: this.#freezes, freezesTook: this.#froze, lostOurs: loss, roundTrip, estimate };
  }
}

/**
 * What two looks, each {report, at}, say of the time between: sent and received, in bits per second; lostTheirs, a share;
 * frozen and gaps, in ms of each second that a picture stood still and sound was made up; null where there is no look
 * before. Further path.
 */
export function measure(before, now) {
  const entries = [...now.report.values()];
  const { seconds, known, since } = between(before, now);
  const total = (list, count) => list.reduce((sum, entry) => sum + count(entry), 0);
  // Each end chooses the pair by which it sends, so what comes may come by another one than what goes.
  const pairs = entries.filter((e) => e.type === 'candidate-pair' && known(e));
  const rate = (counter) => (pairs.length > 0 ? Math.round((8 * total(pairs, (e) => since(e, counter))) / seconds) : null);
  const incoming = entries.filter((e) => e.type === 'inbound-rtp');
  const compared = incoming.filter(known);
  const gaps = (e) => (1000 * Math.max(0, since(e, 'concealedSamples') - since(e, 'silentConcealedSamples'))) / SAMPLE_RATE;
  const lost = total(compared, (e) => since(e, 'packetsLost'));
  const came = total(compared, (e) => since(e, 'packetsReceived'));
  return {
    sent: rate('bytesSent'), received: rate('bytesReceived'),
    lostTheirs: seconds > 0 ? lost / Math.max(1, lost + came) : null,
    frozen: seconds > 0 ? 1000 * Math.max(0, ...freezesOf(before, now).map(({ took }) => took)) / seconds : null,
    gaps: seconds > 0 ? Math.max(0, ...compared.filter((e) => e.kind === 'audio').map(gaps)) / seconds : null,
    path: pathOf(now.report),
  };
}

function between(before, now) {
  const seconds = before ? (now.at - before.at) / 1000 : 0;
  return {
    seconds,
    known: (entry) => seconds > 0 && before.report.has(entry.id),
    since: (entry, counter) => Math.max(0, number(entry[counter]) - number(before.report.get(entry.id)[counter])),
  };
}

// The freezes of each picture between two looks: [{count, took}], took in s. A browser takes the time in which a camera was
// off for one, which is longer than the time between the looks; and a screen on which nothing moves.
function freezesOf(before, now) {
  const { seconds, known, since } = between(before, now);
  return [...now.report.values()]
    .filter((e) => e.type === 'inbound-rtp' && e.kind === 'video' && e.contentType !== 'screenshare' && known(e))
    .map((e) => ({ count: since(e, 'freezeCount'), took: since(e, 'totalFreezesDuration') }))
    .filter(({ took }) => took <= seconds);
}

/** Why a connection is not good, as keys of strings.js with their values: [[key, value]]. */
export function causes({ lostOurs, lostTheirs, roundTrip, frozen, gaps }) {
  return [
    lostTheirs >= LOSS && ['whyLostTheirs', percentOf(lostTheirs)],
    lostOurs >= LOSS && ['whyLostOurs', percentOf(lostOurs)],
    roundTrip >= ROUND_TRIP && ['whySlow', Math.round(roundTrip)],
    frozen >= STALLED && ['whyFrozen'],
    gaps >= STALLED && ['whyGaps'],
  ].filter(Boolean);
}

export const percentOf = (share) => Math.round(100 * share);

/** The path of a connection: {local, remote, protocol, relayed}, types and protocol alone; null without one. */
export function pathOf(report) {
  const pair = pairOf(report);
  if (!pair) return null;
  const [local, remote] = [pair.localCandidateId, pair.remoteCandidateId].map((id) => report.get(id) ?? {});
  const relayed = local.candidateType === 'relay' || remote.candidateType === 'relay';
  const protocol = (local.candidateType === 'relay' && local.relayProtocol) || local.protocol; // to our own relay
  return { local: oneOf(TYPES, local.candidateType), remote: oneOf(TYPES, remote.candidateType), protocol: oneOf(PROTOCOLS, protocol), relayed };
}

/** What is sent and comes: {way, kind, codec, width, height, rate, packets, lost}, for at most 32 streams. */
export function streamsOf(report) {
  const entries = [...report.values()].filter(({ type }) => type === 'inbound-rtp' || type === 'outbound-rtp');
  return entries.slice(0, MOST).map((entry) => ({
    way: entry.type === 'inbound-rtp' ? 'in' : 'out',
    kind: entry.kind, codec: report.get(entry.codecId)?.mimeType ?? '',
    width: number(entry.frameWidth), height: number(entry.frameHeight), rate: number(entry.framesPerSecond),
    packets: number(entry.packetsReceived) + number(entry.packetsSent), lost: number(entry.packetsLost),
  }));
}

function pairOf(report) {
  const entries = [...report.values()];
  const transport = entries.find((e) => e.type === 'transport' && e.selectedCandidatePairId);
  return transport ? report.get(transport.selectedCandidatePairId) : entries.find((e) => e.type === 'candidate-pair' && e.nominated && e.state === 'succeeded');
}

const oneOf = (list, value) => (list.includes(value) ? value : 'unknown');
const number = (value) => (Number.isFinite(value) ? value : 0);
