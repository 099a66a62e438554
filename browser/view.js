// How large a page shows an element: what is out of sight, or in a page that is hidden, is not shown.

import { MAX } from './limits.js';

const views = new WeakMap(); // element → its View
const observers = new WeakMap(); // window → what watches elements in it, which must not keep them

function observersOf(window) {
  if (!observers.has(window)) {
    const { IntersectionObserver, ResizeObserver } = window;
    observers.set(window, {
      // What is about to be scrolled into sight is sent already.
      sight: new IntersectionObserver((entries) => entries.forEach((e) => views.get(e.target)?.seen(e.isIntersecting)), { rootMargin: '20%' }),
      size: new ResizeObserver((entries) => entries.forEach((e) => views.get(e.target)?.look())),
    });
  }
  return observers.get(window);
}

/** Watches one video element. */
export class View {
  #element;
  #changed; // called when height is another
  #window = null; // whose observers watch
  #inSight = null; // null: not known
  #placed = false; // it has been in a document
  #floating = null; // its PictureInPictureWindow
  #height = Infinity;

  constructor(element, changed) {
    this.#element = element;
    this.#changed = changed;
    views.set(element, this);
    const look = () => this.look();
    element.addEventListener('resize', look); // the picture has other proportions
    element.addEventListener('enterpictureinpicture', ({ pictureInPictureWindow }) => {
      pictureInPictureWindow.addEventListener('resize', look);
      this.#float(pictureInPictureWindow);
    });
    element.addEventListener('leavepictureinpicture', () => this.#float(null));
  }

  /**
   * How many pixels of the screen the picture is high, at most MAX.height; 0: it is not shown; Infinity: that is not
   * known, as before the browser has looked, or of an element that was never in a page, which somebody may draw from.
   */
  get height() { return this.#height; }

  /** Watches from now on. */
  open() {
    this.#observe(this.#element.ownerDocument.defaultView);
    this.look();
  }

  close() { this.#observe(null); }

  /** The browser has looked. */
  seen(inSight) {
    this.#inSight = inSight;
    this.look();
  }

  /** Something may have changed. */
  look() {
    const { defaultView } = this.#element.ownerDocument;
    if (this.#window && defaultView && defaultView !== this.#window) this.#observe(defaultView); // it is in another window now
    const height = this.#measure();
    if (height === this.#height) return;
    this.#height = height;
    this.#changed();
  }

  #float(window) {
    this.#floating = window;
    this.look();
  }

  #observe(window) {
    if (this.#window) for (const observer of Object.values(observersOf(this.#window))) observer.unobserve(this.#element);
    this.#window = window?.IntersectionObserver && window.ResizeObserver ? window : null; // not every document is a page
    this.#inSight = null;
    if (!this.#window) return;
    const { sight, size } = observersOf(this.#window);
    sight.observe(this.#element);
    try {
      size.observe(this.#element, { box: 'device-pixel-content-box' }); // changes with the screen, too
    } catch {
      size.observe(this.#element); // not every browser knows it
    }
  }

  #measure() {
    const { isConnected, ownerDocument, clientWidth, clientHeight } = this.#element;
    if (!this.#window) return Infinity;
    if (this.#floating) return this.#pixels(Math.min(this.#floating.height, this.#heightBy(this.#floating.width)));
    this.#placed ||= isConnected;
    if (!this.#placed) return Infinity;
    if (!isConnected || ownerDocument.hidden) return 0;
    if (this.#inSight === null) return Infinity;
    return this.#inSight ? this.#pixels(this.#fit(clientHeight, this.#heightBy(clientWidth))) : 0;
  }

  // How high the picture is in that width; Infinity while its shape is not known.
  #heightBy(width) {
    const { videoWidth, videoHeight } = this.#element;
    return videoWidth > 0 ? width * videoHeight / videoWidth : Infinity;
  }

  // The height of the picture in a box of that height, in which it would have another by the width.
  #fit(height, byWidth) {
    switch (this.#window.getComputedStyle(this.#element).objectFit) {
      case 'cover': return byWidth === Infinity ? height : Math.max(height, byWidth);
      case 'fill': return height;
      case 'none': return Infinity; // as large as it comes
      default: return Math.min(height, byWidth);
    }
  }

  #pixels(height) { return height === Infinity ? height : Math.min(MAX.height, Math.ceil(height * this.#window.devicePixelRatio)); }
}
