// The menu of the reactions. Where there is little room, hand and recording are in it too.

import { REACTIONS } from './signs.js';
import { t } from './strings.js';

const $ = (id) => document.getElementById(id);
const around = $('extras');
const openers = [$('react'), $('more')]; // the one of them that is shown

/** Fills the menu; react(emoji) is called for what is chosen. */
export function onReact(react) {
  $('reactions').replaceChildren(...Object.entries(REACTIONS).map(([emoji, name]) => {
    const button = document.createElement('button');
    Object.assign(button, { type: 'button', textContent: emoji, title: t(`react_${name}`) });
    button.setAttribute('aria-label', button.title);
    button.onclick = () => {
      close();
      react(emoji);
    };
    return button;
  }));
  hide();
}

/** Opens the menu, with the focus on its first reaction, or closes it. */
export function toggle() {
  if (isOpen()) return close();
  draw(true);
  $('reactions').firstElementChild.focus();
}

export const hide = () => draw(false);

const isOpen = () => around.classList.contains('open');

// The focus must not be lost with what had it.
function close() {
  const within = around.contains(document.activeElement);
  draw(false);
  if (within) openers.find((button) => button.checkVisibility?.() ?? button.offsetParent)?.focus();
}

function draw(open) {
  around.classList.toggle('open', open);
  for (const button of openers) button.setAttribute('aria-expanded', String(open));
}

for (const button of openers) button.onclick = toggle;
around.onkeydown = (event) => {
  if (event.key !== 'Escape' || !isOpen()) return;
  event.stopPropagation();
  close();
};
document.addEventListener('pointerdown', ({ target }) => {
  if (isOpen() && !around.contains(target) && !openers.some((button) => button.contains(target))) draw(false);
});
