// What a person chose, kept in this browser for the next call: the devices, which of them a call begins without, and
// whether captions are shown.

const KEY = 'devices';
const DEFAULTS = { audio: true, video: true, microphone: '', camera: '', speaker: '', noise: true, echo: true, blur: false, captions: true };
const LONGEST = 1000; // characters of a device's id

let chosen = null;

/**
 * What is chosen: audio and video, whether to begin with them; microphone, camera, speaker: ids, '' for the usual one;
 * noise and echo: whether the browser takes them out of what the microphone hears; blur: whether it blurs what is behind us;
 * captions: whether they are shown.
 */
export const choices = () => chosen ??= read(localStorage.getItem(KEY));

/** Chooses something else, such as {camera: id}. */
export function choose(change) {
  chosen = { ...choices(), ...change };
  localStorage.setItem(KEY, JSON.stringify(chosen));
}

/** Reads what was kept. What it cannot be, it is not. */
export function read(text) {
  let kept = null;
  try {
    kept = JSON.parse(text);
  } catch {
    // It is nothing of ours.
  }
  return Object.fromEntries(Object.entries(DEFAULTS).map(([key, usual]) => {
    const value = kept?.[key];
    return [key, typeof value === typeof usual && String(value).length <= LONGEST ? value : usual];
  }));
}
