// Measures a connection once a second, out of the browser's statistics (webrtc-stats), for as long as the peer is
// connected, and has quality.js judge it. Times are in ms.

import { Bound } from './bound.js';
import { statistics } from './diagnose.js';
import { pairOf } from './diagnosis.js';
import { Machine, PERIOD } from './quality.js';

const NOTHING = Object.freeze({ estimate: 0, sent: 0, loss: 0, roundTrip: 0, queue: 0 });
const LONGEST = 3 * PERIOD; // that one freeze counts for
const GRACE = 3; // looks after a track was silent: a browser takes the time before the next picture for a freeze
const SAMPLE_RATE = 48_000; // of sound, as browsers count it

export class Meter {
  #pc; // () → the RTCPeerConnection that serves, or null
  #muted; // () → ids of the MediaStreamTracks that the peer has muted
  #changed; // (quality)
  #bounded; // () when bound is another
  #machine = new Machine();
  #bound = new Bound();
  #timer = 0; // interval
  #before = null; // {pc, report, at} of the last look
  #silent = []; // of the last looks: ids of the MediaStreamTracks that the peer sent nothing of
  #bandwidth = NOTHING;

  constructor({ pc, muted, changed, bounded }) {
    this.#pc = pc;
    this.#muted = muted;
    this.#changed = changed;
    this.#bounded = bounded;
  }

  get quality() { return this.#machine.quality; }

  get bandwidth() { return this.#bandwidth; }

  /** What all pictures to the peer may take, in bits per second; Infinity: no bound. */
  get bound() { return this.#bound.bitrate; }

  /** The peer is in another state. */
  state(state) {
    if (state === 'connected') {
      this.#timer ||= setInterval(() => this.#look(), PERIOD);
      return;
    }
    this.#rest();
    if ((state === 'interrupted' || state === 'failed') && this.#machine.interrupt()) this.#changed(this.quality);
  }

  /** The peer is gone. Should it come back, it begins again. */
  close() {
    this.#rest();
    this.#machine = new Machine();
    this.#bound = new Bound();
  }

  #rest() {
    clearInterval(this.#timer);
    this.#timer = 0;
    this.#before = null;
    this.#silent = [];
    this.#bandwidth = NOTHING;
  }

  async #look() {
    const pc = this.#pc();
    const timer = this.#timer;
    const report = await statistics(pc)?.catch(() => undefined); // it may be closed meanwhile
    if (!report || timer !== this.#timer) return;
    const before = this.#before;
    const now = { pc, report, at: performance.now() };
    this.#before = now;
    if (before?.pc !== pc || now.at <= before.at) return;
    this.#silent = [[...this.#muted(), ...idle(before, now)], ...this.#silent.slice(0, GRACE - 1)];
    const { bandwidth, sample } = measure(before, now, new Set(this.#silent.flat()));
    this.#bandwidth = Object.freeze(bandwidth);
    if (this.#bound.step(bandwidth)) this.#bounded();
    if (this.#machine.step(sample)) this.#changed(this.quality);
  }
}

/** The trackIdentifiers of which nothing came while other things did: the peer does not send them now. */
export function idle(before, now) {
  const came = (entry, counter) => entry[counter] > (before.report.get(entry.id)?.[counter] ?? 0);
  const entries = [...now.report.values()];
  // Each end chooses the pair by which it sends: what comes may come by another one than ours.
  if (!entries.some((entry) => entry.type === 'candidate-pair' && came(entry, 'bytesReceived'))) return [];
  return entries.filter((entry) => entry.type === 'inbound-rtp' && !came(entry, 'packetsReceived')).map((entry) => entry.trackIdentifier);
}

/**
 * What two looks, each {report, at}, say of the time between: {bandwidth, sample}, for peer.bandwidth() and for
 * quality.js. silent is a set of trackIdentifiers that do not count.
 */
export function measure(before, now, silent) {
  const entries = (type) => [...now.report.values()].filter((entry) => entry.type === type);
  const since = (entry, counter) => Math.max(0, (entry[counter] ?? 0) - (before.report.get(entry.id)?.[counter] ?? 0));
  const total = (list, counter) => list.reduce((sum, entry) => sum + since(entry, counter), 0);
  const inbound = entries('inbound-rtp').filter((entry) => before.report.has(entry.id) && !silent.has(entry.trackIdentifier));
  const lost = total(inbound, 'packetsLost');
  const bandwidth = measureSent(now, entries, since, total, now.at - before.at);
  return {
    bandwidth,
    sample: {
      loss: Math.max(bandwidth.loss, lost > 0 ? lost / (lost + total(inbound, 'packetsReceived')) : 0),
      roundTrip: bandwidth.roundTrip,
      queue: bandwidth.queue,
      stalled: Math.max(0, ...inbound.map((entry) => stalled(entry, since))),
    },
  };
}

// What the peer has reported of each stream counts for as much as was sent of it.
function measureSent({ report }, entries, since, total, elapsed) {
  const outbound = entries('outbound-rtp');
  const told = entries('remote-inbound-rtp').map((remote) => {
    const stream = outbound.find(({ id, remoteId }) => id === remote.localId || remoteId === remote.id);
    return { ...remote, packets: stream ? since(stream, 'packetsSent') : 0 };
  }).filter(({ packets }) => packets > 0);
  const packets = told.reduce((sum, remote) => sum + remote.packets, 0);
  const lost = told.reduce((sum, remote) => sum + remote.packets * (remote.fractionLost ?? 0), 0);
  const bytes = total(outbound, 'bytesSent') + total(outbound, 'headerBytesSent') - total(outbound, 'retransmittedBytesSent');
  const pair = pairOf(report);
  return {
    estimate: pair?.availableOutgoingBitrate ?? 0,
    sent: Math.max(0, Math.round((8000 * bytes) / elapsed)),
    loss: packets > 0 ? lost / packets : 0,
    roundTrip: 1000 * (Math.max(0, ...told.map(({ roundTripTime = 0 }) => roundTripTime)) || (pair?.currentRoundTripTime ?? 0)),
    queue: 0,
  };
}

// For how long a picture froze, or sound was made up because it was missing. A shared screen on which nothing moves sends
// no pictures, which a browser takes for a freeze too.
function stalled(entry, since) {
  if (entry.kind === 'audio') {
    const made = since(entry, 'concealedSamples') - since(entry, 'silentConcealedSamples');
    return Math.min(LONGEST, Math.max(0, (1000 * made) / SAMPLE_RATE));
  }
  return entry.contentType === 'screenshare' ? 0 : Math.min(LONGEST, 1000 * since(entry, 'totalFreezesDuration'));
}
