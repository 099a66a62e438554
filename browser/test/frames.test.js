// What a peer can make a link's frames do.
import assert from 'node:assert/strict';
import test from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { encode } from '../codec.js';
import { Conduct } from '../conduct.js';
import { Frames } from '../frames.js';
import { Identity, cardText, newSession, pairText } from '../identity.js';
import { MAX } from '../limits.js';

// A link between us and a peer that signs what it says; ready: it is our turn to build.
async function linked({ ready = true } = {}) {
  const [us, them] = [await Identity.generate(), await Identity.generate()];
  const sessions = [newSession(), newSession()]; // theirs, ours
  const seen = { accepted: [], stale: 0, floods: 0, asked: 0, sent: [] };
  const link = {
    ready, wait: () => { seen.asked++; return !link.ready; }, allow: () => true,
    answer: null, // what a message is answered with
    accepted: ({ messages, via }) => {
      seen.accepted.push(...messages.map((m) => m.type));
      if (link.answer && messages.length > 0) frames.send({ type: link.answer }, via === null);
    },
    stale: () => seen.stale++,
    failed: (error) => { throw error; }, flooded: () => seen.floods++,
  };
  const sends = (way) => (frame, again) => {
    const { type, seq = 0 } = JSON.parse(frame.split('\n')[0]);
    seen.sent.push(way === 'in-band' && again === undefined ? 'probe' : `${way}: ${type} ${seq}`);
    return true;
  };
  const frames = new Frames({
    self: { identity: us, session: sessions[1], room: 'r' }, member: () => ({ id: them.id, key: them.key, session: sessions[0] }),
    hub: { send: sends('hub'), online: true }, connections: { sendControl: sends('in-band') }, conduct: new Conduct(), link,
  });
  const say = async (type, seq) => {
    const m = { type, to: us.id, sessions, epoch: [1, them.id], seq, ack: 0 };
    return { ...m, signature: await them.sign(pairText(m, 'r', them.id)) };
  };
  const carded = async (offer, room = 'r') => ({ offer, signature: await them.sign(cardText(room, sessions[0], offer)) });
  const card = (body, room) => carded(new Uint8Array(deflateRawSync(body)), room);
  return { frames, link, seen, say, card, carded };
}

// Resolves once all that has come is taken, or dropped.
const taken = (frames) => new Promise((resolve) => { frames.whenTaken(resolve); });

const soon = () => new Promise((resolve) => { setTimeout(resolve, 20); });

test('a flood over the control channel is dropped, and then ends the connection', async () => {
  const { frames, seen } = await linked();
  for (let i = 0; i < 5_000; i++) frames.control('{"type":"ask"}', 'via');
  assert.equal(seen.floods, 0);
  for (let i = 0; i < 5_000 && seen.floods === 0; i++) frames.control('{"type":"ask"}', 'via'); // on a busy machine more than 50
  assert.ok(seen.floods > 0);
  await taken(frames);
  assert.deepEqual(seen.accepted, []);
  frames.close();
});

test('the card of a newcomer is its first frame', async () => {
  const { frames, link, seen, card } = await linked();
  link.answer = 'answer';
  frames.card(await card('{"id":1}'));
  await taken(frames);
  await soon();
  assert.deepEqual(seen.accepted, ['offer']);
  assert.deepEqual(seen.sent, ['in-band: answer 1', 'hub: answer 1'], 'by hub too, by which the offer came');
  frames.card(await card('{"id":1,"again":true}'));
  await taken(frames);
  assert.deepEqual(seen.accepted, ['offer'], 'nothing, once there is an epoch');
  frames.close();
});

test('a card waits for our turn', async () => {
  const { frames, link, seen, card } = await linked({ ready: false });
  frames.card(await card('{"id":1}'));
  await taken(frames);
  assert.deepEqual([seen.asked, seen.accepted], [1, []]);
  link.ready = true;
  frames.release();
  assert.deepEqual(seen.accepted, ['offer']);
  frames.close();
});

test('a card that is none is ignored', async () => {
  const { frames, seen, card, carded } = await linked();
  const [good, other] = [await card('{"id":1}'), await card('{"id":1,"other":true}')];
  frames.card({ offer: other.offer, signature: good.signature });
  frames.card(await card('{"id":1}', 'another room'));
  frames.card(await card(Buffer.alloc(MAX.frame + 1)));
  frames.card(await card(Buffer.from([0xff])));
  for (const offer of [new Uint8Array([1, 2, 3]), other.offer.slice(0, 5)]) {
    frames.card(await carded(offer));
  }
  await taken(frames);
  assert.deepEqual(seen.accepted, []);
  frames.card(good);
  await taken(frames);
  assert.deepEqual(seen.accepted, ['offer']);
  frames.close();
});

test('frames wait to be verified, a bounded number of them, and go on behind it', async () => {
  const { frames, seen, say } = await linked();
  const ask = encode(await say('ask', 1));
  for (let i = 0; i < 3_000; i++) frames.control(ask, 'via');
  await taken(frames);
  assert.deepEqual(seen.accepted, ['ask']);
  frames.control(encode(await say('grant', 2)), 'via');
  await taken(frames);
  assert.deepEqual(seen.accepted, ['ask', 'grant']);
  frames.close();
});

test('what would have us build before our turn is held until then', async () => {
  const { frames, link, seen, say } = await linked({ ready: false });
  for (const seq of [1, 2, 3]) frames.receive(await say('ask', seq));
  for (let seq = 4; seq < 90; seq++) frames.receive(await say('ask', seq)); // more than are held
  await taken(frames);
  assert.deepEqual([seen.accepted.length, seen.asked > 0], [0, true]);
  link.ready = true;
  frames.release();
  assert.deepEqual(seen.accepted, Array(32).fill('ask'));
  frames.close();
});

// Of what a busy end acknowledges late there are several sendings by each way: only the first of them says whether a frame
// went by hub at once.
test('what answers a frame by hub goes both ways, and all else only when it is repeated', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const { frames, link, seen, say } = await linked();
  link.answer = 'grant';
  const sends = async (act, ...want) => {
    act();
    await taken(frames);
    frames.probe(); // behind all else
    while (!seen.sent.includes('probe')) await soon();
    assert.deepEqual(seen.sent.splice(0), [...want, 'probe']);
  };
  const [byHub, inBand] = [await say('ask', 1), encode(await say('ask', 2))];
  await sends(() => frames.receive(byHub), 'in-band: grant 1', 'hub: grant 1');
  await sends(() => t.mock.timers.tick(1_000), 'in-band: grant 1', 'hub: grant 1');
  await sends(() => frames.control(inBand, 'via'), 'in-band: grant 2');
  await sends(() => t.mock.timers.tick(1_000), 'in-band: grant 2', 'hub: grant 2');
  frames.close();
});

test('a peer that acknowledges nothing loses its connection, and no more waits for it', async () => {
  const { frames, link } = await linked();
  let failed = 0;
  link.failed = (error) => { assert.equal(error.code, 'not_connected'); failed++; };
  frames.begin();
  for (let i = 0; i < 256; i++) frames.send({ type: 'table', body: '{}' }, false);
  assert.equal(failed, 0);
  frames.send({ type: 'table', body: '{}' }, false);
  assert.equal(failed, 1);
  frames.close();
});

// Does each step in turn, [does, ...wants], and compares what is sent after it. A probe marks the end of that.
async function steps({ frames, seen }, list) {
  for (const [does, ...wants] of list) {
    await does();
    await taken(frames);
    frames.probe();
    while (!seen.sent.includes('probe')) await new Promise(setImmediate);
    assert.deepEqual(seen.sent.splice(0), [...wants, 'probe'], does.toString());
  }
}

test('an acknowledgement waits for a frame on which to travel, but not for long', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  const link = await linked();
  const { frames, say } = link;
  const inBand = async (type, seq) => frames.control(encode(await say(type, seq)), 'via');
  const byHub = async (type, seq) => frames.receive(await say(type, seq));
  const pass = (ms) => () => t.mock.timers.tick(ms);
  const ack = 'in-band: ack 0';
  await steps(link, [
    [() => inBand('ask', 1)],
    [pass(49)],
    [() => inBand('ask', 2)],
    [pass(1), ack], // for both
    [pass(1_000)],
    [() => inBand('ask', 3)],
    [pass(25)],
    [() => frames.send({ type: 'grant' }), 'in-band: grant 1'], // along with that
    [() => inBand('ask', 4)],
    [pass(49)],
    [pass(1), ack],
    [() => inBand('ask', 4), ack], // a repetition
    [() => inBand('table', 5), ack],
    [() => byHub('ask', 6)],
    [pass(50), ack, 'hub: ack 0'], // by the way the frame came, too
    [() => byHub('ask', 7)],
    [() => frames.send({ type: 'grant' }), 'in-band: grant 2', 'hub: grant 2'],
    [() => frames.send({ type: 'grant' }), 'in-band: grant 3'],
    [() => byHub('ask', 8)],
    [() => frames.connected()], // nothing is late
    [pass(50), ack], // the connection has come up since
    [() => frames.resend(), ...[1, 2, 3].flatMap((n) => [`in-band: grant ${n}`, `hub: grant ${n}`])],
    [() => inBand('left', 9), ack],
  ]);
  frames.close();
});

test('the timer of an acknowledgement ends with the link', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  const link = await linked();
  const { frames, say } = link;
  const ask = encode(await say('ask', 1));
  await steps(link, [
    [() => frames.control(ask, 'via')],
    [() => { frames.close(); frames.reopen(); }],
    [() => t.mock.timers.tick(50)],
    [() => frames.control(ask, 'via'), 'in-band: ack 0'],
  ]);
  frames.close();
});

test('an acknowledgement waits for no timer that may come late', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  globalThis.document = { hidden: true };
  t.after(() => { delete globalThis.document; });
  const link = await linked();
  await steps(link, [[async () => link.frames.control(encode(await link.say('ask', 1)), 'via'), 'in-band: ack 0']]);
  globalThis.document.hidden = false;
  await steps(link, [[async () => link.frames.control(encode(await link.say('ask', 2)), 'via')]]);
  link.frames.close();
});
