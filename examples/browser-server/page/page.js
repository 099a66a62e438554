// The page: a call in a room, drawn from what noom.js reports.

import { Identity, join } from './noom/noom.js';
import { forgetToken, tokenFor } from './address.js';
import * as question from './ask.js';
import * as chat from './chat.js';
import { drawSwitch, notice } from './controls.js';
import * as devices from './devices.js';
import * as lobby from './lobby.js';
import { Moderation } from './moderation.js';
import * as safety from './safety.js';
import { never, soon } from './soon.js';
import { errorText, t, translate } from './strings.js';
import { Tile } from './tiles.js';

const $ = (id) => document.getElementById(id);
const MEDIA_PATIENCE = 1500; // ms to wait for the camera before joining without it

/** One call, from join to leave. */
class Call {
  #room;
  #members = new Map(); // id → Tile, null until it is drawn first
  #screens = new Map(); // RemoteTrack → Tile: ids are the peer's choice, and another's may be the same
  #mine; // our own Tile
  #senders = { audio: null, video: null }; // microphone and camera
  #shared = []; // Senders of our screen
  #myScreen = null; // its Tile
  #moderation;
  #asked = null; // name that is being asked for

  constructor(room) {
    this.#room = room;
    this.#mine = new Tile({ self: '' });
    this.#mine.name = t('you', room.self.name);
    this.#moderation = new Moderation(room, (senders) => this.#quiet(senders));
    for (const sender of room.senders) {
      if (room.may('publish')) this.#senders[sender.kind] = sender;
      else end(sender);
    }
    this.#show();
    this.#wire();
    this.#follow();
  }

  /** Publishes what the camera and microphone gave after the join. */
  addTracks(tracks) {
    for (const track of tracks) {
      // Its button may have opened another meanwhile.
      if (this.#room.may('publish') && !this.#senders[track.kind]) this.#senders[track.kind] = this.#room.publish(track);
      else track.stop();
    }
    this.#devicesChanged();
  }

  // ---- what noom.js reports

  async #follow() {
    for await (const event of this.#room.events()) {
      // An event that cannot be drawn must not end the call.
      try {
        this.#on[event.type]?.(event);
      } catch (error) {
        console.error(error);
      }
    }
  }

  #on = {
    peerjoined: ({ peer, existing }) => {
      this.#members.set(peer.id, null);
      this.#draw(peer);
      if (!existing) chat.happened(t('came', nameOf(peer)));
      this.#count();
    },
    peerleft: ({ peer, reason }) => {
      never(peer);
      this.#members.get(peer.id)?.remove();
      this.#members.delete(peer.id);
      chat.happened(t(reason === 'kicked' ? 'removed' : 'went', nameOf(peer)));
      this.#count();
    },
    peerrenamed: ({ peer, old }) => {
      this.#draw(peer);
      chat.happened(t('renamed', old || t('unnamed'), nameOf(peer)));
    },
    peerstatechanged: ({ peer }) => this.#draw(peer),
    trackadded: ({ peer }) => this.#draw(peer),
    trackchanged: ({ peer }) => this.#draw(peer),
    trackmuted: ({ peer }) => this.#draw(peer),
    trackremoved: ({ peer, track }) => {
      this.#screens.get(track)?.remove();
      this.#screens.delete(track);
      this.#draw(peer);
    },
    trackrefused: ({ peer, sender }) => {
      const what = sender.kind === 'audio' ? 'unheard' : this.#shared.includes(sender) ? 'unshown' : 'unseen';
      chat.happened(t(what, nameOf(peer)));
    },
    activespeaker: ({ peer }) => {
      for (const [id, tile] of this.#members) if (tile) tile.speaking = id === peer?.id;
    },
    chatreceived: ({ from, text }) => chat.said(from.name || t('unnamed'), text),
    signalinglost: () => notice(t('hubLost')),
    roomlocked: (event) => this.#moderation.lockChanged(event),
    muterequested: (event) => this.#moderation.asked(event),
    signalingrestored: () => {
      notice('');
      this.#showRights();
    },
    closed: ({ error }) => this.#closed(error),
  };

  #draw(peer) {
    soon(peer, () => this.#members.has(peer.id) && this.#drawNow(peer));
  }

  #tile(peer) {
    const tile = new Tile({ member: peer.id }, {
      onSafety: async () => safety.show(nameOf(peer), await peer.safetyNumber()),
      onManage: () => this.#moderation.manage(peer, nameOf(peer)),
    });
    this.#members.set(peer.id, tile);
    return tile;
  }

  #drawNow(peer) {
    const tile = this.#members.get(peer.id) ?? this.#tile(peer);
    const screens = peer.tracks.filter((track) => track.name.startsWith('screen'));
    const others = peer.tracks.filter((track) => !screens.includes(track));
    const camera = others.find((track) => track.kind === 'video');
    const microphones = others.filter((track) => track.kind === 'audio');
    tile.name = nameOf(peer);
    tile.state = peer.state;
    tile.manageable = this.#moderation.manages;
    tile.camera = Boolean(camera && !camera.muted);
    tile.muted = microphones.every((track) => track.muted);
    tile.show([camera, ...microphones, ...screens.filter((track) => track.kind === 'audio')].map((track) => track?.track));
    for (const track of screens.filter((s) => s.kind === 'video')) {
      if (!this.#screens.has(track)) this.#screens.set(track, new Tile({ screen: peer.id }));
      const screen = this.#screens.get(track);
      screen.name = t('screenOf', nameOf(peer));
      screen.camera = true;
      screen.show([track.track]);
    }
  }

  #count() {
    soon($('count'), () => { $('count').textContent = t('people', this.#members.size + 1); });
  }

  // ---- our own media

  #devicesChanged = () => {
    const { audio, video } = this.#senders;
    this.#mine.show([video?.track]);
    this.#mine.camera = Boolean(video?.track && !video.muted);
    this.#mine.muted = !audio?.track || audio.muted;
    const [silent, dark, sharing] = [audio?.muted ?? true, video?.muted ?? true, this.#shared.length > 0];
    drawSwitch($('mute'), silent, ['mute', 'unmute'], silent ? 'muted' : 'microphone');
    drawSwitch($('camera'), dark, ['cameraOff', 'cameraOn'], dark ? 'camera-off' : 'camera');
    drawSwitch($('screen'), sharing, ['share', 'unshare'], 'screen');
    for (const sender of [audio, video]) {
      if (!sender?.track) continue;
      sender.track.onended = () => this.#unplugged(sender);
      sender.track.onmute = sender.track.onunmute = this.#devicesChanged; // by the system: the others learn of it too
    }
    devices.list($('microphones'), 'audio', audio?.track, t('noMicrophone'));
    devices.list($('cameras'), 'video', video?.track, t('noCamera'));
    this.#moderation.draw();
  };

  // Ends what is sent, as our own buttons do.
  #quiet(senders) {
    for (const sender of senders) {
      if (!this.#shared.includes(sender)) sender.setMuted(true);
    }
    if (senders.some((sender) => this.#shared.includes(sender))) this.#unshare();
    this.#devicesChanged();
  }

  // Mutes or unmutes; without a device yet, asks for one.
  async #toggle(kind) {
    const sender = this.#senders[kind];
    if (sender?.track) {
      sender.setMuted(!sender.muted);
      this.#devicesChanged();
    } else {
      await this.#switch(kind);
    }
  }

  async #switch(kind, deviceId) {
    const sender = this.#senders[kind];
    const old = sender?.track;
    // Where only one may be open, as on iOS, opening another ends it.
    if (old) old.onended = null;
    try {
      let track;
      try {
        track = await devices.open(kind, deviceId);
      } catch (error) {
        if (!old || error.name !== 'NotReadableError') throw error;
        old.stop(); // a device, or browser, that can only have one open
        track = await devices.open(kind, deviceId);
      }
      if (sender) {
        await sender.replaceTrack(track);
        if (!old) sender.setMuted(false);
      } else {
        this.#senders[kind] = this.#room.publish(track);
      }
      old?.stop();
      notice('');
    } catch (error) {
      if (old?.readyState === 'ended') await this.#unplugged(sender);
      notice(error.code ? errorText(error) : devices.mediaProblem(error));
    }
    this.#devicesChanged();
  }

  async #unplugged(sender) {
    await sender.replaceTrack(null);
    sender.setMuted(true);
    notice(t('mediaEnded'));
    this.#devicesChanged();
  }

  async #share() {
    if (this.#shared.length > 0) {
      this.#unshare();
      return;
    }
    try {
      const tracks = await devices.openScreen();
      this.#shared = tracks.map((track) => this.#room.publish(track, { name: track.kind === 'video' ? 'screen' : 'screen audio' }));
      for (const track of tracks) track.onended = () => this.#unshare();
      this.#myScreen = new Tile({ screen: this.#room.self.id, self: '' });
      this.#myScreen.name = t('screenOf', t('you', this.#room.self.name));
      this.#myScreen.camera = true;
      this.#myScreen.show(tracks.filter((track) => track.kind === 'video'));
    } catch {
      notice(t('screenRefused'));
    }
    this.#devicesChanged();
  }

  #unshare() {
    for (const sender of this.#shared.splice(0)) end(sender);
    this.#myScreen?.remove();
    this.#myScreen = null;
    this.#devicesChanged();
  }

  // ---- the controls

  #show() {
    lobby.hide();
    chat.clear();
    if (this.#room.peers.length === 0) chat.happened(t('alone'));
    $('call').hidden = false;
    $('room-name').textContent = this.#room.name;
    $('rename').elements.name.value = this.#room.self.name;
    document.title = `${this.#room.name} · noom`;
    history.replaceState(null, '', `#/${encodeURIComponent(this.#room.name)}`);
    this.#count();
    this.#devicesChanged();
    this.#showRights();
  }

  // What we may not do has no buttons.
  #showRights() {
    const publishes = this.#room.may('publish');
    for (const id of ['mute', 'camera', 'settings', 'devices']) $(id).hidden = !publishes;
    $('screen').hidden = !publishes || !navigator.mediaDevices?.getDisplayMedia;
    $('chat').hidden = !this.#room.may('chat');
    this.#moderation.draw();
    for (const peer of this.#room.peers) this.#draw(peer);
  }

  #wire() {
    $('mute').onclick = () => this.#toggle('audio');
    $('camera').onclick = () => this.#toggle('video');
    $('screen').onclick = () => this.#share();
    $('cameras').onchange = () => this.#switch('video', $('cameras').value);
    $('microphones').onchange = () => this.#switch('audio', $('microphones').value);
    $('leave').onclick = () => this.#room.leave();
    $('copy').onclick = () => this.#copy();
    $('settings').onclick = () => {
      const open = $('devices').classList.toggle('open');
      $('settings').setAttribute('aria-expanded', String(open));
    };
    const name = $('rename').elements.name;
    name.onchange = () => this.#rename(name.value);
    $('rename').onsubmit = (event) => {
      event.preventDefault();
      this.#rename(name.value);
    };
    chat.onSay((text) => this.#say(text));
    navigator.mediaDevices?.addEventListener('devicechange', this.#devicesChanged);
    document.onkeydown = (event) => this.#key(event);
  }

  #key(event) {
    if (event.target.matches('input, select, textarea') || event.ctrlKey || event.metaKey || event.altKey) return;
    const [act, button] = { m: [() => this.#toggle('audio'), 'mute'], v: [() => this.#toggle('video'), 'camera'], enter: [chat.focus, 'chat'] }[event.key.toLowerCase()] ?? [];
    if (!act || $(button).hidden || (event.key === 'Enter' && event.target.matches('button'))) return;
    event.preventDefault();
    act();
  }

  async #say(text) {
    try {
      await this.#room.chat(text);
      chat.said(t('you', this.#room.self.name), text, true);
      return true;
    } catch (error) {
      notice(errorText(error));
      return false;
    }
  }

  async #rename(name) {
    if (name === this.#asked) return; // a changed field is sent when left, and again when submitted
    this.#asked = name;
    notice('');
    let problem = '';
    try {
      await this.#room.rename(name);
      this.#mine.name = t('you', this.#room.self.name);
      localStorage.setItem('name', this.#room.self.name);
    } catch (error) {
      problem = errorText(error);
    }
    if (this.#asked === name) { // otherwise a newer one counts
      this.#asked = null;
      if (problem) notice(problem);
    }
    if (this.#asked === null) $('rename').elements.name.value = this.#room.self.name;
  }

  async #copy() {
    const link = `${location.origin}${location.pathname}${location.hash}`; // to the room, and not under our name
    try {
      await navigator.clipboard.writeText(link);
    } catch {
      notice(link); // to be copied by hand
      return;
    }
    const words = $('copy').querySelector('span');
    words.textContent = t('copied');
    setTimeout(() => { words.textContent = t('copyLink'); }, 2000);
  }

  #closed(error) {
    this.#unshare();
    for (const sender of Object.values(this.#senders)) {
      if (!sender?.track) continue;
      sender.track.onended = null;
      sender.track.stop();
    }
    for (const tile of [this.#mine, ...this.#members.values(), ...this.#screens.values()]) tile?.remove();
    this.#members.clear(); // what was to be drawn is not
    navigator.mediaDevices?.removeEventListener('devicechange', this.#devicesChanged);
    document.onkeydown = null;
    safety.hide();
    question.hide();
    $('asked').hidden = true;
    if (error?.code === 'expired' || error?.code === 'refused') forgetToken(this.#room.name);
    document.title = 'noom';
    $('call').hidden = true;
    notice(error ? errorText(error) : '');
    lobby.show(enter);
  }
}

function end(sender) {
  sender.track?.stop();
  sender.close();
}

const nameOf = (peer) => peer.name || t('unnamed');

let identity = null; // ours for as long as the page is loaded: a removed member stays removed

async function enter({ name, room }) {
  lobby.busy(true);
  notice('');
  const media = devices.openBoth();
  const token = tokenFor(room);
  const early = await Promise.race([media, new Promise((resolve) => { setTimeout(resolve, MEDIA_PATIENCE); })]);
  try {
    identity ??= await Identity.generate();
    const call = new Call(await join('ws', room, { name, identity, token, tracks: early?.tracks ?? [] }));
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

// A call ends when its page is left; a page that comes back from the
// back-forward cache begins like any other.
addEventListener('pageshow', ({ persisted }) => persisted && location.reload());

translate(document.body);
lobby.show(enter);
if (!globalThis.crypto?.subtle) {
  notice(t('insecure'));
} else {
  const query = new URLSearchParams(location.search);
  if (query.get('autojoin') === '1') lobby.submitAs(query.get('name') ?? '');
}
