// The pictures: one tile per member, one per shared screen, our own among
// them, in a grid that fills the window.

import { soon } from './soon.js';
import { t } from './strings.js';

const grid = document.getElementById('tiles');
const template = document.getElementById('tile');
const SHAPE = 16 / 9;
const GAP = 8; // px, as in style.css

export class Tile {
  #own = null; // the MediaStream of our own tracks that it shows
  #played = new Set(); // RemoteTracks
  #root;
  #video;

  /**
   * dataset marks the tile for scripts: {member: ID}, {screen: ID} or {self: ''}. onSafety, if any, is what the lock
   * next to the name does, onManage what the button in the corner does once manageable is set.
   */
  constructor(dataset, { onSafety = null, onManage = null } = {}) {
    this.#root = template.content.firstElementChild.cloneNode(true);
    Object.assign(this.#root.dataset, dataset);
    this.#video = this.#root.querySelector('video');
    this.#video.muted = 'self' in dataset;
    this.#root.querySelector('.muted').setAttribute('aria-label', t('mutedMark'));
    const safety = this.#root.querySelector('.safety');
    safety.setAttribute('aria-label', t('safetyNumber'));
    safety.title = t('safetyNumber');
    safety.hidden = !onSafety;
    safety.onclick = onSafety;
    const manage = this.#root.querySelector('.manage');
    manage.title = t('manage');
    manage.onclick = onManage;
    this.#root.style.setProperty('--hue', hue(dataset.member ?? ''));
    this.camera = false;
    grid.append(this.#root);
    soon(grid, layOut);
  }

  set name(name) {
    this.#root.querySelector('[data-name]').textContent = name;
    this.#root.querySelector('.manage').setAttribute('aria-label', t('manageWho', name));
    this.#root.querySelector('.avatar').dataset.initial = [...name][0] ?? '·';
  }

  set state(state) {
    this.#root.dataset.state = state;
    this.#root.querySelector('.state').textContent = t(state) ?? '';
  }

  /** Whether the microphone is muted, or missing. */
  set muted(muted) {
    this.#root.toggleAttribute('data-muted', muted);
  }

  /** Whether there is something that we may do to the member. */
  set manageable(on) {
    this.#root.querySelector('.manage').hidden = !on;
  }

  /** Whether this is the active speaker. */
  set speaking(on) {
    this.#root.toggleAttribute('data-speaking', on);
  }

  /** Whether there is a picture to show. */
  set camera(on) {
    this.#root.dataset.camera = on ? 'on' : 'off';
  }

  /** Plays these RemoteTracks and no others. */
  play(tracks) {
    const wanted = new Set(tracks.filter(Boolean));
    for (const track of this.#played) if (!wanted.has(track)) track.detach(this.#video);
    for (const track of wanted) if (!this.#played.has(track)) track.attach(this.#video);
    this.#played = wanted;
  }

  /** Shows this MediaStreamTrack of our own, null for none. */
  show(track) {
    if (track === (this.#own?.getTracks()[0] ?? null)) return;
    this.#own = track && new MediaStream([track]);
    this.#video.srcObject = this.#own;
  }

  remove() {
    this.play([]);
    this.show(null);
    this.#root.remove();
    soon(grid, layOut);
  }
}

// Tries every number of columns and takes the one with the largest tiles.
function layOut() {
  const { clientWidth: width, clientHeight: height } = grid;
  const count = grid.childElementCount;
  let best = { area: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - GAP * (columns - 1)) / columns;
    const cellHeight = (height - GAP * (rows - 1)) / rows;
    // A picture may be cropped to anything between a square, or 3:4 where the window stands upright, and 2:1.
    const w = Math.min(cellWidth, cellHeight * 2);
    const h = Math.min(cellHeight, width < height ? cellWidth / 0.75 : cellWidth);
    const shown = Math.min(w, h * SHAPE) * Math.min(h, w / SHAPE); // of a 16:9 picture, uncropped
    if (w * h + shown > best.area) best = { area: w * h + shown, w, h };
  }
  grid.style.setProperty('--tile-width', `${Math.floor(best.w ?? width)}px`);
  grid.style.setProperty('--tile-height', `${Math.floor(best.h ?? height)}px`);
}

new ResizeObserver(layOut).observe(grid);

function hue(id) {
  return String([...id].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 360, 220));
}
