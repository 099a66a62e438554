// Which of several hubs that serve the same rooms are tried, and in which order (PROTOCOL.md section 2): as the room ranks
// them, those that have failed lately behind, and none that wants to be left alone before its time. Pure: time is passed in.
// The names are those of internal/uplink/hubs.go and internal/rendezvous.

import { endpointOf } from './signaling.js';

const AVOID = 30_000; // ms for which a hub that has failed is tried behind the others
const ALL = 2n ** 64n - 1n;
const utf8 = new TextEncoder();

/** How a hub ranks for a room; the highest is the first. */
export function rank(room, endpoint) {
  let x = 0xcbf29ce484222325n; // FNV-1a
  for (const byte of [...utf8.encode(room), 0, ...utf8.encode(endpoint)]) x = ((x ^ BigInt(byte)) * 0x100000001b3n) & ALL;
  x = ((x ^ (x >> 30n)) * 0xbf58476d1ce4e5b9n) & ALL; // the finalizer of SplitMix64
  x = ((x ^ (x >> 27n)) * 0x94d049bb133111ebn) & ALL;
  return x ^ (x >> 31n);
}

/** Gives the URLs in the order in which a member of the room tries them, each hub once. */
export function orderHubs(room, urls) {
  const ranked = new Map(); // by endpoint
  for (const url of urls) {
    const endpoint = endpointOf(url);
    if (!ranked.has(endpoint)) ranked.set(endpoint, { url, rank: rank(room, endpoint) });
  }
  return [...ranked.values()].sort((a, b) => (a.rank === b.rank ? 0 : a.rank < b.rank ? 1 : -1)).map(({ url }) => url);
}

export class Hubs {
  #list; // {url, avoided, barred}: ms until which others go first, and until which it is not dialled

  constructor(room, urls) {
    this.#list = orderHubs(room, urls).map((url) => ({ url, avoided: -Infinity, barred: -Infinity }));
  }

  /** The URLs to try now. */
  order(now) {
    const avoided = (hub) => Math.max(hub.avoided, now);
    return this.#list.filter(({ barred }) => barred <= now).sort((a, b) => avoided(a) - avoided(b)).map(({ url }) => url);
  }

  /** How many hubs there are. */
  get size() { return this.#list.length; }

  /** Notes that a hub could not be used, and for how many ms it wants to be left alone. */
  failed(url, now, retry = 0) {
    Object.assign(this.#of(url), { avoided: now + AVOID, barred: now + retry });
  }

  /** Notes that a hub has let us in. */
  worked(url) {
    Object.assign(this.#of(url), { avoided: -Infinity, barred: -Infinity });
  }

  /** The ms until a hub may be dialled; 0: one may be now. */
  wait(now) { return Math.max(0, Math.min(...this.#list.map(({ barred }) => barred - now))); }

  #of(url) { return this.#list.find((hub) => hub.url === url); }
}
