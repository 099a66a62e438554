// Where the tiles are: all of them in one element, because a picture that is moved to another would stop. stage.js
// decides, and what it decides by is kept here: the tiles, the one that is pinned, the one that spoke last, and what the
// person wants of the own picture.

import { never, soon } from './soon.js';
import { arrange, CORNERS, next, overlap, place, toward } from './stage.js';

export const area = document.getElementById('tiles');
const phone = matchMedia('(max-width: 40rem), (max-height: 30rem)'); // as in style.css
const tiles = new Set(); // oldest first
let pinned = null;
let speaker = null;
let hidden = localStorage.getItem('self hidden') === 'yes';
let corner = CORNERS.find((c) => c === localStorage.getItem('self corner')) ?? 'bottom right';

/** Gives a Tile a place. It has a kind, and put. */
export function add(tile) {
  tiles.add(tile);
  soon(area, layOut);
}

export function remove(tile) {
  tiles.delete(tile);
  if (pinned === tile) pinned = null;
  if (speaker === tile) speaker = null;
  soon(area, layOut);
}

/** Puts a tile on the stage until it is put there again, is gone, or another one is. */
export function pin(tile) {
  pinned = pinned === tile ? null : tile;
  layOut();
}

/** A tile is that of the active speaker. It stays the last one while nobody speaks. */
export function speaks(tile) {
  speaker = tile;
  soon(area, layOut);
}

/** Hides the own picture, or shows it again. */
export function hideOwn() {
  hidden = !hidden;
  localStorage.setItem('self hidden', hidden ? 'yes' : 'no');
  if (hidden && pinned?.kind === 'self') pinned = null;
  layOut();
}

/** Lets the own picture float in that corner. */
export function moveTo(where) {
  corner = where;
  localStorage.setItem('self corner', corner);
  layOut();
}

/** Moves it to the next corner, or to that of an arrow key; false for a key that is none. */
export function move(key) {
  const where = key ? toward(corner, key) : next(corner);
  if (where) moveTo(where);
  return where !== null;
}

function layOut() {
  never(area); // it is done now
  const arranged = arrange({ tiles: [...tiles], pinned, speaker, phone: phone.matches, hidden });
  const places = place(arranged, { width: area.clientWidth, height: area.clientHeight }, corner);
  area.dataset.corner = places.get(arranged.floating)?.where === 'float' ? corner : ''; // so that names and buttons of the others keep clear of it
  const own = places.get(arranged.floating);
  area.style.setProperty('--own-width', `${own?.width ?? 0}px`);
  const alone = ![...tiles].some(({ kind }) => kind === 'member');
  for (const tile of tiles) {
    const beneath = tile !== arranged.floating && area.dataset.corner.startsWith('bottom') && overlap(own, places.get(tile));
    tile.put(places.get(tile), { pinned: tile === pinned, alone, beneath, hidden: hidden && tile === arranged.floating });
  }
}

new ResizeObserver(layOut).observe(area);
phone.onchange = layOut;
