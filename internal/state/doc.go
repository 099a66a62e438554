// Package state decides about the state of a room: a map of small values that its members share without a hub
// (PROTOCOL.md section 4.8). It is pure: no goroutine, clock, lock or network. A Machine is given what happens and what
// comes from other members, and returns what to send and what has changed.
//
// What a member writes under a key is a Record, which it signs. A Machine holds for each key the record that counts, by
// version, writer and signature, so two machines that have got the same records hold the same ones, in whichever order
// they came. To find out what another member lacks, both compare a digest of what they hold of each writer. What a
// Machine holds and what it shows differ: without Keep, a record shows while its writer is present.
//
// The caller checks signatures, with Record.Verify, before it hands records to a Machine.
package state
