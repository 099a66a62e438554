// The goodbye of a page that goes away (PROTOCOL.md section 2). Firefox closes its WebSockets before it hears of that,
// so the goodbye is posted, and the browser sends it even when the page is gone. It is signed ahead, because signing
// takes longer than the page has.

import { encode } from './codec.js';
import { byeText } from './identity.js';
import { endpointOf } from './signaling.js';

export class Goodbye {
  #join; // {url, identity, session, room}; url: the hub's, where prepare is not told another
  #nonce = null; // of the latest connection
  #to; // the hub's URL
  #frame = ''; // signed for it; '' if it is not, or not yet

  constructor(join) {
    this.#join = join;
  }

  /**
   * Signs the goodbye for a connection with that nonce, without one for none: such a hub does not take it. url is the
   * connection's, for whose host the nonce is good: over HTTP it may be another than that of the WebSocket, which is to.
   */
  async prepare(nonce = null, url = this.#join.url, to = this.#join.url) {
    const { identity, session, room } = this.#join;
    this.#nonce = nonce;
    this.#to = to;
    this.#frame = '';
    if (!nonce) return;
    const signature = await identity.sign(byeText(endpointOf(url), room, session, nonce));
    if (this.#nonce === nonce) this.#frame = encode({ type: 'bye', room, from: identity.id, session, signature });
  }

  /** Posts it to where the hub speaks WebSocket, once: there it takes goodbyes. */
  post() {
    if (!this.#frame) return;
    const url = new URL(this.#to);
    url.protocol = url.protocol.replace('ws', 'http');
    const body = this.#frame; // text/plain, so the browser does not ask first whether it may be sent
    // Twice: of a tab that is closed Firefox may lose a fetch, and a beacon has no Origin, and is refused, where the
    // page's referrer policy says so. The hub takes the one that comes first.
    globalThis.navigator?.sendBeacon?.(url, body);
    fetch(url, { method: 'POST', body, keepalive: true, credentials: 'include', redirect: 'error' }).catch(() => {});
    this.#frame = '';
  }
}
