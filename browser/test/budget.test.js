// What of an uplink each picture gets, and what a browser is asked for by that.
import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import { test as testOf } from 'node:test';
import { Budget, divide, PICTURE, scaleOf, UPLINK } from '../budget.js';

const picture = (changes = {}) => ({ wanted: Infinity, most: PICTURE, screen: false, ...changes });
const many = (n, changes) => Array.from({ length: n }, () => picture(changes));
const sum = (shares) => shares.reduce((total, { bitrate }) => total + bitrate, 0);

let timers; // those of the test that runs
const test = (name, run) => testOf(name, (t) => {
  ({ timers } = t.mock);
  timers.enable({ apis: ['setTimeout'] });
  return run(t);
});

test('the table: as many pictures as a room has', () => {
  const table = [1, 2, 3, 4, 5, 6, 7, 8, 16, 40].map((n) => [n, divide(UPLINK, many(n))[0]]);
  assert.deepEqual(table.map(([n, { bitrate, height }]) => [n, Math.floor(bitrate / 10_000) / 100, height]), [
    [1, 1.4, 720], [2, 1.4, 720], [3, 1.33, 720], [4, 1, 720], [5, 0.8, 540], [6, 0.66, 540], [7, 0.57, 480], [8, 0.5, 480], [16, 0.25, 360], [40, 0.1, 180],
  ]);
  assert.deepEqual(divide(UPLINK, []), []);
});

test('more pictures get no more, a wider uplink gives no less, and nothing is spent twice', () => {
  for (let uplink = 10_000; uplink < 40_000_000; uplink *= 1.7) {
    let before = { bitrate: Infinity, height: Infinity };
    for (let n = 1; n <= 64; n++) {
      const shares = divide(uplink, many(n));
      const [share] = shares;
      assert.ok(sum(shares) <= uplink, `${n} at ${uplink}`);
      assert.ok(share.bitrate <= before.bitrate && share.height <= before.height, `${n} at ${uplink}`);
      const [wider] = divide(uplink * 1.3, many(n));
      assert.ok(wider.bitrate >= share.bitrate && wider.height >= share.height, `${n} at ${uplink}`);
      before = share;
    }
  }
});

test('what one has no use for, the others get', () => {
  const shares = divide(UPLINK, [...many(4), ...many(4, { wanted: 180 })]);
  assert.deepEqual(shares.map(({ bitrate }) => bitrate), [800_000, 800_000, 800_000, 800_000, 200_000, 200_000, 200_000, 200_000]);
  assert.deepEqual(divide(UPLINK, [...many(3), picture({ most: 100_000 })]).map(({ bitrate }) => bitrate), [1_300_000, 1_300_000, 1_300_000, 100_000]);
});

test('what a peer shows: nothing, some of it, or all', () => {
  assert.deepEqual(divide(UPLINK, [picture({ wanted: 0 }), picture()]), [{ bitrate: 0, height: 0 }, { bitrate: PICTURE, height: 720 }]);
  let before = 0;
  for (let wanted = 1; wanted < 2000; wanted++) {
    const [{ bitrate, height }] = divide(20_000_000, [picture({ wanted, most: 20_000_000 })]);
    assert.ok(bitrate >= before && bitrate > 0 && height <= wanted);
    before = bitrate;
  }
});

test('a screen keeps its size, and shares the rest', () => {
  const [screen, camera] = divide(1_000_000, [picture({ screen: true }), picture()]);
  assert.deepEqual([screen, camera], [{ bitrate: 500_000, height: Infinity }, { bitrate: 500_000, height: 480 }]);
  assert.equal(divide(UPLINK, [picture({ screen: true, wanted: 360 })])[0].height, 360);
});

test('how far a picture is scaled down', () => {
  assert.equal(scaleOf({ width: 1280, height: 720 }, { height: 480 }, Infinity), 1.5);
  assert.equal(scaleOf({ width: 720, height: 1280 }, { height: 480 }, Infinity), 1.5);
  assert.equal(scaleOf({ width: 720, height: 1280 }, { height: 480 }, 320), 4);
  assert.equal(scaleOf({ width: 320, height: 240 }, { height: 480 }, Infinity), 1);
  assert.equal(scaleOf({}, { height: 480 }, 180), 1);
  assert.equal(scaleOf({ width: 3840, height: 2160 }, { height: Infinity }, Infinity), 1);
});

// A browser's RTCRtpSender: refuses says what it does not take; ready is false as long as it has no encodings.
class Rtp {
  encodings = [{ active: true }];

  ready = true;

  calls = [];

  taken = Promise.resolve(); // when the browser has taken what it was given

  #last = null;

  #busy = false;

  constructor(refuses = () => false) { this.refuses = refuses; }

  getParameters() {
    this.#last = { encodings: this.ready ? structuredClone(this.encodings) : [] };
    return this.#last;
  }

  async setParameters(parameters) {
    assert.equal(parameters, this.#last, 'parameters that are not those of getParameters');
    assert.ok(!this.#busy, 'two at once');
    this.#busy = true;
    this.#last = null;
    this.calls.push(parameters);
    await this.taken;
    this.#busy = false;
    if (this.refuses(parameters)) throw new TypeError('no such field');
    this.encodings = structuredClone(parameters.encodings);
  }
}

let ids = 0;
const track = (width, height, contentHint = 'motion') => ({ contentHint, getSettings: () => ({ width, height }) });
const camera = (changes) => ({ id: `${ids++}`, kind: 'video', name: 'camera', muted: false, maxBitrate: null, track: track(1280, 720), ...changes });
const uplinkOf = (uplink) => {
  const budget = new Budget(uplink);
  return { budget, add: (peer, legs, wanted = () => Infinity, most = () => Infinity) => budget.use({ peer, wanted, most, legs: () => legs }) };
};
const settled = async () => {
  timers.tick(1000);
  await setImmediate();
};
const bitrateOf = ({ encodings }) => encodings[0].maxBitrate;

async function warnings(act) {
  const { warn } = console;
  const said = [];
  console.warn = (text) => said.push(text);
  await act();
  console.warn = warn;
  return said;
}

test('budget: divided over peers, again when one comes or goes, and with no call that changes nothing', async () => {
  const { budget, add } = uplinkOf();
  const sender = camera();
  const rtps = [new Rtp(), new Rtp(), new Rtp(), new Rtp()];
  const ends = rtps.map((rtp, i) => add(`peer ${i}`, [{ sender, rtp }]));
  await settled();
  for (const rtp of rtps) assert.deepEqual(rtp.encodings, [{ active: true, maxBitrate: 1_000_000, scaleResolutionDownBy: 1 }]);
  budget.changed();
  await settled();
  assert.deepEqual(rtps.map(({ calls }) => calls.length), [1, 1, 1, 1]);
  ends[0]();
  ends[1]();
  await settled();
  assert.deepEqual(rtps.map(({ calls }) => calls.length), [1, 1, 2, 2]);
  assert.equal(bitrateOf(rtps[3]), PICTURE);
  assert.equal(rtps[3].calls[0].degradationPreference, 'maintain-framerate');
});

test('budget: a connection that takes the place of another shares with it', async () => {
  const { add } = uplinkOf(1_000_000);
  const sender = camera();
  const [old, next, other] = [new Rtp(), new Rtp(), new Rtp()];
  add('a', [{ sender, rtp: old }]);
  add('a', [{ sender, rtp: next }]);
  add('b', [{ sender, rtp: other }]);
  await settled();
  assert.deepEqual([old, next, other].map(bitrateOf), [500_000, 500_000, 500_000]);
});

test('budget: another camera, a mute, what is shown', async () => {
  const { budget, add } = uplinkOf(1_000_000);
  const [sender, screen] = [camera(), camera({ name: 'screen', track: track(1920, 1080, 'detail') })];
  const [rtp, sharp] = [new Rtp(), new Rtp()];
  let shown = Infinity;
  add('a', [{ sender, rtp }, { sender: screen, rtp: sharp }], ({ id }) => (id === sender.id ? shown : Infinity));
  const after = async (act) => {
    act();
    budget.changed();
    await settled();
    return [rtp.encodings[0], sharp.encodings[0]];
  };
  const [first, still] = await after(() => {});
  assert.deepEqual(first, { active: true, maxBitrate: 500_000, scaleResolutionDownBy: 1.5 });
  assert.deepEqual(still, { active: true, maxBitrate: 500_000, scaleResolutionDownBy: 1 });
  assert.equal(sharp.calls[0].degradationPreference, 'maintain-resolution');
  assert.equal((await after(() => { sender.track = track(640, 480); }))[0].scaleResolutionDownBy, 1);
  const [muted, alone] = await after(() => { sender.muted = true; });
  assert.equal(muted.maxBitrate, 500_000);
  assert.equal(alone.maxBitrate, 1_000_000);
  const [hidden, whole] = await after(() => {
    sender.muted = false;
    shown = 0;
  });
  assert.equal(hidden.active, false);
  assert.equal(whole.maxBitrate, 1_000_000);
  assert.deepEqual((await after(() => { shown = 240; }))[0], { active: true, maxBitrate: 300_000, scaleResolutionDownBy: 2 });
});

test('budget: no more than a peer can be sent, shared by the pictures to it', async () => {
  const { budget, add } = uplinkOf();
  const [sender, second, voice] = [camera(), camera(), camera({ kind: 'audio' })];
  const [narrow, beside, sound, wide] = [new Rtp(), new Rtp(), new Rtp(), new Rtp()];
  let most = Infinity;
  const legs = [{ sender, rtp: narrow }, { sender: voice, rtp: sound }];
  add('a', legs, undefined, () => most);
  add('b', [{ sender, rtp: wide }]);
  await settled();
  assert.deepEqual([narrow, wide].map(bitrateOf), [PICTURE, PICTURE]);
  const after = async (bitrate) => {
    most = bitrate;
    budget.changed();
    await settled();
  };
  await after(240_000);
  assert.deepEqual(narrow.encodings, [{ active: true, maxBitrate: 240_000, scaleResolutionDownBy: 2 }]);
  legs.push({ sender: second, rtp: beside });
  await after(240_000);
  assert.deepEqual([narrow, beside, wide].map(bitrateOf), [120_000, 120_000, PICTURE]);
  assert.equal(bitrateOf(sound), undefined);
  second.muted = true;
  await after(240_000);
  assert.equal(bitrateOf(narrow), 240_000);
});

test('budget: sound goes first, with what its publisher says', async () => {
  const { add } = uplinkOf();
  const [voice, music] = [new Rtp(), new Rtp()];
  add('a', [{ sender: camera({ kind: 'audio' }), rtp: voice }, { sender: camera({ kind: 'audio', maxBitrate: 128_000 }), rtp: music }]);
  await settled();
  assert.deepEqual(voice.encodings, [{ active: true, priority: 'high', networkPriority: 'high' }]);
  assert.deepEqual(music.encodings, [{ active: true, priority: 'high', networkPriority: 'high', maxBitrate: 128_000 }]);
});

test('budget: several encodings, which the page has made, keep their sizes, also where the browser refuses once', async () => {
  const { budget, add } = uplinkOf();
  const sender = camera();
  let refusals = 0;
  const rtp = new Rtp(() => refusals-- > 0);
  const sizes = [{ rid: 'l', scaleResolutionDownBy: 4 }, { rid: 'm' }, { rid: 'h', maxBitrate: 700_000 }];
  rtp.encodings = sizes.map((encoding) => ({ active: encoding.rid !== 'm', ...encoding }));
  let shown = Infinity;
  add('a', [{ sender, rtp }], () => shown);
  for (const [height, ...active] of [[Infinity, true, false, true], [0, false, false, false], [180, true, false, true]]) {
    shown = height;
    refusals = 1;
    budget.changed();
    await settled();
    assert.deepEqual(rtp.encodings, sizes.map((encoding, i) => ({ active: active[i], ...encoding })));
  }
});

test('budget: one at a time, and the last counts', async () => {
  const { budget, add } = uplinkOf();
  const sender = camera();
  const rtp = new Rtp();
  add('a', [{ sender, rtp }]);
  let take;
  rtp.taken = new Promise((resolve) => { take = resolve; });
  for (const maxBitrate of [100_000, 200_000, 300_000]) {
    sender.maxBitrate = maxBitrate;
    budget.changed();
    await settled();
  }
  assert.equal(rtp.calls.length, 1);
  take();
  await settled();
  assert.deepEqual(rtp.calls.map(bitrateOf), [100_000, 300_000]);
});

test('budget: before there are encodings, and in browsers that refuse', async () => {
  const { budget, add } = uplinkOf();
  const [early, plain, free, never] = [new Rtp(), new Rtp(({ degradationPreference }) => degradationPreference), new Rtp(({ encodings }) => encodings[0].maxBitrate), new Rtp(() => true)];
  early.ready = false;
  const sender = camera();
  const said = await warnings(async () => {
    for (const rtp of [early, plain, free, never]) add(`${ids++}`, [{ sender, rtp }]);
    await settled();
    assert.deepEqual(early.calls, []);
    early.ready = true;
    budget.changed();
    await settled();
  });
  assert.deepEqual([early, plain].map(bitrateOf), [1_000_000, 1_000_000]);
  assert.deepEqual([free, never].map(({ calls }) => calls.length), [3, 3]);
  assert.equal(said.length, 1);
  assert.match(said[0], /no such field/);
});

test('budget: nobody cares what a connection refuses that is over', async () => {
  const { add } = uplinkOf();
  const rtp = new Rtp(() => true);
  const end = add('a', [{ sender: camera(), rtp }]);
  assert.deepEqual(await warnings(async () => {
    rtp.refuses = () => {
      end();
      return true;
    };
    await settled();
  }), []);
});
