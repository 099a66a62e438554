// Package reports sends sender and receiver reports for one connection (RFC 3550 section 6.4). sent and received, which are
// pure, count; a Reporter drives them.
//
// pion's own two interceptors have a goroutine each, where a Reporter has an alarm, and the one for what is received makes
// four objects for each packet, to hand its header to others, of which there are none here.
package reports
