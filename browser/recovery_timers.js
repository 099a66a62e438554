// The timers of recovery.js: what is waited for, each with one meaning.

// Of these one is armed at a time.
const AWAITED = [
  'toConnect', 'toRestart', 'forPath', 'forRelay', 'toReturn', 'pause', 'budget', 'serversToBegin', 'serversToRestart', 'farewell',
];

/** All there are. */
export const TIMERS = [...AWAITED, 'linger', 'settle', 'proof', 'inFlight', 'doubt', 'credentials', 'calm'];

export const RESTART_AFTER = 2_000; // of a path being interrupted
export const RELAY_PATIENCE = 2_000; // for a relay to be gathered, where the path went by one
export const SERVERS_WAIT = 1_000; // for an answer, when those there are have expired
export const CLOSED_GRACE = 500; // for a peer that closed the connection to begin the next epoch
export const STILL_ARRIVES = 250; // what was sent by a path before it died
export const PATH_ANSWERS = 2_000 - STILL_ARRIVES; // or ICE is restarted
export const SETTLE_AFTER = 1_000; // of a restart that keeps the path: the other end no longer sends by it
export const PROOF_EVERY = 1_000; // it is looked whether something has arrived by a new path
export const MAX_LOOKS = 3; // in vain, before the connection is given up
export const CALM_AFTER = 10_000; // connected so long, a rebuild starts without a pause again
export const MAX_BACK_OFF = 30_000; // between rebuilds

/** Has a timer end after so long, instead of when it was to. */
export function arm(s, timer, after) {
  if (!s.armed.includes(timer)) s.armed.push(timer);
  s.do('arm', { timer, after });
}

export function disarm(s, ...timers) {
  for (const timer of timers) {
    if (!s.armed.includes(timer)) continue;
    s.armed = s.armed.filter((t) => t !== timer);
    s.do('disarm', { timer });
  }
}

/** Waits for one thing, and no longer for what was waited for before. */
export function awaitOnly(s, timer, after) {
  disarm(s, ...AWAITED.filter((t) => t !== timer));
  arm(s, timer, after);
}

export function stopAwaiting(s) { disarm(s, ...AWAITED); }
