// What is published: by a room to everyone, or to one peer alone.

import { MAX } from './limits.js';
import { checkBitrate } from './options.js';
import { makesSections } from './reserve.js';
import { Sender } from './sender.js';

export class Published {
  #webrtc;
  #links; // () → those that carry it
  #over; // AbortSignal: the room is over
  #senders = []; // without what was closed

  constructor(webrtc, links, over) {
    this.#webrtc = webrtc;
    this.#links = links;
    this.#over = over;
  }

  get senders() { return [...this.#senders]; }

  /** The kinds of what is published, as a join says them: without those of sections that would not be filled. */
  get kinds() {
    const all = makesSections(this.#webrtc.RTCPeerConnection.prototype);
    return this.#senders.map(({ kind }) => kind).filter((kind) => all || kind === 'audio').slice(0, MAX.sends);
  }

  /** Sends a track over every link there is; those to come are given senders. */
  add(track, { name = track?.kind === 'video' ? 'camera' : 'microphone', maxBitrate = null } = {}) {
    if (maxBitrate !== null) checkBitrate('maxBitrate', maxBitrate);
    const sender = new Sender(track, name, maxBitrate, {
      webrtc: this.#webrtc,
      carriers: this.#links, over: this.#over,
      ended: (s) => { this.#senders = this.#senders.filter((other) => other !== s); },
    });
    this.#senders.push(sender);
    for (const link of this.#links()) link.addSender(sender);
    return sender;
  }

  /** Whom they were for is gone, and so are they. */
  end() {
    for (const sender of this.#senders) sender.close();
  }

  /** Begins or ends the sending of all, because the hub has begun or ceased to let us. */
  allow(can) {
    for (const link of this.#links()) {
      for (const sender of this.#senders) {
        if (can) link.addSender(sender);
        else link.removeSender(sender);
      }
    }
  }
}
