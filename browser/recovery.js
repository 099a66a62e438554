// Decides what becomes of the connection to a peer: when ICE is restarted, when
// a connection is given up and how long the pause before the next one is, which
// connection serves meanwhile, and when the peer is dropped (PROTOCOL.md
// section 4.2). A pure machine, the twin of Go's internal/recovery, whose doc.go
// explains it: events go in, actions come out. What has to be waited for is
// a timer, armed by an action; its end is an event. Times are in ms.
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
//   {kind: 'restartICE', unlessRelayed}
//   {kind: 'resend'}              what is unacknowledged
//   {kind: 'setState', peer, cause}
//   {kind: 'drop'}                the peer, whom the hub has lost
//   {kind: 'askHub'} {kind: 'askServers'}
//   {kind: 'queue'}               for our turn to build
//   {kind: 'release'}             take the frames held back until our turn, then call released
//   {kind: 'yield'}               our turn, or our place in the queue
//   {kind: 'samplePath'} {kind: 'comparePath'} {kind: 'checkRelay'}
//   {kind: 'arm', timer, after}   call elapsed(timer) after so long
//   {kind: 'disarm', timer}
//   {kind: 'end'}                 all connections and timers

const MAX_OLD = 2; // connections of epochs before that serve

// Of these one is armed at a time.
const AWAITED = [
  'toConnect', 'toRestart', 'forPath', 'forRelay', 'toReturn', 'pause', 'budget', 'serversToBegin', 'serversToRestart', 'farewell',
];
const TIMERS = [...AWAITED, 'linger', 'doubt', 'credentials', 'calm'];

const RESTART_AFTER = 2_000; // of a path being interrupted
const RELAY_PATIENCE = 2_000; // for a relay to be gathered, where the path went by one
const SERVERS_WAIT = 1_000; // for an answer, when those there are have expired
const CLOSED_GRACE = 500; // for a peer that closed the connection to begin the next epoch
const PATH_ANSWERS = 2_000; // or ICE is restarted
const CALM_AFTER = 10_000; // connected so long, a rebuild starts without a pause again
const MAX_BACK_OFF = 30_000; // between rebuilds
const MAX_RESTARTS = 64;

const isUp = (c) => c !== null && c.control && c.path === 'found';

const zero = () => ({
  online: false, expired: false, wait: 0,
  current: null, old: [], // {number, path, control, data}
  peer: 'connecting', ours: false, broken: false, wasUp: false, calm: false, everUp: false, lost: false, left: false,
  asleep: false, over: false, admitted: false, due: false, asked: false, relayed: false,
  failures: 0, restarts: 0, allowed: 0, patience: 0, armed: [],
});

/** One link. */
export class Recovery {
  #options; // {connect, restarts, lost, sparing, keepsPath}: see Options in Go
  #s; // what it knows
  #actions = []; // of the event being acted on

  constructor({ connect, restarts = 0, lost = 0, sparing = false, keepsPath = false }) {
    this.#options = { connect, restarts, lost, sparing, keepsPath };
    this.#s = { ...zero(), allowed: restarts };
  }

  /** All it knows, as plain data: what Go writes its tables of transitions with. */
  get state() {
    const { armed, ...rest } = structuredClone(this.#s);
    return { ...rest, armed: TIMERS.filter((t) => armed.includes(t)) };
  }

  /** The machine that knows a state; what the state leaves out is false, 0 or empty. */
  static restore(options, state) {
    const m = new Recovery(options);
    const whole = (c) => ({ control: false, data: false, ...c });
    const { current = null, old = [], ...rest } = structuredClone(state);
    m.#s = { ...zero(), ...rest, current: current && whole(current), old: old.map(whole) };
    return m;
  }

  /** What can be seen at any time: {online, expired, wait}. Called before each event. */
  now({ online, expired, wait }) { Object.assign(this.#s, { online, expired, wait }); }

  // ---- what drivers ask

  get peer() { return this.#s.peer; }

  /** Whether there is a current connection whose epoch is not given up. */
  get alive() { return this.#s.current !== null && !this.#s.broken; }

  /** The number of the connection that data goes by, 0 if there is none at all. */
  get live() { return this.#live()?.number ?? 0; }

  /** Whether any connection works. */
  get reachable() { return isUp(this.#live()); }

  get lost() { return this.#s.lost; }

  get asleep() { return this.#s.asleep; }

  get over() { return this.#s.over; }

  get left() { return this.#s.left; }

  /** Epochs given up since the last connection that lasted. */
  get failures() { return this.#s.failures; }

  /** Whether the next connection is a newcomer's whose turn has not come. */
  get mustWait() { return !this.#s.everUp && !this.#s.admitted; }

  /** Whether an offer is to carry new ICE credentials, if that was wished for. */
  get mayRestart() { return !isUp(this.#s.current) || this.#s.asked; }

  // ---- epochs

  begun() { return this.#step(() => this.#rebuild(true)); }

  exhausted() { return this.#step(() => this.#setState('failed', 'epochsUsedUp')); }

  /** The peer has begun an epoch, by a frame that came over connection via, 0 if by hub. */
  renewed(via) {
    return this.#step(() => {
      if (via !== 0 && via === this.#s.current?.number) this.#setAside(); // as the peer does, or this would not have come
      this.#rebuild(false);
    });
  }

  unbuilt() {
    return this.#step(() => {
      this.#s.current = null;
      this.#fail(0, 'told');
    });
  }

  fail() { return this.#step(() => this.#fail(0, 'told')); }

  /** Something went wrong over a connection that ends it at once. */
  spoiled(number) {
    return this.#step(() => {
      if (this.#s.over || !this.#find(number)) return;
      if (number !== this.#s.current?.number) {
        this.#oldLost(number);
      } else {
        this.#fail(0, 'told');
        this.#closeCurrent();
      }
    });
  }

  serversTold() {
    return this.#step(() => {
      if (this.#s.armed.includes('serversToBegin')) {
        this.#disarm('serversToBegin');
        this.#begin(true);
      } else if (this.#s.armed.includes('serversToRestart')) {
        this.#disarm('serversToRestart');
        this.#restart(true);
      }
    });
  }

  #begin(asked = false) {
    const s = this.#s;
    if (s.over || s.asleep || (!asked && this.#awaitServers('serversToBegin'))) return;
    if (this.mustWait) {
      s.due = true;
      this.#do('queue');
      return;
    }
    if (s.wait > 0) {
      this.#await('budget', s.wait);
      return;
    }
    if (this.#options.sparing && !this.#reaches && !this.reachable) {
      this.#stopAwaiting(); // the hub's return begins it
      return;
    }
    if (!this.#reaches && isUp(s.current)) this.#setAside(); // the next epoch has no other way
    this.#do('beginEpoch');
  }

  #awaitServers(timer) {
    if (!this.#s.expired || !this.#s.online) return false;
    this.#do('askServers');
    this.#await(timer, SERVERS_WAIT);
    return true;
  }

  // Puts a fresh connection in the place of the one there was.
  #rebuild(ours) {
    const s = this.#s;
    this.#closeCurrent();
    this.#disarm('linger', 'doubt', 'credentials', 'calm'); // the old ones stay until this one is up
    Object.assign(s, { ours, broken: false, wasUp: false, calm: false, asked: false, restarts: 0 });
    if (this.#serving) this.#setState('connected');
    else if (s.peer === 'connected') this.#setState('interrupted'); // the peer began this epoch
    s.current = { number: this.#free(), path: 'untried', control: false, data: false };
    this.#await('toConnect', this.#options.connect);
    this.#do('build', { conn: s.current.number, ours });
  }

  #closeCurrent() {
    const { current } = this.#s;
    if (!current) return;
    this.#s.current = null;
    this.#do('close', { conn: current.number });
  }

  // Gives this epoch up: the next begins after a pause, which grows.
  #fail(grace, cause) {
    const s = this.#s;
    if (s.left) s.over = true;
    if (s.broken || s.over || s.asleep) return;
    s.broken = true;
    this.#do('giveUp', { cause });
    if (!s.everUp) this.#yield();
    const serving = this.#serving;
    if (s.lost && !serving) {
      this.#drop();
      return;
    }
    if (s.wasUp && s.calm) Object.assign(s, { failures: 0, allowed: this.#options.restarts });
    const pause = s.failures === 0 ? grace : Math.min(1_000 * 2 ** Math.min(s.failures - 1, 10), MAX_BACK_OFF);
    s.failures++;
    if (!serving) {
      this.#do('note', { cause });
      this.#setState('failed', cause);
    }
    this.#await('pause', pause);
  }

  #drop() {
    this.#stopAwaiting();
    this.#do('drop');
  }

  // ---- the path of the current connection

  /** What ICE says of a connection; relayed: the path goes, or went last, by a relay of ours. */
  pathChanged(number, path, relayed = false) {
    return this.#step(() => {
      const s = this.#s;
      const c = this.#find(number);
      if (!c) return;
      c.path = path;
      if (c !== s.current) {
        this.#oldPathChanged(c);
      } else if (s.broken || s.left) {
        return;
      } else if (path === 'noPath') {
        this.#pathFailed();
      } else if (path === 'disconnected' && s.peer === 'connected') {
        this.#setState('interrupted');
        s.relayed = relayed;
        this.#do('askHub'); // which has to carry the restart
        if (s.lost && this.#options.lost > 0) this.#await('toReturn', this.#options.lost);
        else this.#await('toRestart', RESTART_AFTER);
      } else {
        this.#openedOrFound();
      }
    });
  }

  controlOpened(number) { return this.#opened(number, false); }

  dataOpened(number) { return this.#opened(number, true); }

  #opened(number, data) {
    return this.#step(() => {
      const c = this.#find(number);
      if (!c) return;
      c.control = true;
      c.data ||= data;
      if (c === this.#s.current) this.#openedOrFound();
    });
  }

  // Makes the peer connected once everything is.
  #openedOrFound() {
    const s = this.#s;
    if (s.broken || s.left || !isUp(s.current) || !s.current.data) return;
    if (s.wasUp && s.peer === 'connected') {
      this.#disarm('toRestart', 'forPath', 'forRelay', 'serversToRestart');
      return;
    }
    if (s.old.length > 0) this.#arm('linger', s.ours ? 1_000 : 2_000); // the end that began the epoch ends them
    Object.assign(s, { wasUp: true, everUp: true, calm: false, restarts: 0 });
    this.#arm('calm', CALM_AFTER);
    this.#yield();
    this.#stopAwaiting();
    this.#do('forget');
    this.#setState('connected');
    this.#do('resend'); // what hangs at a dead hub can go in-band now
  }

  // No reason to give up the connection: a restart may find a path.
  #pathFailed() {
    if (this.#s.lost || this.#s.old.length > 0) {
      this.#fail(0, 'pathLost'); // which drops the peer, or moves again
      return;
    }
    this.#do('note', { cause: 'pathLost' });
    this.#setState('failed', 'pathLost');
    this.#retry();
  }

  // Restarts again or, when that has not helped so often, rebuilds.
  #retry() {
    const s = this.#s;
    if (++s.restarts > s.allowed) {
      s.allowed = Math.min(2 * s.allowed, MAX_RESTARTS);
      this.#fail(0, 'pathLost');
    } else {
      this.#restart();
    }
  }

  // Looks for a new path, which only the hub may carry: its return calls here again.
  #restart(asked = false) {
    const s = this.#s;
    if (!this.alive || isUp(s.current) || !s.online || (!asked && this.#awaitServers('serversToRestart'))) return;
    this.#lookForPath(this.#options.connect);
    this.#do('restartICE');
  }

  #lookForPath(patience) {
    if (!this.#s.relayed || patience <= RELAY_PATIENCE) {
      this.#s.patience = 0;
      this.#await('forPath', patience);
    } else {
      this.#s.patience = patience - RELAY_PATIENCE;
      this.#await('forRelay', RELAY_PATIENCE);
    }
  }

  #lookAgain() {
    if (!this.alive || isUp(this.#s.current) || !this.#s.online) return;
    this.#lookForPath(this.#s.patience);
    this.#do('restartICE', { unlessRelayed: true });
  }

  /** ICE is being restarted, by whichever end. */
  restarted() {
    return this.#step(() => {
      this.#s.asked = false;
      if (!this.#options.keepsPath) this.#s.current.path = 'checking';
    });
  }

  /** The user wants a new path. */
  restart() {
    return this.#step(() => {
      const s = this.#s;
      if (s.asleep || !this.alive) return;
      if (this.#reaches) {
        s.asked = true;
        this.#do('restartICE');
      } else if (isUp(s.current)) {
        this.#begin();
      }
    });
  }

  /** The network may have changed: the path has to show life. */
  doubted() {
    return this.#step(() => {
      if (!this.alive || !isUp(this.#s.current)) return;
      this.#do('samplePath');
      this.#arm('doubt', PATH_ANSWERS);
    });
  }

  silent() {
    return this.#step(() => {
      if (this.alive && isUp(this.#s.current)) this.#giveUpPath();
    });
  }

  /** This machine has other addresses; gone: that at which the path begins is not there any longer. */
  networkChanged(gone) {
    return this.#step(() => {
      if (!this.alive || !this.#s.wasUp) return;
      if (!isUp(this.#s.current)) this.#restart();
      else if (gone) this.#giveUpPath();
    });
  }

  #giveUpPath() {
    this.#s.current.path = 'disconnected'; // nothing is said over it any longer
    this.#setState('interrupted');
    this.#restart();
  }

  credentialsLast(after) {
    return this.#step(() => {
      if (this.#s.current) this.#arm('credentials', after);
    });
  }

  relayEnds() {
    return this.#step(() => {
      if (!this.alive || !isUp(this.#s.current) || !this.#s.online) return;
      this.#s.asked = true;
      this.#do('restartICE');
    });
  }

  // ---- make before break

  #setAside() {
    const s = this.#s;
    if (s.old.length === MAX_OLD) this.#do('close', { conn: s.old.shift().number });
    s.old.push(s.current);
    this.#do('setAside', { conn: s.current.number });
    s.current = null;
  }

  #closeOld() {
    for (const { number } of this.#s.old.splice(0)) this.#do('close', { conn: number });
  }

  // With an old connection goes the peer's state for as long as the new one is not up.
  #oldPathChanged(c) {
    if (c.path === 'noPath') this.#oldLost(c.number);
    else if (!isUp(this.#s.current)) this.#setState(this.#serving ? 'connected' : 'interrupted');
  }

  #oldLost(number) {
    const s = this.#s;
    s.old = s.old.filter((c) => c.number !== number);
    this.#do('close', { conn: number });
    if (isUp(s.current) || this.#serving) return;
    if (!s.broken) this.#setState('interrupted');
    else if (s.lost) this.#drop();
    else this.#setState('failed', 'pathLost');
  }

  /** A channel has closed that we did not close; data: so that nothing more can come by it. */
  channelClosed(number, data) {
    return this.#step(() => {
      const s = this.#s;
      const c = this.#find(number);
      if (!c) return;
      c[data ? 'data' : 'control'] = false;
      if (c !== s.current) this.#oldLost(number);
      else if (!s.left) this.#fail(CLOSED_GRACE, 'pathLost');
      else if (data) s.over = true;
    });
  }

  // ---- the hub and the room

  /** The member has entered, or come back to, the hub while we were there. */
  welcome() {
    return this.#step(() => {
      this.#s.lost = false;
      if (this.alive) this.#hubBack();
      else this.#begin();
    });
  }

  /** The member is there and we are the newcomer: without a connection, it begins. */
  expect() {
    return this.#step(() => {
      const s = this.#s;
      s.lost = false;
      if (s.broken) { // a pause was running while no hub could have helped
        s.failures = 0;
        this.#begin();
      } else if (!s.current) {
        this.#await('toConnect', this.#options.connect);
      } else {
        this.#hubBack();
      }
    });
  }

  #hubBack() {
    const s = this.#s;
    this.#do('resend');
    if (s.armed.includes('toReturn') && !s.wasUp) {
      this.#await('toConnect', this.#options.connect);
    } else if (s.wasUp && !isUp(s.current) && s.peer === 'failed') {
      s.failures = 0;
      this.#begin();
    } else if (s.wasUp && !isUp(s.current)) {
      this.#restart();
    }
  }

  hubLost() {
    return this.#step(() => {
      const s = this.#s;
      s.lost = true;
      if (!this.alive && !this.#serving) {
        this.#drop();
      } else if (this.#options.lost > 0 && this.alive && !isUp(s.current)) {
        if (!s.everUp) this.#yield(); // it comes up by itself or not at all, and holds nobody up
        this.#await('toReturn', this.#options.lost);
      }
    });
  }

  /** The peer leaves for good; what it sent before may still come. */
  goodbye() {
    return this.#step(() => {
      const s = this.#s;
      s.left = true;
      if (s.broken || !this.reachable) s.over = true;
      else this.#await('farewell', CLOSED_GRACE);
    });
  }

  close() {
    return this.#step(() => { this.#s.over = true; });
  }

  ended() { return this.#step(() => this.#end()); }

  sleep() {
    return this.#step(() => {
      Object.assign(this.#s, { asleep: true, wasUp: false });
      this.#end();
    });
  }

  wake() {
    return this.#step(() => {
      Object.assign(this.#s, { asleep: false, lost: false, broken: false, failures: 0 });
      this.#setState('connecting');
    });
  }

  #end() {
    Object.assign(this.#s, { current: null, old: [], armed: [] });
    this.#do('end');
    this.#yield();
    this.#setState('closed');
  }

  // ---- newcomers

  peerBegins() { return this.#step(() => this.#do('queue')); }

  admitted() {
    return this.#step(() => {
      if (this.#s.over || this.#s.asleep) {
        this.#yield();
      } else {
        this.#s.admitted = true;
        this.#do('release');
      }
    });
  }

  released() {
    return this.#step(() => {
      const { due } = this.#s;
      this.#s.due = false;
      if (due && !this.alive) this.#begin();
    });
  }

  #yield() {
    Object.assign(this.#s, { admitted: false, due: false });
    this.#do('yield');
  }

  // ---- timers

  /** A timer has ended. One that is not armed is ignored. */
  elapsed(timer) {
    return this.#step(() => {
      const s = this.#s;
      if (!s.armed.includes(timer)) return;
      s.armed = s.armed.filter((t) => t !== timer);
      switch (timer) {
        case 'toConnect': this.#fail(0, 'tooLate'); break;
        case 'toRestart': this.#restart(); break;
        case 'forPath': this.#retry(); break;
        case 'forRelay': this.#lookAgain(); break;
        case 'toReturn': this.#fail(0, 'pathLost'); break;
        case 'pause': case 'budget': this.#begin(); break;
        case 'serversToBegin': this.#begin(true); break;
        case 'serversToRestart': this.#restart(true); break;
        case 'farewell': s.over = true; break;
        case 'linger': this.#closeOld(); break;
        case 'doubt': if (this.alive && isUp(s.current)) this.#do('comparePath'); break;
        case 'credentials': if (this.alive && isUp(s.current) && s.online) this.#do('checkRelay'); break;
        case 'calm': s.calm = true; break;
      }
    });
  }

  #arm(timer, after) {
    if (!this.#s.armed.includes(timer)) this.#s.armed.push(timer);
    this.#do('arm', { timer, after });
  }

  #disarm(...timers) {
    for (const timer of timers) {
      if (!this.#s.armed.includes(timer)) continue;
      this.#s.armed = this.#s.armed.filter((t) => t !== timer);
      this.#do('disarm', { timer });
    }
  }

  // Waits for one thing, and no longer for what was waited for before.
  #await(timer, after) {
    this.#disarm(...AWAITED.filter((t) => t !== timer));
    this.#arm(timer, after);
  }

  #stopAwaiting() { this.#disarm(...AWAITED); }

  // ---- the rest

  #step(event) {
    this.#actions = [];
    event();
    return this.#actions;
  }

  #do(kind, what = {}) { this.#actions.push({ kind, ...what }); }

  #setState(peer, cause = '') {
    if (this.#s.peer === peer) return;
    this.#s.peer = peer;
    this.#do('setState', { peer, cause });
  }

  get #reaches() { return this.#s.online && !this.#s.lost; }

  get #serving() { return this.#s.old.some(isUp); }

  // The newest connection that works, or else the current one.
  #live() {
    const { current, old } = this.#s;
    return isUp(current) ? current : old.findLast(isUp) ?? current;
  }

  #find(number) {
    const { current, old } = this.#s;
    return [current, ...old].find((c) => c?.number === number) ?? null;
  }

  #free() {
    let number = 1;
    while (this.#find(number)) number++;
    return number;
  }
}
