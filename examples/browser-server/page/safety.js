// The safety number of us and a member: what both compare over another way.

import { t } from './strings.js';

const dialog = document.getElementById('safety');

/** Shows the number. who is the member's name. */
export function show(who, { digits, emoji }) {
  document.getElementById('safety-title').textContent = t('safetyWith', who);
  fill('safety-digits', digits);
  fill('safety-emoji', emoji);
  if (!dialog.open) dialog.showModal();
}

export function hide() {
  dialog.close();
}

// One element for each group, so that a line never breaks within one.
function fill(id, groups) {
  document.getElementById(id).replaceChildren(...groups.split(' ').map((group) => {
    const span = document.createElement('span');
    span.textContent = group;
    return span;
  }));
}

dialog.querySelector('button').onclick = hide;
dialog.onclick = (event) => { if (event.target === dialog) hide(); }; // outside of it
