// A text that is to be copied: by us or, where the browser refuses, by the person.

import { t } from './strings.js';

/** Copies what make() resolves with. The words of the button say so; otherwise the text is shown in area, and selected. */
export async function copyBy(button, area, words, make) {
  const text = await make();
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    area.value = text;
    area.hidden = false;
    area.focus();
    area.select();
    return;
  }
  const label = button.querySelector('span');
  label.textContent = t('copied');
  setTimeout(() => { label.textContent = t(words); }, 2000);
}
