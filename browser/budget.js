// The uplink of a room: what of it each picture gets, at each peer. Every peer is sent media over a connection of its own,
// whose browser knows nothing of the others: without bounds, each takes what it finds, and an encoder runs at full size
// for each. divide is the pure part; Budget carries it out and is the only caller of setParameters.

import { pictureOf } from './sender.js';

/** What all pictures to all peers may take together, in bits per second. Sound comes on top, some 80 kbit/s for each track and peer. */
export const UPLINK = 4_000_000;

/** What one picture to one peer takes at most, unless the application says otherwise, in bits per second. */
export const PICTURE = 1_400_000;

// Heights, in pixels of the shorter side: with how many bits per second a picture is sent in that height, and what it can make use of.
//
// With a camera of 720p and nobody who shows it smaller, that is
//
//   pictures at once   1–2     3       4     5        6        7        8        16
//   Mbit/s each        1.4     1.33    1     0.8      0.67     0.57     0.5      0.25
//   height             720     720     720   540      540      480      480      360
const HEIGHTS = [
  { height: 180, from: 0, most: 200_000 },
  { height: 240, from: 120_000, most: 300_000 },
  { height: 360, from: 220_000, most: 600_000 },
  { height: 480, from: 450_000, most: 900_000 },
  { height: 540, from: 600_000, most: 1_100_000 },
  { height: 720, from: 900_000, most: 2_500_000 },
  { height: Infinity, from: 2_500_000, most: Infinity },
];

/**
 * Divides an uplink of so many bits per second evenly over pictures, where what one has no use for goes to the others.
 * pictures: [{wanted, most, screen}]: the height in which the peer shows it, 0 if it does not, Infinity if that is not
 * known; the bits per second that it may take; whether it must stay sharp. Returns for each {bitrate, height}: the
 * bits per second, 0 if it need not be sent, and the greatest height, which a screen has from what is wanted alone.
 */
export function divide(uplink, pictures) {
  const bounds = pictures.map(({ wanted, most }) => (wanted > 0 ? Math.min(most, usedBy(wanted)) : 0));
  const bitrates = new Array(pictures.length).fill(0);
  let left = uplink;
  // The least demanding first: what it leaves, the others share.
  const order = bounds.map((_, i) => i).filter((i) => bounds[i] > 0).sort((a, b) => bounds[a] - bounds[b]);
  order.forEach((i, taken) => {
    bitrates[i] = Math.floor(Math.min(bounds[i], left / (order.length - taken)));
    left -= bitrates[i];
  });
  return bitrates.map((bitrate, i) => {
    const { wanted, screen } = pictures[i];
    return { bitrate, height: screen ? wanted : Math.min(wanted, heightOf(bitrate)) };
  });
}

const usedBy = (wanted) => HEIGHTS.find(({ height }) => height >= wanted).most;
const heightOf = (bitrate) => HEIGHTS.findLast(({ from }) => bitrate >= from).height;

/**
 * By how much a picture of width × height is scaled down: so that its shorter side has no more than share.height pixels,
 * for what the share pays, and it is no higher than wanted, for what is shown. Sizes that are not known are 0.
 */
export function scaleOf({ width = 0, height = 0 }, share, wanted) {
  return Math.max(1, Math.min(width, height) / share.height, height / wanted);
}

const SOON = 50; // ms in which changes are gathered: many come at once

/** Divides a room's uplink over what its connections send, whenever that changes. */
export class Budget {
  #uplink;
  #users = new Set(); // {peer, wanted(sender), most(), legs()}
  #timer = 0;
  #lines = new WeakMap(); // RTCRtpSender → its Line

  constructor(uplink = UPLINK) { this.#uplink = uplink; }

  /**
   * A connection uses the uplink from now on, until what this returns is called. peer: the id of the one at its other
   * end; wanted(sender): the height in which that one shows its picture; most(): what all pictures to it may take, in bits
   * per second; legs(): what it sends, as [{sender, rtp}]. Two connections of one peer, of which one takes the other's
   * place, have one share.
   */
  use(user) {
    this.#users.add(user);
    this.changed();
    return () => {
      this.#users.delete(user);
      if (this.#users.size > 0) this.changed();
    };
  }

  /** What is sent, or wanted, is something else now. */
  changed() {
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.#divide();
    }, SOON);
  }

  #divide() {
    const pictures = new Map(); // peer and track → {picture, legs}
    for (const user of this.#users) {
      const legs = user.legs();
      const most = user.most() / Math.max(1, legs.filter(({ sender: { kind, muted } }) => kind === 'video' && !muted).length);
      for (const leg of legs) {
        const { sender } = leg;
        if (sender.kind === 'audio') {
          this.#set(user, leg, soundOf(sender, user.wanted(sender)));
        } else if (!sender.muted) { // what is muted is black: it costs nothing, and keeps the bounds that it had
          const key = `${user.peer} ${sender.id}`;
          const picture = { ...pictureOf(sender), most: Math.min(sender.maxBitrate ?? PICTURE, most), wanted: user.wanted(sender) };
          if (!pictures.has(key)) pictures.set(key, { picture, legs: [] });
          pictures.get(key).legs.push({ user, leg });
        }
      }
    }
    const all = [...pictures.values()];
    divide(this.#uplink, all.map(({ picture }) => picture)).forEach((share, i) => {
      for (const { user, leg } of all[i].legs) this.#set(user, leg, parametersOf(all[i].picture, share));
    });
  }

  #set(user, { rtp }, parameters) {
    if (!this.#lines.has(rtp)) this.#lines.set(rtp, new Line(rtp));
    this.#lines.get(rtp).set(parameters, () => this.#users.has(user));
  }
}

// Sound is never the one that waits.
const soundOf = ({ maxBitrate }, wanted) => ({
  encoding: { active: wanted > 0, priority: 'high', networkPriority: 'high', ...(maxBitrate === null ? {} : { maxBitrate }) },
});

function parametersOf(picture, share) {
  const degradationPreference = picture.screen ? 'maintain-resolution' : 'maintain-framerate';
  if (share.bitrate === 0) return { encoding: { active: false }, degradationPreference };
  const scaleResolutionDownBy = scaleOf(picture, share, picture.wanted);
  return { encoding: { active: true, maxBitrate: share.bitrate, scaleResolutionDownBy }, degradationPreference };
}

// What not every browser knows.
const bare = ({ encoding: { priority, networkPriority, ...encoding } }) => ({ encoding });

// The parameters of one RTCRtpSender, which are changed one after the other, and only when they are others.
class Line {
  #rtp;
  #last = ''; // what was asked for last, as JSON
  #next = null; // to be set
  #running = false;
  #ended = new Set(); // rids of encodings that were ended here, of several

  constructor(rtp) { this.#rtp = rtp; }

  /** inUse() says later whether anybody still cares. */
  set(parameters, inUse) {
    const text = JSON.stringify(parameters);
    if (text === this.#last) return;
    this.#last = text;
    this.#next = parameters;
    if (!this.#running) this.#run(inUse);
  }

  async #run(inUse) {
    this.#running = true;
    while (this.#next) {
      const parameters = this.#next;
      this.#next = null;
      try {
        await this.#put(parameters).catch(() => inUse() && this.#put(bare(parameters)));
      } catch (error) {
        if (inUse() && (await this.#takesAny())) console.warn(`noom: the browser does not take a bound of what is sent: ${error.message}`);
      }
    }
    this.#running = false;
  }

  // @roamhq/wrtc does not even take the parameters that there are.
  async #takesAny() {
    try {
      await this.#put({ encoding: {} });
      return true;
    } catch {
      return false;
    }
  }

  async #put({ encoding, degradationPreference }) {
    const parameters = this.#rtp.getParameters();
    if (!parameters.encodings?.length) {
      this.#last = ''; // in some browsers there is none before it is negotiated; then there is another change
      return;
    }
    let begun = [];
    if (parameters.encodings.length === 1) Object.assign(parameters.encodings[0], encoding);
    else begun = this.#putSeveral(parameters.encodings, encoding.active);
    if (degradationPreference) parameters.degradationPreference = degradationPreference;
    await this.#rtp.setParameters(parameters);
    for (const rid of begun) this.#ended.delete(rid);
  }

  // Several encodings are made by the page's own code, which has chosen their sizes: they only end all, and begin again. Returns
  // the rids of those that begin.
  #putSeveral(encodings, active) {
    const begun = [];
    for (const each of encodings) {
      if (active === false && each.active) this.#ended.add(each.rid);
      if (active === false) each.active = false;
      else if (active && this.#ended.has(each.rid)) {
        each.active = true;
        begun.push(each.rid);
      }
    }
    return begun;
  }
}
