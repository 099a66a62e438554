// The chat next to the call, with arrivals and departures. Only textContent ever touches what
// people typed, and href what links.js made of it.

import { placeOf } from './earlier.js';
import { partsOf } from './links.js';
import { never, soon } from './soon.js';
import { language, t } from './strings.js';

const form = document.getElementById('chat');
const messages = document.getElementById('messages');
const log = document.getElementById('log'); // in which they scroll
const unread = document.getElementById('unread');
const toggle = document.getElementById('chat-toggle');
const call = document.getElementById('call');
const KEPT = 500; // messages
const clock = new Intl.DateTimeFormat(language, { timeStyle: 'short' });

const narrow = matchMedia('(max-width: 60rem)'); // no room for it next to the pictures

let missed = 0;
const fresh = []; // not yet shown

/** Calls say(text) for what is typed. What could not be said is put back, before what was typed since. */
export function onSay(say) {
  form.onsubmit = async (event) => {
    event.preventDefault();
    const input = form.elements.text;
    const text = input.value.trim();
    if (!text) return;
    input.value = ''; // at once: the next message can be typed while this one is on its way
    if (!(await say(text))) input.value = `${text} ${input.value}`.trim();
  };
}

/** Shows what a member said; mine: we did. */
export function said(who, text, mine = false) {
  put(lineOf(who, text), !mine);
}

/** Shows what a member said before we came or while we missed it: marked, and in its place by that time, a Date. */
export function saidBefore(who, text, sent) {
  const item = lineOf(who, text);
  item.className = 'earlier';
  item.append(timeOf(sent, `${t('earlier')} ${clock.format(sent)}`));
  add(item, sent.getTime());
}

function lineOf(who, text) {
  const item = document.createElement('li');
  const name = document.createElement('b');
  name.textContent = who;
  item.append(name, ...partsOf(text).map(part));
  return item;
}

function part({ text, href }) {
  if (!href) return text;
  const link = document.createElement('a');
  Object.assign(link, { textContent: text, href, target: '_blank', rel: 'noopener noreferrer' });
  return link;
}

// Its words are drawn by style.css, so that who copies the message does not copy them.
function timeOf(when, words = clock.format(when)) {
  const time = document.createElement('time');
  time.dateTime = when.toISOString();
  time.dataset.clock = words;
  return time;
}

/** Shows what else there is to say; fromOthers: it counts as unread while the chat is closed. */
export function put(item, fromOthers) {
  item.append(timeOf(new Date()));
  add(item);
  if (fromOthers && isClosed()) mark(missed + 1);
}

/** Calls type when something is typed. */
export function onType(type) {
  form.oninput = () => form.elements.text.value.trim() && type();
}

/** Shows that something happened, in place of a line of before if that is still there, and returns its line. */
export function happened(text, line = null) {
  if (line && (line.isConnected || fresh.includes(line))) {
    line.textContent = text;
    return line;
  }
  const item = document.createElement('li');
  item.className = 'system';
  item.textContent = text;
  add(item);
  return item;
}

export function clear() {
  never(messages);
  fresh.length = 0;
  messages.replaceChildren();
  mark(0);
  open(!narrow.matches);
}

/** Puts the cursor where one types. */
export function focus() {
  open(true);
  form.elements.text.focus();
}

function add(item, at = Date.now()) {
  item.dataset.at = at;
  fresh.push(item);
  if (fresh.length > KEPT) fresh.shift();
  soon(messages, show);
}

function show() {
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
  for (const item of fresh.splice(0)) {
    const there = [...messages.children];
    const place = item.className === 'earlier' ? placeOf(there.map(({ dataset }) => Number(dataset.at)), Number(item.dataset.at)) : there.length;
    messages.insertBefore(item, there[place] ?? null);
  }
  while (messages.childElementCount > KEPT) messages.firstElementChild.remove();
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function mark(count) {
  missed = count;
  unread.hidden = count === 0;
  unread.textContent = String(count);
  unread.title = t('unread', count);
}

function open(on) {
  call.classList.toggle('chat-closed', !on);
  toggle.setAttribute('aria-expanded', String(on));
  if (on) mark(0);
}

const isClosed = () => call.classList.contains('chat-closed');

toggle.onclick = () => open(isClosed());
narrow.onchange = () => open(!narrow.matches);
