// What can be done with a picture: pinned, shown on the full screen or in a window of its own; our own is moved and hidden.

import { notice } from './controls.js';
import { makeMovable } from './drag.js';
import * as grid from './grid.js';
import { t } from './strings.js';

let touched = null; // the element whose buttons a finger has shown

/** The buttons of one Tile. */
export class TileButtons {
  #kind;
  #of; // name → button

  constructor(tile, root, video) {
    this.#kind = tile.kind;
    this.#of = Object.fromEntries(['pin', 'window', 'full', 'move', 'hide'].map((name) => [name, root.querySelector(`.${name}`)]));
    const { pin, full, move, hide } = this.#of;
    pin.onclick = () => grid.pin(tile);
    full.onclick = () => fullScreen(root, video);
    this.#of.window.onclick = () => pictureInPicture(video);
    full.title = t('fullScreen');
    this.#of.window.title = t('ownWindow');
    const others = this.#kind === 'member' || this.#kind === 'screen';
    full.hidden = !others || !(root.requestFullscreen || video.webkitEnterFullscreen);
    this.#of.window.hidden = !others || !document.pictureInPictureEnabled;
    root.onpointerup = ({ pointerType, target }) => {
      if (pointerType === 'touch' && !target.closest('button') && !root.classList.contains('dragged')) touch(root);
    };
    if (others) {
      root.ondblclick = ({ target }) => target.closest('button') || fullScreen(root, video);
      for (const type of ['webkitendfullscreen', 'leavepictureinpicture']) video.addEventListener(type, () => goOn(video));
    }
    if (this.#kind === 'self') {
      makeMovable(root);
      move.onclick = () => grid.move();
      move.onkeydown = (event) => { if (grid.move(event.key)) event.preventDefault(); };
      hide.onclick = grid.hideOwn;
      move.title = t('moveOwn');
      move.setAttribute('aria-label', t('moveOwnHow'));
    }
  }

  set name(name) {
    for (const button of ['pin', 'full', 'window']) this.#of[button].setAttribute('aria-label', t(`${button}Who`, name));
  }

  /** Shows those that there is something to do for. */
  draw(where, { pinned, alone, hidden }) {
    const { pin, move, hide } = this.#of;
    const own = this.#kind === 'self' && !alone;
    pin.hidden = alone || where === 'float';
    pin.setAttribute('aria-pressed', String(pinned));
    pin.title = t(pinned ? 'unpin' : 'pin');
    move.hidden = !own || where !== 'float' || hidden;
    hide.hidden = !own;
    hide.title = t(hidden ? 'showOwn' : 'hideOwn');
    hide.setAttribute('aria-label', hide.title);
    hide.querySelector('use').setAttribute('href', `icons.svg#${hidden ? 'camera' : 'hide'}`);
  }
}

/** A tile is taken away: its picture is in no window of its own either. */
export function closeWindow(video) {
  if (document.pictureInPictureElement === video) document.exitPictureInPicture().catch(() => {}); // it was closed meanwhile
}

async function fullScreen(root, video) {
  try {
    if (document.fullscreenElement === root) await document.exitFullscreen();
    else if (root.requestFullscreen) await root.requestFullscreen();
    else video.webkitEnterFullscreen?.(); // on an iPhone
  } catch {
    notice(t('notAllowed'));
  }
}

// Safari pauses what leaves the full screen, or its own window, and may do so a little later.
function goOn(video) {
  setTimeout(() => {
    if (video.srcObject) video.play().catch(() => {}); // it is gone again, or waits for a touch
  }, 300);
}

async function pictureInPicture(video) {
  try {
    if (document.pictureInPictureElement === video) await document.exitPictureInPicture();
    else await video.requestPictureInPicture();
  } catch {
    notice(t('notAllowed'));
  }
}

// A finger cannot hover.
function touch(root) {
  const again = touched === root && 'touched' in root.dataset;
  if (touched) delete touched.dataset.touched;
  touched = root;
  if (!again) root.dataset.touched = '';
}
