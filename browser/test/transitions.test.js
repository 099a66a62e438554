// The tables of transitions that the Go machines write, replayed whole: in
// every state, every input does the same here as there.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { Exchange } from '../exchange.js';
import { Machine } from '../negotiate.js';
import { Recovery } from '../recovery.js';

const table = (machine) => JSON.parse(readFileSync(new URL(`../../internal/${machine}/testdata/transitions.json`, import.meta.url), 'utf8'));

// The tables leave out what is false, 0 or empty, at any depth.
function bare(value) {
  if (Array.isArray(value)) return value.map((v) => (typeof v === 'object' ? bare(v) : v));
  const isZero = (v) => v === undefined || v === null || v === false || v === 0 || v === '' || (Array.isArray(v) && v.length === 0);
  return Object.fromEntries(Object.entries(value).filter(([, v]) => !isZero(v)).map(([k, v]) => [k, typeof v === 'object' ? bare(v) : v]));
}

test('negotiate: every transition', () => {
  const rows = table('negotiate');
  assert.ok(rows.length > 100);
  for (const { state, input: { call, id = 0, restarts = false }, actions, next } of rows) {
    const m = Machine.restore(state);
    const got = m[call](id, restarts);
    const row = `${JSON.stringify(state)} ${call} ${id} ${restarts}`;
    assert.deepEqual(bare(got), bare(actions), row);
    assert.deepEqual(bare(m.state), next, row);
  }
});

const GO = { connect: 15_000, restarts: 2 };
const BROWSER = { connect: 15_000, lost: 5_000, sparing: true, keepsPath: true, moves: true };

test('recovery: transitions', () => {
  const rows = table('recovery');
  assert.ok(rows.length > 500);
  for (const { browser = false, state, input, actions, next } of rows) {
    const m = Recovery.restore(browser ? BROWSER : GO, state);
    const row = JSON.stringify({ browser, state, input });
    const { call, conn = 0, path, relayed = false, data = false, gone = false, timer, after = 0 } = input;
    const given = {
      renewed: [conn], spoiled: [conn], pathChanged: [conn, path, relayed], controlOpened: [conn], dataOpened: [conn],
      channelClosed: [conn, data], networkChanged: [gone], credentialsLast: [after], elapsed: [timer],
    };
    assert.deepEqual(bare(m.on(call, ...(given[call] ?? []))), bare(actions), row);
    assert.deepEqual(bare(m.state), bare(next), row);
  }
});

test('exchange: every transition', () => {
  const rows = table('exchange');
  assert.ok(rows.length > 100);
  for (const { state, input, actions, next } of rows) {
    const x = Exchange.restore('a', state);
    const row = JSON.stringify({ state, input });
    assert.deepEqual(taken(x, input), actions, row);
    const { queue, early, ...rest } = x.state;
    const after = bare({ ...rest, queue: queue.map(({ body, ...o }) => o), early: early.map(({ type, seq }) => ({ type, seq })) });
    // A message on its way keeps its type, an epoch both its parts, whatever they are.
    assert.deepEqual(after, bare(next), row);
    assert.deepEqual(x.epoch, next.epoch, row);
  }
});

function taken(x, { call, message, frame }) {
  switch (call) {
    case 'begin': return bare({ ok: x.begin() });
    case 'receive': {
      const { ok, renewed, messages } = x.receive({ type: '', seq: 0, ack: 0, ...frame });
      return bare({ ok, renewed, messages: messages.map((m) => m.type) });
    }
    case 'flush': return bare({ frames: x.flush() });
    case 'send': x.send(message); return {};
    case 'tick': x.tick(); return {};
    case 'press': x.press(); return {};
    case 'resend': x.resend(); return {};
    case 'resendLate': x.resendLate(); return {};
  }
}
