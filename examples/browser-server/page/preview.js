// Before the call: what the camera sees, how loud the microphone is, and which devices these are. Nothing is opened, and
// nobody asked for it, before the person wants to see it, or joins.

import * as blur from './blur.js';
import { choices, choose } from './choices.js';
import { drawSwitch, notice } from './controls.js';
import * as devices from './devices.js';
import { follow } from './level.js';
import * as speakers from './speakers.js';
import { t } from './strings.js';

const $ = (id) => document.getElementById(id);
const video = $('preview-video');

let shown = false; // the person wants to see it
let tracks = {}; // kind → MediaStreamTrack that is open
let exact = {}; // kind → the id of what was chosen since the lobby is shown: another one will not do
let problem = ''; // why one of them is not
let meter = null; // ends the level of the microphone
let work = Promise.resolve(); // one thing after the other: opening may take as long as a question is not answered

/** Shows the choices, and nothing else yet. */
export function draw() {
  const { audio, video: seen } = choices();
  drawSwitch($('join-mute'), !audio, ['mute', 'unmute'], audio ? 'microphone' : 'muted');
  drawSwitch($('join-camera'), !seen, ['cameraOff', 'cameraOn'], seen ? 'camera' : 'camera-off');
  $('preview-toggle').setAttribute('aria-expanded', String(shown));
  $('preview-toggle').querySelector('span').textContent = t(shown ? 'previewEnd' : 'preview');
  $('preview').hidden = !shown;
  for (const what of ['noise', 'echo']) $(`preview-${what}`).checked = choices()[what];
  blur.draw($('preview-blur'), tracks.video);
}

/** Gives what is open to a call: a promise of {tracks, problem}, as devices.openChosen has it; null if nothing is. */
export function take() {
  if (!shown) return null;
  shown = false;
  draw();
  const chosen = exact;
  return next(async () => {
    await settle({ on: true, chosen }); // what has ended, or was not there, may be there now
    const taken = { tracks: Object.values(tracks), problem };
    tracks = {};
    show();
    return taken;
  });
}

/** Closes what is open: there is no lobby any more. */
export function end() {
  exact = {};
  if (!shown) return;
  shown = false;
  draw();
  next(() => settle());
}

function next(step) {
  const done = work.then(step);
  work = done.catch((error) => console.error(error)); // the next one can be done all the same
  return done;
}

// Opens what is wanted and closes what is not.
async function settle({ on = shown, chosen = exact } = {}) {
  const wanted = ['audio', 'video'].filter((kind) => on && choices()[kind]);
  for (const kind of Object.keys(tracks)) if (!wanted.includes(kind)) stop(kind);
  const missing = wanted.filter((kind) => tracks[kind]?.readyState !== 'live');
  problem = '';
  if (missing.length > 0) {
    const opened = await devices.openChosen({ ...choices(), audio: missing.includes('audio'), video: missing.includes('video') }, chosen);
    for (const track of opened.tracks) tracks[track.kind] = track;
    problem = opened.problem;
    notice(problem);
  }
  show();
}

function stop(kind) {
  tracks[kind]?.stop();
  delete tracks[kind];
}

function show() {
  const { audio, video: picture } = tracks;
  if (picture !== video.srcObject?.getTracks()[0]) video.srcObject = picture ? new MediaStream([picture]) : null;
  $('preview-none').hidden = Boolean(picture);
  meter?.();
  meter = audio ? follow(audio, (level) => { $('preview-level').value = level; }) : null;
  devices.list($('preview-cameras'), 'videoinput', picture?.getSettings().deviceId ?? choices().camera, t('noCamera'));
  devices.list($('preview-microphones'), 'audioinput', audio?.getSettings().deviceId ?? choices().microphone, t('noMicrophone'));
  devices.listSpeakers($('preview-speakers'));
  draw();
}

// Another choice; of a device that is open, another one is opened in its place.
function change(what, kind = '', deviceId = '') {
  choose(what);
  draw();
  if (deviceId) exact[kind] = deviceId;
  if (shown) next(() => { stop(kind); return settle({ on: true }); });
}

$('join-mute').onclick = () => change({ audio: !choices().audio });
$('join-camera').onclick = () => change({ video: !choices().video });
$('preview-cameras').onchange = ({ target }) => change({ camera: target.value }, 'video', target.value);
$('preview-microphones').onchange = ({ target }) => change({ microphone: target.value }, 'audio', target.value);
for (const what of ['noise', 'echo']) $(`preview-${what}`).onchange = ({ target }) => change({ [what]: target.checked }, 'audio');
$('preview-blur').onchange = ({ target }) => next(() => blur.choose(tracks.video, target.checked).then(draw));
$('preview-speakers').onchange = ({ target }) => speakers.choosePlace(target.value);
$('preview-toggle').onclick = () => {
  shown = !shown;
  notice('');
  draw();
  next(() => settle());
};
navigator.mediaDevices?.addEventListener('devicechange', () => { if (shown) next(show); });
