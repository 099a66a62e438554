// The books of the questions that two members ask each other: which are open, which pieces go next, what has come of a
// question or an answer, and what is refused. Pure: the machine of internal/questions, with the same names and bounds.

import {
  ANSWER, ANSWER_MORE, MAX_SIZE, QUESTION, QUESTION_MORE, REFUSAL, UNWANTED, broken, cutText, decodePiece, encodePiece, isCode,
} from './pieces.js';

const MAX_OPEN = 64; // questions, in each direction
const MAX_BYTES = 4 << 20; // in them; and in the answers that wait to be sent
const MAX_ENDING = 2 * MAX_OPEN; // questions of theirs whose end has yet to be sent
const PIECE = 16 << 10; // bytes of a question or an answer in one piece

const NONE = new Uint8Array();

const CANCELLED = ['cancelled', 'the question is no longer wanted, or the member that was asked leaves'];

/**
 * What the methods return is a list of what the driver has to do: {ended: id, data} and {ended: id, refusal: {code, text}}
 * are the end of a question of ours, {lost: id} says that it gets none, {asked: id, topic, data} is one of theirs, which
 * answer or refuse ends, and {unwanted: id} says that nobody wants that any longer.
 */
export class Questions {
  #closed = false; // the other member is gone
  #sealed = false; // we leave

  #ours = new Map(); // id → {size, wanted}
  #last = 0; // id of our last one
  #begun = 0; // the last of which a piece was given
  #bytes = 0; // in all of ours
  #answer = null; // that has come in part: {id, size, data, got}

  #theirs = new Map(); // id → {size, topic, state: coming, handled, answered or refused, unwanted}
  #lastOfTheirs = 0;
  #held = 0; // bytes in those of theirs that have no end yet
  #question = null; // that has come in part, as #answer
  #waiting = 0; // bytes in answers that wait to be sent

  #urgent = []; // pieces that end questions; sent before what waits
  #queue = []; // questions and answers that have yet to be sent, the first perhaps in part: {first, more, data, sent, begun}

  /** Whether a question of that many bytes may be asked now. */
  place(size) {
    return !this.#closed && !this.#sealed && this.#ours.size < MAX_OPEN && this.#bytes + size <= MAX_BYTES;
  }

  /** Asks a question, for which there has to be a place; returns its id. data must not change. */
  ask(topic, data) {
    const id = ++this.#last;
    this.#ours.set(id, { size: data.length, wanted: true });
    this.#bytes += data.length;
    this.#queue.push({ first: { kind: QUESTION, id, size: data.length, topic }, more: QUESTION_MORE, data, sent: 0, begun: false });
    return id;
  }

  /** Ends our interest in a question of ours. */
  cancel(id) {
    const question = this.#ours.get(id);
    if (!question?.wanted) return;
    question.wanted = false;
    this.#unqueue(QUESTION, id);
    if (id > this.#begun) this.#forgetOurs(id);
    else this.#urgent.push({ kind: UNWANTED, id });
  }

  /** Answers a question of theirs; if too much waits, or data is too big, it is refused. data must not change. */
  answer(id, data) {
    const question = this.#theirs.get(id);
    if (question?.state !== 'handled') return;
    if (question.unwanted) {
      this.#refuse(id, ...CANCELLED);
    } else if (data.length > MAX_SIZE) {
      this.#refuse(id, 'too_big', 'the answer is too big');
    } else if (this.#waiting + data.length > MAX_BYTES) {
      this.#refuse(id, 'busy', 'too many answers wait to be sent');
    } else {
      this.#release(question);
      question.state = 'answered';
      this.#waiting += data.length;
      this.#queue.push({ first: { kind: ANSWER, id, size: data.length }, more: ANSWER_MORE, data, sent: 0, begun: false });
    }
  }

  /** Refuses a question of theirs. A code that is none becomes failed. */
  refuse(id, code, text) {
    const question = this.#theirs.get(id);
    if (question?.state !== 'handled') return;
    if (question.unwanted) this.#refuse(id, ...CANCELLED);
    else this.#refuse(id, isCode(code) ? code : 'failed', cutText(text));
  }

  /** Ends all questions of ours, because we leave. What the application has of theirs it can still answer. */
  seal() {
    this.#sealed = true;
    return this.#loseOurs();
  }

  /** Ends all questions, until open, because the other member is gone. */
  close() {
    this.#closed = true;
    return [...this.#loseOurs(), ...[...this.#theirs.keys()].flatMap((id) => this.#unwant(id))];
  }

  open() { this.#closed = false; }

  /** Whether an end of a question of theirs has yet to be sent, which the application has given. */
  get answering() {
    return [...this.#theirs.values()].some(({ state }) => state === 'answered' || state === 'refused');
  }

  /** The next piece to send, or null. */
  next() {
    if (this.#urgent.length > 0) {
      const piece = this.#urgent.shift();
      if (piece.kind === REFUSAL) this.#theirs.delete(piece.id);
      return encodePiece(piece);
    }
    const [waits] = this.#queue;
    if (!waits) return null;
    const { first: { kind, id }, data } = waits;
    const piece = waits.begun ? { kind: waits.more, id } : waits.first;
    const end = Math.min(waits.sent + PIECE, data.length);
    const bytes = encodePiece({ ...piece, rest: data.subarray(waits.sent, end) });
    Object.assign(waits, { begun: true, sent: end });
    if (kind === QUESTION) this.#begun = id;
    if (end === data.length) {
      this.#queue.shift();
      if (kind === ANSWER) {
        this.#waiting -= data.length;
        this.#theirs.delete(id);
      }
    }
    return bytes;
  }

  /** Takes a piece from the other end. Throws a NoomError if it breaks the rules. */
  take(bytes) {
    const piece = decodePiece(bytes);
    switch (piece?.kind) {
      case QUESTION: return this.#takeQuestion(piece);
      case QUESTION_MORE:
        if (piece.id > this.#lastOfTheirs) throw broken('more of a question that has not begun');
        return this.#question?.id === piece.id ? this.#takeOfQuestion(piece.rest) : []; // it was refused
      case UNWANTED:
        if (piece.id > this.#lastOfTheirs) throw broken('the end of a question that has not begun');
        return this.#unwant(piece.id);
      case ANSWER:
        this.#checkAsked(piece.id);
        if (this.#answer) throw broken('an answer within another');
        this.#unqueue(QUESTION, piece.id); // it has heard enough
        this.#answer = { id: piece.id, size: piece.size, data: NONE, got: 0 };
        return this.#takeOfAnswer(piece.rest);
      case ANSWER_MORE:
        if (this.#answer?.id !== piece.id) throw broken('more of an answer that has not begun');
        return this.#takeOfAnswer(piece.rest);
      case REFUSAL:
        this.#checkAsked(piece.id);
        this.#unqueue(QUESTION, piece.id);
        return this.#end({ ended: piece.id, refusal: { code: piece.code, text: piece.text } });
      default: return []; // a later version's
    }
  }

  #takeQuestion({ id, size, topic, rest }) {
    if (id <= this.#lastOfTheirs || this.#question || this.#theirs.size >= MAX_ENDING) throw broken('a question out of turn');
    this.#lastOfTheirs = id;
    const full = this.#theirs.size >= MAX_OPEN || this.#held + size > MAX_BYTES;
    const question = { size: 0, topic, state: 'coming', unwanted: false };
    this.#theirs.set(id, question);
    if (this.#closed || this.#sealed) {
      this.#refuse(id, ...CANCELLED);
      return [];
    }
    if (full) {
      this.#refuse(id, 'busy', 'too many questions are open; ask again later');
      return [];
    }
    question.size = size;
    this.#held += size;
    this.#question = { id, size, data: NONE, got: 0 };
    return this.#takeOfQuestion(rest);
  }

  #takeOfQuestion(bytes) {
    const { id } = this.#question;
    const data = whole(this.#question, bytes);
    if (!data) return [];
    this.#question = null;
    const question = this.#theirs.get(id);
    question.state = 'handled';
    return [{ asked: id, topic: question.topic, data }];
  }

  #takeOfAnswer(bytes) {
    const { id } = this.#answer;
    const data = whole(this.#answer, bytes);
    return data ? this.#end({ ended: id, data }) : [];
  }

  #checkAsked(id) {
    if (!this.#ours.has(id) || id > this.#begun) throw broken('an end of a question that is not open');
  }

  // Ends a question of ours.
  #end(action) {
    const { ended: id } = action;
    const { wanted } = this.#ours.get(id);
    this.#forgetOurs(id);
    if (this.#answer?.id === id) this.#answer = null;
    this.#urgent = this.#urgent.filter((piece) => piece.kind !== UNWANTED || piece.id !== id);
    return wanted ? [action] : [];
  }

  // Ends a question of theirs that nobody wants, unless it has its end.
  #unwant(id) {
    const question = this.#theirs.get(id);
    if (question?.state === 'handled') {
      if (question.unwanted) return [];
      question.unwanted = true;
      return [{ unwanted: id }];
    }
    if (question?.state === 'coming') this.#question = null;
    else if (question?.state === 'answered') this.#waiting -= this.#unqueue(ANSWER, id);
    else return [];
    this.#refuse(id, ...CANCELLED);
    return [];
  }

  #loseOurs() {
    const lost = [...this.#ours.keys()].filter((id) => this.#ours.get(id).wanted);
    for (const id of lost) this.cancel(id);
    return lost.map((id) => ({ lost: id }));
  }

  #forgetOurs(id) {
    this.#bytes -= this.#ours.get(id).size;
    this.#ours.delete(id);
  }

  #release(question) {
    this.#held -= question.size;
    question.size = 0;
  }

  #refuse(id, code, text) {
    const question = this.#theirs.get(id);
    this.#release(question);
    question.state = 'refused';
    this.#urgent.push({ kind: REFUSAL, id, code, text });
  }

  // Drops what has not been sent of a question or an answer; returns its bytes.
  #unqueue(kind, id) {
    const i = this.#queue.findIndex(({ first }) => first.kind === kind && first.id === id);
    return i < 0 ? 0 : this.#queue.splice(i, 1)[0].data.length;
  }
}

// Takes the next bytes of what comes in part; returns it once it is whole, else null.
function whole(arrival, bytes) {
  const got = arrival.got + bytes.length;
  if (got > arrival.size) throw broken('more bytes than a question or an answer has');
  if (got > arrival.data.length) {
    const { data } = arrival;
    arrival.data = new Uint8Array(Math.min(arrival.size, Math.max(got, 2 * data.length))); // it takes memory as it comes
    arrival.data.set(data);
  }
  arrival.data.set(bytes, arrival.got);
  arrival.got = got;
  return got === arrival.size ? arrival.data : null;
}
