// Part of recovery.js: what the hub and the room say of the peer.

import { begin } from './recovery_epochs.js';
import { drop } from './recovery_handover.js';
import { restart } from './recovery_path.js';
import { isUp } from './recovery_state.js';
import { awaitOnly, CLOSED_GRACE, disarm } from './recovery_timers.js';

export const events = {
  /** The member has entered, or come back to, the hub while we were there. */
  welcome(s) {
    s.lost = false;
    if (s.alive) hubBack(s);
    else begin(s);
  },

  /** The member is there and we are the newcomer: without a connection, it begins. */
  expect(s) {
    s.lost = false;
    if (s.broken) { // a pause was running while no hub could have helped
      s.failures = 0;
      begin(s);
    } else if (!s.current) {
      awaitOnly(s, 'toConnect', s.options.connect);
    } else {
      hubBack(s);
    }
  },

  hubLost(s) {
    s.lost = true;
    const gaveUp = s.options.lost === 0 && s.current?.path === 'noPath'; // and ICE says so but once
    if ((!s.alive || gaveUp) && !s.serving) {
      drop(s);
    } else if (s.options.lost > 0 && s.alive && !isUp(s.current)) {
      if (!s.everUp) s.yieldTurn(); // it comes up by itself or not at all, and holds nobody up
      awaitOnly(s, 'toReturn', s.options.lost);
    }
  },

  /** The peer leaves for good; what it sent before may still come. */
  goodbye(s) {
    s.left = true;
    if (s.broken || !isUp(s.live)) s.over = true;
    else awaitOnly(s, 'farewell', CLOSED_GRACE);
  },

  close(s) { s.over = true; },

  ended: (s) => end(s),

  sleep(s) {
    Object.assign(s, { asleep: true, wasUp: false });
    end(s);
  },

  wake(s) {
    Object.assign(s, { asleep: false, lost: false, broken: false, failures: 0 });
    s.setState('connecting');
  },

  /** The hub has sent ICE servers. */
  serversTold(s) {
    if (s.armed.includes('serversToBegin')) {
      disarm(s, 'serversToBegin');
      begin(s, true);
    } else if (s.armed.includes('serversToRestart')) {
      disarm(s, 'serversToRestart');
      restart(s, true);
    }
  },

  // Newcomers: the first connections are built a few at a time.

  peerBegins: (s) => s.do('queue'),

  admitted(s) {
    if (s.over || s.asleep) {
      s.yieldTurn();
    } else {
      s.admitted = true;
      s.do('release');
    }
  },

  released(s) {
    const { due } = s;
    s.due = false;
    if (due && !s.alive) begin(s);
  },
};

function hubBack(s) {
  s.do('resend');
  if (s.armed.includes('toReturn') && !s.wasUp) {
    awaitOnly(s, 'toConnect', s.options.connect);
  } else if (s.wasUp && !isUp(s.current) && s.peer === 'failed') {
    s.failures = 0;
    begin(s);
  } else if (s.wasUp && !isUp(s.current)) {
    restart(s);
  }
}

function end(s) {
  Object.assign(s, { current: null, old: [], armed: [] });
  s.do('end');
  s.yieldTurn();
  s.setState('closed');
}
