// The pure parts of a recording: its name, its sizes, and where its bytes go.

export const MOST_KEPT = 1_000_000_000; // bytes of a recording that no file takes meanwhile
const MOST_WAITING = 64_000_000; // bytes that a file has not taken yet
const LONGEST = 60; // characters of a room in a file's name

/** The types of a recording that a browser may make, the preferred one first. */
export const TYPES = ['video/webm;codecs=vp8,opus', 'video/webm', 'video/mp4'];

/** noom-ROOM-DATE.webm, or .mp4. */
export function fileName(room, date, type) {
  const two = (n) => String(n).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const name = [...room].slice(0, LONGEST).join('').replace(/[\\/:*?"<>|.\s\p{C}]+/gu, '-');
  return `noom-${name}-${day}-${two(date.getHours())}${two(date.getMinutes())}.${type.startsWith('video/mp4') ? 'mp4' : 'webm'}`;
}

/** 0:42, 1:02:03 */
export function clockOf(ms) {
  const seconds = Math.floor(ms / 1000);
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, String(seconds % 60).padStart(2, '0')];
  return h > 0 ? `${h}:${String(m).padStart(2, '0')}:${s}` : `${m}:${s}`;
}

export const sizeOf = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** How large a recording is: in the shape of an area, and no larger than most. Encoders want even numbers. */
export function sizeIn({ width, height }, most = { width: 1280, height: 720 }) {
  const scale = Math.min(most.width / Math.max(1, width), most.height / Math.max(1, height));
  const even = (n) => Math.max(2, 2 * Math.round(Math.max(1, n) * scale / 2));
  return { width: even(width), height: even(height) };
}

/** The part of a picture that fills a box, as {x, y, width, height} of the picture. */
export function covering(picture, box) {
  const scale = Math.max(box.width / picture.width, box.height / picture.height);
  return inMiddle({ width: box.width / scale, height: box.height / scale }, { x: 0, y: 0, ...picture });
}

/** The place of a whole picture in a box. */
export function contained(picture, box) {
  const scale = Math.min(box.width / picture.width, box.height / picture.height);
  return inMiddle({ width: picture.width * scale, height: picture.height * scale }, box);
}

const inMiddle = ({ width, height }, box) => ({ x: box.x + (box.width - width) / 2, y: box.y + (box.height - height) / 2, width, height });

/** A recording that is kept until its end, and then given to save(parts). */
export class Kept {
  size = 0;
  #parts = [];
  #save;
  #most;

  constructor(save, most = MOST_KEPT) {
    [this.#save, this.#most] = [save, most];
  }

  /** Takes a part: '' if there is room for another, or a key of strings.js for why there is not. */
  add(blob) {
    this.#parts.push(blob);
    this.size += blob.size;
    return this.size < this.#most ? '' : 'recordFull';
  }

  async finish() { this.#save(this.#parts.splice(0)); }

  /** Nothing was recorded. */
  async abandon() { this.#parts = []; }
}

/** One that is written meanwhile, into a stream with write, close and abort. It is in its file when that is closed. */
export class Written {
  size = 0;
  #stream;
  #most;
  #waiting = 0;
  #work = Promise.resolve(); // one part after the other
  #failed = null;

  constructor(stream, most = MOST_WAITING) {
    [this.#stream, this.#most] = [stream, most];
  }

  add(blob) {
    this.size += blob.size;
    this.#waiting += blob.size;
    this.#work = this.#work.then(async () => {
      if (!this.#failed) await this.#stream.write(blob);
      this.#waiting -= blob.size;
    }).catch((error) => { this.#failed = error; });
    return this.#failed ? 'recordUnsaved' : this.#waiting < this.#most ? '' : 'recordSlow';
  }

  /** Rejects if not all of it could be written: then nothing is in the file, because a write that fails ends the stream. */
  async finish() {
    await this.#work;
    if (this.#failed) throw this.#failed;
    await this.#stream.close();
  }

  /** Nothing was recorded. */
  async abandon() { await this.#stream.abort(); }
}
