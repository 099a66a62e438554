// Package chat decides about signed chat and its history (PROTOCOL.md section 4.9). It is pure: no goroutine, clock, lock or
// network. A Machine is given what the hub and the other members bring, and returns what to send and what to show.
//
// A message is known by its author, session and number there, and by the digest of what its author has signed. The hub
// brings messages in the order of their numbers, so the Machine finds repeats and gaps by them; and the message that an
// author names as the last that it had seen shows what a hub keeps from one member alone. What is missing, and what was
// said before we came, the members give each other: each says by digests what it keeps, and asks for what it lacks.
//
// The messages that a Machine keeps are the last ones in an order that is the same for all, so two machines that have
// taken the same messages keep the same ones, in whichever order they came.
//
// The caller checks signatures, with Message.Verify, before it hands messages to a Machine.
package chat
