// Every error noom.js makes is a NoomError. Its code is for programs, its
// message for people who read a log.

/**
 * The codes in addition to those of a hub (PROTOCOL.md section 2):
 *   insecure_context  the page has no crypto.subtle: open it over https or on localhost
 *   unsupported       the browser lacks Ed25519 or WebRTC, or the peer's noom has no questions
 *   unreachable       no hub answered at the address
 *   closed            the room, peer or sender is over
 *   kicked, room_closed, replaced, expired   why the room is over
 *   not_connected     the peer has no connection now
 *   no_hub            there is no connection to the hub, or the hub does not answer
 *   would_block       too much waits already
 *   undelivered       what was sent is not known to have arrived when we left; peer, messages and channels say more
 *   bad_data          what cannot be sent: half a character
 *   bad_key           what cannot be a key of the room's state
 *   state_full        this member has too much in the room's state
 *   bad_argument      an argument of another kind than the call takes
 *   channel_lost      the channel ended with its connection
 *   unread            a channel was closed, because too much waited to be received
 *   description       a peer's description could not be applied; the connection is rebuilt
 *   turn_refused      a TURN server would not relay for us
 *   codec             the peer knows no codec of a track
 *   too_many_tracks   there is no room for another track between two members
 *   declined          the peer does not want a file
 *   cancelled         an end has given up a file
 *   file_changed, file_failed, file_busy, file_stalled, file_broken   why a file did not arrive: see noom.d.ts
 *   kind              a track of another kind than the sender's
 *   not_handled, busy, cancelled, too_big, bad_question, failed, and the application's own
 *                     how a peer refuses a question (PROTOCOL.md section 4.5.1); about is question
 */
export class NoomError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {{cause?: unknown, about?: string, retry?: number}} [detail]
   */
  constructor(code, message, { cause, about = '', retry = 0 } = {}) {
    super(`noom: ${message}`, cause === undefined ? undefined : { cause });
    this.name = 'NoomError';
    this.code = code;
    this.about = about;
    /** After how many ms the hub would have us try again; 0: it does not say. */
    this.retry = retry;
  }
}

/** The options of a call, which must be an object. */
export function optionsOf(options) {
  if (typeof options === 'object' && options !== null) return options;
  throw new NoomError('bad_argument', `options are an object, not ${options === null ? 'null' : `a value of type ${typeof options}`}`);
}

/** A string as an error quotes it: anything else only by its type, which is safe to show. */
export function quoted(s) {
  if (typeof s !== 'string') return s === null ? 'null' : `a value of type ${typeof s}`;
  return s.length > 128 ? `"${s.slice(0, 128)}…"` : `"${s}"`;
}
