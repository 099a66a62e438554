// Keeps a link on a living path: derives the peer's state from its
// connections, restarts ICE, gives up in time, and lets go of old connections
// once the new one is up.

import { NoomError } from './errors.js';

const PATIENCE = 2_000; // ms without anything arriving before ICE is restarted
const LOST_PATIENCE = 5_000; // the same, for a peer the hub has lost, before it is dropped; and for its connection to come up
const STEADY = 10_000; // ms connected before failures are forgotten
const LINGER = 1_000; // ms that a connection stays once its successor is up, at the end that began the epoch

export class Path {
  #connections;
  #link; // {present(), online(), ours(), up(), steady(), state(state), reattach(), failed(error), dead()}
  #connectTimeout; // ms
  #deadline = 0; // timeout: the connection must be up, or the pause is over
  #patience = 0; // timeout: since nothing arrives
  #steady = 0; // timeout: since it is up
  #linger = 0; // timeout: for old connections, once the current one is up

  constructor(connections, connectTimeout, link) {
    this.#connections = connections;
    this.#connectTimeout = connectTimeout;
    this.#link = link;
  }

  /** Calls late after ms, unless something else comes first. */
  await(ms, late) {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(late, ms);
  }

  /** A connection is made: it has its time to come up. */
  begun() {
    this.stop();
    this.await(this.#connectTimeout, () => this.#link.failed(new NoomError('not_connected', 'the connection did not come up in time')));
  }

  /** Waits for nothing any more. */
  stop() {
    clearTimeout(this.#linger);
    clearTimeout(this.#deadline);
    clearTimeout(this.#patience);
    clearTimeout(this.#steady);
  }

  /** Follows the state of a connection. */
  changed(c) {
    if (c === this.#connections.current) this.look();
    else this.#lookAtOld(c);
  }

  /** The hub has lost the peer: a connection that does not come up soon never will. */
  lost() {
    const { current } = this.#connections;
    if (current && !current.up) this.await(LOST_PATIENCE, () => this.#link.failed(new NoomError('not_connected', 'the peer is gone')));
    this.look();
  }

  /** Follows the state of the current connection. */
  look() {
    const { current } = this.#connections;
    if (!current) return;
    const { connectionState } = current.pc;
    if (isOver(connectionState)) {
      this.#link.failed(new NoomError('not_connected', 'nothing arrives from the peer'));
    } else if (current.up) {
      this.stop();
      if (this.#connections.moving) this.#linger = setTimeout(() => this.letGo(), this.#link.ours() ? LINGER : 2 * LINGER);
      this.#steady = setTimeout(() => this.#link.steady(), STEADY);
      this.#link.up();
    } else if (connectionState === 'disconnected') {
      this.#interrupted();
    }
  }

  #interrupted() {
    clearTimeout(this.#patience);
    clearTimeout(this.#steady);
    if (this.#link.present()) {
      this.#patience = setTimeout(() => this.#restart(), PATIENCE);
    } else {
      this.#patience = setTimeout(() => this.#link.failed(new NoomError('not_connected', 'the peer is gone')), LOST_PATIENCE);
    }
    this.#link.state('interrupted');
  }

  #restart() {
    if (!this.#link.online()) return;
    this.#connections.current?.restart();
    this.await(this.#connectTimeout, () => this.#link.failed(new NoomError('not_connected', 'no path to the peer')));
  }

  // ---- make before break: a new connection, made over the one there is (PROTOCOL.md section 4.2)

  // Until the new connection is up, the old one's state is the peer's.
  #lookAtOld(c) {
    if (isOver(c.pc.connectionState)) this.oldLost(c);
    else if (!this.#connections.current?.up) this.#link.state(this.#connections.serving ? 'connected' : 'interrupted');
  }

  /** An old connection has gone. */
  oldLost(c) {
    this.#connections.lose(c);
    this.#link.reattach();
    if (this.#connections.live) return;
    if (this.#connections.current) this.#link.state('interrupted');
    else if (!this.#link.present()) this.#link.dead();
    else this.#link.state('failed');
  }

  /** Lets go of the old connections. */
  letGo() {
    clearTimeout(this.#linger);
    this.#connections.loseOld();
    this.#link.reattach();
  }
}

const isOver = (connectionState) => connectionState === 'failed' || connectionState === 'closed';
