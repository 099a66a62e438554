// Every word the page says. Each language is a file of its own, strings_CODE.js, of which a page loads one: another needs
// that file, with the keys of the others, and its code below. dir is the direction in which it is written, ltr or rtl.

const FILES = {
  en: () => import('./strings_en.js'),
  ko: () => import('./strings_ko.js'),
  ja: () => import('./strings_ja.js'),
};

export const LANGUAGES = Object.keys(FILES);

/** The first language of these, as browsers name them, that the page knows; else English. */
export const pick = (wanted) => wanted.map((name) => name.split('-')[0].toLowerCase()).find((code) => LANGUAGES.includes(code)) ?? 'en';

/** The language of the page. */
export const language = pick(navigator.languages);

const { dir, words } = await FILES[language]();

/** The words for a key, in the language of the browser. */
export function t(key, ...values) {
  if (!Object.hasOwn(words, key)) return undefined; // codes come from the hub
  const text = words[key];
  return typeof text === 'function' ? text(...values) : text;
}

/** What to say about an error of noom.js. */
export const errorText = (error) => (error.code === 'insecure_context' ? t('insecure') : t(error.code) ?? t('otherError', error.code ?? error.name));

/** Fills in the words of every element that names them. */
export function translate(root) {
  Object.assign(document.documentElement, { lang: language, dir });
  for (const e of root.querySelectorAll('[data-t]')) e.textContent = t(e.dataset.t);
  for (const e of root.querySelectorAll('[data-t-label]')) e.setAttribute('aria-label', t(e.dataset.tLabel));
  for (const e of root.querySelectorAll('[data-t-title]')) e.title = t(e.dataset.tTitle);
  for (const e of root.querySelectorAll('[data-t-placeholder]')) e.placeholder = t(e.dataset.tPlaceholder);
}
