// The ICE candidates of one connection: ours go out in batches, behind the
// description they belong to; the other end's are of the description in force
// (PROTOCOL.md section 4.3).

import { typeOf } from './diagnosis.js';
import { MAX } from './limits.js';
import { isCandidate, linesOf, RemoteCandidates } from './remote_candidates.js';

export class Candidates {
  #pc;
  #later; // (step) takes a step on the connection's chain
  #send; // (body, ufrag) to the other end
  #waiting = []; // of ours, oldest first
  #ours = { ufrag: '', kinds: new Set() }; // of the latest gathering
  #theirs; // of the remote description
  #atHome; // whether peers are looked for on this machine
  #lookup; // () → whether one more name may be asked for
  #next = null; // the judge of a generation whose description is about to be in force
  #refusal = null; // {server, reason}, of a TURN server

  constructor(pc, { later, send, atHome, lookup }) {
    this.#atHome = atHome;
    this.#lookup = lookup;
    this.#theirs = this.#generation('');
    this.#pc = pc;
    this.#later = later;
    this.#send = send;
    pc.onicecandidate = ({ candidate }) => this.#gathered(candidate);
    pc.onicecandidateerror = (event) => this.#refused(event);
  }

  /** The username fragment of the remote description, '' before the first. */
  get ufrag() { return this.#theirs.ufrag; }

  /** What judge needs to know of them. */
  get evidence() {
    return { ours: [...this.#ours.kinds], theirs: [...this.#theirs.kinds], refusal: this.#refusal };
  }

  /** A remote description with those candidates alone that are taken. */
  taken(sdp) {
    const judge = ufragOf(sdp) === this.#theirs.ufrag ? this.#theirs.judge : (this.#next = new RemoteCandidates(this.#atHome));
    const refused = (line) => isCandidate(line) && !judge.take(line, this.#lookup);
    return linesOf(sdp).filter((line) => !refused(line)).join('');
  }

  /** A remote description is in force. */
  described(sdp) {
    const ufrag = ufragOf(sdp);
    if (ufrag !== this.#theirs.ufrag) this.#theirs = this.#generation(ufrag, this.#next);
    this.#next = null;
    for (const line of linesOf(sdp)) if (isCandidate(line)) this.#theirs.kinds.add(typeOf(line));
  }

  /** Takes a batch of the other end's. */
  async add({ ufrag, candidates }) {
    if (ufrag !== this.#theirs.ufrag) return;
    for (const c of candidates) {
      if (++this.#theirs.count > MAX.generation) return;
      if (c.candidate !== '' && !this.#theirs.judge.take(c.candidate, this.#lookup)) continue;
      this.#theirs.kinds.add(typeOf(c.candidate));
      // One that does not parse, or whose name does not resolve, does no harm: others may work.
      await this.#pc.addIceCandidate(c.candidate === '' ? { candidate: '', sdpMid: c.sdpMid, sdpMLineIndex: c.sdpMLineIndex } : { ...c, usernameFragment: ufrag }).catch(() => {});
    }
  }

  #generation(ufrag, judge) {
    return { ufrag, count: 0, kinds: new Set(), judge: judge ?? new RemoteCandidates(this.#atHome) };
  }

  // What was gathered while the chain was busy goes out as one batch.
  #gathered(found) {
    const { candidate = '', sdpMid, sdpMLineIndex, usernameFragment } = found ?? {};
    const ufrag = usernameFragment ?? ufragOf(this.#pc.localDescription?.sdp ?? '');
    if (ufrag !== this.#ours.ufrag) this.#ours = { ufrag, kinds: new Set() };
    if (candidate) this.#ours.kinds.add(typeOf(candidate));
    const last = this.#waiting.at(-1);
    if (!candidate && last?.candidate === '' && last.ufrag === ufrag) return;
    this.#waiting.push({ ufrag, candidate, sdpMid: sdpMid ?? '0', sdpMLineIndex: sdpMLineIndex ?? 0 });
    if (this.#waiting.length === 1) this.#later(() => this.#sendWaiting());
  }

  // A TURN server that answers, and will not have us; 701 is one that does not answer.
  #refused({ url = '', errorCode, errorText }) {
    if (!/^turns?:/.test(url) || errorCode === 701) return;
    this.#refusal = { server: url.replace(/^turns?:/, '').replace(/\?.*/, ''), reason: errorText ? `${errorText} (error ${errorCode})` : `error ${errorCode}` };
  }

  #sendWaiting() {
    while (this.#waiting.length > 0) {
      const { ufrag } = this.#waiting[0];
      const other = this.#waiting.findIndex((c) => c.ufrag !== ufrag);
      const count = Math.min(other < 0 ? this.#waiting.length : other, MAX.candidates);
      const candidates = this.#waiting.splice(0, count).map(({ candidate, sdpMid, sdpMLineIndex }) => ({ candidate, sdpMid, sdpMLineIndex }));
      this.#send(JSON.stringify({ ufrag, candidates }), ufrag);
    }
  }
}

/** The username fragment in a description, '' if it has none. */
export const ufragOf = (sdp) => /^a=[:\t ]*ice-ufrag[:\t ]+(\S+)/im.exec(sdp)?.[1] ?? '';
