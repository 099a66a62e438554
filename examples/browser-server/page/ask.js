// A question over the page: one of a few things to do, or none of them.

const dialog = document.getElementById('ask');
const [title, text, list] = ['ask-title', 'ask-text', 'ask-choices'].map((id) => document.getElementById(id));
let answer = null; // resolves the question that is open

/**
 * Asks, and resolves with the key of what was chosen, null for nothing. choices are {key, words, danger, disabled}; the
 * cursor is on none of them.
 */
export function ask(question) {
  settle(null);
  title.textContent = question.title;
  text.textContent = question.text ?? '';
  text.hidden = !question.text;
  list.replaceChildren(...question.choices.map(button));
  dialog.showModal();
  return new Promise((resolve) => { answer = resolve; });
}

/** Takes the question back. */
export const hide = () => settle(null);

function button({ key, words, danger = false, disabled = false }) {
  const element = document.createElement('button');
  Object.assign(element, { type: 'button', textContent: words, disabled, className: danger ? 'danger' : '' });
  element.dataset.choice = key;
  element.onclick = () => settle(key);
  return element;
}

function settle(key) {
  const resolve = answer;
  answer = null;
  if (dialog.open) dialog.close();
  resolve?.(key);
}

dialog.querySelector('[autofocus]').onclick = hide;
dialog.onclick = (event) => { if (event.target === dialog) hide(); }; // outside of it
dialog.onclose = () => { if (!dialog.open) hide(); }; // by Escape; a next question may be open already
