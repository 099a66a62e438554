package noom

import (
	"errors"

	"noom/internal/connection"
	"noom/internal/link"
)

// breakUp has the connection to p fail, so that it is rebuilt.
func breakUp(p Peer) {
	link.Inspect(p.(*peer).link, func(in link.Inside) { in.Fail(errors.New("asked to")) })
}

// connectionOf returns the current connection to p, nil if there is none.
func connectionOf(p Peer) *connection.Conn {
	found := make(chan *connection.Conn, 1)
	if !link.Inspect(p.(*peer).link, func(in link.Inside) { found <- in.Current }) {
		return nil
	}
	return <-found
}
