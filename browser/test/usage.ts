// What README.md and noom.d.ts promise, used as an application would: checked
// by tsc, never run.

import { type Bandwidth, Channel, Identity, join, NoomError, safetyNumber, type AnyRoomEvent, type Diagnosis, type Member, type OfferedFile, type Peer, type PeerState, type Quality, type RemoteTrack, type SafetyNumber, type Sender, type Timeline, type TracedFrame } from '../noom.js';

export async function use(media: MediaStream): Promise<string> {
  const identity = await Identity.generate();
  const room = await join('/ws', '로비', {
    name: 'gopher',
    identity,
    tracks: [...media.getTracks(), { track: media.getTracks()[0]!, name: 'second', maxBitrate: 100_000 }],
    uplink: 2_000_000,
    maxFileSize: 1e9,
    history: 50,
    transport: 'http',
    httpURL: new URL('https://call.example/http'),
    joinInFrame: true,
    preferredCodecs: ['video/H264'],
    verify: (member: Member) => member.id.length === 26,
    trace: ({ at, peer, direction, inBand, type, bytes }: TracedFrame) => `${at.toISOString()} ${peer?.name ?? 'hub'} ${direction} ${inBand} ${type} ${bytes}`,
  });
  const spread = await join(['wss://a.example/ws', new URL('wss://b.example/ws')], '로비').catch((error: NoomError) => error.hubs?.map(({ url, error: { code } }) => `${url} ${code}`));
  spread satisfies unknown;
  room.trace = null;
  await room.state.set('주제', '저녁', { keep: true });
  const entry = room.state.get('주제');
  for (const { key, value, by, keep } of room.state.entries()) keep && `${key} ${value.length} ${by.name}`;
  if (entry?.by.id !== room.self.id) await room.state.delete('주제');
  await room.setAttributes({ role: 'host' });
  room.peers[0]?.attributes?.role satisfies string | undefined;
  room.addEventListener('trackadded', ({ peer, track }) => show(track, peer.name));
  room.addEventListener('closed', (event) => event.error?.code satisfies string | undefined);
  const sender: Sender = room.publish(media.getVideoTracks()[0]!, { name: 'screen', maxBitrate: 2_500_000 });
  sender.maxBitrate satisfies number | null;
  await sender.replaceTrack(null);
  sender.setMuted(true);
  for await (const event of room.events()) told(event);
  const peer = room.peers[0];
  if (peer) {
    const answer: Uint8Array = await peer.ask('x', 'y', { signal: AbortSignal.timeout(1000) });
    room.handle('x', async (from: Peer, data: Uint8Array, { signal }) => (signal.aborted ? undefined : `${from.name} ${data.length + answer.length}`));
    room.handle('x', () => {});
    room.handle('x', null);
    // @ts-expect-error a number is no answer
    room.handle('x', () => 42);
    const channel: Channel = await peer.openChannel('x', { unordered: true, maxRetransmits: 0 });
    await channel.send('text');
    const data: Uint8Array | null = await channel.receive();
    for await (const bytes of channel) bytes satisfies Uint8Array;
    await peer.send(data ?? new ArrayBuffer(1));
    await peer.sendFile(new File(['x'], '메모.txt'), { name: 'y', signal: AbortSignal.timeout(1000), onprogress: (done, total) => done / total satisfies number });
    await peer.send('x', { topic: '입력 중' });
    room.trySend('x', { topic: 'cursor' }) satisfies Peer[];
    room.addEventListener('datareceived', ({ topic }) => topic satisfies string);
    // @ts-expect-error a topic is a string
    await room.send('x', { topic: 7 });
    if (!peer.trySend('x') || !room.tryChat('x')) room.trySend(new Uint8Array(1)) satisfies Peer[];
    const number: SafetyNumber = await peer.safetyNumber();
    if (number.digits !== (await safetyNumber(room.self, peer.member)).digits) number.emoji satisfies string;
    peer.connection?.getSenders();
    const { verdict, words, error, path, attempts }: Diagnosis = await peer.diagnose();
    if (verdict === 'TURN refused') error?.code satisfies string | undefined;
    if (path?.relayed) `${words} ${attempts} ${path.local.address ?? path.rtt}` satisfies string;
    if (room.may('mute') && peer.may('publish')) await peer.requestMute('microphone');
    if (!room.locked) await room.lock();
    await room.kick(peer.id);
    peer.state satisfies PeerState;
    const { estimate, sent, loss, roundTrip, queue }: Bandwidth = peer.bandwidth();
    const { joined, offer, check, media: came }: Timeline = peer.timeline();
    if (joined && offer && came && !check) Number(came) - Number(offer) satisfies number;
    (peer.quality satisfies Quality) === 'poor' && estimate - sent + loss + roundTrip + queue;
  }
  const why: NoomError | null = await room.closed;
  return why?.code ?? 'left';
}

// Every event, and no other: a type that is missed makes `rest` something.
function told(event: AnyRoomEvent): string {
  switch (event.type) {
    case 'peerjoined': return String(event.existing);
    case 'peerleft': return event.reason;
    case 'peerrenamed': return event.old;
    case 'statechanged': return `${event.key} ${event.value?.length ?? 'gone'} ${event.by.name}`;
    case 'attributeschanged': return String(event.peer.attributes?.role);
    case 'peerstatechanged': return event.state;
    case 'qualitychanged': return event.quality;
    case 'trackadded': case 'trackremoved': case 'trackchanged': return event.track.name;
    case 'trackmuted': return String(event.muted);
    case 'trackpaused': return String(event.paused);
    case 'trackblocked': return `${event.blocked} ${event.element.paused} ${event.track.name}`;
    case 'trackrefused': return event.sender.name + event.codec + event.error.code;
    case 'activespeaker': return event.peer?.name ?? '';
    case 'chatreceived': return event.text + (event.history ? event.sent : event.at)?.toISOString() + (event.peer?.id ?? event.from.id);
    case 'datareceived': return String(event.data.length);
    case 'channelopened': return event.channel.label;
    case 'fileoffered': taken(event.file); return event.file.name + event.file.size;
    case 'muterequested': return event.track + event.by.name;
    case 'roomlocked': return event.locked ? event.by?.name ?? '' : '';
    case 'signalinglost': return event.error.message;
    case 'signalingrestored': return event.type;
    case 'lagged': return String(event.dropped);
    case 'closed': return event.error?.code ?? '';
    default: {
      const rest: never = event;
      return rest;
    }
  }
}

async function taken(file: OfferedFile): Promise<void> {
  if (file.size > 1e9) return file.decline();
  const blob: Blob = await file.accept({ onprogress: (done) => done satisfies number });
  await file.accept({ writable: new WritableStream(), signal: new AbortController().signal }) satisfies void;
  blob.size satisfies number;
}

function show(track: RemoteTrack, name: string): void {
  const video = document.createElement('video');
  track.attach(video) satisfies HTMLVideoElement;
  if (!track.blocked) document.body.append(track.attach());
  for (const element of [...track.detach(video), ...track.detach()]) element.remove();
  for (const height of [0, 180, Infinity, null]) track.want(height);
  video.srcObject = track.stream;
  video.title = name;
  // @ts-expect-error a name cannot be set
  track.name = '';
}
