// Part of recovery.js: the connections of earlier epochs, which serve until the current one is up.

import { isUp } from './recovery_state.js';
import { stopAwaiting } from './recovery_timers.js';

const MAX_OLD = 2;

/** Keeps the current connection to serve, whenever it works, until the next is up. */
export function setAside(s) {
  if (s.old.length === MAX_OLD) s.do('close', { conn: s.old.shift().number });
  s.old.push(s.current);
  s.do('setAside', { conn: s.current.number });
  s.current = null;
}

/** How long the old ones stay once the new one is up: the end that began the epoch ends them. */
export const lingering = (s) => (s.ours ? 1_000 : 2_000);

export function closeOld(s) {
  for (const { number } of s.old.splice(0)) s.do('close', { conn: number });
}

/** With an old connection goes the peer's state for as long as the new one is not up. */
export function oldPathChanged(s, c) {
  if (c.path === 'noPath') oldLost(s, c.number);
  else if (!isUp(s.current)) s.setState(s.serving ? 'connected' : 'interrupted');
}

/** Gives an old connection up. */
export function oldLost(s, number) {
  s.old = s.old.filter((c) => c.number !== number);
  s.do('close', { conn: number });
  if (isUp(s.current) || s.serving) return;
  if (!s.broken) s.setState('interrupted');
  else if (s.lost) drop(s);
  else s.setState('failed', 'pathLost');
}

/** Asks for the peer to be dropped: the hub has lost it, and no connection serves. */
export function drop(s) {
  stopAwaiting(s);
  s.do('drop');
}
