// Who is typing: a line under the chat.

import { t } from './strings.js';

const line = document.getElementById('typing');
const SHOWN = 5000; // ms after a sign of it

export class Typists {
  #typing = new Map(); // id → {name, timer}, the first one first

  add(id, name) {
    clearTimeout(this.#typing.get(id)?.timer);
    this.#typing.set(id, { name, timer: setTimeout(() => this.remove(id), SHOWN) });
    this.#draw();
  }

  remove(id) {
    clearTimeout(this.#typing.get(id)?.timer);
    if (this.#typing.delete(id)) this.#draw();
  }

  clear() {
    for (const id of [...this.#typing.keys()]) this.remove(id);
  }

  #draw() {
    const names = [...this.#typing.values()].map(({ name }) => name);
    line.textContent = names.length === 0 ? '' : t(names.length > 2 ? 'typingMany' : `typing${names.length}`, ...names);
  }
}
