// What a room remembers of a member id while links, sessions and connections
// come and go: how much the member may still make us do. The twin of Go's
// internal/conduct/conduct.go. Pure; times are in ms and passed in.

// So much at once, and so much a second from there on. An honest member stays far below.
const BUILDS = [1 / 2.5, 12]; // connections
const ALL_BUILDS = [4, 96]; // of all members of a room together
const WORK = [200, 4000]; // frames, taken by one way
const DESCRIPTION = 10; // frames, for an offer or answer
const RESTART = 100; // frames, for new ICE credentials
const TRACK = 10; // frames, for a track that was not there
const EXCESS = [100, 1000]; // frames in-band above that, before the link fails
const REPEATS = [200, 8192]; // data messages that say nothing new
const RECORDS = [500, 2000]; // of the room's state, whose signatures are checked
const NAMES = [1, 32]; // candidates whose name has to be asked for, by multicast

const FAULT_PAUSE = 10_000; // before the next connection to a member that floods us; then twice as long each time
const MAX_FAULT_PAUSE = 600_000;
const FAULT_MEMORY = 3_600_000; // without another one, until it starts at FAULT_PAUSE again

const MOST = 1024; // members remembered

/** So many at once, and so many a second. */
export class Bucket {
  #rate; // a ms
  #burst;
  #level;
  #at = -Infinity; // when level was right

  constructor([rate, burst]) {
    this.#rate = rate / 1000;
    this.#burst = burst;
    this.#level = burst;
  }

  /** Takes count, if they are there. */
  take(now, count = 1) {
    if (this.wait(now, count) > 0) return false;
    this.#level -= count;
    return true;
  }

  /** How long until count are there, 0 if they are. */
  wait(now, count = 1) {
    if (now > this.#at) {
      if (this.#at > -Infinity) this.#level = Math.min(this.#burst, this.#level + (now - this.#at) * this.#rate);
      this.#at = now;
    }
    return Math.ceil(Math.max(0, (count - this.#level) / this.#rate));
  }

  full(now) { return this.wait(now, this.#burst) === 0; }
}

export class Conduct {
  #builds = new Bucket(BUILDS);
  #ofAll; // the room's
  #births = new Bucket(BUILDS); // sessions that it says it has
  #work = new Bucket(WORK);
  #byHub = new Bucket(WORK); // frames, which need not be the member's own
  #excess = new Bucket(EXCESS);
  #repeats = new Bucket(REPEATS);
  #records = new Bucket(RECORDS);
  #names = new Bucket(NAMES);
  #faults = 0; // in a row
  #faulted = 0; // the last of them

  constructor(ofAll = new Bucket(ALL_BUILDS)) {
    this.#ofAll = ofAll;
  }

  /** Asks for one more connection: 0 if it may be built now, which counts it, else how long to wait. */
  build(now) {
    const wait = this.wait(now);
    if (wait === 0) {
      this.#builds.take(now);
      this.#ofAll.take(now);
    }
    return wait;
  }

  /** build without counting. */
  wait(now) {
    const pause = this.#faults === 0 ? 0 : this.#faulted + Math.min(FAULT_PAUSE * 2 ** (this.#faults - 1), MAX_FAULT_PAUSE) - now;
    return Math.max(0, pause, this.#builds.wait(now), this.#ofAll.wait(now));
  }

  /**
   * Counts a session that the member says it has now, each of which asks for a connection; false: it is to be ignored.
   */
  reborn(now) { return this.wait(now) === 0 && this.#births.take(now); }

  /** Counts a frame that came in-band: 'taken', 'dropped' (the exchange brings it back) or 'flood'. */
  frame(now) {
    if (this.#work.take(now)) return 'taken';
    return this.#excess.take(now) ? 'dropped' : 'flood';
  }

  /** Counts a frame that came by hub; false: it is to be dropped. */
  byHub(now) { return this.#byHub.take(now); }

  /** Counts a description; false: it is too much. restarts: it has new ICE credentials. */
  described(now, restarts) { return this.#work.take(now, restarts ? RESTART : DESCRIPTION); }

  /** Counts a table by its new tracks, and those muted, paused, or no longer; false: it is too much. */
  tabled(now, fresh, changed) { return this.#work.take(now, fresh * TRACK + changed); }

  /** Counts what the member wants, by the tracks of which it wants something else; false: it is too much. */
  wanted(now, changed) { return this.#work.take(now, changed); }

  /** Counts data that says nothing new. */
  repeated(now) { return this.#repeats.take(now); }

  /** Counts records of the room's state; false: there are too many. */
  records(now, count) { return this.#records.take(now, count); }

  /** Counts the look-up of a name. */
  lookup(now) { return this.#names.take(now); }

  /** The member has flooded us. */
  fault(now) {
    if (this.#faults > 0 && now - this.#faulted > FAULT_MEMORY) this.#faults = 0;
    this.#faults++;
    this.#faulted = now;
  }

  /** Whether nothing is lost by forgetting the member. */
  clean(now) {
    return (this.#faults === 0 || now - this.#faulted > FAULT_MEMORY)
      && [this.#builds, this.#births, this.#work, this.#excess, this.#repeats, this.#records, this.#names].every((bucket) => bucket.full(now));
  }
}

/** The conduct of all members of a room. */
export class Conducts {
  #all = new Map(); // id → Conduct
  #builds = new Bucket(ALL_BUILDS);

  get size() { return this.#all.size; }

  /** A member's; present(id) says whether it is in the room, and so must not be forgotten. */
  of(id, present, now) {
    let conduct = this.#all.get(id);
    if (conduct) return conduct;
    if (this.#all.size >= MOST) this.#sweep(present, now);
    conduct = new Conduct(this.#builds);
    this.#all.set(id, conduct);
    return conduct;
  }

  // Forgets absent members: all that lose nothing by it, or else the oldest quarter.
  #sweep(present, now) {
    for (const [id, conduct] of this.#all) {
      if (!present(id) && conduct.clean(now)) this.#all.delete(id);
    }
    for (const id of this.#all.keys()) {
      if (this.#all.size < MOST * 3 / 4) return;
      if (!present(id)) this.#all.delete(id);
    }
  }
}
