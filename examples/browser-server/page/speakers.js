// Where the others' sound comes out, in browsers that let one choose.

import { choices, choose } from './choices.js';

/** Whether this browser does. */
export const canChoose = 'setSinkId' in HTMLMediaElement.prototype;

/** Lets an element sound there. */
export async function use(element) {
  if (!canChoose || element.sinkId === choices().speaker) return;
  try {
    await element.setSinkId(choices().speaker);
  } catch {
    // It was unplugged, or is not for this page any more: the usual one stays.
  }
}

/** Chooses another one, also for what sounds already. */
export function choosePlace(id) {
  choose({ speaker: id });
  for (const element of document.querySelectorAll('#tiles video')) use(element);
}
