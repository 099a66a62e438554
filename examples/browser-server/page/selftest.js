// The self-test: two members in this page call each other, with media that is made here, and a table shows what works in
// this browser, to be copied into a bug report.

import { t } from './strings.js';
import { enterFrame } from './selftest_goodbye.js';
import { Studio } from './selftest_media.js';
import { Member, until } from './selftest_pair.js';
import { BLUE, flowing, HIGH, LOW, NAMES, RED, run } from './selftest_rows.js';

const PATIENCE = 180_000; // ms for a row

const $ = (id) => document.getElementById(id);

/** Shows the self-test, or is the page in its frame. */
export function show(query) {
  $('lobby').hidden = true;
  if (query.get('selftest') === 'member') {
    enterFrame(query.get('room'));
    return;
  }
  document.title = `${t('selftest')} · noom`;
  $('selftest').hidden = false;
  $('selftest-start').onclick = test;
  $('selftest-copy').onclick = copy;
}

// ---- the call

class Call {
  room = `self-test ${crypto.randomUUID()}`;
  studio;
  a = null;
  b = null;
  #media;

  constructor(studio) {
    this.studio = studio;
    this.#media = { a: [studio.picture(RED), studio.tone(LOW)], b: [studio.picture(BLUE), studio.tone(HIGH)] };
  }

  async enter() {
    this.a = await Member.enter(this.room, 'one', this.#media.a);
    await this.enterAgain();
  }

  /** The second member comes in. */
  async enterAgain() { this.b = await Member.enter(this.room, 'two', this.#media.b); }

  /** After a row that failed: goes on if the call does, and begins another if it does not. */
  async mend() {
    try {
      await until('a call', () => this.a.connected && this.b.connected && this.a.room.peers.length === 1, 5000);
      await flowing(this);
    } catch {
      await this.leave();
      this.room = `self-test ${crypto.randomUUID()}`;
      await this.enter();
      await until('a connection', () => this.a.connected && this.b.connected);
    }
  }

  leave() { return Promise.all([this.a, this.b].map((member) => member?.room.leave({ timeout: 0 }).catch(() => {}))); }
}

// ---- the table

async function test() {
  const page = $('selftest');
  page.dataset.state = 'running';
  $('selftest-start').disabled = true;
  $('selftest-copy').disabled = true;
  $('selftest-rows').replaceChildren();
  const begun = performance.now();
  const results = [];
  const add = (result) => {
    results.push(result);
    addRow(result);
  };
  let [studio, call] = [null, null];
  try {
    studio = new Studio($('selftest-strip'));
    call = new Call(studio);
    for (const [i, name] of NAMES.entries()) {
      $('selftest-progress').textContent = t('selftestRunning', t(`test_${name}`), i + 1, NAMES.length);
      add(await tryRow(name, call));
    }
  } catch (error) { // of what the rows need: no canvas, no sound, or a fault of the self-test
    add({ name: 'selftest', passed: false, took: Math.round(performance.now() - begun), note: withoutAddresses(`${error.name}: ${error.message}`) });
  } finally {
    await call?.leave();
    studio?.close();
  }
  const passed = results.filter(({ passed: ok }) => ok).length;
  $('selftest-progress').textContent = t('selftestDone', passed, results.length - passed);
  $('selftest-report').value = report(results, passed, performance.now() - begun);
  $('selftest-report').hidden = false;
  $('selftest-start').textContent = t('selftestAgain');
  $('selftest-start').disabled = false;
  $('selftest-copy').disabled = false;
  page.dataset.state = 'done';
}

async function tryRow(name, call) {
  const begun = performance.now();
  const result = { name, passed: true, note: '' };
  let timer = 0;
  try {
    const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('it goes on for too long')), PATIENCE); });
    result.note = (await Promise.race([run(name, call), late])) ?? '';
  } catch (error) {
    Object.assign(result, { passed: false, note: `${error.code ?? error.name}: ${error.message}` });
  }
  clearTimeout(timer);
  result.took = Math.round(performance.now() - begun);
  result.note = withoutAddresses(result.note);
  if (!result.passed) await call.mend().catch((error) => { result.note += `; and no other call: ${withoutAddresses(error.message)}`; });
  return result;
}

function addRow({ name, passed, took, note }) {
  const row = document.createElement('tr');
  row.dataset.row = name;
  row.dataset.result = passed ? 'PASS' : 'FAIL';
  for (const text of [name === 'selftest' ? t('selftest') : t(`test_${name}`), row.dataset.result, t('milliseconds', took), note]) {
    row.append(Object.assign(document.createElement('td'), { textContent: text }));
  }
  $('selftest-rows').append(row);
}

// In English, whatever the page speaks: it is for a bug report.
function report(results, passed, took) {
  return [
    `noom self-test: ${passed} PASS, ${results.length - passed} FAIL, in ${(took / 1000).toFixed(1)} s, ${new Date().toISOString()}`,
    navigator.userAgent,
    '',
    '| row | result | ms | note |',
    '|---|---|---|---|',
    ...results.map((r) => `| ${r.name} | ${r.passed ? 'PASS' : 'FAIL'} | ${r.took} | ${r.note.replaceAll(/[|\n]/g, ' ')} |`),
    '',
  ].join('\n');
}

// An error may name the server, or where a member is.
function withoutAddresses(text) {
  return text.replaceAll(location.host, 'HOST').replaceAll(/\b\d+(\.\d+){3}\b|\b[\da-f-]+\.local\b|\[?\b[\da-f]{0,4}(:[\da-f]{0,4}){2,}\]?/gi, 'ADDRESS');
}

async function copy() {
  $('selftest-report').select();
  try {
    await navigator.clipboard.writeText($('selftest-report').value);
  } catch {
    return; // it is selected, to be copied by hand
  }
  $('selftest-copy').textContent = t('copied');
  setTimeout(() => { $('selftest-copy').textContent = t('selftestCopy'); }, 2000);
}
