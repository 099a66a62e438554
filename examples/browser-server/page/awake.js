// The screen stays on during a call: who listens touches nothing.

let wanted = false;
let lock = null; // the browser's; it ends when the page is hidden

/** Keeps the screen on from now on, or no longer. */
export function keepScreenOn(on) {
  wanted = on;
  if (on) ask();
  else lock?.release();
}

async function ask() {
  if (!wanted || document.hidden) return;
  try {
    lock = await navigator.wakeLock?.request('screen');
    if (!wanted) lock?.release();
  } catch {
    // The battery is low, or the person does not want it.
  }
}

document.addEventListener('visibilitychange', ask);
