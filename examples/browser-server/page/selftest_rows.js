// The matrix: what is tried, in order. Each row gets the call and returns a note for the report, or throws. What it
// changes it puts back.

import { goodbyes } from './selftest_goodbye.js';
import { messages } from './selftest_messages.js';
import { pause, until } from './selftest_pair.js';

export const RED = [200, 30, 30]; // what the first member's camera shows
export const BLUE = [30, 30, 200]; // the second's
const GREEN = [30, 180, 30];
const YELLOW = [200, 200, 30];
export const [LOW, HIGH] = [500, 900]; // Hz, of the first member's microphone and the second's

const near = (heard, wanted) => Math.abs(heard - wanted) < 30;

/** Waits until pictures and sound flow both ways. */
export async function flowing({ a, b, studio }) {
  const begun = performance.now();
  await until('the first member\'s picture', () => studio.sees(b.track('camera'), RED));
  await until('the second member\'s picture', () => studio.sees(a.track('camera'), BLUE));
  await until('the first member\'s tone', async () => near((await studio.hears(b.track('microphone')))[0], LOW));
  await until('the second member\'s tone', async () => near((await studio.hears(a.track('microphone')))[0], HIGH));
  return Math.round(performance.now() - begun);
}

const ROWS = {
  async join(call) {
    await call.enter();
    const took = await until('a connection', () => call.a.connected && call.b.connected);
    return `${took} ms, with the hub over ${call.a.transport}`;
  },

  async pictures({ a, b, studio }) {
    const took = [await until('the first member\'s picture', () => studio.sees(b.track('camera'), RED))];
    took.push(await until('the second member\'s picture', () => studio.sees(a.track('camera'), BLUE)));
    return `${took.join(' and ')} ms`;
  },

  async sound(call) {
    if (call.studio.sound !== 'running') throw new Error(`the browser's sound is ${call.studio.sound}`);
    return `${await flowing(call)} ms`;
  },

  async mute({ a, b, studio }) {
    const [microphone, heard] = [a.sender('microphone'), () => studio.hears(b.track('microphone'))];
    microphone.setMuted(true);
    await until('the mark of a muted microphone', () => b.track('microphone').muted);
    const off = await until('silence', async () => (await heard())[0] === 0);
    microphone.setMuted(false);
    const on = await until('the tone again', async () => near((await heard())[0], LOW) && !b.track('microphone').muted);
    return `silent after ${off} ms, back after ${on} ms`;
  },

  async camera({ a, b, studio }) {
    const camera = a.sender('camera');
    camera.setMuted(true);
    await until('the mark of a camera that is off', () => b.track('camera').muted);
    await until('darkness', () => studio.sees(b.track('camera'), [0, 0, 0]));
    camera.setMuted(false);
    return `back after ${await until('the picture again', () => studio.sees(b.track('camera'), RED) && !b.track('camera').muted)} ms`;
  },

  async swap({ a, b, studio }) {
    const camera = a.sender('camera');
    const old = camera.track;
    await camera.replaceTrack(studio.picture(GREEN));
    const took = await until('the other picture', () => studio.sees(b.track('camera'), GREEN));
    await camera.replaceTrack(null);
    await until('a pause', () => b.track('camera').muted);
    await camera.replaceTrack(old);
    await until('the first picture', () => studio.sees(b.track('camera'), RED));
    return `${took} ms`;
  },

  async screen({ a, b, studio }) {
    const screen = a.room.publish(studio.picture(YELLOW), { name: 'screen' });
    const took = await until('a second picture', () => studio.sees(b.track('screen'), YELLOW));
    await until('the camera beside it', () => studio.sees(b.track('camera'), RED));
    screen.close();
    await until('its end', () => !b.track('screen'));
    return `${took} ms`;
  },

  async stereo({ a, b, studio }) {
    const music = a.room.publish(studio.tone(LOW, HIGH), { name: 'music' });
    let heard = [];
    try {
      await until('two tones', async () => {
        heard = await studio.hears(b.track('music'));
        return near(heard[0], LOW) && near(heard[1], HIGH);
      });
    } catch (error) {
      throw new Error(`${error.message}; heard ${heard.join(' and ')} Hz, of a track whose channelCount is ${music.track.getSettings().channelCount}`, { cause: error });
    } finally {
      music.close();
    }
    return 'left and right';
  },

  async speaker({ a, b, studio }) {
    const end = studio.play(b.track('microphone'));
    try {
      await until('the active speaker', () => b.speaker !== null && b.speaker === b.other);
      a.sender('microphone').setMuted(true);
      await until('its end', () => b.speaker === null);
    } finally {
      a.sender('microphone').setMuted(false);
      end();
    }
    return 'by audio levels';
  },

  ...messages,

  async codecs({ a }) {
    const kinds = ['video', 'audio'].map((kind) => [...new Set(RTCRtpSender.getCapabilities(kind)?.codecs.map(({ mimeType }) => mimeType.split('/')[1]))]
      .filter((name) => !/rtx|red|fec|CN|telephone/i.test(name)).join(' '));
    const used = [];
    await until('codecs in the statistics', async () => {
      const stats = await a.other.stats();
      used.length = 0;
      for (const s of stats.values()) if (s.type === 'outbound-rtp' && stats.get(s.codecId)) used.push(stats.get(s.codecId).mimeType);
      return used.some((type) => type.startsWith('video/')) && used.some((type) => type.startsWith('audio/'));
    });
    return `sends ${[...new Set(used)].join(' and ')}; has ${kinds.join(' ')}`;
  },

  async stats({ a }) {
    const before = await a.packets();
    await until('packets that are counted', async () => (await a.packets()) > before);
    const { verdict, path, words } = await a.other.diagnose();
    if (verdict !== 'connected' || !path) throw new Error(`${verdict}: ${words}`);
    return `${path.local.type} to ${path.remote.type} over ${path.local.protocol}, ${path.rtt === null ? 'a time that is not known' : `${path.rtt.toFixed(1)} ms`}`;
  },

  async restart(call) {
    const { a, b, studio } = call;
    const gap = studio.longestGap(b.track('camera'));
    a.other.restartICE();
    await pause(3000);
    await until('a connection', () => a.connected && b.connected);
    await flowing(call);
    return `pictures stood still for ${gap()} ms`;
  },

  async rebuild(call) {
    const { a, b } = call;
    a.forget();
    const tracks = [b.track('camera'), b.track('microphone')];
    const lost = a.other.connection;
    lost.close();
    // On a busy machine b may be the first to notice, and have another connection before a misses this one.
    await until('the loss', () => a.other?.connection !== lost || a.happened('peerstatechanged').some(({ state }) => state !== 'connected'));
    const took = await until('another connection', () => a.connected && b.connected && a.other.connection !== lost);
    await flowing(call);
    if (tracks[0] !== b.track('camera') || tracks[1] !== b.track('microphone')) throw new Error('the tracks are others');
    return `${took} ms, in the same elements`;
  },

  async hub(call) {
    const { a, b } = call;
    if ([a, b].some(({ transport }) => transport === 'HTTP')) return 'not tried: the hub is reached over HTTP, and the page can only cut a WebSocket';
    for (const member of [a, b]) {
      member.forget();
      member.cut();
    }
    const took = await until('the way back', () => [a, b].every((member) => member.happened('signalingrestored').length === 1));
    await flowing(call);
    b.forget();
    await a.room.chat('back');
    await until('chat', () => b.happened('chatreceived').length === 1);
    return `${took} ms`;
  },

  async bursts(call) {
    const { a, b, studio } = call;
    const spare = [a, b].map((member) => ({ member, tracks: [studio.picture(GREEN), studio.tone(LOW), studio.picture(YELLOW)], open: [] }));
    b.forget();
    a.forget();
    for (let round = 0; round < 12; round++) {
      for (const { member, tracks, open } of spare) {
        if (round % 3 === 2) for (const sender of open.splice(0)) sender.close();
        else open.push(member.room.publish(tracks[round % tracks.length], { name: `extra ${round}` }));
      }
      if (round % 2) await pause(50);
    }
    const names = (tracks) => tracks.map(({ id }) => id).sort().join();
    await until('the same tracks at both ends', () => names(a.room.senders) === names(b.other.tracks) && names(b.room.senders) === names(a.other.tracks));
    for (const { open } of spare) for (const sender of open) sender.close();
    await until('as many as before', () => a.other.tracks.length === 2 && b.other.tracks.length === 2);
    await flowing(call);
    const failed = [a, b].flatMap((member) => member.happened('peerstatechanged')).filter(({ state }) => state === 'failed').length;
    if (failed > 0) throw new Error(`${failed} connections failed`);
    return '12 rounds';
  },

  async leave(call) {
    const { a, b } = call;
    a.forget();
    await b.room.leave();
    const took = await until('the goodbye', () => a.happened('peerleft').some(({ reason }) => reason === 'left'), 5000);
    await call.enterAgain();
    await flowing(call);
    return `${took} ms`;
  },

  ...goodbyes,
};

/** The names of the rows, in order. */
export const NAMES = Object.keys(ROWS);

/** Tries one. */
export const run = (name, call) => ROWS[name](call);
