// Package fault holds the identities of noom's errors. The packages under internal return
// them. Package noom exports those that an application can act on, under the same name with
// the prefix Err.
package fault

import (
	"errors"
	"fmt"
	"net"
)

// The errors that package noom exports, and documents.
var (
	Closed       error = closedError{}
	Codec              = errors.New("noom: codec does not fit")
	NotConnected       = errors.New("noom: peer is not connected")
	NoHub              = errors.New("noom: no connection to the hub")
	Description        = errors.New("noom: description refused")
	TooMany            = errors.New("noom: too many tracks between two members; close a Sender first, then publish again")
	TooBig             = errors.New("noom: message too big")
	WouldBlock         = errors.New("noom: too much is waiting to be sent; try again later, or use the call that waits")
	ChannelLost        = errors.New("noom: the channel ended with its connection; open it again")
	Unread             = errors.New("noom: the channel was closed because too much waited to be received")
	StateKey           = errors.New("noom: not a key of the room's state: it has 1 to 256 bytes of UTF-8, and the prefix noom: is reserved")
	StateFull          = errors.New("noom: this member has too much in the room's state; delete some of it first")
	Unsupported        = fmt.Errorf("noom: the peer runs a noom without questions and answers: %w", errors.ErrUnsupported)
	Expired            = errors.New("noom: the authorisation to be in the room has ended; join with a new token")
)

// closedError matches net.ErrClosed, because packages io and net mean the same by it.
type closedError struct{}

func (closedError) Error() string        { return "noom: closed" }
func (closedError) Is(target error) bool { return target == net.ErrClosed }

// Why an epoch is given up. Package noom does not export these, but the Err of a PeerStateChanged
// may wrap one.
var (
	Rules = errors.New("peer broke the protocol")
	DTLS  = errors.New("DTLS failed")
)
