// What a browser without an estimate is bound to, second by second, on a path that takes so much.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Bound } from '../bound.js';

// A browser that makes no less than its floor unless it is bounded, and no more than it can use, over a path that takes
// so many bits per second and loses some packets whatever is sent. Reports are about the second before.
function path({ takes, floor = 600_000, uses = 1_400_000, loses = 0, estimate = 0 }) {
  const bound = new Bound();
  let loss = 0;
  return {
    bound,
    widen(to) { takes = to; },
    second() {
      const sent = Math.min(bound.bitrate, uses, Math.max(floor, takes));
      bound.step({ estimate, sent, loss });
      loss = Math.max(0, 1 - takes / sent) + loses;
      return loss;
    },
  };
}

const run = (p, seconds) => Array.from({ length: seconds }, () => p.second());
const mean = (list) => list.reduce((sum, v) => sum + v, 0) / list.length;

test('bound: what a narrow path takes, soon, and little is lost from then on', () => {
  for (const takes of [120_000, 200_000, 300_000, 400_000]) {
    const p = path({ takes });
    run(p, 7);
    assert.ok(p.bound.bitrate <= takes, `${takes}: ${p.bound.bitrate}`);
    assert.ok(p.bound.bitrate >= Math.max(100_000, takes * 0.5), `${takes}: ${p.bound.bitrate}`);
    const losses = run(p, 60);
    assert.ok(mean(losses) < 0.08, `${takes}: ${mean(losses)}`);
    assert.ok(mean(losses.slice(-30)) < 0.05, `${takes}: ${mean(losses)}`);
  }
});

test('bound: none again when the path is wide again', () => {
  const p = path({ takes: 300_000 });
  run(p, 12);
  p.widen(4_000_000);
  run(p, 20);
  assert.equal(p.bound.bitrate, Infinity);
  const long = path({ takes: 300_000 });
  run(long, 600);
  long.widen(4_000_000);
  run(long, 60);
  assert.equal(long.bound.bitrate, Infinity);
});

test('bound: none where the browser has an estimate, where the path is wide enough, and for what is lost as such', () => {
  for (const p of [path({ takes: 300_000, estimate: 1 }), path({ takes: 700_000 }), path({ takes: 4_000_000, loses: 0.15 })]) {
    for (let i = 0; i < 60; i++) {
      p.second();
      assert.equal(p.bound.bitrate, Infinity);
    }
  }
});

test('bound: one bad report is none, and a browser that learns of its path is let go', () => {
  const bound = new Bound();
  const bad = { estimate: 0, sent: 1_000_000, loss: 0.5 };
  for (let i = 0; i < 20; i++) assert.equal(bound.step(i % 2 ? bad : { ...bad, loss: 0 }), false);
  assert.equal(bound.step(bad) || bound.step(bad), true);
  assert.equal(bound.bitrate, 400_000);
  assert.equal(bound.step({ ...bad, estimate: 500_000 }), true);
  assert.equal(bound.bitrate, Infinity);
});
