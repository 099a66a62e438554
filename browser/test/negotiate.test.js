import assert from 'node:assert/strict';
import test from 'node:test';
import { Machine } from '../negotiate.js';

const kinds = (actions) => actions.map((a) => a.kind).join(' ');

test('a mutual join: offer, then answer and offer in one go', () => {
  const a = new Machine({ begun: true });
  const b = new Machine({ begun: false });
  assert.equal(kinds(a.need()), 'offer');
  assert.equal(kinds(b.offered(1, false)), 'answer');
  assert.equal(kinds(b.need()), 'offer');
  assert.equal(kinds(a.answered(1)), 'apply');
  assert.equal(kinds(a.offered(1, false)), 'answer');
  assert.equal(kinds(b.answered(1)), 'apply');
  assert.ok(a.rest && b.rest && a.turn && !b.turn);
});

test('an end that needs to offer without the turn asks once', () => {
  const a = new Machine({ begun: true });
  const b = new Machine({ begun: false });
  assert.equal(kinds(b.need()), 'ask');
  assert.equal(kinds(b.need()), '');
  assert.equal(kinds(a.asked()), 'grant');
  assert.equal(kinds(a.asked()), '');
  assert.deepEqual(b.granted(), [{ kind: 'offer', id: 1, restart: false }]);
});

test('frames against the turn rule', () => {
  const a = new Machine({ begun: true });
  assert.equal(kinds(a.offered(1, false)), 'rebuild'); // we hold the turn
  assert.equal(kinds(a.granted()), '');
  a.need();
  assert.equal(kinds(a.offered(1, false)), 'rebuild'); // glare
  assert.equal(kinds(a.answered(2)), '');
  assert.equal(kinds(new Machine({ begun: false }).offered(2, false)), 'rebuild');
});

test("the other's restart meets our own wish for one", () => {
  const b = new Machine({ begun: false });
  assert.equal(kinds(b.restart()), 'ask');
  assert.equal(kinds(b.offered(1, true)), 'answer');
  assert.ok(b.rest);
});

// Random wishes over two FIFO links: never glare, never stuck, one turn at rest.
test('1000 random runs', () => {
  let seed = 7;
  const random = (n) => (seed = (seed * 48271) % 2147483647) % n;
  for (let run = 0; run < 1000; run++) {
    const ends = [new Machine({ begun: true }), new Machine({ begun: false })];
    const toward = [[], []];
    const open = [false, false];
    const act = (i, actions) => {
      for (const a of actions) {
        assert.notEqual(a.kind, 'rebuild');
        if (a.kind === 'offer') assert.ok(!open[i] && (open[i] = true));
        if (a.kind === 'answer') assert.ok(!open[i]);
        if (a.kind === 'apply') open[i] = false;
        else toward[1 - i].push(a);
      }
    };
    const deliver = (i) => {
      const m = toward[i].shift();
      if (m.kind === 'offer') act(i, ends[i].offered(m.id, m.restart));
      if (m.kind === 'answer') act(i, ends[i].answered(m.id));
      if (m.kind === 'ask') act(i, ends[i].asked());
      if (m.kind === 'grant') act(i, ends[i].granted());
    };
    for (let step = 0; step < 30; step++) {
      const i = random(2);
      const what = random(4);
      if (what === 0) act(i, ends[i].need());
      else if (what === 1 && random(4) === 0) act(i, ends[i].restart());
      else if (toward[i].length > 0) deliver(i);
    }
    while (toward[0].length + toward[1].length > 0) deliver(toward[0].length > 0 ? 0 : 1);
    assert.ok(ends[0].rest && ends[1].rest, `run ${run} is stuck`);
    assert.notEqual(ends[0].turn, ends[1].turn);
  }
});
