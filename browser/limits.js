// What noom.v1 bounds, whatever a hub says (PROTOCOL.md section 6).

export const MAX = Object.freeze({
  frame: 65536, // bytes
  name: 128, // bytes
  account: 256, // bytes
  chat: 4096, // bytes
  token: 4096, // bytes
  request: 4096, // bytes of a join in the request for a WebSocket
  sdp: 49152, // bytes
  candidates: 32, // in a frame
  candidate: 1024, // bytes
  sections: 64, // media sections in a description
  generation: 128, // candidates
  tracks: 64, // rows of a table
  height: 16384, // pixels in the height of a picture
  label: 64, // characters of a track or chat id
  sends: 16, // MIME types in a join
  mime: 64, // characters of one
  card: 1536, // bytes of the compressed offer in a card
  number: 2 ** 31 - 1, // epochs, seqs, acks, versions
  retry: 3_600_000, // ms after which to come back
  time: 2 ** 53 - 1, // ms since 1970
  rights: 16, // of a member
  data: 61440, // payload bytes of a data message
  unacked: 1048576, // payload bytes on their way on one link
  unackedMessages: 4096, // data messages on their way on one link
  requests: 256, // that wait for the hub's answer
  outbox: 4194304, // bytes that wait for a slow connection to the hub
  inFlight: 32, // unacknowledged pair frames on one link
});
