// Which picture goes where. Pure: grid.js asks, and puts them there.

export const GAP = 8; // px between two pictures
const CROWD = 9; // so many are equal; of more the one that speaks is larger
const SHAPE = 16 / 9; // of a picture
const STRIP = 0.22; // of the height, or width, is at least for those beside the stage
const BESIDE_SPEAKER = 0.5; // the same where only the speaker is on it
const MOST = 0.6; // and at most, if the picture on it is no smaller for that
const FACE = 0.42; // of the shorter side of a picture is a face, as the letter in tiles.css
const WIDEST_FACE = 128; // px
const NAME = { width: 190, height: 36 }; // px: ten characters of a name and its marks, at the bottom of a picture
const HIDDEN = 48; // px: where we do not want to see ourselves there is a button

export const CORNERS = ['top left', 'top right', 'bottom right', 'bottom left']; // clockwise

/**
 * Decides who is on the stage, who is beside it, and whether our own picture floats over them.
 *
 * tiles are objects with a kind, the oldest first: self, member, screen or own-screen. pinned and speaker are one of them,
 * or null; phone: there is little room; hidden: we do not want to see ourselves. In what comes back stage and floating
 * are tiles, or null; rest are the others: equals where there is no stage. share is what they get of it at least.
 */
export function arrange({ tiles, pinned = null, speaker = null, phone = false, hidden = false }) {
  const own = tiles.find(({ kind }) => kind === 'self');
  const members = tiles.filter(({ kind }) => kind === 'member').length;
  const floats = own && members > 0 && (hidden || (own !== pinned && (phone || members === 1)));
  const settled = floats ? tiles.filter((tile) => tile !== own) : tiles;
  const [stage, share] = onStage(settled, pinned, speaker);
  return { stage, share, rest: settled.filter((tile) => tile !== stage), floating: floats ? own : null, hidden };
}

// What was pinned, else the screen that was shared last, else in a crowd the speaker. Our own screen we see anyway.
function onStage(tiles, pinned, speaker) {
  if (tiles.includes(pinned)) return [pinned, STRIP];
  const screen = tiles.findLast(({ kind }) => kind === 'screen');
  if (screen) return [screen, STRIP];
  return tiles.length > CROWD && tiles.includes(speaker) ? [speaker, BESIDE_SPEAKER] : [null, 0];
}

/**
 * Gives each tile of an arrangement its place in an area of width by height: a Map of tile → {where, x, y, width, height},
 * in px; where is stage, strip, grid or float. corner, one of CORNERS, is where our own picture floats, unless it would
 * cover a face or a name there: then it is one of the others.
 */
export function place(arranged, area, corner) {
  const places = lay(arranged, area, corner);
  const { floating, rest, hidden } = arranged;
  if (!floating || hidden || !covers(places.get(floating), places, corner)) return places;
  return lay({ ...arranged, rest: [floating, ...rest], floating: null }, area, corner);
}

// Whether our own picture covers another's face, or the letter in its place, which is in the middle, or the name, which
// tiles.css puts on the right where our own is at the bottom left.
function covers(own, places, corner) {
  return [...places].some(([{ kind }, { x, y, width, height }]) => {
    if (kind !== 'member') return false;
    const size = Math.min(FACE * Math.min(width, height), WIDEST_FACE);
    const face = { x: x + (width - size) / 2, y: y + (height - size) / 2, width: size, height: size };
    const wide = Math.min(width, NAME.width);
    const name = { x: corner === 'bottom left' ? x + width - wide : x, y: y + height - NAME.height, width: wide, height: NAME.height };
    return overlap(own, face) || overlap(own, name);
  });
}

/** Whether two places have a point in common. */
export const overlap = (a, b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

function lay({ stage, share, rest, floating, hidden }, { width, height }, corner) {
  const area = { x: 0, y: 0, width, height };
  const { main, strip } = stage && rest.length > 0 ? split(area, share) : { main: area, strip: area };
  const places = new Map();
  if (stage) {
    const [cell] = stage.kind.endsWith('screen') ? [main] : cells(1, main);
    places.set(stage, { where: 'stage', ...cell });
  }
  cells(rest.length, strip, stage !== null).forEach((cell, i) => places.set(rest[i], { where: stage ? 'strip' : 'grid', ...cell }));
  if (floating) places.set(floating, { where: 'float', ...float(main, corner, hidden) });
  return places;
}

// The strip is below the stage or to its right, whichever leaves the larger picture on it.
function split({ width, height }, share) {
  const below = thickness(height, width / SHAPE, share);
  const beside = thickness(width, height * SHAPE, share);
  const [tall, wide] = [Math.max(0, height - below - GAP), Math.max(0, width - beside - GAP)];
  return inside(width, tall) >= inside(wide, height)
    ? { main: { x: 0, y: 0, width, height: tall }, strip: { x: 0, y: tall + GAP, width, height: below } }
    : { main: { x: 0, y: 0, width: wide, height }, strip: { x: wide + GAP, y: 0, width: beside, height } };
}

// What the picture on the stage does not need is for the strip.
const thickness = (whole, needed, share) => Math.floor(Math.min(whole * MOST, Math.max(whole * share, whole - needed - GAP)));

// The area of a whole picture in a box.
const inside = (width, height) => Math.max(0, Math.min(width, height * SHAPE)) * Math.max(0, Math.min(height, width / SHAPE));

// As many equal boxes as large as they can be: it tries every number of columns. A picture may be cropped to anything
// between 2:1 and a square, or 3:4 where the area stands upright; in a strip it stays a landscape.
function cells(count, area, flat = false) {
  const narrowest = flat ? 4 / 3 : area.width < area.height ? 3 / 4 : 1;
  let best = { worth: -1 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const room = { width: (area.width - GAP * (columns - 1)) / columns, height: (area.height - GAP * (rows - 1)) / rows };
    const width = Math.max(0, Math.floor(Math.min(room.width, room.height * 2)));
    const height = Math.max(0, Math.floor(Math.min(room.height, room.width / narrowest)));
    const worth = width * height + inside(width, height);
    if (worth > best.worth) best = { worth, columns, rows, width, height };
  }
  return Array.from({ length: count }, (_, i) => cell(i, count, best, area));
}

// Rows are in the middle of the area, and the last one, which may be shorter, in the middle too.
function cell(i, count, { columns, rows, width, height }, area) {
  const row = Math.floor(i / columns);
  const inRow = Math.min(columns, count - row * columns);
  return {
    x: Math.round(area.x + (area.width - inRow * (width + GAP) + GAP) / 2 + (i % columns) * (width + GAP)),
    y: Math.round(area.y + (area.height - rows * (height + GAP) + GAP) / 2 + row * (height + GAP)),
    width, height,
  };
}

function float(area, corner, hidden) {
  const { width, height } = hidden ? { width: HIDDEN, height: HIDDEN } : floatingSize(area);
  const [top, left] = [corner.startsWith('top'), corner.endsWith('left')];
  return {
    x: area.x + (left ? GAP : Math.max(0, area.width - width - GAP)),
    y: area.y + (top ? GAP : Math.max(0, area.height - height - GAP)),
    width, height,
  };
}

// Upright where the area is: that is how a phone is held, and its camera.
function floatingSize({ width, height }) {
  if (width < height) {
    const w = Math.round(Math.min(150, Math.max(96, width * 0.28)));
    return { width: w, height: Math.round(w * 4 / 3) };
  }
  const h = Math.round(Math.min(150, Math.max(84, height * 0.24)));
  return { width: Math.round(h * SHAPE), height: h };
}

/** The corner of an area that is nearest to a point of it. */
export function nearest({ x, y }, { width, height }) {
  return `${y < height / 2 ? 'top' : 'bottom'} ${x < width / 2 ? 'left' : 'right'}`;
}

/** The corner to which a key moves from another, null for a key that moves nothing. */
export function toward(corner, key) {
  const [vertical, horizontal] = corner.split(' ');
  switch (key) {
    case 'ArrowUp': return `top ${horizontal}`;
    case 'ArrowDown': return `bottom ${horizontal}`;
    case 'ArrowLeft': return `${vertical} left`;
    case 'ArrowRight': return `${vertical} right`;
    default: return null;
  }
}

/** The next corner, clockwise. */
export const next = (corner) => CORNERS[(CORNERS.indexOf(corner) + 1) % CORNERS.length];
