// Captions: what a member says, as text, in data messages of a bot that writes it down. Pure: captions.js shows them.
//
//   {"topic":"caption","id":"…","text":"안녕하세요"}
//
// id is the member that has said it, the sender itself if there is none; what else a message has, as that of
// examples/transcriber does, is ignored. Any member can put words into another's mouth, so they are shown with the name of
// whoever sends them.

const LONGEST = 16_384; // bytes of a message
const MOST = 300; // characters that are shown
const WORD = 30; // characters: where a text is cut, a word is cut if it is longer
const [LEAST_SHOWN, EACH_SHOWN, MOST_SHOWN] = [3000, 80, 12_000]; // ms: at least, more for each character, and at most

const BRACE = 0x7b;
const BLANK = /[\s\p{Cc}]+/gu;
const DIRECTION = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g; // could turn round what is beside it
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The caption in the bytes of a message: {id, text}, id '' for the sender; null: there is none. */
export function decode(bytes) {
  if (bytes.length > LONGEST || bytes[0] !== BRACE) return null;
  try {
    const { topic, id = '', text } = JSON.parse(decoder.decode(bytes));
    if (topic !== 'caption' || typeof id !== 'string' || typeof text !== 'string') return null;
    const line = text.replace(DIRECTION, '').replace(BLANK, ' ').trim();
    return line && { id, text: lastOf(line) };
  } catch {
    return null; // another program's
  }
}

// Of a long text its end: that is what was said just now.
function lastOf(line) {
  const characters = [...line];
  if (characters.length <= MOST) return line;
  const end = characters.slice(-MOST);
  const space = end.indexOf(' ');
  return `…${end.slice(space >= 0 && space < WORD ? space + 1 : 0).join('')}`;
}

/** For how long a text is shown, in ms. */
export const shownFor = (text) => Math.min(LEAST_SHOWN + EACH_SHOWN * text.length, MOST_SHOWN);
