// Package questions keeps the books of the questions that two members ask each other (PROTOCOL.md section 4.5.1): which
// are open, which pieces go next, what has come of a question or an answer, and what is refused. It is a pure machine:
// there is no goroutine, clock, lock or context in it. It relies on a stream that brings each piece once and in order,
// whatever happens to connections.
//
// A question of ours:
//
//	Ask ---- Next has given nothing of it yet ---- Cancel: nobody has seen it
//	  v
//	begun ---- Cancel, Close ----> unwanted: the other end is asked to end it
//	  v                              v
//	Ended: its answer or refusal   its place is free when that end has come
//
// A question of theirs:
//
//	coming ---- whole ----> Asked: the application has it ---- Answer ----> its pieces, then it is over
//	  |                       | no longer wanted: Unwanted       |
//	  '---- refused <---------'---- Refuse ----------------------'  no longer wanted
//
// Both ends are bounded, whatever the other one does: at most [MaxOpen] questions with [MaxBytes] are open in each
// direction, answers of MaxBytes wait to be sent, and one question and one answer have come in part.
package questions
