// The end of a page, in a frame: the others must learn of it at once.

import { join } from './noom/noom.js';
import { pause, until } from './selftest_pair.js';

const SOON = 5000; // ms, on a busy machine; a page that says nothing is missed after 15 s
const NAME = 'in a frame';

/** The rows of the matrix about it. */
export const goodbyes = {
  reload: (call) => ended(call, async (frame) => {
    frame.contentWindow.location.reload();
  }),
  remove: (call) => ended(call, async (frame) => {
    frame.remove();
  }),
};

async function ended({ a, room }, end) {
  const frame = document.createElement('iframe');
  frame.title = NAME;
  frame.src = `?selftest=member&room=${encodeURIComponent(room)}`;
  document.getElementById('selftest-strip').append(frame);
  const inFrame = () => a.room.peers.find((peer) => peer.name === NAME);
  try {
    await until('the page in the frame', () => inFrame()?.state === 'connected');
    await pause(500); // it has been there for a while
    const peer = inFrame();
    a.forget();
    let gone = performance.now(); // or later: a page goes only when the next one is there
    frame.contentWindow.addEventListener('pagehide', () => { gone = performance.now(); });
    await end(frame);
    let left;
    await until('its end', () => { left = a.happened('peerleft').find((event) => event.peer === peer); return left; });
    const took = Math.round(performance.now() - gone);
    if (left.reason !== 'left' || took > SOON) throw new Error(`${left.reason}, after ${took} ms`);
    return `${took} ms`;
  } finally {
    frame.remove();
    await until('an end to the page in the frame', () => !inFrame());
  }
}

/** What the page in the frame does. */
export const enterFrame = (room) => join('ws', room, { name: NAME });
