// The two members of the self-test, both in this page, and what happens to them.

import { join } from './noom/noom.js';

const PATIENCE = 60_000; // ms for one thing to happen

export const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Waits until a condition, which may be a promise, holds. Returns how many ms it took; throws if it never does. */
export async function until(what, holds, patience = PATIENCE) {
  const begun = performance.now();
  while (!(await holds())) {
    if (performance.now() - begun > patience) throw new Error(`never came: ${what}`);
    await pause(30);
  }
  return Math.round(performance.now() - begun);
}

export class Member {
  name;
  room;
  speaker = null; // the Peer that speaks now
  #log = []; // events, oldest first
  #sockets = []; // WebSockets to the hub

  /** Joins a room with tracks. */
  static async enter(room, name, tracks) {
    const member = new Member();
    const sockets = member.#sockets;
    member.name = name;
    member.room = await join('ws', room, {
      name, tracks,
      WebSocket: class extends WebSocket {
        constructor(...args) {
          super(...args);
          sockets.push(this);
        }
      },
    });
    member.#follow();
    return member;
  }

  /** The other member, or undefined. */
  get other() { return this.room.peers[0]; }

  get connected() { return this.other?.state === 'connected'; }

  /** The other's track of that name. */
  track(name) { return this.other?.tracks.find((track) => track.name === name); }

  /** Our own Sender of that name. */
  sender(name) { return this.room.senders.find((sender) => sender.name === name); }

  /** Forgets what has happened. */
  forget() { this.#log.length = 0; }

  /** The events of a type since then. */
  happened(type) { return this.#log.filter((event) => event.type === type); }

  /** How many packets of media have come over the connection there is. */
  async packets() {
    let sum = 0;
    for (const s of (await this.other?.stats())?.values() ?? []) if (s.type === 'inbound-rtp') sum += s.packetsReceived ?? 0;
    return sum;
  }

  /** How it speaks with the hub now: WebSocket or HTTP. */
  get transport() { return this.#sockets.some(({ readyState }) => readyState === WebSocket.OPEN) ? 'WebSocket' : 'HTTP'; }

  /** Breaks the way to the hub, if it is a WebSocket. */
  cut() {
    for (const socket of this.#sockets.splice(0)) socket.close();
  }

  async #follow() {
    for await (const event of this.room.events()) {
      this.#log.push(event);
      if (event.type === 'activespeaker') this.speaker = event.peer;
    }
  }
}
