// Files, in the chat: what is dropped on a picture, or chosen by its button, goes to that member, what is dropped on the
// chat or chosen there to everyone. Names of files are other people's text, as chats are.

import * as chat from './chat.js';
import { notice } from './controls.js';
import { nameOf } from './people.js';
import { sizeText } from './sizes.js';
import { language, t } from './strings.js';

const $ = (id) => document.getElementById(id);
const LARGE = 64_000_000; // bytes, from which a file is not kept in memory where the browser can write it

export class Files {
  #room;
  #over = new AbortController();
  #chosenFor = null; // the peer that a file is chosen for, null: everyone

  constructor(room) {
    this.#room = room;
    $('attach').onclick = () => this.choose(null);
    $('attached').onchange = ({ target }) => {
      this.#sendTo(this.#chosenFor, [...target.files]);
      target.value = ''; // the same can be chosen again
    };
    this.#takeDrops();
  }

  /** Lets the person choose files for a peer, null: for everyone. */
  choose(peer) {
    this.#chosenFor = peer;
    $('attached').click();
  }

  /** A member offers a file. */
  offered(peer, file) {
    const line = new Line(nameOf(peer), file.name, file.size);
    const accept = line.button(t('accept'), t('acceptFile', file.name), 'primary');
    const decline = line.button(t('decline'), t('declineFile', file.name));
    accept.onclick = () => this.#accept(line, file);
    decline.onclick = () => {
      file.decline();
      line.end(t('fileDeclined'));
    };
    chat.put(line.item, true);
  }

  async #accept(line, file) {
    let writable;
    try {
      writable = await writableFor(file);
    } catch (error) {
      if (error.name !== 'AbortError') notice(t('otherError', error.name));
      return; // it can still be accepted
    }
    const signal = line.begin(t('cancelFile', file.name), this.#over.signal);
    try {
      const blob = await file.accept({ ...(writable && { writable }), signal, onprogress: (done, total) => line.show(done, total) });
      if (blob) save(blob, file.name);
      line.end(t('fileSaved'));
    } catch (error) {
      line.end(reason(error));
    }
  }

  #sendTo(peer, files) {
    if (peer) this.#send(files, [peer], nameOf(peer));
    else if (files.length > 0 && this.#room.peers.length === 0) notice(t('alone'));
    else this.#send(files, this.#room.peers, t('everyone'));
  }

  // Offers files to some members, each in a line.
  #send(files, peers, who) {
    for (const file of files) this.#sendOne(file, peers, who);
  }

  async #sendOne(file, peers, who) {
    const line = new Line(t('fileTo', t('you', this.#room.self.name), who), file.name, file.size);
    const signal = line.begin(t('cancelFile', file.name), this.#over.signal);
    line.status(t('fileWaits'));
    chat.put(line.item, false);
    const done = new Map(); // Peer → bytes
    const results = await Promise.allSettled(peers.map((peer) => peer.sendFile(file, {
      signal,
      onprogress: (bytes) => {
        done.set(peer, bytes);
        line.show([...done.values()].reduce((sum, n) => sum + n, 0), file.size * peers.length);
      },
    })));
    const failed = results.filter(({ status }) => status === 'rejected');
    if (failed.length === 0) line.end(t('fileArrived'));
    else if (peers.length === 1) line.end(reason(failed[0].reason));
    else line.end(t('fileArrivedOf', peers.length - failed.length, peers.length));
  }

  // Files that are dropped anywhere in the call are not opened in its place.
  #takeDrops() {
    const { signal } = this.#over;
    const call = $('call');
    const listen = (type, act) => call.addEventListener(type, (event) => event.dataTransfer?.types.includes('Files') && act(event), { signal });
    listen('dragover', (event) => {
      const to = this.#target(event.target);
      event.preventDefault();
      event.dataTransfer.dropEffect = to ? 'copy' : 'none';
      mark(to?.element);
    });
    listen('dragleave', (event) => { if (!call.contains(event.relatedTarget)) mark(null); });
    listen('drop', (event) => {
      const to = this.#target(event.target);
      event.preventDefault();
      mark(null);
      if (to) this.#sendTo(to.peer, [...event.dataTransfer.files]);
    });
  }

  // Whom what is dropped on an element is for: {element, peer}, without a peer everyone; null: nobody.
  #target(element) {
    const tile = element.closest('[data-member]');
    const peer = tile && this.#room.peer(tile.dataset.member);
    if (peer) return { element: tile, peer };
    const panel = element.closest('#chat-panel');
    return panel && { element: panel };
  }

  /** The call is over. */
  close() {
    this.#over.abort();
    $('attached').onchange = null; // a dialog of the browser may still be open
    mark(null);
  }
}

function mark(element) {
  for (const marked of document.querySelectorAll('[data-drop]')) if (marked !== element) marked.removeAttribute('data-drop');
  element?.setAttribute('data-drop', '');
}

// A file in the chat: whose, its name and size, what may be done, how far it is, and how it ended.
class Line {
  item = document.createElement('li');
  #choices = document.createElement('div');
  #progress = document.createElement('progress');
  #status = document.createElement('span');

  constructor(who, name, size) {
    const from = Object.assign(document.createElement('b'), { textContent: who });
    const file = Object.assign(document.createElement('bdi'), { textContent: name });
    const much = Object.assign(document.createElement('span'), { textContent: ` ${sizeText(size, language)}`, className: 'quiet' });
    this.item.className = 'file';
    this.#choices.className = 'choices';
    this.#progress.hidden = true;
    this.#progress.setAttribute('aria-label', t('fileProgress', name));
    this.#status.className = 'quiet';
    this.#status.setAttribute('role', 'status');
    this.item.append(from, file, much, this.#progress, this.#choices, this.#status);
  }

  button(text, label, className = '') {
    const button = Object.assign(document.createElement('button'), { type: 'button', textContent: text, className });
    button.setAttribute('aria-label', label);
    this.#choices.append(button);
    return button;
  }

  /** It is under way: from now on it can only be cancelled. Returns the signal for that, which follows another. */
  begin(label, over) {
    const controller = new AbortController();
    const focused = this.#choices.contains(document.activeElement);
    this.#choices.replaceChildren();
    const cancel = this.button(t('cancel'), label);
    cancel.onclick = () => controller.abort();
    if (focused) cancel.focus();
    over.addEventListener('abort', () => controller.abort(), { signal: controller.signal });
    this.#progress.hidden = false; // and without a value until something has come
    return controller.signal;
  }

  show(done, total) {
    this.#progress.value = total > 0 ? done / total : 1;
    this.status('');
  }

  status(text) {
    if (this.#status.textContent !== text) this.#status.textContent = text;
  }

  end(text) {
    const focused = this.#choices.contains(document.activeElement);
    this.#progress.hidden = true;
    this.#choices.remove();
    this.status(text);
    if (focused) $('log').focus();
  }
}

// Where a large file goes, if the browser lets a page write one: the person chooses.
async function writableFor({ name, size }) {
  if (size < LARGE || !globalThis.showSaveFilePicker) return null;
  return (await showSaveFilePicker({ suggestedName: name })).createWritable();
}

function save(blob, name) {
  const href = URL.createObjectURL(blob);
  Object.assign(document.createElement('a'), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000); // once the browser has it
}

function reason({ code, name }) {
  if (code === 'declined') return t('fileDeclined');
  if (code === 'cancelled' || name === 'AbortError') return t('fileCancelled');
  return code === 'unsupported' ? t('fileUnsupported') : t('fileNot');
}
