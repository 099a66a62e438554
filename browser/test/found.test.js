// When a path counts as found, whatever the browser says when.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Found } from '../found.js';

const browser = (connectionState, iceConnectionState, secured = false) => ({ connectionState, iceConnectionState, secured });
const looking = browser('connecting', 'checking');

test('the browser says it, by connectionState or by what that sums up', () => {
  const found = new Found();
  for (const [says, is] of [
    [browser('new', 'new'), false], [looking, false], [browser('connecting', 'connected'), false], [browser('connecting', 'checking', true), false],
    [browser('connecting', 'connected', true), true], [browser('connecting', 'completed', true), true], [browser('connected', 'connected', true), true],
    [browser('disconnected', 'disconnected', true), false], [browser('failed', 'failed', true), false], [browser('closed', 'closed', true), false],
  ]) assert.equal(found.now(says), is, JSON.stringify(says));
});

test('what comes says it first, once', () => {
  const found = new Found();
  assert.equal(found.came(looking, false), true);
  assert.equal(found.now(looking), true);
  assert.equal(found.came(looking, false), false);
  assert.equal(found.now(browser('disconnected', 'disconnected')), false);
});

test('what comes says it even before the browser says that it looks for a path', () => {
  const found = new Found();
  assert.equal(found.came(browser('new', 'new'), false), true);
  assert.equal(found.now(browser('new', 'new')), true);
});

test('what comes when the browser has said it, or when the connection was up, says nothing', () => {
  const found = new Found();
  assert.equal(found.came(browser('connected', 'connected', true), false), false);
  assert.equal(found.came(looking, true), false);
  assert.equal(found.now(looking), false);
});

test('the browser has the last word', () => {
  for (const says of [browser('connecting', 'disconnected'), browser('connecting', 'failed'), browser('connected', 'connected', true)]) {
    const found = new Found();
    found.came(looking, false);
    found.said(looking);
    assert.equal(found.now(looking), true);
    found.said(says);
    assert.equal(found.now(looking), false, JSON.stringify(says));
  }
});
