// Recording the call, in this browser: what its page shows, with everyone's sound, into a file. Everyone is told; that is
// a courtesy, because whoever receives a call can also record it without a word.

import * as chat from './chat.js';
import { Mix, Picture } from './compose.js';
import { drawSwitch, notice } from './controls.js';
import * as grid from './grid.js';
import { clockOf, fileName, Kept, sizeOf, TYPES, Written } from './recorded.js';
import { t } from './strings.js';

const $ = (id) => document.getElementById(id);
const BITS = { videoBitsPerSecond: 1_500_000, audioBitsPerSecond: 96_000 };
const HIDDEN_HEIGHT = 720; // of all pictures while the page is hidden, and noom.js would ask for none

const type = globalThis.MediaRecorder && HTMLCanvasElement.prototype.captureStream && globalThis.AudioContext
  ? TYPES.find((one) => MediaRecorder.isTypeSupported(one)) : undefined;

export class Recording {
  #room;
  #tell; // (on): everyone
  #run = null; // {recorder, sink, mix, name, begun, ends: what ends with it, saved: what does once it is saved, why it ended}
  #choosing = false; // the person chooses a file
  #over = false; // the call is

  constructor(room, tell) {
    this.#room = room;
    this.#tell = tell;
    $('record').hidden = !type;
    $('record').onclick = () => this.#toggle();
    this.#draw();
  }

  /** What is sent and received is something else now: what is muted here is not recorded. */
  sync() {
    if (!this.#run) return;
    const { peers, senders } = this.#room;
    const own = senders.filter((s) => s.kind === 'audio' && s.track && !s.muted).map((s) => s.track);
    const theirs = peers.flatMap(({ tracks }) => tracks.filter((track) => track.kind === 'audio' && track.track).map((track) => track.track));
    this.#run.mix.use([...own, ...theirs]);
  }

  // A page that is hidden shows nothing, and would be sent nothing.
  #want(height = document.hidden ? HIDDEN_HEIGHT : null) {
    const pictures = this.#room.peers.flatMap(({ tracks }) => tracks.filter((track) => track.kind === 'video'));
    const each = height && Math.ceil(height / Math.sqrt(pictures.length));
    for (const track of pictures) track.want(each);
  }

  /** The call is over: what was recorded is saved. */
  end() {
    $('recorded-how').textContent = '';
    this.#over = true;
    this.#stop();
  }

  async #toggle() {
    if (this.#run) return this.#stop();
    if (this.#choosing) return;
    this.#choosing = true;
    let opened = null;
    try {
      opened = await openSink(fileName(this.#room.name, new Date(), type));
      if (opened && this.#over) await opened.sink.abandon();
      else if (opened) this.#start(opened);
    } catch (error) {
      console.info('recording', error);
      this.#end();
      opened?.sink.abandon().catch(() => {}); // it may have been closed
      notice(t('recordNot'));
    } finally {
      this.#choosing = false;
    }
  }

  #start({ name, sink }) {
    const ends = [];
    const mix = new Mix();
    const asking = new AbortController();
    this.#run = { recorder: null, sink, mix, name, begun: performance.now(), ends, saved: () => asking.abort(), why: 'recordFailed' };
    ends.push(() => mix.close(), () => { if (!this.#over) this.#tell(false); }); // another call may have begun
    this.#tell(true); // before the picture has its size, because the mark takes some of it
    const picture = new Picture(grid.area);
    const recorder = new MediaRecorder(new MediaStream([...picture.stream.getTracks(), ...mix.stream.getTracks()]), { mimeType: type, ...BITS });
    this.#run.recorder = recorder;
    ends.push(() => { for (const track of picture.stream.getTracks()) track.stop(); });
    recorder.ondataavailable = ({ data }) => {
      const why = data.size > 0 && sink.add(data);
      if (why) this.#stop(why);
    };
    recorder.onstop = () => this.#finish();
    ends.push(mix.beat(() => {
      picture.draw();
      this.sync();
    }));
    const timer = setInterval(() => this.#progress(), 1000);
    ends.push(() => clearInterval(timer));
    const watching = new AbortController();
    document.addEventListener('visibilitychange', () => this.#want(), { signal: watching.signal });
    addEventListener('visibilitychange', () => document.hidden && this.#want(), { capture: true, signal: watching.signal }); // before noom.js says that nothing is shown
    ends.push(() => watching.abort(), () => this.#want(null));
    this.sync();
    recorder.start(1000);
    addEventListener('beforeunload', (event) => event.preventDefault(), { signal: asking.signal }); // or the recording is lost
    this.#progress();
    this.#draw();
  }

  #stop(why = '') {
    if (!this.#run || this.#run.recorder.state === 'inactive') return;
    this.#run.why = why; // it has not stopped by itself
    this.#run.recorder.stop(); // which gives the rest
  }

  async #finish() {
    const { sink, name, why, saved } = this.#run;
    this.#end();
    try {
      await sink.finish();
      if (why || this.#over || !$('log').checkVisibility()) notice(t(why || 'recordSaved', name));
      else chat.happened(t('recordSaved', name));
    } catch (error) {
      console.info('recording', error);
      notice(t('recordUnsaved'));
    } finally {
      saved();
    }
  }

  #end() {
    for (const end of this.#run?.ends ?? []) end();
    this.#run = null;
    this.#draw();
  }

  #progress() {
    if (this.#over) return;
    const { begun, sink } = this.#run;
    this.#want();
    $('recorded-how').textContent = `${clockOf(performance.now() - begun)} · ${sizeOf(sink.size)}`;
  }

  #draw() {
    if (this.#over) return;
    drawSwitch($('record'), this.#run !== null, ['record', 'recordEnd'], 'record');
    if (!this.#run) $('recorded-how').textContent = '';
  }
}

// Where a recording goes: {name, sink}. Where the browser lets the person choose a file, it is written meanwhile; null: none
// was chosen. Rejects if the file may not be written.
async function openSink(name) {
  const kept = () => ({ name, sink: new Kept((parts) => save(parts, name)) });
  if (!globalThis.showSaveFilePicker) return kept();
  const [mime, ending] = [type.split(';')[0], `.${name.split('.').pop()}`];
  let file = null;
  try {
    file = await showSaveFilePicker({ suggestedName: name, types: [{ accept: { [mime]: [ending] } }] });
  } catch (error) {
    return error.name === 'AbortError' ? null : kept(); // one may not be chosen here
  }
  return { name: file.name, sink: new Written(await file.createWritable()) };
}

function save(parts, name) {
  const href = URL.createObjectURL(new Blob(parts, { type: type.split(';')[0] }));
  Object.assign(document.createElement('a'), { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 60_000); // once the browser has it
}
