// noom in a web page. README.md shows how to use it.

/** Why something failed: a code of the hub (PROTOCOL.md section 2), or one of noom.js. */
export type ErrorCode =
  | 'insecure_context' | 'unsupported' | 'unreachable' | 'closed' | 'kicked' | 'room_closed' | 'replaced' | 'expired'
  | 'not_connected' | 'no_hub' | 'would_block' | 'undelivered' | 'bad_data' | 'bad_key' | 'state_full' | 'bad_argument' | 'channel_lost' | 'unread' | 'kind' | 'declined' | 'cancelled' | 'file_changed' | 'file_failed' | 'file_busy' | 'file_stalled' | 'file_broken' | 'turn' | 'description' | 'turn_refused' | 'codec' | 'too_many_tracks'
  | 'malformed' | 'too_big' | 'too_late' | 'too_slow' | 'join_first' | 'bad_room' | 'bad_proof' | 'refused'
  | 'room_full' | 'hub_full' | 'shutting_down' | 'already_joined' | 'bad_name' | 'bad_chat' | 'no_such_member'
  | 'forbidden' | 'locked' | 'too_many' | 'failed'
  | (string & {});

export class NoomError extends Error {
  readonly code: ErrorCode;
  /** The type of the frame that the hub refused, if known. */
  readonly about: string;
  /** After how many ms another try makes sense; 0: the hub does not say. */
  readonly retry: number;
  /** In the errors of leave, and of a send to all: the peer that it concerns. */
  readonly peer?: Peer;
  /**
   * Of code undelivered: how many messages, and how many channels with something in them, are not known to have
   * arrived.
   */
  readonly messages?: number;
  readonly channels?: number;
  /** If none of several hubs could be used: why not, in the order in which they were tried. */
  readonly hubs?: readonly { readonly url: string; readonly error: NoomError }[];
}

export interface Member {
  /** 26 characters; follows from the key. */
  readonly id: string;
  /** Up to 128 bytes; may be empty. */
  readonly name: string;
  /** Ed25519 public key, 32 bytes. */
  readonly key: Uint8Array;
  /** This run of the member: one join. */
  readonly session: string;
  /** What it may do; absent: publish and chat. */
  readonly rights?: readonly Right[];
  /**
   * Whom the hub's authorisation takes it for, up to 256 bytes; absent: the hub does not say. It is the hub's word, which the
   * member has not signed: who trusts keys and not the hub must not rely on it.
   */
  readonly account?: string;
}

/** What a member may do in a room; hubs may know further ones. */
export type Right = 'publish' | 'chat' | 'kick' | 'lock' | 'mute' | 'close' | (string & {});

/** An Ed25519 key pair. */
export class Identity {
  private constructor();
  static generate(): Promise<Identity>;
  readonly id: string;
  readonly key: Uint8Array;
  sign(text: string): Promise<Uint8Array>;
}

/** What two members compare over another channel, to know that no hub stands between them. */
export interface SafetyNumber {
  /** 12 groups of 5 digits, with spaces between: 199 bits. */
  readonly digits: string;
  /** 24 emoji, with spaces between: 144 bits. */
  readonly emoji: string;
}

/** The safety number of two members, in either order; it follows from their ids alone. */
export function safetyNumber(a: Pick<Member, 'id'>, b: Pick<Member, 'id'>): Promise<SafetyNumber>;

export interface LocalTrack {
  track: MediaStreamTrack;
  /** The name that the others see; default: camera or microphone, by kind. */
  name?: string;
  /** See PublishOptions. */
  maxBitrate?: number;
}

export interface JoinOptions {
  /** The nickname: any language, up to 128 bytes, may be empty. */
  name?: string;
  /**
   * Handed to the hub's authorisation, up to 4096 bytes. A function is called before each join, the returns after a
   * loss included. If it fails, a first join rejects with code bad_argument and the failure as cause; a return is tried
   * again.
   */
  token?: string | (() => string | Promise<string>);
  /**
   * Keeps the join out of the header of the request that opens a WebSocket, where it saves a round trip: the names of the
   * room and the member, its key and its session, but never the token. A proxy that ends TLS may log headers, and seldom
   * logs frames. Default false.
   */
  joinInFrame?: boolean;
  /** Published from the very first offer on, which saves a round trip. */
  tracks?: (MediaStreamTrack | LocalTrack)[];
  /** Default: those the hub hands out. Unusable servers are skipped, with a warning. */
  iceServers?: RTCIceServer[];
  /** Default: a fresh one, for this load of the page. */
  identity?: Identity;
  /**
   * false, or an error, refuses a member: it gets no connection and is in no list. Called once for each run of a
   * member. The hub's frames wait meanwhile.
   */
  verify?: (member: Member) => boolean | Promise<boolean>;
  /** How long a connection may take to come up before it is rebuilt, in ms. Default 15000. */
  connectTimeout?: number;
  /** Bounds one dial and join, the first one too, in ms, 100 to 2147483647. Default 10000; several hubs share it. */
  dialTimeout?: number;
  /**
   * How the hub is reached. auto, the default, tries WebSocket and, where that is not open after 2 s, HTTP requests as
   * well; it remembers what worked, and goes back to WebSocket when that works again.
   */
  transport?: 'auto' | 'websocket' | 'http';
  /** Where the hub speaks HTTP, if it is one. Default: url with http as the last part of its path. */
  httpURL?: string | URL;
  /**
   * What all pictures to all peers may take together, in bits per second, 10000 to 2147483647. Default 4000000. It is
   * divided evenly over the pictures, where what one has no use for goes to the others: 1.4 Mbit/s each for up to two of
   * them, 0.5 Mbit/s at 480p for eight. Sound comes on top, at a higher priority: some 80 kbit/s for each track and peer.
   */
  uplink?: number;
  /**
   * The codecs in which to receive tracks if the other side has them, the best first, as MIME types such as video/H264, of
   * sound and pictures in one list: a browser sends in the first that it encodes, a member in Go in what its track is. All
   * others come after them, so nothing is lost to a preference. What this browser does not know is passed over. Each is
   * one of audio/opus, audio/G722, audio/PCMU, audio/PCMA, video/VP8, video/VP9, video/H264, video/AV1 and video/H265, in
   * any case, and there once; else join rejects with bad_argument. Default: the browser's order.
   */
  preferredCodecs?: string[];
  /** How many bytes a file may have that a peer offers; larger ones are declined without an event. Default: 2 ** 46. */
  maxFileSize?: number;
  /**
   * How many chat messages this member keeps for those who come later, 0 to 1000: the last ones, of at most 262144 bytes of
   * text. It gets as many of what was said before it came, from the others; the hub has no part in it. Default: 100.
   */
  history?: number;
  /** Caps the pause between two dials after the hub was lost, in ms. Default 2000. */
  redialMax?: number;
  /**
   * Called for each frame of signaling that comes or goes, by the hub or over the connections to the peers, for people who
   * want to see a negotiation. See also Room.trace.
   */
  trace?: ((frame: TracedFrame) => void) | null;
  /** In Node: the package @roamhq/wrtc, say. Default: what globalThis has, as in a page. */
  webrtc?: WebRTC;
  /**
   * In Node before 22: the WebSocket of the package ws, say. Default: that of globalThis; where there is none, transport
   * auto is http.
   */
  WebSocket?: new (url: URL, protocols: string | string[]) => object;
}

/**
 * One frame of signaling (PROTOCOL.md), without what is in it. What comes is traced when it can be read, and its signature
 * is checked later; what cannot be read is not traced.
 */
export interface TracedFrame {
  readonly at: Date;
  /** The peer that it comes from or goes to; null: the hub, or a member that is no peer now. */
  readonly peer: Peer | null;
  readonly direction: 'in' | 'out';
  /** Whether it travels over the connection to the peer, not through the hub. Of one that goes both ways there are two. */
  readonly inBand: boolean;
  /** join, offer, answer, candidates, ack, …; those of later versions too, '' for one that is no label. */
  readonly type: string;
  /** Its size. */
  readonly bytes: number;
}

/** A WebRTC that is not the browser's. */
export interface WebRTC {
  readonly RTCPeerConnection: typeof RTCPeerConnection;
  readonly RTCRtpSender: typeof RTCRtpSender;
  /** Without it, preferredCodecs has no effect. */
  readonly RTCRtpReceiver?: typeof RTCRtpReceiver;
  readonly MediaStream: typeof MediaStream;
}

/**
 * Joins a room. url: the hub's, ws(s) or http(s), or relative to the page; noom serve needs no path in it. An array has the
 * URLs of several hubs that serve the same rooms. They are tried in the room's own order, so that its members tend to meet at
 * one hub, and those that have failed in the last 30 s at the end; each has an equal part of dialTimeout. The room stays at a
 * hub until it loses that. Rejects with a NoomError.
 */
export function join(url: string | URL | readonly (string | URL)[], room: string, options?: JoinOptions): Promise<Room>;

export interface PublishOptions {
  /**
   * camera, microphone, screen, …; default: camera or microphone, by kind. A picture that is called screen, or whose track
   * is one of a screen, stays sharp where there is too little room for it, and a camera's smooth; the track's own
   * contentHint, if you have set one, says it instead (mst-content-hint section 3).
   */
  name?: string;
  /**
   * What each peer is sent of it at most, in bits per second, 10000 to 2147483647. Default: 1400000 for a picture, and for
   * sound what the browser finds right. Pictures get less where the room's uplink is divided among many.
   */
  maxBitrate?: number;
}

export class Room extends EventTarget {
  private constructor();
  readonly name: string;
  readonly self: Member;
  readonly peers: Peer[];
  readonly senders: Sender[];
  /** The map of small values that the members share. */
  readonly state: State;
  /**
   * Sets what others see as peer.attributes of this member, in the place of all that was set before: an object whose members
   * are strings, up to 4096 bytes as JSON, which count as part of this member's state. They end with the membership.
   */
  setAttributes(attributes: Readonly<Record<string, string>>): Promise<void>;
  /** As the option of join; may be set at any time. null: frames are not traced. */
  trace: ((frame: TracedFrame) => void) | null;
  /** Why the room is over: null while it is not, and after leave. */
  readonly error: NoomError | null;
  /** Resolves to error when the room is over. */
  readonly closed: Promise<NoomError | null>;
  peer(id: string): Peer | undefined;
  publish(track: MediaStreamTrack, options?: PublishOptions): Sender;
  /**
   * 1 to 4096 bytes; resolves once the hub has passed it on. Like every request to the hub it waits for one if there is
   * none: up to 30 s, then it rejects with code no_hub; beyond 256 that wait, with would_block.
   */
  chat(text: string): Promise<void>;
  /** chat that never waits: false, and nothing is said, if there is no hub now or too much waits for it. */
  tryChat(text: string): boolean;
  /**
   * Up to 61440 bytes, to every peer, each as peer.send does; peers that are not connected yet get it once they are.
   * Rejects with an AggregateError of NoomErrors, each with the peer that did not take it; with bad_name for a bad topic.
   */
  send(data: string | ArrayBuffer | ArrayBufferView, options?: SendOptions): Promise<void>;
  /** send that never waits; returns the peers that did not take it, because too much is on its way to them already. */
  trySend(data: string | ArrayBuffer | ArrayBufferView, options?: SendOptions): Peer[];
  /**
   * Has answer called for each question that a peer asks under a topic: see peer.ask. It replaces the function that the
   * topic had before; null: the topic has none any longer. Questions under a topic without a function are refused with
   * not_handled, so call handle right behind join. Up to 64 calls for each peer run at a time.
   */
  handle(topic: string, answer: QuestionHandler | null): void;
  rename(name: string): Promise<void>;
  /** Whether newcomers are kept out now. */
  readonly locked: boolean;
  /** Whether we have a right; a call without its right rejects with code forbidden. */
  may(right: Right): boolean;
  /** Removes a member and keeps it out while the room is open. Needs the right kick. */
  kick(id: string): Promise<void>;
  /** Keeps newcomers out; members who lost their connection may return. Needs the right lock. */
  lock(): Promise<void>;
  unlock(): Promise<void>;
  /** Ends the room for everyone; use leave to leave it open for others. Needs the right close. */
  closeForAll(): Promise<void>;
  /**
   * Delivers what was sent and said, for at most timeout ms, 5000 by default, says goodbye and closes every connection.
   * Nothing new is taken from now on. Rejects with an AggregateError of NoomErrors of code undelivered, one for each
   * peer to which not everything is known to have arrived. May be called again: the shortest time counts. A page that
   * is closed leaves without waiting.
   */
  leave(options?: LeaveOptions): Promise<void>;
  /**
   * What happens from now on; everything since join if called right after it. Each iterator gets everything, and what
   * waits in it is bounded. Beyond 1024 events it keeps the last of each state, nothing of a peer or track that came and
   * went unseen, and the newest 64 requests to mute; then the oldest chat goes. Data that nobody has taken stays: its
   * sender's credit bounds it. What a listener or another iterator has taken, data and channels, goes with the chat, and
   * beyond 1 MiB, of which each channel counts as 16 KiB. Up to twice as much may wait until that is cleared away. End an
   * iterator that you do not go on with: leave its loop by break, or call return().
   */
  events(): AsyncIterableIterator<AnyRoomEvent>;
  addEventListener<K extends keyof RoomEventMap>(type: K, listener: (this: Room, event: RoomEventMap[K]) => unknown, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

/** What a member has written under a key of the room's state. */
export interface StateEntry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Its name is empty if it is not in the room. */
  readonly by: Member;
  readonly keep: boolean;
}

/**
 * A map of small values that the members of a room share: who has the floor, what is on the screen, the score. Keys are 1 to
 * 256 bytes of UTF-8 that do not begin with "noom:", values up to 32768 bytes. They belong to nobody: who writes last wins,
 * and of two members that write at the same time the same one everywhere. A newcomer gets what there is from the other
 * members; the hub has no part in it, and may be gone.
 *
 * What a member writes shows as long as it is in the room. When it leaves or is lost, that goes, and what others have written
 * there with keep shows again, if anything; if it comes back in the same session, so does what it has written. What was
 * written with keep stays while anyone is there. Members sign what they write, so no member can change what it passes on of
 * another's. Who has deleted something is known for 10 minutes: a member that was cut off for longer may bring it back.
 *
 * One member can have 65536 bytes of keys and values, and 256 keys; beyond that a write rejects with code state_full.
 */
export class State {
  private constructor();
  get(key: string): StateEntry | undefined;
  /** All that shows, sorted by key. */
  entries(): StateEntry[];
  /** Waits for no other member. keep: the value stays when this member leaves. */
  set(key: string, value: string | ArrayBuffer | ArrayBufferView, options?: { keep?: boolean }): Promise<void>;
  /** Deletes what shows under a key, whoever has written it; nothing happens if nothing shows here. */
  delete(key: string): Promise<void>;
}

/**
 * Answers a question, with up to 1 MiB. signal aborts when nobody wants the answer any longer: the peer has given the
 * question up, or is gone, or the room is over; until the call has returned, the question keeps its place. What it throws
 * refuses the question: if that has a code of 1 to 64 characters of a-z, 0-9 and _, with that code, otherwise with failed;
 * and with its message, which the peer sees. An error without a code is logged.
 */
export type QuestionHandler = (
  peer: Peer, data: Uint8Array, options: { readonly signal: AbortSignal },
) => string | ArrayBuffer | ArrayBufferView | void | Promise<string | ArrayBuffer | ArrayBufferView | void>;

export interface SendOptions {
  /**
   * A name of up to 128 bytes, by which the peer's application tells kinds of messages apart; empty, as without: none. It
   * does not count as data. A peer whose noom knows no topics gets the data without it.
   */
  topic?: string;
}

export interface AskOptions {
  /** Gives the question up. */
  signal?: AbortSignal;
}

export interface LeaveOptions {
  /** How long to wait until what was sent has arrived, in ms, up to 2147483647. Default 5000; 0: not at all. */
  timeout?: number;
}

export type PeerState = 'connecting' | 'connected' | 'interrupted' | 'failed' | 'closed';

/**
 * How good the connection to a peer is, for people. It follows, each second, from what was lost in either direction, the
 * round trip, and how long pictures stood still or sound was missing. fair: 4 % lost, a round trip of 400 ms, or a
 * standstill of a tenth of the time; poor: 12 %, 800 ms, or three tenths. It becomes worse after 2 s in a row that are
 * worse, and better after 5 s that are better. lost: nothing arrives.
 */
export type Quality = 'good' | 'fair' | 'poor' | 'lost';

/** What the way to a peer can take, and what it takes now. */
export interface Bandwidth {
  /** How much may be sent to the peer in all, in bits per second; 0: the browser does not say, as in Firefox. */
  readonly estimate: number;
  /** How much was sent in the last second: RTP packets, without those sent again, in bits per second. */
  readonly sent: number;
  /** Share of these packets that the network has lost, from 0 to 1, as the peer reports it. */
  readonly loss: number;
  /** In ms; 0: not known yet. */
  readonly roundTrip: number;
  /** How long our packets wait on the way, in ms; always 0, because browsers do not say. Go members do. */
  readonly queue: number;
}

/**
 * When each step on the way to a peer was first reached; null: not yet, or nobody can say. The first four are of join,
 * also after the room has come back to the hub. The others are of the current connection: null between two, and a
 * connection that is rebuilt begins again with offer.
 */
export interface Timeline {
  /** join was called, and had its identity. */
  readonly began: Date | null;
  /** Always null, because browsers do not say. Go members do. */
  readonly resolved: Date | null;
  /** The connection to the hub was open. */
  readonly hub: Date | null;
  /** The hub had let us in. */
  readonly joined: Date | null;
  /** The first offer was sent or taken; the member who was there first makes it. */
  readonly offer: Date | null;
  /** The first answer was sent or taken. */
  readonly answer: Date | null;
  /** Always null, because browsers do not say. Go members do. */
  readonly check: Date | null;
  /** There was a path. */
  readonly ice: Date | null;
  /** The handshake over it was done. */
  readonly dtls: Date | null;
  /** The peer's first media came; null for a peer that sends none. */
  readonly media: Date | null;
}

export class Peer {
  private constructor();
  readonly id: string;
  readonly name: string;
  readonly member: Member;
  /** What the member has set with setAttributes, as far as it has come here; null: nothing, or it is gone. */
  readonly attributes: Readonly<Record<string, string>> | null;
  /** Of this peer and us; it changes only with an identity. */
  safetyNumber(): Promise<SafetyNumber>;
  readonly state: PeerState;
  /** lost once the peer is gone. */
  readonly quality: Quality;
  /** As it was measured within the last second; all 0 while the peer is not connected. */
  bandwidth(): Bandwidth;
  readonly tracks: RemoteTrack[];
  /** For inspection, not for negotiation; null between two connections. */
  readonly connection: RTCPeerConnection | null;
  /**
   * Of the current connection; an empty map if there is none, or if it has no answer within 1 s. As in Go's Peer.Stats, an
   * entry of type inbound-rtp or outbound-rtp is a stream, remote-inbound-rtp what the peer reports of one that we send
   * (fractionLost, packetsLost, jitter, roundTripTime; its localId names ours), and availableOutgoingBitrate is in the
   * candidate-pair that is in use. Times are in seconds.
   */
  stats(): Promise<RTCStatsReport | Map<string, never>>;
  /** When each step of joining, and of the current connection, was reached. */
  timeline(): Timeline;
  /** Sends a track to this peer alone. The Sender is closed when the peer goes, and your track runs on. */
  publish(track: MediaStreamTrack, options?: PublishOptions): Sender;
  /**
   * Up to 61440 bytes, reliably and in order, over rebuilds of the connection too; what is sent while there is none
   * waits for one. Waits itself while 1 MiB is on its way to an application that does not take it. What it has taken
   * arrives, unless the peer leaves, or leave says that it did not. Messages come in the order in which they were sent,
   * whatever their topics. Rejects with too_big, bad_name for a bad topic, and closed.
   */
  send(data: string | ArrayBuffer | ArrayBufferView, options?: SendOptions): Promise<void>;
  /** send that never waits: false if too much is on its way already, and the peer does not get data. */
  trySend(data: string | ArrayBuffer | ArrayBufferView, options?: SendOptions): boolean;
  /**
   * Asks the peer something under a topic, a name of up to 128 bytes, and resolves with what its application answers:
   * see room.handle. The question and the answer have up to 1 MiB. They go on over rebuilds of the connection, and wait for
   * one if there is none. At most 64 questions with 4 MiB are open to a peer at a time; beyond that, ask waits for a
   * place. Questions and answers to one peer go one after the other.
   *
   * Rejects with signal.reason when signal aborts, which aborts that of the peer's application too; with a NoomError about
   * question if the peer refuses: not_handled, busy, cancelled (it leaves), too_big (its answer), bad_question, failed, or a
   * code of its application; with too_big for the question, closed if the peer goes or we leave, unsupported if the peer's
   * noom knows no questions.
   */
  ask(topic: string, data: string | ArrayBuffer | ArrayBufferView, options?: AskOptions): Promise<Uint8Array>;
  /**
   * Resolves when the channel is usable; the peer gets channelopened. label: up to 128 bytes, need not be unique, does not
   * begin with "noom.". While 32 channels are open, and one of them is being closed, it waits for that. A peer accepts 64
   * at a time, among them those that came and went before its application got them.
   */
  openChannel(label: string, options?: ChannelOptions): Promise<Channel>;
  /**
   * Offers a Blob or File to the peer, which gets fileoffered, and resolves once the peer has all of it. It is read in
   * chunks of 32 KiB, each with a SHA-256. When a connection is lost it goes on where it was, once there is another one;
   * while there is none it waits. At most 16 files are under way to a peer, and further ones wait. Rejects with a code:
   * declined; cancelled, because the peer gave up; file_changed, if the file has changed or can no longer be read; too_big
   * for the peer; file_busy, if the peer has too many offers; file_failed, if one end cannot read or write it; file_stalled,
   * if nothing came from the peer for 60 s though it was connected; file_broken; unsupported, if the peer's noom does not
   * know files; closed, if the peer goes. And with the signal's reason.
   */
  sendFile(file: Blob, options?: SendFileOptions): Promise<void>;
  /** Whether the peer has a right. */
  may(right: Right): boolean;
  /** Asks the peer to mute its tracks of that name, or all; its application decides. Needs the right mute. */
  requestMute(track?: string): Promise<void>;
  /**
   * Says why the peer is connected or is not. It uses what is known, changes nothing and does not wait for the network.
   * Rejects with code closed when the peer is gone.
   */
  diagnose(): Promise<Diagnosis>;
  /**
   * Looks for a new path to the peer. That is a new connection, which takes the place of the old one once it is up, so
   * that nothing stands still. Channels end with the old one. It does nothing while there is neither a hub nor a
   * connection that works, and while a new path is being looked for over one that works.
   */
  restartICE(): void;
}

/** Why a peer is connected or is not, from the hub to the media: the first that is wrong. */
export type Verdict =
  /** Data and media can move; path says how. */
  | 'connected'
  /** Under way, and no step has taken suspiciously long yet. */
  | 'connecting'
  /** Without a hub no connection can be made or repaired. */
  | 'hub unreachable'
  /** What was sent by hub is not acknowledged by the peer. */
  | 'frame undelivered'
  /** The peer is there, but its offer or answer does not come. */
  | 'no answer'
  /** No path between any two candidates works, relays included if there were any. */
  | 'no candidate pair'
  /** Both ends have public addresses by STUN, no path works, and no TURN server was given. */
  | 'relay needed'
  /** A relay is needed, and the TURN server refuses us: error has the code turn_refused. */
  | 'TURN refused'
  /** A relay is needed, and no TURN server answers. */
  | 'TURN unreachable'
  /** There is a path, but the handshake of DTLS, or of SCTP over it, does not come to an end. */
  | 'DTLS failed'
  /** Connected, but the peer can take nothing of what this browser makes of a track; codecs says what. */
  | 'codec not shared'
  /** One end sent what the other cannot accept; see error. */
  | 'protocol broken';

export interface Diagnosis {
  readonly verdict: Verdict;
  /** One sentence: what was seen, and what to do; without addresses of members. */
  readonly words: string;
  /** The error that caused it, if there is one. */
  readonly error: NoomError | null;
  /** Connections given up since the last one that worked. */
  readonly attempts: number;
  /** How the two are connected; null if they are not. */
  readonly path: Path | null;
  /** MIME types that the peer has refused, such as video/AV1. */
  readonly codecs: readonly string[];
}

/** The pair of candidates that a connection uses (RFC 8445). */
export interface Path {
  readonly local: PathEnd;
  readonly remote: PathEnd;
  /** Of the latest check, in ms; null: not known yet. Firefox gives whole ones, and 0 for less than half of one. */
  readonly rtt: number | null;
  /** Whether a TURN server is on the path. */
  readonly relayed: boolean;
}

export interface PathEnd {
  /** host, srflx, prflx or relay. */
  readonly type: string;
  /** udp or tcp. */
  readonly protocol: string;
  /** null where the browser does not reveal it. */
  readonly address: string | null;
  readonly port: number;
}

export interface FileOptions {
  /** Ends it; the other end learns that. */
  signal?: AbortSignal;
  /** So many bytes of the file have arrived. All of them are reported once, when the file is whole. */
  onprogress?: (done: number, total: number) => void;
}

export interface SendFileOptions extends FileOptions {
  /** What the file is called at the peer. Default: the name of a File, otherwise file. */
  name?: string;
}

export interface AcceptFileOptions extends FileOptions {
  /** Where the file goes, instead of into a Blob: it is closed when the file is whole, and aborted when it is not. */
  writable?: WritableStream<Uint8Array>;
}

/** A file that a peer wants to send. It comes only if it is accepted. */
export interface OfferedFile {
  /** 1 to 255 bytes that every system takes for the name of a file: no slashes, nothing invisible. Show it as text. */
  readonly name: string;
  /** Bytes, up to 2 ** 46. */
  readonly size: number;
  /**
   * Receives the file, in order, and each chunk verified. Resolves with it when it is whole. Four files of a peer come at a
   * time; further ones wait. Rejects with the codes of sendFile, and closed if it was accepted or declined before.
   */
  accept(options: AcceptFileOptions & { writable: WritableStream<Uint8Array> }): Promise<void>;
  accept(options?: FileOptions): Promise<Blob>;
  /** The sender gets declined. Does nothing if the file was accepted before. */
  decline(): void;
}

/** How a channel delivers; default: all, in order. */
export interface ChannelOptions {
  /** A message may overtake another. */
  unordered?: boolean;
  /** A message is given up after so many further tries, 0 to 65535. */
  maxRetransmits?: number;
  /** A message is given up after so many ms, 1 to 65535. Not together with maxRetransmits. */
  maxLifetime?: number;
}

/**
 * A data channel of the application's own. It ends with its connection: with a rebuild, and with restartICE. At most 1 MiB
 * and 1024 messages wait for receive; beyond that it is closed.
 */
export class Channel implements AsyncIterable<Uint8Array> {
  private constructor();
  readonly label: string;
  /** Whether it has ended; what came before that can still be received. */
  readonly over: boolean;
  /** Up to 61440 bytes; waits while more than 1 MiB is still to be sent. */
  send(data: string | ArrayBuffer | ArrayBufferView): Promise<void>;
  /** null after the last message when either end closed it; rejects with code channel_lost or unread. */
  receive(): Promise<Uint8Array | null>;
  /**
   * Closes both ends without waiting: what was sent before still arrives, as long as the connection lives. If something was
   * sent, the peer learns of the end a second after this end opened the channel at the earliest, because browsers may throw
   * away what came just before.
   */
  close(): void;
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array>;
}

export class Sender {
  private constructor();
  readonly id: string;
  readonly name: string;
  readonly kind: 'audio' | 'video';
  /** PublishOptions.maxBitrate; null without one. */
  readonly maxBitrate: number | null;
  /** Yours: noom never stops it, and sets nothing but the contentHint of a picture that has none. null while paused. */
  readonly track: MediaStreamTrack | null;
  /**
   * Whether the others get nothing, and know it: by setMuted, because you have disabled the track (which is noticed
   * within 0.1 s, and counts from publish on), because its source is muted or has ended, or because there is none.
   */
  readonly muted: boolean;
  /**
   * No negotiation, no freeze; null pauses. A muted sender stays muted. Rejects with code kind for a track of another
   * kind.
   */
  replaceTrack(track: MediaStreamTrack | null): Promise<void>;
  /**
   * Stops the media, or lets it flow again, and informs the others. The track's enabled stays as it is: while the two
   * differ, a clone is sent, which is stopped when it is no longer needed, and when the track, the sender or the room
   * ends. setMuted(false) sends a disabled track too, until you disable it again.
   */
  setMuted(muted: boolean): void;
  close(): void;
}

export class RemoteTrack {
  private constructor();
  readonly peer: Peer;
  readonly id: string;
  readonly name: string;
  readonly kind: 'audio' | 'video';
  readonly muted: boolean;
  /** Whether the peer sends us nothing of it, because the connection takes too little; it comes back by itself. */
  readonly paused: boolean;
  /**
   * The same for as long as the track lives: rebuilds change what is in it, which elements do not notice in every
   * browser, so use attach for those. For Web Audio and recorders.
   */
  readonly stream: MediaStream;
  /** Of the current connection; null between two. */
  readonly track: MediaStreamTrack | null;
  /** Whether the browser plays it in one of its elements only after somebody has touched the page; see trackblocked. */
  readonly blocked: boolean;
  /**
   * Plays the track in an element, without one in a new <audio> or <video>, which it returns: sets srcObject, again when
   * a rebuild changes the track, and calls play, again at the next gesture where the browser starts nothing before
   * that, and when a page that was hidden is shown. Several tracks may be attached to one element, of one picture and
   * any sound. An element that somebody has paused by its controls stays paused. All of it ends with the track or with
   * detach: detach an element that you throw away, because a browser goes on playing what nobody sees. Attach again what
   * you have taken out of the page and put back.
   */
  attach(): HTMLMediaElement;
  attach<E extends HTMLMediaElement>(element: E): E;
  /**
   * Plays it no longer in that element, without one in all; an element that plays nothing else has no srcObject then.
   * Returns the elements, after trackremoved too, so that they can be removed.
   */
  detach(element?: HTMLMediaElement): HTMLMediaElement[];
  /**
   * Says how large the track is shown, so that its sender need not make and send more: the height of the largest picture
   * in pixels of the screen; 0: not at all, and its sender stops; Infinity: all of it. Of sound only 0 counts. It holds
   * until the next call, over rebuilds.
   *
   * null, as at first: the elements that it is attached to say so. An element that is out of sight, or in a page that is
   * hidden, shows nothing, but for picture-in-picture; one that was never in a page may be drawn from and shows all, and
   * so does a track without elements. Sound is always played. Say Infinity while you record, or draw to a canvas, what
   * you do not show.
   */
  want(height: number | null): void;
}

export class RoomEvent<T extends string = string> extends Event {
  readonly type: T;
}

type Named<T extends string, Fields = {}> = RoomEvent<T> & Readonly<Fields>;

export interface RoomEventMap {
  peerjoined: Named<'peerjoined', { peer: Peer; existing: boolean }>;
  peerleft: Named<'peerleft', { peer: Peer; member: Member; reason: 'left' | 'kicked' | 'closed' | 'expired' | 'lost' }>;
  peerrenamed: Named<'peerrenamed', { peer: Peer; old: string }>;
  peerstatechanged: Named<'peerstatechanged', { peer: Peer; state: PeerState; error: NoomError | null }>;
  /** The connection to the peer is better or worse than before. */
  qualitychanged: Named<'qualitychanged', { peer: Peer; quality: Quality }>;
  trackadded: Named<'trackadded', { peer: Peer; track: RemoteTrack }>;
  trackremoved: Named<'trackremoved', { peer: Peer; track: RemoteTrack }>;
  trackmuted: Named<'trackmuted', { peer: Peer; track: RemoteTrack; muted: boolean }>;
  /** The peer no longer sends us the track, because the connection takes too little for it, or does again. */
  trackpaused: Named<'trackpaused', { peer: Peer; track: RemoteTrack; paused: boolean }>;
  /** A rebuild put another MediaStreamTrack into the track's stream. */
  trackchanged: Named<'trackchanged', { peer: Peer; track: RemoteTrack }>;
  /**
   * The browser plays an element that the track is attached to only after somebody has touched the page; blocked is
   * false once it does. noom.js tries again at each gesture, whatever is touched: show something that invites one.
   */
  trackblocked: Named<'trackblocked', { peer: Peer; track: RemoteTrack; element: HTMLMediaElement; blocked: boolean }>;
  /**
   * The peer does not get what the sender sends; other tracks and peers are not affected. error has the code codec: the
   * peer knows none of the codecs that the browser has for it; or too_many_tracks: some 6 of video, or 19 of audio, fit
   * between two members, fewer if the peer sends as many. codec: the MIME type it would have had, as browsers write it:
   * video/VP8.
   */
  trackrefused: Named<'trackrefused', { peer: Peer; sender: Sender; codec: string; error: NoomError }>;
  /** The peer that speaks now, by the audio levels that come with the sound, where an element plays it; null: none. */
  activespeaker: Named<'activespeaker', { peer: Peer | null }>;
  /**
   * A message of another member, or one of ours of an earlier session. peer: null if from is not in the room; its name is then
   * what it called itself. at: by the hub's clock, or the same as sent if it did not come by the hub. signed: from has signed
   * it; others are the hub's word, and of a member that signs none come. sent: by from's clock, which from has signed; null
   * unless signed. history: it was said before we came, or while we missed it, and other members have kept it (see the option
   * history), or it comes late: its place is among what was said before, by sent. missing: how many messages from had said or
   * seen before which have not come, as when a hub drops them. If others have them they follow, with history.
   */
  chatreceived: Named<'chatreceived', {
    from: Member; peer: Peer | null; text: string; at: Date; sent: Date | null; signed: boolean; history: boolean; missing: number;
  }>;
  /**
   * Taking the event acknowledges the data to its sender: the first to do so, a listener or an iterator, counts for all.
   * Without either the data waits. topic: what the peer has sent it under; empty: none.
   */
  datareceived: Named<'datareceived', { peer: Peer; data: Uint8Array; topic: string }>;
  /** At most 64 of a peer's channels are open, or wait for an iterator, at a time. */
  channelopened: Named<'channelopened', { peer: Peer; channel: Channel }>;
  /** At most 16 of a peer's offers wait for a decision, or for an iterator, at a time. */
  fileoffered: Named<'fileoffered', { peer: Peer; file: OfferedFile }>;
  /**
   * Another member has changed what room.state shows under a key, by writing, deleting, coming or leaving; value is null if
   * nothing shows now. by has written value or, if that is null, deleted it or left. Not for what this member writes.
   */
  statechanged: Named<'statechanged', { key: string; value: Uint8Array | null; by: Member }>;
  /** The first ones come after peerjoined. */
  attributeschanged: Named<'attributeschanged', { peer: Peer }>;
  /** A member with the right asks us to mute our track of that name, all of them if it is empty. */
  muterequested: Named<'muterequested', { by: Member; track: string }>;
  /** The room admits no newcomers, or admits them again; by is null where it was the hub's owner. */
  roomlocked: Named<'roomlocked', { locked: boolean; by: Member | null }>;
  signalinglost: Named<'signalinglost', { error: NoomError }>;
  signalingrestored: Named<'signalingrestored'>;
  /**
   * So many were dropped, because the iterator was not pulled: chat messages, changes of the state beyond 4096 keys, and
   * data and channels that a listener or
   * another iterator has taken.
   */
  lagged: Named<'lagged', { dropped: number }>;
  /** The last event. */
  closed: Named<'closed', { error: NoomError | null }>;
}

export type AnyRoomEvent = RoomEventMap[keyof RoomEventMap];
