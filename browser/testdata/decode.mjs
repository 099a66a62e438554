// Reads lines of `kind base64` and writes, for each, the code that noom.js's
// decoder refuses it with; nothing if it takes it. decoder_test.go compares
// that with what Go says of the same bytes.

import { createInterface } from 'node:readline';
import { decodeBody } from '../body.js';
import { decode } from '../codec.js';
import { isGenuine } from '../identity.js';

const verdicts = [];
for await (const line of createInterface({ input: process.stdin })) {
  const [kind, text] = line.split(' ');
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  let code = '';
  try {
    if (kind === 'frame') {
      // Whether an id follows from its key takes a hash, so decode leaves it to its caller.
      const { type, self } = decode(bytes);
      if (type === 'joined' && !(await isGenuine(self))) code = 'malformed';
    } else {
      decodeBody(kind, new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
    }
  } catch (error) {
    code = error.code ?? `${error}`;
    if (error instanceof TypeError && error.code === 'ERR_ENCODING_INVALID_ENCODED_DATA') code = 'malformed';
  }
  verdicts.push(code);
}
console.log(verdicts.join('\n'));
