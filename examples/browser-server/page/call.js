// One call in a room, from join to leave: drawn from what noom.js reports, and its controls.

import { forgetToken } from './address.js';
import * as question from './ask.js';
import { keepScreenOn } from './awake.js';
import * as chat from './chat.js';
import { notice, reveal } from './controls.js';
import * as keys from './keys.js';
import * as lobby from './lobby.js';
import { OwnMedia } from './media.js';
import { Moderation } from './moderation.js';
import { nameOf, People } from './people.js';
import * as safety from './safety.js';
import { errorText, t } from './strings.js';

const $ = (id) => document.getElementById(id);

export class Call {
  #room;
  #over; // (): called when it is
  #media;
  #moderation;
  #people;
  #asked = null; // name that is being asked for

  constructor(room, over) {
    this.#room = room;
    this.#over = over;
    this.#media = new OwnMedia(room, () => this.#moderation.draw());
    this.#moderation = new Moderation(room, (senders) => this.#media.quiet(senders));
    this.#people = new People(this.#moderation);
    this.#show();
    this.#wire();
    this.#follow();
  }

  /** Publishes what the camera and microphone gave after the join. */
  addTracks(tracks) { this.#media.addTracks(tracks); }

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
      this.#people.add(peer);
      if (!existing) chat.happened(t('came', nameOf(peer)));
      this.#people.count();
    },
    peerleft: ({ peer, reason }) => {
      this.#showUnlock();
      this.#people.remove(peer);
      chat.happened(t(reason === 'kicked' ? 'removed' : 'went', nameOf(peer)));
      this.#people.count();
    },
    peerrenamed: ({ peer, old }) => {
      this.#people.draw(peer);
      chat.happened(t('renamed', old || t('unnamed'), nameOf(peer)));
    },
    peerstatechanged: ({ peer }) => this.#people.draw(peer),
    qualitychanged: ({ peer }) => this.#people.draw(peer),
    trackadded: ({ peer }) => this.#people.draw(peer),
    trackblocked: () => this.#showUnlock(),
    trackmuted: ({ peer }) => this.#people.draw(peer),
    trackpaused: ({ peer }) => this.#people.draw(peer),
    trackremoved: ({ peer, track }) => {
      this.#people.forget(track);
      this.#people.draw(peer);
      this.#showUnlock();
    },
    trackrefused: ({ peer, sender }) => {
      const what = sender.kind === 'audio' ? 'unheard' : this.#media.shares(sender) ? 'unshown' : 'unseen';
      chat.happened(t(what, nameOf(peer)));
    },
    activespeaker: ({ peer }) => this.#people.speaks(peer?.id),
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

  // ---- the controls

  #show() {
    lobby.hide();
    chat.clear();
    if (this.#room.peers.length === 0) chat.happened(t('alone'));
    $('call').hidden = false;
    keepScreenOn(true);
    $('room-name').textContent = this.#room.name;
    $('rename').elements.name.value = this.#room.self.name;
    document.title = `${this.#room.name} · noom`;
    history.replaceState(null, '', `#/${encodeURIComponent(this.#room.name)}`);
    this.#people.count();
    this.#media.draw();
    this.#showRights();
    $('room-name').focus(); // what had it is gone
  }

  // What we may not do has no buttons.
  #showRights() {
    const publishes = this.#room.may('publish');
    for (const id of ['mute', 'camera', 'settings', 'devices']) $(id).hidden = !publishes;
    $('screen').hidden = !publishes || !navigator.mediaDevices?.getDisplayMedia;
    $('chat').hidden = !this.#room.may('chat');
    this.#moderation.draw();
    for (const peer of this.#room.peers) this.#people.draw(peer);
  }

  // noom.js tries again whatever is touched; this is to be touched.
  #showUnlock() {
    reveal($('unlock'), this.#room.peers.some((peer) => peer.tracks.some((track) => track.blocked)));
  }

  #wire() {
    $('leave').onclick = () => this.#room.leave();
    $('copy').onclick = () => this.#copy();
    $('settings').onclick = () => this.#openDevices();
    $('settings').onkeydown = $('devices').onkeydown = ({ key }) => {
      if (key !== 'Escape') return;
      this.#openDevices(false);
      $('settings').focus();
    };
    const name = $('rename').elements.name;
    name.onchange = () => this.#rename(name.value);
    $('rename').onsubmit = (event) => {
      event.preventDefault();
      this.#rename(name.value);
    };
    chat.onSay((text) => this.#say(text));
    document.onkeydown = (event) => this.#key(event);
  }

  #openDevices(on) {
    const open = $('devices').classList.toggle('open', on);
    $('settings').setAttribute('aria-expanded', String(open));
  }

  // What each key does, and what must be there for it; dialog#keys lists them.
  #keys = {
    m: [() => this.#media.toggle('audio'), 'mute'],
    v: [() => this.#media.toggle('video'), 'camera'],
    s: [() => this.#media.share(), 'screen'],
    enter: [chat.focus, 'chat'],
    '?': [keys.toggle, 'call'],
  };

  #key(event) {
    if (event.repeat || event.target.matches('input:not([type=checkbox]), select, textarea')) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key > '~' ? event.code.replace('Key', '') : event.key; // a Korean keyboard may give another letter
    const [act, button] = this.#keys[key.toLowerCase()] ?? [];
    if (!act || $(button).hidden || (event.key === 'Enter' && event.target.matches('button, a'))) return;
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
      this.#media.rename();
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
    words.textContent = $('copied').textContent = t('copied'); // a button's own words are not read out when they change
    setTimeout(() => {
      words.textContent = t('copyLink');
      $('copied').textContent = '';
    }, 2000);
  }

  #closed(error) {
    this.#media.close();
    this.#people.clear();
    document.onkeydown = null;
    keepScreenOn(false);
    safety.hide();
    question.hide();
    keys.hide();
    $('asked').hidden = true;
    $('unlock').hidden = true;
    if (error?.code === 'expired' || error?.code === 'refused') forgetToken(this.#room.name);
    document.title = 'noom';
    $('call').hidden = true;
    notice(error ? errorText(error) : '');
    this.#over();
  }
}
