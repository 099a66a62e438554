package noom

import (
	"noom/internal/conduct"
	"noom/internal/link"
	"noom/signal"
)

// makeCard makes the card of our join: our first offer, before we know who is there. Without one, or if nobody answers it,
// the one who is there offers. Join calls it.
func (r *room) makeCard() *signal.Card {
	if r.cfg.NoCard {
		return nil
	}
	offered, err := link.NewCard(link.CardConfig{
		Self: r.self.ID, NewAPI: r.newAPI, SharesReports: r.engine.Shared(), Spawn: r.background, Log: r.log,
		Note:     func(msg string, args ...any) { r.trace.note(Member{}, msg, args...) },
		Networks: conduct.NetworksOf(r.engine), Codecs: r.cfg.Codecs, Prefer: r.cfg.PreferredCodecs,
		Senders: r.published.senders(),
	})
	if err != nil {
		r.log.Debug("no card", "error", err)
		return nil
	}
	card, short := signal.NewCard(offered.Offer)
	if !short {
		offered.Discard()
		return nil
	}
	card.Signature = r.cfg.Identity.sign(signal.CardText(r.name, r.self.Session, card.Offer))
	r.card = offered
	return card
}

// discardCard ends the card that no peer has got.
func (r *room) discardCard() {
	if r.card != nil {
		r.card.Discard()
		r.card = nil
	}
}
