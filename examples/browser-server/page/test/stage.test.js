// Which picture goes where.
import assert from 'node:assert/strict';
import test from 'node:test';
import { arrange, CORNERS, GAP, nearest, next, place, toward } from '../stage.js';

const kinds = { 나: 'self', 화면: 'screen', 내화면: 'own-screen' };
const tile = (name) => ({ name, kind: kinds[name.replace(/\d/, '')] ?? 'member' });
const crowd = (n) => ['나', ...Array.from({ length: n }, (_, i) => `하은${i}`)];

// What is arranged, in names. pinned and speaker are names too.
function arranged(names, { pinned, speaker, ...rest } = {}) {
  const tiles = names.map(tile);
  const named = (name) => tiles.find((t) => t.name === name) ?? (name ? tile(name) : null);
  const { stage, floating, rest: others } = arrange({ tiles, pinned: named(pinned), speaker: named(speaker), ...rest });
  return [stage?.name ?? '', others.map((t) => t.name).join(' '), floating?.name ?? ''];
}

test('stage: equals, and the own picture floats in a call of two and on phones', () => {
  assert.deepEqual(arranged(['나']), ['', '나', '']);
  assert.deepEqual(arranged(['나'], { phone: true, hidden: true }), ['', '나', '']);
  assert.deepEqual(arranged(['나', '민준']), ['', '민준', '나']);
  assert.deepEqual(arranged(['나', '민준', 'Zoë']), ['', '나 민준 Zoë', '']);
  assert.deepEqual(arranged(['나', '민준', 'Zoë'], { phone: true }), ['', '민준 Zoë', '나']);
  assert.deepEqual(arranged(['나', '민준', 'Zoë'], { hidden: true }), ['', '민준 Zoë', '나']);
  assert.deepEqual(arranged(['나', '내화면']), ['', '나 내화면', '']);
});

test('stage: the screen that was shared last, and not our own', () => {
  assert.deepEqual(arranged(['나', '민준', '화면']), ['화면', '민준', '나']);
  assert.deepEqual(arranged(['나', '민준', 'Zoë', '화면1', '화면2']), ['화면2', '나 민준 Zoë 화면1', '']);
  assert.deepEqual(arranged(['나', '민준', '내화면']), ['', '민준 내화면', '나']);
});

test('stage: what is pinned comes first, for as long as it is there', () => {
  assert.deepEqual(arranged(['나', '민준', '화면'], { pinned: '민준' }), ['민준', '화면', '나']);
  assert.deepEqual(arranged(['나', '민준', '화면'], { pinned: 'gone' }), ['화면', '민준', '나']);
  assert.deepEqual(arranged(['나', '민준'], { pinned: '나', phone: true }), ['나', '민준', '']);
  assert.deepEqual(arranged(['나', '민준'], { pinned: '나', hidden: true }), ['', '민준', '나']);
  assert.deepEqual(arranged(['나', '민준'], { pinned: '민준' }), ['민준', '', '나']);
});

test('stage: of more than nine the one that speaks', () => {
  const speaker = '하은3';
  assert.equal(arranged(crowd(8), { speaker })[0], '');
  assert.equal(arranged(crowd(9), { speaker })[0], speaker);
  assert.equal(arranged(crowd(9), { speaker, phone: true })[0], ''); // nine others
  assert.equal(arranged(crowd(10), { speaker, phone: true })[0], speaker);
  assert.equal(arranged(crowd(12))[0], '');
  assert.equal(arranged(crowd(12), { speaker: 'gone' })[0], '');
  assert.equal(arranged([...crowd(12), '화면'], { speaker })[0], '화면');
  assert.equal(arranged(crowd(12), { speaker, pinned: '하은1' })[0], '하은1');
});

const areas = [[945, 690], [1256, 690], [375, 734], [830, 290], [307, 463], [600, 600]];

test('place: in every area all are within it, none covers another, and little is left empty', () => {
  const casts = [['나'], ...[1, 2, 3, 4, 8, 9, 12, 15].map(crowd)];
  casts.push(...casts.map((names) => [...names, '화면']), [...crowd(3), '내화면']);
  for (const [width, height] of areas) {
    for (const names of casts) {
      for (const phone of [false, true]) {
        const tiles = names.map(tile);
        const places = place(arrange({ tiles, speaker: tiles[1], phone }), { width, height }, 'bottom right');
        const what = `${names.length} in ${width}x${height}`;
        assert.equal(places.size, tiles.length, what);
        const boxes = [...places.values()];
        for (const b of boxes) assert.ok(b.x >= 0 && b.y >= 0 && b.x + b.width <= width + 1 && b.y + b.height <= height + 1 && b.width > 30 && b.height > 20, `${what}: ${JSON.stringify(b)}`);
        const fixed = boxes.filter(({ where }) => where !== 'float');
        for (const [i, a] of fixed.entries()) {
          for (const b of fixed.slice(i + 1)) {
            assert.ok(a.x + a.width < b.x || b.x + b.width < a.x || a.y + a.height < b.y || b.y + b.height < a.y, `${what}: ${JSON.stringify([a, b])}`);
          }
        }
        const filled = fixed.reduce((sum, b) => sum + b.width * b.height, 0) / (width * height);
        assert.ok(filled > 0.5, `${what}: ${filled}`);
      }
    }
  }
});

test('place: our own picture floats where it covers neither face nor name, and else is one of the others', () => {
  const where = (names, width, height, options) => {
    const tiles = names.map(tile);
    return place(arrange({ tiles, phone: true, ...options }), { width, height }, 'bottom right').get(tiles[0]).where;
  };
  assert.equal(where(crowd(2), 382, 700), 'float');
  assert.equal(where(crowd(3), 382, 700), 'float');
  assert.equal(where(crowd(11), 382, 700), 'grid');
  assert.equal(where(crowd(7), 382, 700), 'grid'); // it would be over a name alone
  assert.equal(where(crowd(1), 830, 290), 'float');
  assert.equal(where([...crowd(2), '화면'], 382, 700), 'float'); // over the screen
  assert.equal(where(crowd(11), 382, 700, { hidden: true }), 'float'); // a button
});

test('place: a screen is as wide as a phone, and on a desktop by far the largest', () => {
  const of = (names, width, height) => {
    const tiles = names.map(tile);
    return [place(arrange({ tiles, phone: width < 640 }), { width, height }, 'top left'), tiles];
  };
  const [phone, [self, other, screen]] = of(['나', '민준', '화면'], 375, 734);
  assert.equal(phone.get(screen).width, 375);
  assert.equal(phone.get(screen).where, 'stage');
  assert.ok(phone.get(screen).height >= 375 * 9 / 16);
  assert.equal(phone.get(other).where, 'strip');
  assert.ok(phone.get(other).y > phone.get(screen).height);
  assert.ok(phone.get(other).height > 250); // the screen does not need it
  assert.deepEqual([phone.get(self).where, phone.get(self).x, phone.get(self).y], ['float', GAP, GAP]);
  for (const [width, height] of [[945, 690], [1256, 690]]) {
    const [places, tiles] = of([...crowd(5), '화면'], width, height);
    const areaOf = ({ width: w, height: h }) => w * h;
    assert.ok(areaOf(places.get(tiles.at(-1))) > 0.7 * width * height);
  }
});

test('place: the speaker of a crowd has more than the others, and they have half', () => {
  const tiles = crowd(12).map(tile);
  const places = place(arrange({ tiles, speaker: tiles[2] }), { width: 945, height: 690 }, 'top left');
  for (const t of tiles) if (t !== tiles[2]) assert.ok(places.get(t).width * 2 < places.get(tiles[2]).width);
});

test('place: a row that is not full is in the middle', () => {
  const tiles = crowd(2).map(tile);
  const places = place(arrange({ tiles }), { width: 945, height: 690 }, 'top left');
  const { x, y, width } = places.get(tiles[2]);
  assert.ok(y > 300 && Math.abs(x + width / 2 - 945 / 2) <= 1);
});

test('place: nothing is of less than no size', () => {
  for (const names of [['나'], crowd(1), [...crowd(3), '화면']]) {
    for (const { width, height } of place(arrange({ tiles: names.map(tile) }), { width: 0, height: 0 }, 'top left').values()) {
      assert.ok(width >= 0 && height >= 0);
    }
  }
});

test('corners: keys, clicks and drags reach each', () => {
  assert.equal(toward('top left', 'ArrowDown'), 'bottom left');
  assert.equal(toward('bottom left', 'ArrowRight'), 'bottom right');
  assert.equal(toward('bottom right', 'ArrowUp'), 'top right');
  assert.equal(toward('top right', 'ArrowLeft'), 'top left');
  assert.equal(toward('top right', 'Enter'), null);
  assert.deepEqual(CORNERS.map(next), [...CORNERS.slice(1), CORNERS[0]]);
  for (const [x, y, corner] of [[1, 1, 'top left'], [99, 1, 'top right'], [1, 99, 'bottom left'], [51, 51, 'bottom right']]) {
    assert.equal(nearest({ x, y }, { width: 100, height: 100 }), corner);
  }
  const [self, other] = [tile('나'), tile('민준')];
  for (const corner of CORNERS) {
    const { x, y, width, height } = place(arrange({ tiles: [self, other] }), { width: 800, height: 600 }, corner).get(self);
    assert.equal(nearest({ x: x + width / 2, y: y + height / 2 }, { width: 800, height: 600 }), corner);
  }
});
