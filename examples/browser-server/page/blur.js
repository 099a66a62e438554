// Blurring what is behind us, where the browser, or its system, does that to a camera's picture (mediacapture-extensions,
// backgroundBlur).

import { choices, choose as keep } from './choices.js';
import { notice } from './controls.js';
import { t } from './strings.js';

/** Whether a camera's track can be blurred and not. */
const canChoose = (track) => [true, false].every((on) => track?.getCapabilities?.().backgroundBlur?.includes(on));

/** Blurs a track that was just opened, if that is chosen. */
export async function apply(track) {
  if (choices().blur && canChoose(track)) await constrain(track, true).catch(() => {}); // its switch says that it is off
}

/** Chooses it, also for the track that is open. */
export async function choose(track, on) {
  keep({ blur: on });
  if (!canChoose(track)) return;
  try {
    await constrain(track, on);
  } catch {
    notice(t('notAllowed'));
  }
}

/** Draws its switch: what is so, which the system may have decided; hidden where there is nothing to choose. */
export function draw(input, track) {
  input.closest('label').hidden = !canChoose(track);
  input.checked = Boolean(track?.getSettings().backgroundBlur);
}

// All constraints are replaced, so those of before are said again.
const constrain = (track, on) => track.applyConstraints({ ...track.getConstraints(), backgroundBlur: on });
