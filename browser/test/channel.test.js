// The order of sends that wait, at a channel whose buffer the test fills.

import assert from 'node:assert/strict';
import test from 'node:test';
import { Channel } from '../channel.js';

const turn = () => new Promise((resolve) => { setImmediate(resolve); });

function full() {
  const sent = [];
  const dc = { label: 'x', readyState: 'open', bufferedAmount: 2 << 20, send: (bytes) => sent.push(new TextDecoder().decode(bytes)), close() {} };
  const connection = { whole: true };
  const channel = new Channel(dc, (hooks) => Object.assign(connection, hooks), () => connection.whole);
  return { sent, dc, channel, connection };
}

test('no send overtakes one that waits', async () => {
  const { sent, dc, channel } = full();
  const first = channel.send('하나');
  dc.bufferedAmount = 1 << 19; // there is room, which was not reported yet
  const second = channel.send('둘');
  await turn();
  dc.onbufferedamountlow();
  await Promise.all([first, second]);
  assert.deepEqual(sent, ['하나', '둘']);
});

test('sends that wait are refused when the channel is closed', async () => {
  const { sent, channel } = full();
  const waiting = ['하나', '둘'].map((text) => channel.send(text).catch((error) => error.code));
  channel.close();
  assert.deepEqual(await Promise.all(waiting), ['closed', 'closed']);
  assert.deepEqual(sent, []);
});

// Go that leaves closes its channels and soon after the connection, of which a page may hear first.
test('a channel that is closing when its connection ends is not lost', async () => {
  for (const [closing, whole, end] of [[false, true, 'channel_lost'], [true, true, 'null'], [true, false, 'channel_lost']]) {
    const { dc, channel, connection } = full();
    dc.onmessage({ data: new Uint8Array(3).buffer });
    connection.whole = whole;
    if (closing) dc.onclosing();
    connection.lose();
    assert.equal((await channel.receive()).length, 3);
    assert.equal(await channel.receive().then(String, (error) => error.code), end);
  }
});
