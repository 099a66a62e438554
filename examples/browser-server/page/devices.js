// Camera, microphone and screen: what the browser gives us, and in plain words
// why it does not.

import * as blur from './blur.js';
import { choices } from './choices.js';
import { canChoose, found } from './speakers.js';
import { t } from './strings.js';

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 } };

// What is kept from another time may be gone by now, and then the usual one will do; what is chosen now may not be another.
const usual = (deviceId) => (deviceId ? { deviceId: { ideal: deviceId } } : {});
const exactly = (deviceId) => ({ deviceId: { exact: deviceId } });

const processing = () => ({ echoCancellation: choices().echo, noiseSuppression: choices().noise, autoGainControl: true });

const constraints = {
  video: (deviceId) => ({ ...CAMERA, ...(deviceId ? exactly(deviceId) : usual(choices().camera)) }),
  audio: (deviceId) => ({ ...processing(), ...(deviceId ? exactly(deviceId) : usual(choices().microphone)) }),
};

/**
 * Asks for camera and microphone together, so that there is one question, or for the one of them that is wanted, and takes
 * what it can get. chosen has the ids of what was chosen just now: {audio, video}. Resolves with {tracks, problem}; problem is
 * '' when all that is wanted is there.
 */
export async function openChosen({ audio, video }, chosen = {}) {
  const kinds = Object.entries({ audio, video }).flatMap(([kind, wanted]) => (wanted ? [kind] : []));
  if (kinds.length === 0) return { tracks: [], problem: '' };
  if (!navigator.mediaDevices) return { tracks: [], problem: t('insecure') };
  try {
    const wanted = Object.fromEntries(kinds.map((kind) => [kind, constraints[kind](chosen[kind])]));
    const stream = await navigator.mediaDevices.getUserMedia(wanted);
    await blur.apply(stream.getVideoTracks()[0]);
    return { tracks: stream.getTracks(), problem: '' };
  } catch (error) {
    if (error.name === 'NotAllowedError' || kinds.length === 1) return { tracks: [], problem: mediaProblem(error) };
    const each = await Promise.allSettled(kinds.map((kind) => open(kind, chosen[kind])));
    const tracks = each.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []));
    return { tracks, problem: mediaProblem(each.find((r) => r.status === 'rejected')?.reason ?? error) };
  }
}

/** Opens one device, the usual one without an id; kind is audio or video. */
export async function open(kind, deviceId) {
  const stream = await navigator.mediaDevices.getUserMedia({ [kind]: constraints[kind](deviceId) });
  const [track] = stream.getTracks();
  await blur.apply(track);
  return track;
}

/** Opens a screen or window, with its sound where the browser offers that. */
export async function openScreen() {
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: true, audio: true });
  return stream.getTracks();
}

/** Fills a select with the devices of a kind, as enumerateDevices names it; the one with the id is selected. */
export async function list(select, kind, current, none) {
  fill(select, await devicesOf(kind), current, none);
}

/** Fills one with what can sound, the usual one first, and hides it where there is nothing to choose. */
export async function listSpeakers(select) {
  const devices = await devicesOf('audiooutput');
  const current = found(devices.map((d) => d.deviceId));
  const usualOne = devices.find((d) => d.deviceId === 'default'); // Chromium has one
  if (devices.length > 0 && !usualOne) devices.unshift({ deviceId: '', label: t('usualDevice') });
  fill(select, devices, current || (usualOne?.deviceId ?? ''), '');
  (select.closest('label') ?? select).hidden = !canChoose || select.disabled;
}

async function devicesOf(kind) {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return all.filter((d) => d.kind === kind && d.deviceId !== '');
}

function fill(select, devices, current, none) {
  const options = devices.map((d, i) => new Option(d.label || t('deviceNumber', i + 1), d.deviceId));
  select.replaceChildren(...(options.length > 0 ? options : [new Option(none, '')]));
  select.disabled = options.length === 0;
  select.value = current ?? '';
}

export function mediaProblem(error) {
  if (error.name === 'NotAllowedError' || error.name === 'SecurityError') return t('mediaRefused');
  if (error.name === 'NotFoundError' || error.name === 'OverconstrainedError') return t('mediaMissing');
  return t('mediaBusy');
}
