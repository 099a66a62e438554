// Before the call: nickname and room, and the rooms that are open; camera and microphone are in preview.js.

import { roomInAddress } from './address.js';
import * as preview from './preview.js';
import { t } from './strings.js';

const lobby = document.getElementById('lobby');
const form = document.getElementById('join');
const rooms = document.getElementById('rooms');
const noRooms = document.getElementById('no-rooms');
const submit = form.querySelector('button');
let feed = null; // the live list, while the lobby is shown
let pressed = false; // the button to join, which cannot keep the focus while it is off

/** Shows the lobby; enter({name, room}) is called when the form is sent. */
export function show(enter) {
  lobby.hidden = false;
  busy(false);
  preview.draw();
  fromHash(form.elements.room.value);
  form.noValidate = false; // now it has the room in the address
  form.onsubmit = (event) => {
    event.preventDefault();
    if (submit.disabled) return; // a room in the list was pressed too
    localStorage.setItem('name', form.elements.name.value);
    enter({ name: form.elements.name.value, room: form.elements.room.value });
  };
  watch();
}

// The browser redials what breaks off, but not what the hub refuses: too many may watch just now.
function watch() {
  if (feed) return;
  const source = new EventSource('rooms');
  feed = source;
  source.onmessage = ({ data }) => list(JSON.parse(data));
  source.onerror = () => {
    if (source.readyState !== EventSource.CLOSED || feed !== source) return;
    setTimeout(() => {
      if (feed !== source) return;
      feed = null;
      watch();
    }, 10_000);
  };
}

export function hide() {
  lobby.hidden = true;
  preview.end();
  feed?.close();
  feed = null;
}

/** While a join is under way the form waits. */
export function busy(on) {
  if (on) pressed = document.activeElement === submit;
  submit.disabled = on;
  submit.textContent = t(on ? 'joining' : 'join');
  if (!on && pressed && document.activeElement === document.body) submit.focus();
}

/** Takes the focus: what had it is gone. No button, because a key that is held down would press it. */
export function focus() {
  lobby.querySelector('h1').focus();
}

/** Sends the form if someone has tried to before it was shown (early.js). */
export function resume() {
  if (form.dataset.sent === undefined) return;
  delete form.dataset.sent;
  form.requestSubmit();
}

/** Fills in the form and sends it. */
export function submitAs(name) {
  form.elements.name.value = name;
  form.requestSubmit();
}

function list(open) {
  noRooms.hidden = open.length > 0;
  const had = rooms.contains(document.activeElement) ? document.activeElement.dataset.room : null;
  rooms.replaceChildren(...open.map(({ name, members }) => {
    const item = document.createElement('li');
    const button = document.createElement('button');
    const label = document.createElement('span');
    const count = document.createElement('span');
    button.type = 'button';
    button.dataset.room = name;
    label.textContent = name;
    count.textContent = t('people', members);
    count.className = 'quiet';
    button.append(label, count);
    button.onclick = () => {
      form.elements.room.value = name;
      if (form.elements.name.value) form.requestSubmit();
      else form.elements.name.focus();
    };
    item.append(button);
    return item;
  }));
  if (had !== null) ([...rooms.querySelectorAll('button')].find(({ dataset }) => dataset.room === had) ?? lobby.querySelector('h1')).focus();
}

function fromHash(typed) {
  const room = roomInAddress();
  if (room && !typed) form.elements.room.value = room;
}

addEventListener('hashchange', () => fromHash(''));
form.elements.name.value ||= localStorage.getItem('name') ?? ''; // unless something was typed already
