// A report of a call for people who look for a fault. Pure. It is in English, whatever the page speaks, and made of numbers
// and of words that are known: so whatever a member calls itself is not in it.

// The frames of PROTOCOL.md. A member may send others, by any name.
const FRAMES = new Set([
  'join', 'challenge', 'proof', 'joined', 'welcome', 'bye', 'rename', 'renamed', 'chat', 'kick', 'mute', 'lock', 'unlock', 'locked', 'unlocked', 'close',
  'servers', 'ping', 'pong', 'error', 'offer', 'answer', 'candidates', 'ask', 'grant', 'table', 'wants', 'ack', 'stale', 'left',
]);
const CODECS = new Set(['opus', 'red', 'pcmu', 'pcma', 'g722', 'vp8', 'vp9', 'h264', 'h265', 'av1', 'rtx', 'ulpfec', 'flexfec-03']);
const WORDS = new Set([
  // Events of noom.js.
  'peerjoined', 'peerleft', 'peerrenamed', 'peerstatechanged', 'qualitychanged', 'trackadded', 'trackremoved', 'trackmuted', 'trackpaused', 'trackblocked',
  'trackrefused', 'senderpaused', 'sourceended', 'channelopened', 'fileoffered', 'signalinglost', 'signalingrestored', 'roomlocked', 'muterequested', 'lagged', 'closed',
  // What they say.
  ...['muted', 'paused', 'blocked', 'locked', 'existing'].flatMap((word) => [word, `not ${word}`]), 'audio', 'video', 'left', 'lost', 'kicked',
  // States, of noom.js and of browsers, and qualities.
  'new', 'connecting', 'checking', 'connected', 'completed', 'interrupted', 'disconnected', 'failed', 'gathering', 'complete', 'good', 'fair', 'poor',
  'stable', 'have-local-offer', 'have-remote-offer', 'have-local-pranswer', 'have-remote-pranswer',
  // Paths.
  'host', 'srflx', 'prflx', 'relay', 'udp', 'tcp', 'tls', 'unknown',
  // Findings.
  'hub unreachable', 'frame undelivered', 'no answer', 'no candidate pair', 'relay needed', 'TURN refused', 'TURN unreachable', 'DTLS failed', 'codec not shared', 'protocol broken',
  // Codes of errors, of PROTOCOL.md section 2 and of noom.js.
  'insecure_context', 'unsupported', 'unreachable', 'closed', 'kicked', 'room_closed', 'replaced', 'expired', 'not_connected', 'no_hub', 'would_block',
  'declined', 'cancelled', 'file_changed', 'file_failed', 'file_busy', 'file_stalled', 'file_broken', 'undelivered', 'bad_data', 'bad_argument', 'channel_lost', 'unread', 'kind', 'turn', 'description', 'turn_refused', 'codec', 'too_many_tracks',
  'malformed', 'too_big', 'too_late', 'too_slow', 'join_first', 'bad_room', 'bad_proof', 'refused', 'room_full', 'hub_full', 'shutting_down',
  'already_joined', 'bad_name', 'bad_chat', 'no_such_member', 'forbidden', 'locked', 'too_many', 'failed',
]);

/**
 * The text. call is {date, agent, online, others, left, room, members}: agent the browser's name for itself, left how many
 * members are left out; room {events, frames}, members such as timeline.js describes them.
 */
export function reportOf({ date, agent, online, others, left, room, members }) {
  return [
    `noom call report, ${new Date(date).toISOString()}`,
    ...[
      agentOf(agent),
      `server ${online ? 'reachable' : 'out of reach'}; other members: ${count(others)}${left > 0 ? `; left out: ${count(left)}` : ''}`,
      '', 'Room', ...lines(room),
      ...members.flatMap((m) => ['', `Member ${count(m.number)}`, ...(m.gone ? ['  has left'] : present(m)), ...lines(m)]),
      '',
    ].map(withoutAddresses),
  ].join('\n');
}

/** Text in which whatever looks like an address, a name of a host in it, or a secret of SDP, is replaced. */
export function withoutAddresses(text) {
  return text
    .replaceAll(/(?<!\w\/)\b\d{1,3}(?:\.\d{1,3}){3}\b/g, 'ADDRESS') // but Chrome/131.0.0.0 is a version
    .replaceAll(/\b[\w-]+\.local\b/gi, 'ADDRESS')
    .replaceAll(/\[?(?:[\da-f]{0,4}:){2,}[\da-f]{0,4}\]?/gi, 'ADDRESS') // fingerprints, too
    .replaceAll(/\b(?:ice-)?(?:ufrag|pwd)[ :]\S+/gi, 'SECRET');
}

function present({ state, quality, states, bandwidth, path, streams, found }) {
  return [
    `  ${word(state)}, quality ${word(quality)}`,
    ...Object.keys(states).length > 0 ? [`  connection ${word(states.connectionState)}, ICE ${word(states.iceConnectionState)}, gathering ${word(states.iceGatheringState)}, signaling ${word(states.signalingState)}`] : [],
    path ? `  path ${word(path.local)} to ${word(path.remote)} over ${word(path.protocol)}, ${path.relayed ? 'relayed' : 'direct'}` : '  no path',
    ...found ? [`  finding: ${word(found.verdict)}${found.code ? ` (${word(found.code)})` : ''}, attempts given up: ${count(found.attempts)}${refused(found.codecs)}`] : [],
    `  sent ${kilobits(bandwidth.sent)}, estimate ${kilobits(bandwidth.estimate)}, lost ${count(100 * bandwidth.loss)} %, round trip ${count(bandwidth.roundTrip)} ms`,
    ...streams.map((s) => `  ${way(s.way)} ${word(s.kind)} ${codec(s.codec)}${s.height > 0 ? ` ${count(s.width)}x${count(s.height)} at ${count(s.rate)}/s` : ''}, packets ${count(s.packets)}, lost ${count(s.lost)}`),
  ];
}

function lines({ events, frames }) {
  return [
    ...events.map((e) => `  ${seconds(e.at)} ${word(e.type)}${e.what.map((what) => ` ${word(what)}`).join('')}`),
    ...frames.map((f) => `  ${seconds(f.at)} ${way(f.direction)} ${frame(f.type)} ${count(f.bytes)} B ${f.inBand ? 'in-band' : 'by hub'}`),
  ];
}

const refused = (codecs) => (codecs?.length > 0 ? `, refused: ${codecs.slice(0, 8).map(codec).join(' ')}` : '');
const word = (value) => (WORDS.has(value) ? value : '?');
const frame = (type) => (FRAMES.has(type) ? type : '?');
const way = (direction) => (direction === 'in' ? 'in ' : 'out');
const count = (value) => (Number.isFinite(value) ? String(Math.round(value)) : '?');
const seconds = (value) => (Number.isFinite(value) ? value.toFixed(3).padStart(9) : '?');
const kilobits = (bits) => `${count(bits / 1000)} kbit/s`;

// An app with a browser in it may have written anything there.
const agentOf = (agent) => String(agent).slice(0, 300).replaceAll(/[^ -~]/g, '?');

function codec(mime) {
  const name = String(mime).toLowerCase().replace(/^(?:audio|video)\//, '');
  return CODECS.has(name) ? name : '?';
}
