// Package signal is the wire of noom: the frames of protocol noom.v1, their strict codec and
// limits, what members sign, and the two interfaces a transport implements. PROTOCOL.md next to
// this file is the protocol in prose.
//
// A program that only calls [noom.Join] needs this package only for its transport. It depends on
// neither WebRTC nor a network.
package signal
