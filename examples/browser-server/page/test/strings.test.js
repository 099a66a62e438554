// Every language says everything.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import test from 'node:test';

globalThis.navigator ??= { languages: [] }; // Node 20 has none
const { STRINGS } = await import('../strings.js');

test('strings: each language has the keys of the others, with as many values to fill in', () => {
  const { en, ...others } = STRINGS;
  for (const [language, words] of Object.entries(others)) {
    assert.deepEqual(Object.keys(words).sort(), Object.keys(en).sort(), language);
    for (const [key, text] of Object.entries(en)) {
      assert.equal(typeof words[key], typeof text, `${language}: ${key}`);
      if (typeof text === 'function') assert.equal(words[key].length, text.length, `${language}: ${key}`);
    }
  }
});

test('strings: there are words for whatever noom.js finds of a connection that is not well', async () => {
  const types = await readFile(new URL('../../../../browser/noom.d.ts', import.meta.url), 'utf8');
  const [, list] = /export type Verdict =(.*?;)\n\n/s.exec(types);
  const verdicts = [...list.matchAll(/\| '([^']+)'/g)].map(([, verdict]) => verdict).filter((verdict) => verdict !== 'connected');
  assert.ok(verdicts.length > 10);
  for (const verdict of verdicts) assert.equal(typeof STRINGS.en[`verdict_${verdict}`], 'string', verdict);
});
