// Where the others' sound comes out, in browsers that let one choose.

import { choices, choose } from './choices.js';

let gone = false; // the chosen one is not plugged in
const asked = new WeakMap(); // element → where it was last asked to sound

/** Whether this browser does. */
export const canChoose = 'setSinkId' in HTMLMediaElement.prototype;

/** Lets an element sound there. */
export async function use(element) {
  const id = gone ? '' : choices().speaker;
  if (!canChoose || (asked.get(element) ?? element.sinkId) === id) return;
  asked.set(element, id);
  try {
    await element.setSinkId(id);
  } catch {
    asked.delete(element); // it was unplugged, or is not for this page any more: the usual one stays
  }
}

/** Chooses another one, also for what sounds already. */
export function choosePlace(id) {
  gone = false;
  choose({ speaker: id });
  useEverywhere();
}

/**
 * Learns the ids of those that are plugged in, none of which is known before the browser may tell them, and returns the one
 * in use, '' for the usual one: that is where it sounds while the chosen one is gone.
 */
export function found(ids) {
  const { speaker } = choices();
  const was = gone;
  gone = ids.length > 0 && !ids.includes(speaker);
  if (gone !== was) useEverywhere();
  return gone ? '' : speaker;
}

function useEverywhere() {
  for (const element of document.querySelectorAll('#tiles video')) use(element);
}
