// How large an element is shown, in a page that is as the test says.

import assert from 'node:assert/strict';
import test from 'node:test';
import { View } from '../view.js';

class Observer {
  elements = new Set();

  constructor(report) { this.report = report; }

  observe(element) { this.elements.add(element); }

  unobserve(element) { this.elements.delete(element); }
}

// A window, and the element in it.
function page() {
  const observers = [];
  const made = (name) => class extends Observer {
    constructor(report) {
      super(report);
      observers.push([name, this]);
    }
  };
  const window = { devicePixelRatio: 2, IntersectionObserver: made('sight'), ResizeObserver: made('size'), getComputedStyle: (element) => ({ objectFit: element.fit }) };
  const document = { hidden: false, defaultView: window };
  const look = (what, isIntersecting) => {
    for (const [name, observer] of observers) {
      if (name === what) observer.report([...observer.elements].map((target) => ({ target, isIntersecting })));
    }
  };
  return { window, document, look, watched: () => observers.reduce((sum, [, { elements }]) => sum + elements.size, 0) };
}

function video(document) {
  return Object.assign(new EventTarget(), {
    ownerDocument: document, isConnected: true, clientWidth: 320, clientHeight: 240, videoWidth: 1280, videoHeight: 720, fit: 'contain',
  });
}

test('an element is as high as the picture in it, in pixels of the screen', () => {
  const { document, look } = page();
  const element = video(document);
  const heights = [];
  const view = new View(element, () => heights.push(view.height));
  view.open();
  assert.equal(view.height, Infinity, 'the browser has not looked');
  look('sight', true);
  assert.deepEqual(heights, [360]);
  for (const [fit, height] of [['cover', 480], ['fill', 480], ['none', Infinity], ['scale-down', 360]]) {
    element.fit = fit;
    look('size');
    assert.equal(view.height, height, fit);
  }
  element.videoWidth = 0;
  element.dispatchEvent(new Event('resize'));
  assert.equal(view.height, 480, 'a picture of no known shape');
  Object.assign(element, { clientWidth: 1e6, clientHeight: 1e6 });
  look('size');
  assert.equal(view.height, 16384);
  Object.assign(element, { clientWidth: 0, clientHeight: 0 });
  look('size');
  assert.equal(view.height, 0);
});

test('what is out of sight, taken out or in a hidden page is not shown, but for picture-in-picture', () => {
  const { document, look, watched } = page();
  const element = video(document);
  const view = new View(element, () => {});
  view.open();
  look('sight', false);
  assert.equal(view.height, 0);
  look('sight', true);
  document.hidden = true;
  view.look();
  assert.equal(view.height, 0);
  const floating = Object.assign(new EventTarget(), { width: 160, height: 200 });
  element.dispatchEvent(Object.assign(new Event('enterpictureinpicture'), { pictureInPictureWindow: floating }));
  assert.equal(view.height, 180);
  floating.width = 80;
  floating.dispatchEvent(new Event('resize'));
  assert.equal(view.height, 90);
  element.dispatchEvent(new Event('leavepictureinpicture'));
  assert.equal(view.height, 0);
  document.hidden = false;
  view.look();
  assert.equal(view.height, 360);
  element.isConnected = false;
  look('sight', false);
  assert.equal(view.height, 0);
  assert.equal(watched(), 2);
  view.close();
  assert.deepEqual([watched(), view.height], [0, 0]);
});

test('an element that was never in a page may be drawn from, and so may one that nobody watches', () => {
  const { document, look } = page();
  const element = Object.assign(video(document), { isConnected: false });
  const view = new View(element, () => {});
  view.open();
  look('sight', false);
  assert.equal(view.height, Infinity);
  element.isConnected = true;
  look('sight', false);
  assert.equal(view.height, 0);
  const other = new View(video({ hidden: true, defaultView: null }), () => {});
  other.open();
  assert.equal(other.height, Infinity);
});

test('an element that moves to another window is watched there', () => {
  const [first, second] = [page(), page()];
  const element = video(first.document);
  const view = new View(element, () => {});
  view.open();
  first.look('sight', true);
  element.ownerDocument = second.document;
  second.window.devicePixelRatio = 1;
  first.look('sight', false);
  assert.deepEqual([first.watched(), second.watched()], [0, 2]);
  second.look('sight', true);
  assert.equal(view.height, 180);
});
