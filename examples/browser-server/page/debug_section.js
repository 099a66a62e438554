// A part of the debug view: what is known of one member, or of the room. While it is closed, nothing is measured for it.

import { Plot } from './plots.js';
import { statesOf } from './timeline.js';
import { t } from './strings.js';
import { Looks, percentOf } from './vitals.js';

const KEPT = 200; // lines of a list

const element = (name, ...children) => {
  const e = document.createElement(name);
  e.append(...children);
  return e;
};

// How long after join was called each step towards a peer's first media was reached.
const stepsOf = ({ began, ...steps }) => Object.entries(steps).filter(([, at]) => at).map(([step, at]) => `${step} ${at - began}`).join(', ');

// The lines of a Ring, the newest last.
class Lines {
  root = element('section');
  #list = element('ol');
  #ring;
  #format;
  #drawn = 0;

  constructor(title, ring, format) {
    this.#ring = ring;
    this.#format = format;
    this.#list.tabIndex = 0; // to be scrolled by keyboard
    this.#list.ariaLabel = title;
    this.root.append(element('h3', title), this.#list);
  }

  draw() {
    if (this.#drawn === this.#ring.count) return;
    const list = this.#list;
    const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 20;
    list.append(...this.#ring.since(this.#drawn).map((item) => element('li', this.#format(item))));
    this.#drawn = this.#ring.count;
    while (list.childElementCount > KEPT) list.firstElementChild.remove();
    if (atEnd) list.scrollTop = list.scrollHeight;
  }
}

export class Section {
  root = element('details');
  #peer; // null: the room
  #entry; // of timeline.js
  #summary = element('summary');
  #lists;
  #looks = new Looks();
  #states = element('dl');
  #finding = element('p');
  #plots = [];
  #busy = false; // it is being measured

  constructor(peer, entry) {
    this.#peer = peer;
    this.#entry = entry;
    this.root.dataset.number = String(entry.number);
    this.#finding.className = 'quiet';
    this.root.append(this.#summary);
    if (peer) this.root.append(this.#states, this.#finding, ...this.#makePlots());
    this.#lists = [
      new Lines(t('debugEvents'), entry.events, ({ at, type, what }) => `${at.toFixed(3)} ${[type, ...what].join(' ')}`),
      new Lines(t('debugFrames'), entry.frames, ({ at, direction, type, bytes, inBand }) => `${at.toFixed(3)} ${direction} ${type || '?'} ${bytes} B ${inBand ? 'in-band' : 'hub'}`),
    ];
    this.root.append(...this.#lists.map(({ root }) => root));
  }

  /** Draws what is known now; name is what the page calls it. */
  async draw(name, over) {
    const peer = this.#peer;
    this.#summary.textContent = peer ? `${this.#entry.number} · ${name} · ${peer.state} · ${peer.quality}` : name;
    if (!this.root.open) return;
    for (const list of this.#lists) list.draw();
    if (!peer || this.#busy) return;
    this.#busy = true;
    try {
      await this.#measure(over);
    } finally {
      this.#busy = false;
    }
  }

  async #measure(over) {
    const peer = this.#peer;
    const [seen, found] = await Promise.all([this.#looks.look(peer), peer.diagnose().catch(() => null)]); // it may leave meanwhile
    if (over()) return;
    this.#drawStates(seen);
    this.#finding.textContent = found ? `${found.verdict}: ${found.words}` : '';
    const now = performance.now();
    const [rates, roundTrip, loss] = this.#plots;
    rates.add(now, [seen.sent, seen.received].map((bits) => bits && bits / 1000));
    roundTrip.add(now, [seen.roundTrip > 0 ? seen.roundTrip : null]);
    loss.add(now, [percentOf(seen.lostOurs), seen.lostTheirs && percentOf(seen.lostTheirs)]);
  }

  #makePlots() {
    this.#plots = [
      new Plot(t('debugRates'), [t('sending'), t('receiving')], { format: (n) => t('kilobits', Math.round(n)), least: 10 }),
      new Plot(t('roundTrip'), [''], { format: (n) => t('milliseconds', Math.round(n)), least: 10 }),
      new Plot(t('debugLoss'), [t('lossOurs'), t('lossTheirs')], { format: (n) => t('percent', Math.round(n)), least: 10 }),
    ];
    return this.#plots.map(({ root }) => root);
  }

  #drawStates({ path, estimate }) {
    const turns = Object.entries(this.#entry.turns).map(([turn, { count, at }]) => `${turn} ×${count} (${at.toFixed(1)})`);
    const rows = {
      ...statesOf(this.#peer),
      negotiation: turns.join(', ') || '–',
      'steps, ms': stepsOf(this.#peer.timeline()) || '–',
      path: path ? `${path.local} → ${path.remote}, ${path.protocol}${path.relayed ? ', TURN' : ''}` : '–',
      estimate: estimate > 0 ? t('kilobits', Math.round(estimate / 1000)) : '–',
    };
    this.#states.replaceChildren(...Object.entries(rows).flatMap(([what, value]) => [element('dt', what), element('dd', value)]));
  }
}
