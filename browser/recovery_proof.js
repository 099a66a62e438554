// Part of recovery.js: watches whether a new path carries anything.

import { fail } from './recovery_epochs.js';
import { closeOld } from './recovery_handover.js';
import { isUp } from './recovery_state.js';
import { arm, MAX_LOOKS, PROOF_EVERY } from './recovery_timers.js';

export const events = {
  /** Something has arrived by the path since probe. */
  answered(s) {
    if (!isWatched(s)) return;
    s.unproven = false;
    if (!s.armed.includes('linger')) closeOld(s);
  },

  /** Nothing has. If that is so for some seconds, what ICE says of the path is not true. */
  unanswered(s) {
    if (!isWatched(s)) return;
    if (++s.looks < MAX_LOOKS) {
      arm(s, 'proof', PROOF_EVERY);
    } else if (!s.reaches && !s.serving) {
      watch(s); // a page that was too busy to receive anything must not give up its last connection
    } else {
      s.current.path = 'disconnected'; // nothing is said over it any longer
      fail(s, 0, 'pathLost');
    }
  },
};

const isWatched = (s) => s.alive && isUp(s.current) && s.unproven;

/** Begins to watch a path that is new, unless it is being watched. */
export function watchNew(s) {
  if (s.unproven && !s.armed.includes('settle') && !s.armed.includes('proof')) watch(s);
}

export function watch(s) {
  if (!s.alive || !isUp(s.current)) return;
  s.looks = 0;
  s.do('probe');
  arm(s, 'proof', PROOF_EVERY);
}
