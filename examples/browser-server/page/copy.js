// A text that is to be copied: by us or, where the browser refuses, by the person.

import { notice } from './controls.js';
import { t } from './strings.js';

/** Copies a text, or what a promise of one resolves with. The words of the button say so; otherwise refused(text) is called. */
async function copyBy(button, words, text, refused) {
  try {
    await (typeof text === 'string' ? navigator.clipboard.writeText(text) : writeLater(text));
  } catch {
    refused(await text);
    return;
  }
  const label = button.querySelector('span');
  const said = document.getElementById('copied');
  label.textContent = said.textContent = t('copied'); // a button's own words are not read out when they change
  setTimeout(() => {
    label.textContent = t(words);
    said.textContent = '';
  }, 2000);
}

// Safari wants to be asked while the button is being pressed, and waits for the text.
async function writeLater(text) {
  try {
    await navigator.clipboard.write([new ClipboardItem({ 'text/plain': text.then((words) => new Blob([words], { type: 'text/plain' })) })]);
  } catch {
    await navigator.clipboard.writeText(await text);
  }
}

/** Copies the link to the room, to send to someone. */
export const copyLink = (button) => copyBy(button, 'copyLink', `${location.origin}${location.pathname}${location.hash}`, notice); // not under our name

/** Copies a report, or shows it in a text area, selected. */
export const copyReport = (button, area, make) => copyBy(button, 'copyReport', make(), (text) => {
  area.value = text;
  area.hidden = false;
  area.focus();
  area.select();
});
