// The link to the room, to send to someone.

import { notice } from './controls.js';
import { t } from './strings.js';

/** Lets a button copy it. */
export function copyOn(button) {
  button.onclick = async () => {
    const link = `${location.origin}${location.pathname}${location.hash}`; // to the room, and not under our name
    try {
      await navigator.clipboard.writeText(link);
    } catch {
      notice(link); // to be copied by hand
      return;
    }
    const words = button.querySelector('span');
    words.textContent = t('copied');
    setTimeout(() => { words.textContent = t('copyLink'); }, 2000);
  };
}
