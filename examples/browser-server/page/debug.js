// The debug view: a call's negotiation as it runs. It is opened by ?debug in the page's address, or by a key; while it is
// closed nothing is measured for it, and noom.js traces no frames.

import { reveal } from './controls.js';
import { copyReport } from './copy.js';
import { Section } from './debug_section.js';
import { repeat } from './repeat.js';
import { t } from './strings.js';

const $ = (id) => document.getElementById(id);
const MOST = 32; // members; of more nobody reads
const OPEN = 2; // members whose part is open from the beginning

/** Whether the page's address asks for it. */
export const wanted = new URLSearchParams(globalThis.location?.search).has('debug');

let close = null; // closes the view that is open

/** Shows the view of a room, with what its Timeline keeps. nameOf(peer) is what the page calls a peer. */
export function open(room, timeline, nameOf) {
  hide();
  const sections = new Map(); // Peer → Section, null for the room
  room.trace = timeline.frame;
  $('debug-report').hidden = true;
  $('debug').hidden = false;
  $('debug-copy').onclick = () => copyReport($('debug-copy'), $('debug-report'), () => timeline.report());
  const stop = repeat(async (over) => {
    const peers = room.peers.slice(0, MOST);
    for (const [peer, section] of sections) {
      if (!peer || peers.includes(peer)) continue;
      reveal(section.root, false);
      section.root.remove();
      sections.delete(peer);
    }
    await Promise.all([null, ...peers].map((peer) => {
      if (!sections.has(peer)) {
        const section = new Section(peer, timeline.of(peer));
        section.root.open = peer !== null && sections.size <= OPEN;
        section.root.addEventListener('toggle', () => section.draw(peer ? nameOf(peer) : t('debugRoom'), over).catch((error) => console.error(error)));
        sections.set(peer, section);
        $('debug-sections').append(section.root);
      }
      return sections.get(peer).draw(peer ? nameOf(peer) : t('debugRoom'), over);
    }));
  });
  close = () => {
    stop();
    room.trace = null;
    timeline.forgetFrames();
    $('debug-sections').replaceChildren();
    reveal($('debug'), false);
  };
}

export function hide() {
  close?.();
  close = null;
}

/** Opens it, or closes it. */
export function toggle(...what) {
  if (close) hide();
  else open(...what);
}

$('debug-close').onclick = hide;
