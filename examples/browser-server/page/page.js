// The page: from the lobby into a call, and back.

import { Identity, join } from './noom/noom.js';
import { forgetToken, tokenFor } from './address.js';
import { Call } from './call.js';
import { choices } from './choices.js';
import { notice } from './controls.js';
import * as debug from './debug.js';
import * as devices from './devices.js';
import * as lobby from './lobby.js';
import * as preview from './preview.js';
import { Timeline } from './timeline.js';
import { errorText, t, translate } from './strings.js';

export { Tile } from './tiles.js'; // for whoever looks at a page with members that are not there

const MEDIA_PATIENCE = 1500; // ms to wait for the camera before joining without it

let identity = null; // ours for as long as the page is loaded: a removed member stays removed

async function enter({ name, room }) {
  lobby.busy(true);
  notice('');
  const media = (preview.take() ?? devices.openChosen(choices())).catch((error) => ({ tracks: [], problem: devices.mediaProblem(error) }));
  const token = tokenFor(room);
  const early = await Promise.race([media, new Promise((resolve) => { setTimeout(resolve, MEDIA_PATIENCE); })]);
  try {
    identity ??= await Identity.generate();
    const timeline = new Timeline();
    const trace = debug.wanted ? timeline.frame : null;
    const joined = await join('ws', room, { name, identity, token, tracks: early?.tracks ?? [], trace });
    const call = new Call(joined, timeline, leave);
    const { tracks, problem } = await media;
    if (!early) call.addTracks(tracks);
    if (problem) notice(problem);
  } catch (error) {
    lobby.busy(false);
    if (token && error.code === 'refused') forgetToken(room);
    notice(token && error.code === 'refused' ? t('tokenRefused') : errorText(error));
    for (const track of (await media).tracks) track.stop();
  }
}

function leave() {
  lobby.show(enter);
  lobby.focus();
}

// A call ends when its page is left; a page that comes back from the
// back-forward cache begins like any other.
addEventListener('pageshow', ({ persisted }) => persisted && location.reload());

translate(document.body);
const query = new URLSearchParams(location.search);
if (query.has('selftest')) {
  (await import('./selftest.js')).show(query);
} else {
  lobby.show(enter);
  if (query.get('autojoin') === '1' && globalThis.crypto?.subtle) lobby.submitAs(query.get('name') ?? '');
  else lobby.resume();
}
if (!globalThis.crypto?.subtle) notice(t('insecure'));
