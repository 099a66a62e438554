// What the page says at its top, and its buttons that are on or off.

import { errorText, t } from './strings.js';

const line = document.getElementById('notice');

/** Says what is the matter; '' takes it back. */
export function notice(text) {
  line.textContent = text;
  line.hidden = text === '';
}

/** Does what may fail, and says why it did. */
export async function attempt(act) {
  try {
    await act();
  } catch (error) {
    notice(errorText(error));
  }
}

/**
 * Draws a button. What it would do, it says; to a screen reader it is a switch
 * with one name that is on or off.
 */
export function drawSwitch(button, pressed, words, icon) {
  button.setAttribute('aria-pressed', String(pressed));
  button.setAttribute('aria-label', t(words[0]));
  button.title = t(words[Number(pressed)]);
  button.querySelector('span').textContent = t(words[Number(pressed)]);
  button.querySelector('use').setAttribute('href', `icons.svg#${icon}`);
}
