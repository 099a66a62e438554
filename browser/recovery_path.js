// Part of recovery.js: keeps the current connection on a working path.

import { awaitServers, begin, fail } from './recovery_epochs.js';
import { lingering, oldPathChanged } from './recovery_handover.js';
import { watchNew } from './recovery_proof.js';
import { isUp } from './recovery_state.js';
import {
  arm, awaitOnly, CALM_AFTER, disarm, PATH_ANSWERS, RELAY_PATIENCE, RESTART_AFTER, SETTLE_AFTER, STILL_ARRIVES, stopAwaiting,
} from './recovery_timers.js';

const MAX_RESTARTS = 64;

export const events = {
  /** What ICE reports about a connection; relayed: the path goes, or went last, by a relay of ours. */
  pathChanged(s, number, path, relayed = false) {
    const c = s.find(number);
    if (!c) return;
    c.path = path;
    if (c !== s.current) {
      oldPathChanged(s, c);
    } else if (s.broken || s.left) {
      return;
    } else if (path === 'noPath') {
      pathFailed(s);
    } else if (path === 'disconnected' && s.peer === 'connected') {
      s.setState('interrupted');
      s.relayed = relayed;
      s.do('askHub'); // which has to carry the restart
      if (s.lost && s.options.lost > 0) awaitOnly(s, 'toReturn', s.options.lost);
      else awaitOnly(s, 'toRestart', RESTART_AFTER);
    } else {
      openedOrFound(s);
    }
  },

  controlOpened: (s, number) => opened(s, number, false),

  dataOpened: (s, number) => opened(s, number, true),

  /** ICE is being restarted, by whichever end. */
  restarted(s) {
    Object.assign(s, { asked: false, unproven: true });
    disarm(s, 'proof');
    if (s.options.keepsPath) arm(s, 'settle', SETTLE_AFTER); // perhaps the path is never reported as found
    else s.current.path = 'checking';
  },

  /** The user wants a new path. */
  restart(s) {
    if (s.asleep || !s.alive) return;
    if (s.options.moves && (s.reaches || isUp(s.current))) {
      if (s.wasUp || !s.serving) begin(s); // else a path is being looked for already
    } else if (s.reaches) {
      s.asked = true;
      s.do('restartICE');
    } else if (isUp(s.current)) {
      begin(s);
    }
  },

  /** The network may have changed: the path has to show life. What arrives at once may have been sent before, and shows none. */
  doubted(s) {
    if (!s.alive || !isUp(s.current)) return;
    disarm(s, 'doubt');
    arm(s, 'inFlight', STILL_ARRIVES);
  },

  silent(s) {
    if (s.alive && isUp(s.current)) giveUpPath(s);
  },

  /** This machine has other addresses; gone: that at which the path begins is not there any longer. */
  networkChanged(s, gone) {
    if (!s.alive || !s.wasUp) return;
    if (!isUp(s.current)) restart(s);
    else if (gone) giveUpPath(s);
  },

  credentialsLast(s, after) {
    if (s.current) arm(s, 'credentials', after);
  },

  relayEnds(s) {
    if (!s.alive || !isUp(s.current) || !s.online) return;
    if (s.options.moves) {
      begin(s);
    } else {
      s.asked = true;
      s.do('restartICE');
    }
  },
};

function opened(s, number, data) {
  const c = s.find(number);
  if (!c) return;
  c.control = true;
  c.data ||= data;
  if (c === s.current) openedOrFound(s);
}

// Makes the peer connected once everything is.
function openedOrFound(s) {
  if (s.broken || s.left || !isUp(s.current) || !s.current.data) return;
  if (s.wasUp && s.peer === 'connected') {
    disarm(s, 'toRestart', 'forPath', 'forRelay', 'serversToRestart');
    watchNew(s);
    return;
  }
  if (s.old.length > 0) arm(s, 'linger', lingering(s));
  Object.assign(s, { wasUp: true, everUp: true, calm: false, restarts: 0 });
  arm(s, 'calm', CALM_AFTER);
  s.yieldTurn();
  stopAwaiting(s);
  s.do('forget');
  s.setState('connected');
  s.do('resend', { late: true }); // what hangs at a dead hub can go in-band now
  watchNew(s);
}

// No reason to give up the connection: a restart may find a path.
function pathFailed(s) {
  if (s.lost || s.old.length > 0) {
    fail(s, 0, 'pathLost'); // which drops the peer, or moves again
    return;
  }
  s.do('note', { cause: 'pathLost' });
  s.setState('failed', 'pathLost');
  retry(s);
}

/** Restarts again or, when that has not helped so often, rebuilds. */
export function retry(s) {
  if (++s.restarts > s.allowed) {
    s.allowed = Math.min(2 * s.allowed, MAX_RESTARTS);
    fail(s, 0, 'pathLost');
  } else {
    restart(s);
  }
}

/** Looks for a new path, whose offer only the hub may carry: its return calls here again. */
export function restart(s, asked = false) {
  if (!s.alive || isUp(s.current) || !s.online) return;
  if (s.options.moves) {
    begin(s, asked);
    return;
  }
  if (!asked && awaitServers(s, 'serversToRestart')) return;
  lookForPath(s, s.options.connect);
  s.do('restartICE');
}

function lookForPath(s, patience) {
  if (!s.relayed || patience <= RELAY_PATIENCE) {
    s.patience = 0;
    awaitOnly(s, 'forPath', patience);
  } else {
    s.patience = patience - RELAY_PATIENCE;
    awaitOnly(s, 'forRelay', RELAY_PATIENCE);
  }
}

/** Restarts again while there is no relay, where the last path went by one. */
export function lookAgain(s) {
  if (!s.alive || isUp(s.current) || !s.online) return;
  lookForPath(s, s.patience);
  s.do('restartICE', { unlessRelayed: true });
}

/** What was sent before the doubt has arrived. What arrives from now on shows life. */
export function samplePath(s) {
  if (!s.alive || !isUp(s.current)) return;
  s.do('samplePath');
  arm(s, 'doubt', PATH_ANSWERS);
}

function giveUpPath(s) {
  s.current.path = 'disconnected'; // nothing is said over it any longer
  s.setState('interrupted');
  restart(s);
}
