// The rows of the matrix about what members say to each other, and know of each other.

import { until } from './selftest_pair.js';

const decode = (bytes) => new TextDecoder().decode(bytes);

export const messages = {
  async data({ a, b }) {
    const sizes = Array.from({ length: 60 }, (_, i) => 1 + Math.round((61_439 * i) / 59));
    let took = 0;
    for (const [from, to] of [[a, b], [b, a]]) {
      to.forget();
      const begun = performance.now();
      for (const [i, size] of sizes.entries()) await from.other.send(new Uint8Array(size).fill(i));
      await until('all messages', () => to.happened('datareceived').length >= sizes.length);
      took = Math.max(took, performance.now() - begun);
      const wrong = to.happened('datareceived').findIndex(({ data }, i) => data.length !== sizes[i] || data.some((v) => v !== i));
      if (wrong >= 0) throw new Error(`message ${wrong} is not what was sent`);
    }
    return `1.8 MB in ${Math.round(took)} ms`;
  },

  async channel({ a, b }) {
    for (const options of [{}, { unordered: true, maxRetransmits: 3 }, { maxLifetime: 5000 }]) {
      b.forget();
      const ours = await a.other.openChannel('self-test', options);
      await until('the channel', () => b.happened('channelopened').length === 1);
      const [{ channel: theirs }] = b.happened('channelopened');
      await ours.send('there');
      if (decode(await theirs.receive()) !== 'there') throw new Error('another message than was sent');
      await theirs.send('and back');
      if (decode(await ours.receive()) !== 'and back') throw new Error('another message back than was sent');
      theirs.close();
      if ((await ours.receive()) !== null) throw new Error('a message after the end');
    }
    return 'three kinds';
  },

  async chat({ a, b }) {
    b.forget();
    await a.room.chat('안녕 👋');
    return `${await until('the message', () => b.happened('chatreceived').some(({ text, peer }) => text === '안녕 👋' && peer === b.other))} ms`;
  },

  async rename({ a, b }) {
    b.forget();
    await a.room.rename('하나');
    await until('the name', () => b.other.name === '하나' && b.happened('peerrenamed').length === 1);
    await a.room.rename(a.name);
    await until('the old name', () => b.other.name === a.name);
  },

  async safety({ a, b }) {
    const [ours, theirs] = await Promise.all([a.other.safetyNumber(), b.other.safetyNumber()]);
    if (ours.digits !== theirs.digits || ours.emoji !== theirs.emoji) throw new Error('the two see different numbers');
  },
};
