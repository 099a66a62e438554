// Reads and writes the binary frames that go beside the messages of a link (PROTOCOL.md sections 4.8 and 4.9).

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ID = /^[a-z2-7]{26}$/;

/** Throws what the reader of a frame catches. */
export function check(right) {
  if (!right) throw new RangeError('not such a frame');
}

export class Writer {
  #parts = [];
  #size = 0;

  bytes(bytes) {
    this.#parts.push(bytes);
    this.#size += bytes.length;
  }

  text(text) { this.bytes(encoder.encode(text)); }

  byte(byte) { this.bytes(Uint8Array.of(byte)); }

  number(n, size) {
    const view = new DataView(new ArrayBuffer(4));
    view.setUint32(0, n);
    this.bytes(new Uint8Array(view.buffer, 4 - size));
  }

  long(n) {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, n);
    this.bytes(new Uint8Array(view.buffer));
  }

  sized(bytes) {
    this.number(bytes.length, 2);
    this.bytes(bytes);
  }

  done() {
    const all = new Uint8Array(this.#size);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

export class Reader {
  #view;
  #at = 0;

  constructor(bytes) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  get empty() { return this.#at === this.#view.byteLength; }

  bytes(n) {
    check(this.#at + n <= this.#view.byteLength);
    this.#at += n;
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + this.#at - n, n).slice();
  }

  text(n) { return decoder.decode(this.bytes(n)); }

  byte() { return this.bytes(1)[0]; }

  number(n) { return this.bytes(n).reduce((sum, byte) => sum * 256 + byte, 0); }

  long() { return new DataView(this.bytes(8).buffer).getBigUint64(0); }

  version() {
    const n = this.long();
    check(n <= BigInt(Number.MAX_SAFE_INTEGER));
    return Number(n);
  }

  id() {
    const id = this.text(26);
    check(ID.test(id));
    return id;
  }
}
