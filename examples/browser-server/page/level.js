// How loud a microphone is.

const QUIET = -60; // dBFS, at the left end of the meter
const PERIOD = 80; // ms

/** How far a meter goes for samples between -1 and 1: 0 for silence, 1 for as loud as it gets. */
export function levelOf(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const decibels = 10 * Math.log10(sum / samples.length);
  return Math.min(1, Math.max(0, 1 - decibels / QUIET));
}

/**
 * Calls show(level) again and again for a MediaStreamTrack, until what it returns is called; never where the browser has no
 * sound for it.
 */
export function follow(track, show) {
  let context = null;
  let analyser = null;
  try {
    context = new AudioContext();
    analyser = context.createAnalyser();
    context.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  } catch {
    context?.close();
    return () => {};
  }
  const samples = new Float32Array(analyser.fftSize);
  const timer = setInterval(() => {
    analyser.getFloatTimeDomainData(samples);
    show(levelOf(samples));
  }, PERIOD);
  return () => {
    clearInterval(timer);
    context.close();
    show(0);
  };
}
