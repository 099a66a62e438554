// What the page says at its top, and its buttons that are on or off.

import { errorText, t } from './strings.js';

const line = document.getElementById('notice');

/** Says what is the matter; '' takes it back. */
export function notice(text) {
  line.textContent = text;
  line.hidden = text === '';
}

/** Shows an element of the call, or hides it: then the focus, if it was there, goes to the name of the room. */
export function reveal(element, on) {
  const lost = !on && element.contains(document.activeElement);
  element.hidden = !on;
  if (lost) document.getElementById('room-name').focus();
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
 * Draws a button that is on or off. Its name stays the same, because with another one it would be said to be on when it is
 * off, and who speaks to it says what is written on it. What a press would do is in its title.
 */
export function drawSwitch(button, pressed, words, icon) {
  button.setAttribute('aria-pressed', String(pressed));
  button.title = t(words[Number(pressed)]);
  button.querySelector('span').textContent = t(words[0]);
  button.querySelector('use').setAttribute('href', `icons.svg#${icon}`);
}
