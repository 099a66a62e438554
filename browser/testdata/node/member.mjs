// A member of a room in Node that node_test.go drives: reads JavaScript, a JSON string a line, evaluates it, and writes
// {value} or {error}. What it can use beside noom.js is what a page of lab_test.go has: enter, picture, tone, shows, …

import wrtc from '@roamhq/wrtc';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import * as noom from './noom/noom.js';

const { RTCAudioSink, RTCAudioSource, RTCVideoSink, RTCVideoSource, rgbaToI420 } = wrtc.nonstandard;
const options = { webrtc: wrtc, WebSocket };
if (process.argv.includes('globals')) { // as in a page; Node has the WebSocket
  Object.assign(globalThis, wrtc);
  delete options.webrtc;
  delete options.WebSocket;
}

if (process.argv.includes('http')) { // as in Node 20 without the package ws
  delete globalThis.WebSocket;
  delete options.WebSocket;
}

const [width, height] = [160, 120];
const sources = new Map(); // track → what stops its source
const sinks = new Map(); // track → what it was seen or heard to be last

Object.assign(globalThis, {
  noom,
  log: [],
  async enter(name, more = {}) {
    globalThis.room = await noom.join(process.env.HUB, '데모', { name, connectTimeout: 60_000, dialTimeout: 30_000, ...options, ...more });
    (async () => { for await (const e of room.events()) log.push(e); })();
  },
  happened: (type, fits = () => true) => log.filter((e) => e.type === type && fits(e)).length,
  other: () => room.peers[0],
  called: (name) => other()?.tracks.find((t) => t.name === name),
  picture(...rgb) {
    const source = new RTCVideoSource();
    const frame = { width, height, data: new Uint8ClampedArray(width * height * 1.5) };
    rgbaToI420({ width, height, data: new Uint8ClampedArray(width * height * 4).map((_, i) => [...rgb, 255][i % 4]) }, frame);
    return made(source.createTrack(), 66, () => source.onFrame(frame));
  },
  tone() {
    const source = new RTCAudioSource();
    let n = 0;
    const samples = () => new Int16Array(480).map(() => 8000 * Math.sin((n++ * 440 * 2 * Math.PI) / 48_000));
    return made(source.createTrack(), 10, () => source.onData({ samples: samples(), sampleRate: 48_000, channelCount: 1, numberOfFrames: 480 }));
  },
  /** Whether a remote track shows a colour now. */
  shows(track, want) {
    const seen = sink(track, (now) => {
      const eye = new RTCVideoSink(track.track);
      eye.onframe = ({ frame }) => Object.assign(now, { frame, at: performance.now() });
      return eye;
    });
    return seen.frame !== undefined && colourOf(seen.frame).every((v, i) => Math.abs(v - want[i]) < 60); // browsers differ in how they make YUV of RGB
  },
  /** How loud a remote track is now, as a root mean square; 0 if it is silent. */
  loudness(track) {
    const heard = sink(track, (now) => {
      const ear = new RTCAudioSink(track.track);
      ear.ondata = ({ samples }) => { now.level = Math.sqrt(samples.reduce((sum, v) => sum + v * v, 0) / samples.length); };
      return ear;
    });
    return heard.level ?? 0;
  },
  /** Ends what would keep Node running after the call. */
  hush() {
    for (const [track, end] of sources) {
      end();
      track.stop();
    }
    for (const { stop } of sinks.values()) stop();
  },
});

function made(track, every, draw) {
  const drawing = setInterval(draw, every);
  sources.set(track, () => clearInterval(drawing));
  return track;
}

// Follows a remote track through the MediaStreamTracks that it has one after the other.
function sink(track, open) {
  if (sinks.get(track)?.of !== track.track) {
    sinks.get(track)?.stop();
    const now = { of: track.track };
    const end = open(now);
    sinks.set(track, Object.assign(now, { stop: () => end.stop() }));
  }
  return sinks.get(track);
}

// The middle of a frame in I420, as RGB (BT.601).
function colourOf({ width: w, height: h, data }) {
  const half = Math.floor(h / 4) * (w / 2) + Math.floor(w / 4);
  const [y, u, v] = [data[Math.floor(h / 2) * w + Math.floor(w / 2)], data[w * h + half], data[(w * h * 5) / 4 + half]];
  const light = 1.164 * (y - 16);
  return [light + 1.596 * (v - 128), light - 0.392 * (u - 128) - 0.813 * (v - 128), light + 2.017 * (u - 128)];
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    const value = await (0, eval)(JSON.parse(line));
    answer = { value: value ?? null };
  } catch (error) {
    answer = { error: String(error?.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
