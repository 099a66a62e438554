// How good the connection to one member is, and why: behind the mark on its tile.

import { copyReport } from './copy.js';
import { repeat } from './repeat.js';
import { t } from './strings.js';
import { causes, Looks, percentOf } from './vitals.js';

const $ = (id) => document.getElementById(id);
const dialog = $('why');
const SPAN = 3; // looks that are compared: one lost packet is no reason yet

let shown = null; // {peer, stop}

// What the list says, by its keys in strings.js.
const NUMBERS = {
  roundTrip: ({ roundTrip }) => (roundTrip > 0 ? t('milliseconds', Math.round(roundTrip)) : null),
  lossOurs: ({ lostOurs }) => t('percent', percentOf(lostOurs)),
  lossTheirs: ({ lostTheirs }) => lostTheirs !== null && t('percent', percentOf(lostTheirs)),
  sending: ({ sent }) => sent !== null && t('kilobits', Math.round(sent / 1000)),
  receiving: ({ received }) => received !== null && t('kilobits', Math.round(received / 1000)),
  path: ({ path }) => path && t(path.relayed ? 'pathRelayed' : 'pathDirect', path.protocol.toUpperCase()),
  freezes: ({ freezes, freezesTook }) => (freezes > 0 ? t('freezeTimes', freezes, freezesTook.toFixed(1)) : t('noFreezes')),
};

const values = Object.fromEntries(Object.keys(NUMBERS).map((key) => {
  const value = document.createElement('dd');
  $('why-numbers').append(Object.assign(document.createElement('dt'), { textContent: t(key) }), value);
  return [key, value];
}));

/** Shows it. nameOf(peer) is what the page calls the peer, report() a report of the call, more() shows all there is. */
export function show(peer, { nameOf, report, more }) {
  shown?.stop();
  $('why-report').hidden = true;
  $('why-quality').textContent = '';
  draw(peer, nameOf(peer), null, null);
  $('why-copy').onclick = () => copyReport($('why-copy'), $('why-report'), report);
  $('why-more').onclick = () => {
    hide();
    more();
    $('debug-close').focus(); // what has opened the dialog may be under the view
  };
  const looks = new Looks(SPAN);
  const stop = repeat(async (over) => {
    const [seen, found] = await Promise.all([looks.look(peer), peer.diagnose().catch(() => null)]); // it may leave meanwhile
    if (!over()) draw(peer, nameOf(peer), seen, found);
  });
  shown = { peer, stop };
  if (!dialog.open) dialog.showModal();
}

/** The member is gone: whoever looks at its connection is told so at once. Should it come back, the next look says so. */
export function left(peer, name) {
  if (shown?.peer === peer) draw(peer, name, null, null);
}

export const hide = () => dialog.close();

function draw(peer, name, seen, found) {
  const gone = peer.state === 'closed';
  const connected = peer.state === 'connected';
  $('why-title').textContent = t('whyTitle', name);
  const words = gone ? t('whyGone') : connected ? t(`quality_${peer.quality}`) : t(peer.state);
  dialog.dataset.quality = connected ? peer.quality : 'lost';
  if ($('why-quality').textContent !== words) $('why-quality').textContent = words; // what is read out is read once
  $('why-causes').replaceChildren(...(gone ? [] : reasons(peer, connected, seen, found)).map((text) => Object.assign(document.createElement('li'), { textContent: text })));
  for (const [key, value] of Object.entries(NUMBERS)) values[key].textContent = (!gone && connected && seen && value(seen)) || '–';
}

// Why a connection is as it is, in words.
function reasons(peer, connected, seen, found) {
  if (!seen) return [t('whyMeasuring')];
  const verdict = found && found.verdict !== 'connected' && (found.verdict !== 'connecting' || !connected) ? t(`verdict_${found.verdict}`) : undefined;
  const why = connected ? causes(seen).map(([key, ...value]) => t(key, ...value)) : [];
  if (verdict) why.unshift(verdict);
  if (why.length === 0 && connected) why.push(t(seen.lostTheirs === null ? 'whyMeasuring' : peer.quality === 'good' ? 'whyWell' : 'whyBetter'));
  return why;
}

$('why-close').onclick = hide;
let pressed = null; // where a click began: text that is selected may end outside
dialog.onpointerdown = ({ target }) => { pressed = target; };
dialog.onclick = ({ target }) => { if (target === dialog && pressed === dialog) hide(); };
dialog.onclose = () => { // by Escape, too
  if (dialog.open) return;
  shown?.stop();
  shown = null;
};
