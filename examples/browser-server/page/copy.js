// A text that is to be copied: by us or, where the browser refuses, by the person.

import { notice } from './controls.js';
import { t } from './strings.js';

/** Copies what make() resolves with. The words of the button say so; otherwise refused(text) is called. */
async function copyBy(button, words, make, refused) {
  const text = await make();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    refused(text);
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

/** Copies the link to the room, to send to someone. */
export const copyLink = (button) => copyBy(button, 'copyLink', () => `${location.origin}${location.pathname}${location.hash}`, notice); // not under our name

/** Copies a report, or shows it in a text area, selected. */
export const copyReport = (button, area, make) => copyBy(button, 'copyReport', make, (text) => {
  area.value = text;
  area.hidden = false;
  area.focus();
  area.select();
});
