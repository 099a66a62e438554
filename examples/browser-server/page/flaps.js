// Who comes and goes again and again has one line in the chat, and not one for each time. Pure: call.js writes the lines.

const SOON = 30_000; // ms: who is back within that flaps
const KEPT = 100; // members whose last line is known

/**
 * What is said when a member comes or goes after a run of that, null for none: {words, times, here, at, same}. words is a
 * key of strings.js; same: it takes the place of what was said before.
 */
export function step(run, here, now) {
  const same = run !== null && run.here !== here && now - run.at <= SOON && (run.here === false || run.words === 'returned');
  if (here) return { words: same ? 'returned' : 'came', times: same ? run.times : 1, here, at: now, same };
  return { words: same ? 'flapped' : 'went', times: same ? run.times + 1 : 1, here, at: now, same };
}

export class Flaps {
  #runs = new Map(); // who → {run, line}, the oldest first

  /** A member comes or goes. say(words, times, line) says it, in place of a line if there is one, and returns its line. */
  note(who, here, now, say) {
    const before = this.#runs.get(who);
    const run = step(before?.run ?? null, here, now);
    const line = say(run.words, run.times, run.same ? before.line : null);
    this.#runs.delete(who); // to be the newest
    this.#runs.set(who, { run, line });
    if (this.#runs.size > KEPT) this.#runs.delete(this.#runs.keys().next().value);
  }

  /** What comes now is a line of its own. */
  forget(who) { this.#runs.delete(who); }
}
