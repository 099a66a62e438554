// The bodies of pair frames: descriptions, track tables, wants, candidates
// (PROTOCOL.md sections 4.3 and 4.4).

import { isObject, malformed, parse, string } from './json.js';
import { MAX } from './limits.js';
import { byteLength, isLabel, nameProblem } from './name.js';
import { isCandidate, linesOf } from './remote_candidates.js';

/** Decodes the body of an offer, answer, candidates, table or wants. Throws a NoomError. */
export function decodeBody(type, body = '') {
  const value = parse(body);
  if (!isObject(value)) throw malformed('a body is an object');
  BODIES[type](value);
  return value;
}

const BODIES = {
  offer: checkDescription, answer: checkDescription, candidates: checkCandidates, table: checkTableIn, wants: checkWants,
};

function checkDescription(b) {
  if (!Number.isInteger(b.id) || b.id < 1 || b.id > MAX.number) throw malformed('description id out of bounds');
  const size = byteLength(string(b.sdp));
  if (size < 1 || size > MAX.sdp) throw malformed(`SDP of ${size} bytes`);
  const sections = b.sdp.match(/(^|[\r\n])m=/g)?.length ?? 0;
  if (sections < 1 || sections > MAX.sections) throw malformed(`SDP of ${sections} media sections`);
  const candidates = linesOf(b.sdp).filter(isCandidate).length;
  if (candidates > MAX.generation) throw malformed(`SDP of ${candidates} candidates`);
  checkTableIn(b);
}

function checkTableIn(b) {
  b.table ??= {};
  checkTable(b.table);
}

function checkTable(table) {
  if (!isObject(table)) throw malformed('a table is an object');
  table.version ??= 0;
  table.tracks ??= {};
  if (!Number.isInteger(table.version) || table.version < 0 || table.version > MAX.number) throw malformed('table version');
  if (!isObject(table.tracks)) throw malformed('table tracks');
  const rows = Object.entries(table.tracks);
  if (rows.length > MAX.tracks) throw malformed(`a table of ${rows.length} tracks`);
  if (new Set(rows.map(([, row]) => row?.id)).size !== rows.length) throw malformed('a track twice in a table');
  for (const [mid, row] of rows) {
    if (mid === '' || byteLength(mid) > MAX.label || !isObject(row)) throw malformed('table: bad mid');
    row.name ??= '';
    row.muted ??= false;
    row.paused ??= false;
    if (!isLabel(string(row.id))) throw malformed('table: bad track id');
    if (row.kind !== 'audio' && row.kind !== 'video') throw malformed('table: bad kind');
    if (typeof row.muted !== 'boolean') throw malformed('table: bad muted');
    if (typeof row.paused !== 'boolean') throw malformed('table: bad paused');
    const problem = nameProblem(string(row.name));
    if (problem) throw malformed(`table: name ${problem}`);
  }
}

function checkWants(b) {
  b.version ??= 0;
  b.wants ??= {};
  if (!Number.isInteger(b.version) || b.version < 0 || b.version > MAX.number) throw malformed('wants version');
  if (!isObject(b.wants)) throw malformed('wants is an object');
  const rows = Object.entries(b.wants);
  if (rows.length > MAX.tracks) throw malformed(`wants of ${rows.length} tracks`);
  for (const [id, height] of rows) {
    if (!isLabel(id)) throw malformed('wants: bad track id');
    b.wants[id] = height ?? 0;
    if (!Number.isInteger(b.wants[id]) || b.wants[id] < 0 || b.wants[id] > MAX.height) throw malformed('wants: a height out of bounds');
  }
}

function checkCandidates(b) {
  if (!Array.isArray(b.candidates) || b.candidates.length < 1 || b.candidates.length > MAX.candidates) {
    throw malformed('candidates: want 1 to 32');
  }
  const ufrag = byteLength(string(b.ufrag));
  if (ufrag < 1 || ufrag > 256) throw malformed('bad ufrag');
  b.candidates = b.candidates.map((c) => c ?? {});
  for (const c of b.candidates) {
    if (!isObject(c)) throw malformed('a candidate is an object');
    c.candidate ??= '';
    c.sdpMid ??= '';
    c.sdpMLineIndex ??= 0;
    if (byteLength(string(c.candidate)) > MAX.candidate || byteLength(string(c.sdpMid)) > MAX.label) {
      throw malformed('candidate too long');
    }
    if (!Number.isInteger(c.sdpMLineIndex) || c.sdpMLineIndex < 0 || c.sdpMLineIndex > 65535) throw malformed('bad sdpMLineIndex');
  }
}
