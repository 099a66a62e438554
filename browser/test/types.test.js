// noom.d.ts names what noom.js has, and nothing else. What the types say is
// checked by tsc, over usage.ts.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import * as noom from '../noom.js';

const declared = readFileSync(new URL('../noom.d.ts', import.meta.url), 'utf8');

test('everything exported is declared, with every public member', () => {
  const declarations = new Set([...declared.matchAll(/^export (?:class|function) (\w+)/gm)].map((m) => m[1]));
  assert.deepEqual([...declarations].sort(), Object.keys(noom).sort());
  for (const [name, value] of Object.entries(noom)) {
    if (!value.prototype) continue;
    const [, body] = new RegExp(`^export class ${name}\\b[^{]*{(.*?)^}`, 'ms').exec(declared);
    for (const member of Object.getOwnPropertyNames(value.prototype)) {
      if (member !== 'constructor') assert.match(body, new RegExp(`\\b${member}\\b`), `${name}.${member}`);
    }
  }
});
