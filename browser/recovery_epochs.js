// Part of recovery.js: begins epochs and gives them up.

import { drop, oldLost, setAside } from './recovery_handover.js';
import { isUp } from './recovery_state.js';
import { awaitOnly, CLOSED_GRACE, disarm, MAX_BACK_OFF, SERVERS_WAIT, stopAwaiting } from './recovery_timers.js';

export const events = {
  begun: (s) => rebuild(s, true),

  exhausted: (s) => s.setState('failed', 'epochsUsedUp'),

  /** The peer has begun an epoch, by a frame that came over connection via, 0 if by hub. */
  renewed(s, via) {
    if (via !== 0 && via === s.current?.number) setAside(s); // as the peer does, or this would not have come
    rebuild(s, false);
  },

  unbuilt(s) {
    s.current = null;
    fail(s, 0, 'told');
  },

  fail: (s) => fail(s, 0, 'told'),

  /** Something went wrong over a connection that ends it at once. */
  spoiled(s, number) {
    if (s.over || !s.find(number)) return;
    if (number !== s.current?.number) {
      oldLost(s, number);
    } else {
      fail(s, 0, 'told');
      closeCurrent(s);
    }
  },

  /** A channel has closed that we did not close; data: so that nothing more can come by it. */
  channelClosed(s, number, data) {
    const c = s.find(number);
    if (!c) return;
    c[data ? 'data' : 'control'] = false;
    if (c !== s.current) oldLost(s, number);
    else if (!s.left) fail(s, CLOSED_GRACE, 'pathLost');
    else if (data) s.over = true;
  },
};

/** Makes the next epoch ours. asked: new ICE servers were asked for. */
export function begin(s, asked = false) {
  if (s.over || s.asleep || (!asked && awaitServers(s, 'serversToBegin'))) return;
  if (s.mustWait) {
    s.due = true;
    s.do('queue');
    return;
  }
  if (s.wait > 0) {
    awaitOnly(s, 'budget', s.wait);
    return;
  }
  if (s.options.sparing && !s.reaches && !isUp(s.live)) {
    stopAwaiting(s); // the hub's return begins it
    return;
  }
  if ((!s.reaches && isUp(s.current)) || moves(s)) setAside(s); // without a hub the next epoch has no other way
  s.do('beginEpoch');
}

// Whether the next epoch is begun only to have another path.
const moves = (s) => s.options.moves && s.alive && s.wasUp && s.current.path !== 'noPath';

/** Makes what needs ICE servers wait a moment for them, if those there are have expired and the hub can be asked. */
export function awaitServers(s, timer) {
  if (!s.expired || !s.online) return false;
  s.do('askServers');
  awaitOnly(s, timer, SERVERS_WAIT);
  return true;
}

// Puts a fresh connection in the place of the one there was.
function rebuild(s, ours) {
  closeCurrent(s);
  disarm(s, 'linger', 'settle', 'proof', 'inFlight', 'doubt', 'credentials', 'calm'); // the old ones stay until this one is up
  Object.assign(s, { ours, broken: false, wasUp: false, calm: false, asked: false, restarts: 0, unproven: s.everUp });
  if (s.serving) s.setState('connected');
  else if (s.peer === 'connected') s.setState('interrupted'); // the peer began this epoch
  s.current = { number: s.free, path: 'untried', control: false, data: false };
  awaitOnly(s, 'toConnect', s.options.connect);
  s.do('build', { conn: s.current.number, ours });
}

function closeCurrent(s) {
  const { current } = s;
  if (!current) return;
  s.current = null;
  s.do('close', { conn: current.number });
}

/** Gives this epoch up: the next begins after a pause, which grows. */
export function fail(s, grace, cause) {
  if (s.left) s.over = true;
  if (s.broken || s.over || s.asleep) return;
  s.broken = true;
  s.do('giveUp', { cause });
  if (!s.everUp) s.yieldTurn();
  const { serving } = s;
  if (s.lost && !serving) {
    drop(s);
    return;
  }
  if (s.wasUp && s.calm) Object.assign(s, { failures: 0, allowed: s.options.restarts });
  const pause = s.failures === 0 ? grace : Math.min(1_000 * 2 ** Math.min(s.failures - 1, 10), MAX_BACK_OFF);
  s.failures++;
  if (!serving) {
    s.do('note', { cause });
    s.setState('failed', cause);
  }
  awaitOnly(s, 'pause', pause);
}
