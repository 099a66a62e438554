// When our table goes out.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Table } from '../table.js';

function told() {
  const outgoing = { settled: true, row: 0, starts: [], rows() { return { 0: this.row }; }, announced(queued) { this.starts.push(queued); } };
  const link = { ready: true, sent: [], version: 0 };
  const table = new Table(outgoing, {
    ready: () => link.ready, number: (rows, settled) => ({ version: settled ? ++link.version : 0, tracks: rows }),
    send: (body) => link.sent.push(JSON.parse(body).table),
  });
  const change = (row) => {
    outgoing.row = row;
    table.changed();
  };
  return { table, outgoing, link, change };
}

test('of changes for which there is no room the last is sent, once there is', () => {
  const { table, outgoing, link, change } = told();
  change('first');
  assert.deepEqual([link.sent.length, outgoing.starts], [1, [1]]);
  link.ready = false;
  for (let i = 0; i < 100; i++) change(i);
  table.look();
  assert.equal(link.sent.length, 1);
  link.ready = true;
  table.look();
  table.look();
  assert.deepEqual(link.sent[1], { version: 2, tracks: { 0: 99 } });
  assert.deepEqual([link.sent.length, outgoing.starts], [2, [1, 2]]);
});

test('what a description has carried is not sent again, unless it was not settled', () => {
  const { table, outgoing, link, change } = told();
  link.ready = false;
  change('by description');
  assert.deepEqual(table.latest.tracks, { 0: 'by description' });
  table.sent(7);
  link.ready = true;
  table.look();
  assert.deepEqual([link.sent, outgoing.starts], [[], [7]]);
  outgoing.settled = false;
  change('later');
  table.sent(8);
  assert.deepEqual([link.sent, outgoing.starts], [[], [7]]);
  outgoing.settled = true;
  table.look();
  assert.equal(link.sent.length, 1);
});
