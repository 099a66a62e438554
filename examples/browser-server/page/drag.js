// Moving the own picture, with whatever points, from one corner to another.

import * as grid from './grid.js';
import { nearest } from './stage.js';

const FAR = 6; // px: less is a click

/** Makes a tile's element movable while it floats. */
export function makeMovable(root) {
  let moved = false; // further than a click
  root.addEventListener('pointerdown', (down) => {
    moved = false;
    if (root.dataset.place !== 'float' || !down.isPrimary || down.button !== 0) return;
    const over = new AbortController();
    const listen = (type, act) => addEventListener(type, (event) => event.pointerId === down.pointerId && act(event), { signal: over.signal });
    const end = () => {
      over.abort();
      root.style.translate = '';
      root.classList.remove('dragged');
    };
    listen('pointermove', ({ clientX, clientY }) => {
      const [x, y] = [clientX - down.clientX, clientY - down.clientY];
      moved ||= Math.hypot(x, y) >= FAR;
      if (!moved) return;
      root.classList.add('dragged');
      root.style.translate = `${x}px ${y}px`;
    });
    listen('pointercancel', end);
    listen('pointerup', () => {
      const [tile, around] = [root.getBoundingClientRect(), grid.area.getBoundingClientRect()];
      end();
      if (moved) grid.moveTo(nearest({ x: tile.x + tile.width / 2 - around.x, y: tile.y + tile.height / 2 - around.y }, around));
    });
  });
  // A drag that begins on a button does not press it.
  root.addEventListener('click', (event) => {
    if (!moved) return;
    moved = false;
    event.stopPropagation();
    event.preventDefault();
  }, { capture: true });
}
