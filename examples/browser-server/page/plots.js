// Small plots of the last minute.

const SVG = 'http://www.w3.org/2000/svg';
const SPAN = 60_000; // ms
const [WIDTH, HEIGHT] = [60, 20];

/** The top of a scale for values up to max: 1, 2 or 5 times a power of ten. */
export function topFor(max, least) {
  const high = Math.max(max, least);
  const power = 10 ** Math.floor(Math.log10(high));
  return [1, 2, 5, 10].map((n) => n * power).find((top) => top >= high * (1 - 1e-9));
}

/** The d of an SVG path through samples {at, value}, oldest first, in ms up to now; null is a gap. */
export function lineOf(samples, now, top) {
  let open = false;
  return samples.map(({ at, value }) => {
    if (value === null) {
      open = false;
      return '';
    }
    const x = WIDTH * (1 - (now - at) / SPAN);
    const y = HEIGHT * (1 - Math.min(1, value / top));
    const step = `${open ? 'L' : 'M'}${x.toFixed(2)} ${y.toFixed(2)}`;
    open = true;
    return step;
  }).join('');
}

/** One plot. series are its lines' names, format(value) the words for a value; the scale ends no lower than least. */
export class Plot {
  root = document.createElement('figure');
  #series;
  #format;
  #least;
  #words = []; // one for each line
  #top = document.createElement('span');
  #svg = document.createElementNS(SVG, 'svg');

  constructor(title, series, { format, least }) {
    this.#format = format;
    this.#least = least;
    this.root.className = 'plot';
    const caption = document.createElement('figcaption');
    caption.append(Object.assign(document.createElement('b'), { textContent: title }), this.#top);
    this.#svg.setAttribute('viewBox', `0 0 ${WIDTH} ${HEIGHT}`);
    this.#svg.setAttribute('preserveAspectRatio', 'none');
    this.#svg.setAttribute('aria-hidden', 'true'); // the caption says what is now
    this.#series = series.map((name, i) => {
      const path = this.#svg.appendChild(document.createElementNS(SVG, 'path'));
      path.setAttribute('class', `line${i}`);
      const word = caption.appendChild(document.createElement('span'));
      word.className = `line${i}`;
      this.#words.push(word);
      return { name, path, samples: [] };
    });
    this.root.append(caption, this.#svg);
  }

  /** Adds a value for each line, null where it is not known, and draws. */
  add(now, values) {
    for (const [i, { samples }] of this.#series.entries()) {
      samples.push({ at: now, value: values[i] });
      while (now - samples[0].at > SPAN) samples.shift();
    }
    const top = topFor(Math.max(0, ...this.#series.flatMap(({ samples }) => samples.map(({ value }) => value ?? 0))), this.#least);
    this.#top.textContent = `≤ ${this.#format(top)}`;
    for (const [i, { name, path, samples }] of this.#series.entries()) {
      path.setAttribute('d', lineOf(samples, now, top));
      this.#words[i].textContent = [name, values[i] === null ? '–' : this.#format(values[i])].filter(Boolean).join(' ');
    }
  }
}
