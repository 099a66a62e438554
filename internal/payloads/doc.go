// Package payloads owns which payload type number stands for which format, in each section of a connection.
//
// In bundled sections, a number means the same format everywhere (RFC 9143 section 9.1.1). pion relies on that: it has
// one list of numbers for a whole connection, and refuses a description that gives a number a second meaning. Not every
// peer keeps the rule. Firefox numbers the formats of each section of its own as it always does, whatever these numbers
// mean in the sections that we have offered. So pion has numbers of its own, here called ours, and [Numbers] translates:
// each description on its way to pion or to the peer, section by section. It is pure, and belongs to the connection.
// [Packets] does the same to the packets of a connection.
//
// Where a peer keeps the rule, as Chromium and pion do, ours are the numbers of the wire, and nothing is translated.
package payloads
