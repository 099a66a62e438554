// Every language says everything.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import test from 'node:test';
import './navigator.js';
import { LANGUAGES, pick } from '../strings.js';
import { words as en } from '../strings_en.js';

const load = (code) => import(`../strings_${code}.js`);

test('strings: the languages are those that there is a file of', () => {
  const files = readdirSync(new URL('..', import.meta.url)).flatMap((name) => /^strings_(.+)\.js$/.exec(name)?.[1] ?? []);
  assert.deepEqual(LANGUAGES.toSorted(), files.sort());
});

// What a text says of the values that are filled in, in the order of the values.
const filled = (text) => Array.from({ length: text.length }, (_, i) => `{${i + 1}}`).filter((mark, i, marks) => text(...marks).includes(mark));

for (const code of LANGUAGES) {
  test(`strings: ${code} has the keys of the others, in their order, with the same values to fill in`, async () => {
    const { dir, words } = await load(code);
    assert.ok(['ltr', 'rtl'].includes(dir));
    assert.deepEqual(Object.keys(words), Object.keys(en));
    for (const [key, text] of Object.entries(en)) {
      assert.equal(typeof words[key], typeof text, key);
      if (typeof text !== 'function') {
        assert.equal(words[key] === '', text === '', key);
        continue;
      }
      assert.equal(words[key].length, text.length, key);
      assert.deepEqual(filled(words[key]), filled(text), key);
    }
  });
}

test('strings: a language is one of those that the person reads, whatever the country', () => {
  assert.equal(pick(['ja-JP', 'en']), 'ja');
  assert.equal(pick(['fr-CA', 'KO']), 'ko');
  assert.equal(pick(['kok', 'jam-JM', 'enm']), 'en'); // Konkani, Jamaican Creole and Middle English are none of ours
  assert.equal(pick([]), 'en');
});

test('strings: there are words for whatever noom.js finds of a connection that is not well', async () => {
  const types = await readFile(new URL('../../../../browser/noom.d.ts', import.meta.url), 'utf8');
  const [, list] = /export type Verdict =(.*?;)\n\n/s.exec(types);
  const verdicts = [...list.matchAll(/\| '([^']+)'/g)].map(([, verdict]) => verdict).filter((verdict) => verdict !== 'connected');
  assert.ok(verdicts.length > 10);
  for (const verdict of verdicts) assert.equal(typeof en[`verdict_${verdict}`], 'string', verdict);
});
