// What we send in a call: camera, microphone and screen, with their buttons and our own tiles.

import * as blur from './blur.js';
import { choices, choose } from './choices.js';
import { drawSwitch, notice } from './controls.js';
import * as devices from './devices.js';
import * as speakers from './speakers.js';
import { errorText, t } from './strings.js';
import { Tile } from './tiles.js';

const $ = (id) => document.getElementById(id);

export class OwnMedia {
  #room;
  #changed; // (): what is sent is something else now
  #mine = new Tile({ self: '' });
  #senders = { audio: null, video: null }; // microphone and camera
  #shared = []; // Senders of our screen
  #myScreen = null; // its Tile
  #work = { audio: null, video: null }; // what is done to each, one after the other
  #choosing = false; // the person chooses a screen
  #over = false; // the call is

  constructor(room, changed) {
    this.#room = room;
    this.#changed = changed;
    this.rename();
    for (const sender of room.senders) {
      if (room.may('publish')) this.#senders[sender.kind] = sender;
      else end(sender);
    }
    for (const sender of Object.values(this.#senders)) {
      if (sender?.track?.readyState === 'ended') this.#unplugged(sender); // before there was a call
    }
    $('mute').onclick = () => this.toggle('audio');
    $('camera').onclick = () => this.toggle('video');
    $('screen').onclick = () => this.share();
    $('cameras').onchange = () => this.#switch('video', $('cameras').value);
    $('microphones').onchange = () => this.#switch('audio', $('microphones').value);
    for (const what of ['noise', 'echo']) $(what).onchange = ({ target }) => this.#process({ [what]: target.checked });
    $('blur').onchange = ({ target }) => this.#next('video', () => blur.choose(this.#senders.video?.track, target.checked)).then(this.draw);
    $('speakers').onchange = () => speakers.choosePlace($('speakers').value);
    navigator.mediaDevices?.addEventListener('devicechange', this.draw);
  }

  /** Publishes what the camera and microphone gave after the join. */
  addTracks(tracks) {
    if (this.#stopped(tracks)) return;
    for (const track of tracks) {
      // Its button may have opened another meanwhile.
      if (this.#room.may('publish') && !this.#senders[track.kind]) this.#senders[track.kind] = this.#room.publish(track);
      else track.stop();
    }
    this.draw();
  }

  /** We have another name. */
  rename() { this.#mine.name = t('you', this.#room.self.name); }

  /** What marks.js says of us. */
  set marks(marks) { this.#mine.marks = marks; }

  /** Shows a reaction of our own. */
  react(emoji) { this.#mine.react(emoji); }

  /** Shows a caption of what we say. */
  caption(text, by) { this.#mine.caption(text, by); }

  /** Whether a Sender is one of our screen. */
  shares(sender) { return this.#shared.includes(sender); }

  /** Shows what is sent, and from which devices. */
  draw = () => {
    const { audio, video } = this.#senders;
    this.#mine.show(video?.track ?? null);
    this.#mine.camera = Boolean(video?.track && !video.muted);
    this.#mine.muted = !audio?.track || audio.muted;
    const [silent, dark, sharing] = [audio?.muted ?? true, video?.muted ?? true, this.#shared.length > 0];
    drawSwitch($('mute'), silent, ['mute', 'unmute'], silent ? 'muted' : 'microphone');
    drawSwitch($('camera'), dark, ['cameraOff', 'cameraOn'], dark ? 'camera-off' : 'camera');
    drawSwitch($('screen'), sharing, ['share', 'unshare'], 'screen');
    for (const sender of [audio, video]) {
      if (!sender?.track) continue;
      sender.track.onended = () => this.#unplugged(sender);
      sender.track.onmute = sender.track.onunmute = this.draw; // by the system: the others learn of it too
    }
    devices.list($('microphones'), 'audioinput', audio?.track?.getSettings().deviceId, t('noMicrophone'));
    devices.list($('cameras'), 'videoinput', video?.track?.getSettings().deviceId, t('noCamera'));
    devices.listSpeakers($('speakers'));
    for (const what of ['noise', 'echo']) $(what).checked = choices()[what];
    blur.draw($('blur'), video?.track);
    this.#changed();
  };

  /** Ends what is sent, as our own buttons do. */
  quiet(senders) {
    for (const sender of senders) {
      if (!this.#shared.includes(sender)) sender.setMuted(true);
    }
    if (senders.some((sender) => this.#shared.includes(sender))) this.#unshare();
    this.draw();
  }

  /** Mutes or unmutes; without a device yet, asks for one. */
  async toggle(kind) {
    const sender = this.#senders[kind];
    if (sender?.track) {
      sender.setMuted(!sender.muted);
      this.draw();
    } else {
      await this.#next(kind, async () => { if (!this.#senders[kind]?.track) await this.#open(kind); });
    }
  }

  /** Stops everything: the call is over. */
  close() {
    this.#over = true;
    this.#unshare();
    for (const sender of Object.values(this.#senders)) {
      if (!sender?.track) continue;
      sender.track.onended = null;
      sender.track.stop();
    }
    this.#mine.remove();
    navigator.mediaDevices?.removeEventListener('devicechange', this.draw);
  }

  // Whether the call is over: then nobody else would stop what the browser has opened only now.
  #stopped(tracks) {
    if (this.#over) for (const track of tracks) track.stop();
    return this.#over;
  }

  // Another device, which is chosen for the next time too.
  #switch(kind, deviceId) {
    return this.#next(kind, async () => {
      if (await this.#open(kind, deviceId)) choose({ [kind === 'video' ? 'camera' : 'microphone']: deviceId });
    });
  }

  // Of two that were opened at once one would stay open, and nobody would end it.
  #next(kind, step) {
    const act = () => !this.#over && step();
    this.#work[kind] = Promise.resolve(this.#work[kind]).then(act, act);
    return this.#work[kind];
  }

  // Opens a device in place of what is sent; resolves with whether that is sent now.
  async #open(kind, deviceId) {
    const sender = this.#senders[kind];
    const old = sender?.track;
    // Where only one may be open, as on iOS, opening another ends it.
    if (old) old.onended = null;
    let track = null;
    let sent = false;
    try {
      try {
        track = await devices.open(kind, deviceId);
      } catch (error) {
        if (this.#over || !old || error.name !== 'NotReadableError') throw error;
        old.stop(); // a device, or browser, that can only have one open
        track = await devices.open(kind, deviceId);
      }
      if (this.#stopped([track])) return false;
      if (sender) {
        await sender.replaceTrack(track);
        if (this.#stopped([track])) return false;
        if (!old) sender.setMuted(false);
      } else {
        this.#senders[kind] = this.#room.publish(track);
      }
      old?.stop();
      notice('');
      sent = true;
    } catch (error) {
      track?.stop(); // it is not sent
      if (this.#over) return false;
      if (old?.readyState === 'ended') await this.#unplugged(sender);
      notice(error.code ? errorText(error) : devices.mediaProblem(error));
    }
    this.draw();
    return sent;
  }

  // What the browser does to the microphone's sound it is told when it opens it.
  async #process(change) {
    choose(change);
    await this.#next('audio', async () => {
      const track = this.#senders.audio?.track;
      if (track) await this.#open('audio', track.getSettings().deviceId);
    });
  }

  async #unplugged(sender) {
    await sender.replaceTrack(null);
    sender.setMuted(true);
    notice(t('mediaEnded'));
    this.draw();
  }

  /** Shares the screen that the person chooses, or ends that. */
  async share() {
    if (this.#shared.length > 0) {
      this.#unshare();
      return;
    }
    if (this.#choosing) return;
    let tracks = [];
    this.#choosing = true;
    try {
      tracks = await devices.openScreen();
      if (this.#stopped(tracks)) return;
      this.#shared = tracks.map((track) => this.#room.publish(track, { name: track.kind === 'video' ? 'screen' : 'screen audio' }));
      for (const track of tracks) track.onended = () => this.#unshare();
      this.#myScreen = new Tile({ screen: this.#room.self.id, self: '' });
      this.#myScreen.name = t('screenOf', t('you', this.#room.self.name));
      this.#myScreen.camera = true;
      this.#myScreen.show(tracks.find((track) => track.kind === 'video') ?? null);
    } catch {
      for (const track of tracks) track.stop(); // they are not sent
      if (this.#over) return;
      notice(t('screenRefused'));
    } finally {
      this.#choosing = false;
    }
    this.draw();
  }

  #unshare() {
    for (const sender of this.#shared.splice(0)) end(sender);
    this.#myScreen?.remove();
    this.#myScreen = null;
    this.draw();
  }
}

function end(sender) {
  sender.track?.stop();
  sender.close();
}
