// noom in a web page: rooms, and a live, encrypted, direct connection to
// everyone in them.
//
//   import { join } from './noom.js';
//
//   const room = await join('/ws', 'lobby', { name: 'gopher' });
//   const media = await navigator.mediaDevices.getUserMedia({ audio: true, video: true });
//   for (const track of media.getTracks()) room.publish(track);
//   for await (const event of room.events()) {
//     if (event.type === 'trackadded') document.body.append(event.track.attach());
//   }

export { join, Room } from './room.js';
export { Peer } from './peer.js';
export { Channel } from './channel.js';
export { Sender } from './sender.js';
export { RemoteTrack } from './incoming.js';
export { RoomEvent } from './events.js';
export { NoomError } from './errors.js';
export { Identity } from './identity.js';
export { State } from './shared.js';
export { safetyNumber } from './safety.js';
