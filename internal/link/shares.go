package link

import (
	"slices"

	"noom/internal/connection"
	"noom/internal/fanout"
)

// Share sets what the peer gets of a sender, now and over each further connection.
func (l *Link) Share(s *fanout.Sender, sh connection.Share) {
	l.mail.Post(func() {
		if !slices.Contains(l.senders, s) {
			return // it was unpublished meanwhile
		}
		l.shares[s] = sh
		for _, c := range l.conns.all() {
			c.Share(s)
		}
	})
}
