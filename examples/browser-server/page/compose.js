// The pictures and the sound of a whole call, as one MediaStream each: the tiles as they are, drawn on a canvas, and
// everyone's sound.

import { contained, covering, sizeIn } from './recorded.js';

const RATE = 15; // pictures a second
const FONT = 'system-ui, "Noto Sans KR", "Noto Sans CJK KR", sans-serif';

/** Draws the tiles of an area. */
export class Picture {
  #area;
  #context;

  constructor(area) {
    this.#area = area;
    const canvas = Object.assign(document.createElement('canvas'), sizeIn({ width: area.clientWidth, height: area.clientHeight }));
    this.#context = canvas.getContext('2d', { alpha: false });
    this.draw();
    this.stream = canvas.captureStream(RATE);
  }

  draw() {
    const c = this.#context;
    const { canvas } = c;
    const scale = Math.min(canvas.width / Math.max(1, this.#area.clientWidth), canvas.height / Math.max(1, this.#area.clientHeight));
    const middle = contained({ width: this.#area.clientWidth * scale, height: this.#area.clientHeight * scale }, { x: 0, y: 0, width: canvas.width, height: canvas.height });
    c.fillStyle = '#121418';
    c.fillRect(0, 0, canvas.width, canvas.height);
    const tiles = [...this.#area.children].filter(({ dataset }) => 'place' in dataset && !('hidden' in dataset));
    for (const over of [false, true]) {
      for (const tile of tiles) if ((tile.dataset.place === 'float') === over) this.#tile(tile, scale, middle);
    }
  }

  #tile(tile, scale, middle) {
    const c = this.#context;
    const [x, y, width, height] = ['x', 'y', 'width', 'height'].map((what) => parseFloat(tile.style.getPropertyValue(`--tile-${what}`)) * scale);
    const box = { x: middle.x + x, y: middle.y + y, width, height };
    if (!(width >= 1 && height >= 1)) return;
    c.save();
    c.beginPath();
    c.rect(box.x, box.y, width, height);
    c.clip();
    c.fillStyle = '#2a2e36';
    c.fillRect(box.x, box.y, width, height);
    const video = tile.querySelector('video');
    if (tile.dataset.camera === 'on' && video.videoWidth > 0) drawVideo(c, video, box, 'screen' in tile.dataset);
    else drawInitial(c, tile, box);
    drawName(c, tile.querySelector('[data-name]').textContent, box);
    c.restore();
  }
}

function drawVideo(c, video, box, whole) {
  const size = { width: video.videoWidth, height: video.videoHeight };
  const from = whole ? { x: 0, y: 0, ...size } : covering(size, box);
  const to = whole ? contained(size, box) : box;
  c.drawImage(video, from.x, from.y, from.width, from.height, to.x, to.y, to.width, to.height);
}

function drawInitial(c, tile, { x, y, width, height }) {
  const least = Math.min(width, height);
  c.fillStyle = `hsl(${tile.style.getPropertyValue('--hue') || 220} 45% 32%)`;
  c.beginPath();
  c.arc(x + width / 2, y + height / 2, least * 0.21, 0, 2 * Math.PI);
  c.fill();
  c.fillStyle = '#fff';
  c.font = `${Math.round(least * 0.18)}px ${FONT}`;
  [c.textAlign, c.textBaseline] = ['center', 'middle'];
  c.fillText(tile.querySelector('.avatar').dataset.initial ?? '', x + width / 2, y + height / 2);
}

function drawName(c, name, { x, y, width, height }) {
  c.font = `14px ${FONT}`;
  [c.textAlign, c.textBaseline] = ['left', 'middle'];
  const wide = Math.max(0, Math.min(c.measureText(name).width, width - 24));
  c.fillStyle = 'rgb(0 0 0 / .6)';
  c.fillRect(x + 6, y + height - 28, wide + 12, 22);
  c.fillStyle = '#fff';
  c.fillText(name, x + 12, y + height - 17, wide);
}

/** Mixes sound, and is the clock: a page that is hidden has slow timers, while its sound goes on. */
export class Mix {
  #context = new AudioContext();
  #out = this.#context.createMediaStreamDestination();
  #silence = this.#context.createGain();
  #sources = new Map(); // MediaStreamTrack → its node
  #unmixed = new WeakSet(); // MediaStreamTracks that the browser does not mix, such as those of another rate in Firefox

  constructor() {
    this.stream = this.#out.stream;
    this.#silence.gain.value = 0;
    this.#silence.connect(this.#out);
    this.#context.resume();
  }

  /** Mixes these MediaStreamTracks and no others. */
  use(tracks) {
    const wanted = new Set(tracks);
    for (const [track, node] of this.#sources) {
      if (wanted.has(track)) continue;
      node.disconnect();
      this.#sources.delete(track);
    }
    for (const track of wanted) {
      if (this.#sources.has(track) || this.#unmixed.has(track) || track.readyState === 'ended') continue;
      try {
        const node = this.#context.createMediaStreamSource(new MediaStream([track]));
        node.connect(this.#out);
        this.#sources.set(track, node);
      } catch (error) {
        this.#unmixed.add(track);
        console.info('recording', error);
      }
    }
  }

  /** Calls act for each picture, by its own clock and by that of the page. Returns what ends that. */
  beat(act) {
    let last = 0;
    let over = false;
    const once = () => {
      const now = performance.now();
      if (over || now - last < 700 / RATE) return; // the other clock was first
      last = now;
      act();
    };
    const tick = () => {
      if (over) return;
      once();
      const source = this.#context.createConstantSource();
      source.connect(this.#silence);
      source.onended = tick;
      source.start();
      source.stop(this.#context.currentTime + 1 / RATE);
    };
    tick();
    const timer = setInterval(once, 1000 / RATE);
    return () => {
      over = true;
      clearInterval(timer);
    };
  }

  close() {
    this.use([]);
    this.#context.close();
  }
}
