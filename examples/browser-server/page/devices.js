// Camera, microphone and screen: what the browser gives us, and in plain words
// why it does not.

import { t } from './strings.js';

const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 } };
const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

const constraints = {
  video: (deviceId) => ({ video: { ...CAMERA, ...exactly(deviceId) } }),
  audio: (deviceId) => ({ audio: { ...MICROPHONE, ...exactly(deviceId) } }),
};
const exactly = (deviceId) => (deviceId ? { deviceId: { exact: deviceId } } : {});

/**
 * Asks for camera and microphone together, so that there is one question, and
 * takes what it can get. Resolves with {tracks, problem}; problem is '' when
 * both are there.
 */
export async function openBoth() {
  if (!navigator.mediaDevices) return { tracks: [], problem: t('insecure') };
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: CAMERA, audio: MICROPHONE });
    return { tracks: stream.getTracks(), problem: '' };
  } catch (error) {
    if (error.name === 'NotAllowedError') return { tracks: [], problem: mediaProblem(error) };
    const each = await Promise.allSettled([open('audio'), open('video')]);
    const tracks = each.flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []));
    return { tracks, problem: mediaProblem(each.find((r) => r.status === 'rejected')?.reason ?? error) };
  }
}

/** Opens one device; kind is audio or video. */
export async function open(kind, deviceId) {
  const stream = await navigator.mediaDevices.getUserMedia(constraints[kind](deviceId));
  return stream.getTracks()[0];
}

/** Opens a screen or window, with its sound where the browser offers that. */
export async function openScreen() {
  const stream = await navigator.mediaDevices.getDisplayMedia({ video: true, audio: true });
  return stream.getTracks();
}

/** Fills a select with the devices of a kind; the current one is selected. */
export async function list(select, kind, current, none) {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  const devices = all.filter((d) => d.kind === `${kind}input` && d.deviceId !== '');
  const options = devices.map((d, i) => new Option(d.label || t('deviceNumber', i + 1), d.deviceId));
  select.replaceChildren(...(options.length > 0 ? options : [new Option(none, '')]));
  select.disabled = options.length === 0;
  select.value = current?.getSettings().deviceId ?? '';
}

export function mediaProblem(error) {
  if (error.name === 'NotAllowedError' || error.name === 'SecurityError') return t('mediaRefused');
  if (error.name === 'NotFoundError' || error.name === 'OverconstrainedError') return t('mediaMissing');
  return t('mediaBusy');
}
