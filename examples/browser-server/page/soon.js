// Drawing, which makes the browser measure and paint: once for all that happens in a moment, and
// never so much at a time that the page stands still. A member that comes and goes within the
// moment is not drawn at all.

const MOMENT = 30; // ms
const AT_ONCE = 8; // ms of drawing before everything else has its turn

const waiting = new Map(); // key → draw, oldest first
let due = 0; // timeout

/** Calls draw in a moment; of several with one key the last alone. */
export function soon(key, draw) {
  waiting.set(key, draw);
  due ||= setTimeout(run, MOMENT);
}

/** Takes back what was to be drawn under a key. */
export function never(key) {
  waiting.delete(key);
}

function run() {
  due = 0;
  const end = performance.now() + AT_ONCE;
  for (const [key, draw] of waiting) {
    if (performance.now() >= end) {
      due ||= setTimeout(run);
      return;
    }
    waiting.delete(key);
    try {
      draw();
    } catch (error) {
      console.error(error); // what cannot be drawn must not keep the rest from it
    }
  }
}
