// One call in a room, from join to leave: drawn from what noom.js reports, and its controls.

import { forgetToken } from './address.js';
import * as question from './ask.js';
import { keepScreenOn } from './awake.js';
import { Captions } from './captions.js';
import * as chat from './chat.js';
import { notice, reveal } from './controls.js';
import { copyLink } from './copy.js';
import * as debug from './debug.js';
import { Files } from './files.js';
import { Flaps } from './flaps.js';
import * as keys from './keys.js';
import * as lobby from './lobby.js';
import { Marks } from './marks.js';
import { OwnMedia } from './media.js';
import { Moderation } from './moderation.js';
import { nameOf, People } from './people.js';
import * as reactions from './reactions.js';
import { Recording } from './recording.js';
import { renameBy } from './rename.js';
import * as safety from './safety.js';
import { errorText, t } from './strings.js';
import * as why from './why.js';

const $ = (id) => document.getElementById(id);
const PATIENCE = 2000; // ms that who leaves waits for what was sent

export class Call {
  #room;
  #over; // (): called when it is
  #media;
  #moderation;
  #marks;
  #captions;
  #people;
  #timeline; // of what happens
  #recording;
  #files;
  #flaps = new Flaps();

  constructor(room, timeline, over) {
    this.#room = room;
    this.#timeline = timeline;
    this.#over = over;
    this.#media = new OwnMedia(room, () => {
      this.#moderation.draw();
      this.#recording?.sync();
    });
    this.#moderation = new Moderation(room, (senders) => this.#media.quiet(senders));
    this.#marks = new Marks(room, {
      changed: () => this.#drawMarks(),
      reacted: (id, emoji) => (id ? this.#people.react(id, emoji) : this.#media.react(emoji)),
    });
    this.#captions = new Captions(room, (id, text, by) => (id === room.self.id ? this.#media.caption(text, by) : this.#people.caption(id, text, by)));
    this.#people = new People(this.#moderation, this.#marks, { inspect: (peer) => this.#inspect(peer), attach: (peer) => this.#files.choose(peer) });
    this.#recording = new Recording(room, (on) => this.#marks.record(on));
    this.#files = new Files(room);
    this.#show();
    this.#wire();
    this.#follow();
    if (debug.wanted) this.#debug(debug.open);
  }

  /** Publishes what the camera and microphone gave after the join. */
  addTracks(tracks) { this.#media.addTracks(tracks); }

  // ---- what noom.js reports

  async #follow() {
    for await (const event of this.#room.events()) {
      // An event that cannot be drawn must not end the call.
      try {
        this.#timeline.event(event);
        this.#on[event.type]?.(event);
      } catch (error) {
        console.error(error);
      }
    }
  }

  #on = {
    peerjoined: ({ peer, existing }) => {
      this.#people.add(peer);
      if (!existing) this.#moves(peer, true);
      this.#people.count();
    },
    peerleft: ({ peer, reason }) => {
      this.#showUnlock();
      this.#people.remove(peer);
      why.left(peer, nameOf(peer));
      this.#marks.left(peer);
      this.#captions.left(peer);
      if (reason === 'kicked') chat.happened(t('removed', nameOf(peer)));
      else this.#moves(peer, false);
      this.#people.count();
    },
    peerrenamed: ({ peer, old }) => {
      this.#people.draw(peer);
      this.#marks.draw();
      chat.happened(t('renamed', old || t('unnamed'), nameOf(peer)));
    },
    peerstatechanged: ({ peer }) => {
      this.#people.draw(peer);
      this.#marks.greet(peer);
    },
    datareceived: (event) => {
      this.#marks.take(event);
      this.#captions.take(event);
    },
    fileoffered: ({ peer, file }) => this.#files.offered(peer, file),
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
    chatreceived: ({ from, text, history, sent }) => {
      if (history) {
        chat.saidBefore(from.name || t('unnamed'), text, sent);
        return;
      }
      this.#marks.spoke(from.id);
      chat.said(from.name || t('unnamed'), text);
    },
    signalinglost: () => notice(t('hubLost')),
    roomlocked: (event) => this.#moderation.lockChanged(event),
    muterequested: (event) => this.#moderation.asked(event),
    signalingrestored: () => {
      notice('');
      this.#showRights();
    },
    closed: ({ error }) => this.#closed(error),
  };

  // A member comes or goes: by its name, because a page that is loaded again is another member.
  #moves(peer, here) {
    this.#flaps.note(peer.name || peer.id, here, performance.now(), (words, times, line) => chat.happened(t(words, nameOf(peer), times), line));
  }

  #drawMarks() {
    this.#media.marks = this.#marks.of('');
    for (const peer of this.#room.peers) this.#people.draw(peer);
  }

  // ---- the controls

  #show() {
    lobby.hide();
    chat.clear();
    if (this.#room.peers.length === 0) chat.happened(t('alone'));
    $('call').hidden = false;
    keepScreenOn(true);
    $('room-name').textContent = this.#room.name;
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
    $('leave').onclick = () => this.#room.leave({ timeout: PATIENCE }).catch(() => {}); // a sign may be undelivered
    $('copy').onclick = ({ currentTarget }) => copyLink(currentTarget);
    $('settings').onclick = () => this.#openDevices();
    $('settings').onkeydown = $('devices').onkeydown = ({ key }) => {
      if (key !== 'Escape') return;
      this.#openDevices(false);
      $('settings').focus();
    };
    renameBy($('rename'), this.#room, () => this.#media.rename());
    chat.onSay((text) => this.#say(text));
    chat.onType(() => this.#marks.types());
    reactions.onReact((emoji) => this.#marks.react(emoji));
    $('hand').onclick = () => this.#marks.raiseHand();
    keys.follow(this.#keys);
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
    h: [() => this.#marks.raiseHand(), 'hand'],
    r: [reactions.toggle, 'react'],
    c: [() => this.#captions.toggle(), 'captions'],
    enter: [chat.focus, 'chat'],
    d: [() => this.#debug(debug.toggle), 'call'],
    '?': [keys.toggle, 'call'],
  };

  #inspect(peer) {
    why.show(peer, { nameOf, report: () => this.#timeline.report(), more: () => this.#debug(debug.open) });
  }

  #debug(act) { act(this.#room, this.#timeline, nameOf); }

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

  #closed(error) {
    this.#recording.end();
    this.#files.close();
    this.#media.close();
    this.#marks.close();
    this.#captions.close();
    reactions.hide();
    this.#people.clear();
    keepScreenOn(false);
    safety.hide();
    why.hide();
    debug.hide();
    question.hide();
    keys.end();
    $('asked').hidden = true;
    $('unlock').hidden = true;
    if (error?.code === 'expired' || error?.code === 'refused') forgetToken(this.#room.name);
    document.title = 'noom';
    $('call').hidden = true;
    notice(error ? errorText(error) : '');
    this.#over();
  }
}
