// Decides what becomes of the connection to a peer: when there is a new path, when
// a connection is given up and how long the pause before the next one is, which
// connection serves meanwhile, and when the peer is dropped (PROTOCOL.md
// section 4.2). A pure machine, the twin of Go's internal/recovery, whose doc.go
// explains it: events go in, actions come out. What has to be waited for is
// a timer, armed by an action; its end is an event. Times are in ms.
//
// The parts have the names of Go's files: recovery_state.js is what it knows,
// recovery_timers.js what is waited for; recovery_handover.js, recovery_epochs.js,
// recovery_proof.js, recovery_path.js and recovery_member.js decide, each with those before it.
//
// The actions, to be carried out in their order:
//
//   {kind: 'beginEpoch'}          begin the next epoch, then call begun, or exhausted
//   {kind: 'build', conn, ours}   make connection conn, or call unbuilt
//   {kind: 'setAside', conn}      the current connection is an old one from now on
//   {kind: 'close', conn}         end it, the current or an old one
//   {kind: 'giveUp', cause}       the epoch is given up
//   {kind: 'note', cause}         the peer is not connected because of that
//   {kind: 'forget'}              it is connected
//   {kind: 'restartICE', unlessRelayed}  never if options.moves
//   {kind: 'resend', late}        what is unacknowledged; if late, only what should not be by now
//   {kind: 'setState', peer, cause}
//   {kind: 'drop'}                the peer that the hub has lost
//   {kind: 'askHub'} {kind: 'askServers'}
//   {kind: 'queue'}               for our turn to build
//   {kind: 'release'}             take the frames held back until our turn, then call released
//   {kind: 'yield'}               our turn, or our place in the queue
//   {kind: 'samplePath'} {kind: 'comparePath'} {kind: 'checkRelay'}
//   {kind: 'probe'}               send a frame over the current connection, which SCTP acknowledges, and
//                                 remember how much has arrived by it that is not ICE's own
//   {kind: 'checkProbe'}          call answered if more has arrived since, unanswered if not
//   {kind: 'arm', timer, after}   call elapsed(timer) after so long
//   {kind: 'disarm', timer}
//   {kind: 'end'}                 all connections and timers

import { begin, events as epochs, fail } from './recovery_epochs.js';
import { closeOld } from './recovery_handover.js';
import { events as member } from './recovery_member.js';
import { events as path, lookAgain, restart, retry, samplePath } from './recovery_path.js';
import { events as proof, watch } from './recovery_proof.js';
import { isUp, State } from './recovery_state.js';
import { TIMERS } from './recovery_timers.js';

// All events, by their names: functions over a State, given what the event says.
const EVENTS = { ...epochs, ...path, ...proof, ...member, elapsed };

/** One link. */
export class Recovery {
  #s; // what it knows

  /** {connect, restarts, lost, sparing, keepsPath, moves}: see Options in Go. */
  constructor({ connect, restarts = 0, lost = 0, sparing = false, keepsPath = false, moves = false }) {
    this.#s = new State({ connect, restarts, lost, sparing, keepsPath, moves });
  }

  /** All it knows, as plain data: what Go writes its tables of transitions with. */
  get state() {
    const { armed, ...rest } = structuredClone({ ...this.#s });
    return { ...rest, armed: TIMERS.filter((t) => armed.includes(t)) };
  }

  /** The machine that knows a state; what the state leaves out is false, 0 or empty. */
  static restore(options, state) {
    const m = new Recovery(options);
    const whole = (c) => ({ control: false, data: false, ...c });
    const { current = null, old = [], ...rest } = structuredClone(state);
    Object.assign(m.#s, { allowed: 0, ...rest, current: current && whole(current), old: old.map(whole) });
    return m;
  }

  /** What can be seen at any time: {online, expired, wait}. Called before each event. */
  now({ online, expired, wait }) { Object.assign(this.#s, { online, expired, wait }); }

  /** An event happens, with its details. Returns the actions. */
  on(event, ...what) { return this.#s.step((s) => EVENTS[event](s, ...what)); }

  // ---- what drivers ask

  /** Whether there is a current connection whose epoch is not given up. */
  get alive() { return this.#s.alive; }

  get over() { return this.#s.over; }

  /** Epochs given up since the last connection that lasted. */
  get failures() { return this.#s.failures; }

  /** Whether the next connection is a newcomer's whose turn has not come. */
  get mustWait() { return this.#s.mustWait; }
}

// A timer has ended. One that is not armed is ignored.
function elapsed(s, timer) {
  if (!s.armed.includes(timer)) return;
  s.armed = s.armed.filter((t) => t !== timer);
  switch (timer) {
    case 'toConnect': fail(s, 0, 'tooLate'); break;
    case 'toRestart': restart(s); break;
    case 'forPath': retry(s); break;
    case 'forRelay': lookAgain(s); break;
    case 'toReturn': fail(s, 0, 'pathLost'); break;
    case 'pause': case 'budget': begin(s); break;
    case 'serversToBegin': begin(s, true); break;
    case 'serversToRestart': restart(s, true); break;
    case 'farewell': s.over = true; break;
    case 'linger': if (!s.unproven) closeOld(s); break; // else they stay until it is proven
    case 'settle': watch(s); break;
    case 'proof': if (s.alive && isUp(s.current)) s.do('checkProbe'); break;
    case 'inFlight': samplePath(s); break;
    case 'doubt': if (s.alive && isUp(s.current)) s.do('comparePath'); break;
    case 'credentials': if (s.alive && isUp(s.current) && s.online) s.do('checkRelay'); break;
    case 'calm': s.calm = true; break;
  }
}
