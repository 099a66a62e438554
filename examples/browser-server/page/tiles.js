// The pictures: one tile per member, one per shared screen, our own among them.

import { reveal } from './controls.js';
import * as grid from './grid.js';
import * as speakers from './speakers.js';
import { t } from './strings.js';
import { closeWindow, TileButtons } from './tile_buttons.js';

const SHOWN = 5000; // ms: a reaction
const AT_ONCE = 3; // reactions

const template = document.getElementById('tile');

export class Tile {
  #buttons;
  #own = null; // the MediaStream of our own tracks that it shows
  #name = '';
  #played = new Set(); // RemoteTracks
  #root;
  #video;

  /**
   * dataset marks the tile for scripts: {member: ID}, {screen: ID} or {self: ''}. onSafety, if any, is what the lock
   * next to the name does, onManage what the button in the corner does once manageable is set, onQuality what the mark of
   * the connection does, onAttach what the paper clip does.
   */
  constructor(dataset, { onSafety = null, onManage = null, onQuality = null, onAttach = null } = {}) {
    this.#root = template.content.firstElementChild.cloneNode(true);
    Object.assign(this.#root.dataset, dataset);
    this.#video = this.#root.querySelector('video');
    this.#video.muted = 'self' in dataset;
    speakers.use(this.#video);
    this.#root.querySelector('.muted').setAttribute('aria-label', t('mutedMark'));
    this.#root.querySelector('.records').setAttribute('aria-label', t('recordMark'));
    this.#root.querySelector('.records').title = t('recordMark');
    const safety = this.#root.querySelector('.safety');
    safety.setAttribute('aria-label', t('safetyNumber'));
    safety.title = t('safetyNumber');
    safety.hidden = !onSafety;
    safety.onclick = onSafety;
    const manage = this.#root.querySelector('.manage');
    manage.title = t('manage');
    manage.onclick = onManage;
    this.#root.querySelector('.quality').onclick = onQuality;
    const attach = this.#root.querySelector('.attach');
    attach.title = t('attach');
    attach.hidden = !onAttach;
    attach.onclick = onAttach;
    this.#root.style.setProperty('--hue', hue(dataset.member ?? ''));
    this.camera = false;
    this.#buttons = new TileButtons(this, this.#root, this.#video);
    grid.area.append(this.#root);
    grid.add(this);
  }

  /** What is shown: self, member, screen or own-screen. */
  get kind() {
    const { dataset } = this.#root;
    if ('screen' in dataset) return 'self' in dataset ? 'own-screen' : 'screen';
    return 'self' in dataset ? 'self' : 'member';
  }

  /** Puts it where stage.js wants it; pinned, alone and hidden say how that came; beneath: our own floats over its lower part. */
  put({ where, x, y, width, height }, how) {
    const { style, dataset } = this.#root;
    dataset.place = where;
    this.#root.toggleAttribute('data-hidden', how.hidden);
    this.#root.toggleAttribute('data-beneath', how.beneath);
    for (const [name, px] of Object.entries({ x, y, width, height })) style.setProperty(`--tile-${name}`, `${px}px`);
    this.#buttons.draw(where, how);
  }

  set name(name) {
    this.#name = name;
    this.#root.querySelector('[data-name]').textContent = name;
    this.#buttons.name = name;
    this.#root.querySelector('.manage').setAttribute('aria-label', t('manageWho', name));
    this.#root.querySelector('.attach').setAttribute('aria-label', t('attachWho', name));
    this.#root.querySelector('.avatar').dataset.initial = [...name][0] ?? '·';
    this.#labelQuality();
  }

  set state(state) {
    this.#root.dataset.state = state;
    this.#announce('.state', t(state) ?? '');
  }

  /** How good the connection is. */
  set quality(quality) {
    if (this.#root.dataset.quality === quality) return;
    this.#root.dataset.quality = quality;
    this.#labelQuality();
  }

  #labelQuality() {
    const { quality } = this.#root.dataset;
    if (!quality) return;
    const bars = this.#root.querySelector('.quality');
    bars.title = t(`quality_${quality}`);
    bars.setAttribute('aria-label', t('qualityWho', bars.title, this.#name));
  }

  /** Whether the microphone is muted, or missing. */
  set muted(muted) {
    this.#root.toggleAttribute('data-muted', muted);
  }

  /** Whether the connection takes too little for the picture. */
  set paused(paused) {
    this.#announce('.paused', paused ? t('pausedMark') : '');
  }

  // Each change of a status is read out, even to the same text.
  #announce(where, text) {
    const status = this.#root.querySelector(where);
    if (status.textContent !== text) status.textContent = text;
  }

  /** What marks.js says of the member. */
  set marks({ hand, of, records }) {
    const mark = this.#root.querySelector('.hand');
    mark.hidden = hand === 0;
    mark.setAttribute('aria-label', of > 1 ? t('handMarkOrder', hand) : t('handMark'));
    mark.querySelector('b').textContent = of > 1 ? String(hand) : '';
    this.#root.querySelector('.records').hidden = !records;
  }

  /** Shows an emoji for a moment. */
  react(emoji) {
    const shown = this.#root.querySelector('.reactions');
    const reaction = document.createElement('span');
    reaction.textContent = emoji;
    shown.append(reaction);
    if (shown.childElementCount > AT_ONCE) shown.firstElementChild.remove();
    setTimeout(() => reaction.remove(), SHOWN);
  }

  /** Shows what the member says, by the words of another one, '' for its own; the text '' takes it away. */
  caption(text, by) {
    const shown = this.#root.querySelector('.caption');
    if (!text) return shown.replaceChildren();
    const who = Object.assign(document.createElement('b'), { className: 'unseen', textContent: `${this.#name} ` });
    const said = Object.assign(document.createElement('span'), { dir: 'auto', textContent: text });
    shown.replaceChildren(who, said);
    if (by) shown.append(Object.assign(document.createElement('small'), { textContent: t('captionBy', by) }));
  }

  /** Whether there is something that we may do to the member. */
  set manageable(on) {
    this.#root.querySelector('.manage').hidden = !on;
  }

  /** Whether this is the active speaker. */
  set speaking(on) {
    this.#root.toggleAttribute('data-speaking', on);
    if (on) grid.speaks(this);
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
    closeWindow(this.#video);
    reveal(this.#root, false); // the focus may be on one of its buttons
    this.#root.remove();
    grid.remove(this);
  }
}

function hue(id) {
  return String([...id].reduce((sum, c) => (sum * 31 + c.charCodeAt(0)) % 360, 220));
}
