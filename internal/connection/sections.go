package connection

import (
	"fmt"

	"github.com/pion/webrtc/v4"

	"noom/internal/fanout"
	"noom/internal/fault"
	"noom/signal"
)

// This file is the part of a connection that decides what we send in which section: our sections and our table.

// section is one of our media sections: a sendonly transceiver, which is kept, and the senders that use it one after
// the other.
type section struct {
	leg         *fanout.Leg
	transceiver *webrtc.RTPTransceiver
	sender      *fanout.Sender // nil: idle
	flowing     bool           // sender is attached
	leaving     bool           // sender has another section, and flows here until it flows there
	announced   int64          // how many messages the peer must have acknowledged before media flows
	refused     bool           // the peer does not accept this codec
	measured    sent           // by the last Measure
	starved     bool           // the table says that the sender is paused
	size        int            // in a description, at most
}

// mid returns the section's mid, empty before its first offer.
func (s *section) mid() string { return s.transceiver.Mid() }

// Retable is called when a sender's row has changed, its codec, or whether it sends stereo. It makes an offer if a section has
// turned to stereo since the last one, because a browser plays mono unless a description says stereo. A turn to mono
// needs no offer.
func (c *Conn) Retable() {
	c.tableDirty = true
	c.follow()
	if !c.Described() {
		return
	}
	for mid := range c.sendsStereo() {
		if mid != "" && !c.local.stereo[mid] {
			c.Need()
			return
		}
	}
}

// Sizes of what a description has room for, in bytes.
const (
	firstSize = 4096                  // all but media sections: ICE, with some twenty candidates, DTLS, channels
	maxOurs   = signal.MaxSDP * 2 / 3 // the rest is the peer's, whose sections take more if it is a browser
)

// fits reports whether a description has room for a section for s in addition to what the last one had and what was
// made since.
func (c *Conn) fits(s *fanout.Sender) bool {
	size := c.sizeOf(s.Kind(), c.only(s.Codec().RTPCodecCapability))
	ours, added := size, size
	for _, sec := range c.sections {
		ours += sec.size
		if sec.mid() == "" {
			added += sec.size
		}
	}
	before := max(c.local.size, c.remote.size, firstSize) // the peer has to answer, with its own sections at full length
	return ours <= maxOurs && before+added <= signal.MaxSDP
}

// addSections gives every sender that waits a section, if it fits. Transceivers are added right before an offer and not
// earlier, so that a remote offer finds none to take over.
func (c *Conn) addSections() error {
	waiting := c.waiting
	c.waiting = nil
	for _, s := range waiting {
		if !c.fits(s) {
			c.lack(s, s.Codec().PayloadType, fault.TooMany)
			continue
		}
		sec, err := c.addSection(s)
		if err != nil {
			return err
		}
		if t := sec.transceiver; c.kinds[s.Kind()] {
			if err := c.narrow(t, t.Sender().GetParameters().Codecs, c.only(sec.leg.Codec())); err != nil {
				return err
			}
		}
		c.kinds[s.Kind()] = true
	}
	return nil
}

// addSection gives s a transceiver of its own.
func (c *Conn) addSection(s *fanout.Sender) (*section, error) {
	sec, err := c.newSection(s.Codec().RTPCodecCapability)
	if err != nil {
		return nil, err
	}
	c.leave(s)
	sec.sender, sec.flowing = s, true
	c.attach(sec)
	return sec, nil
}

// newSection makes an idle section for a codec.
func (c *Conn) newSection(codec webrtc.RTPCodecCapability) (*section, error) {
	leg := fanout.NewLeg(codec, c.self, c.budget)
	leg.LendTo(c.answers)
	transceiver, err := c.PC.AddTransceiverFromTrack(leg, webrtc.RTPTransceiverInit{
		Direction: webrtc.RTPTransceiverDirectionSendonly,
	})
	if err != nil {
		return nil, fmt.Errorf("add transceiver: %w", err)
	}
	sec := &section{leg: leg, transceiver: transceiver, size: c.sizeOf(leg.Kind(), c.only(codec))}
	c.sections = append(c.sections, sec)
	c.countStream(sec.stats)
	c.countStream(sec.remoteStats)
	rtp := transceiver.Sender()
	for _, e := range rtp.GetParameters().Encodings {
		c.reports.add(uint32(e.SSRC), func(buf []byte) error { return leg.ReadRTCP(rtp, buf) })
	}
	return sec, nil
}

// SendTable sends a change of the table that no description has carried.
func (c *Conn) SendTable() {
	if !c.tableDirty || !c.Described() || !c.owner.Window() || !c.hasTable() {
		return
	}
	body, err := signal.EncodeBody(&signal.TableBody{Table: c.nextTable()})
	if err != nil {
		c.owner.Failed(err)
		return
	}
	c.tableSent(c.owner.Send(signal.TypeTable, body, false))
}

// hasTable reports whether there is a table to send. In an epoch that the peer began, senders that wait have no sections
// before our first offer, and a table without them would end tracks that only move to another connection.
func (c *Conn) hasTable() bool { return c.offered || len(c.waiting) == 0 }

// nextTable returns the table for the next frame. If there is none to send, it has version 0, which the peer ignores.
func (c *Conn) nextTable() signal.Table {
	if !c.hasTable() {
		return signal.Table{}
	}
	t := signal.Table{Version: c.owner.NextTable(), Tracks: make(map[string]signal.TrackRow)}
	for _, s := range c.sections {
		if mid := s.mid(); mid != "" && s.sender != nil && !s.leaving && !s.refused {
			t.Tracks[mid] = signal.TrackRow{
				ID: s.sender.ID(), Name: s.sender.Name(), Kind: s.sender.Kind().String(), Muted: s.sender.Silent(),
				Paused: s.starved,
			}
		}
	}
	return t
}

// tableSent notes that the table was just sent as it is now. queued is how many messages the exchange has been given,
// the one with the table included.
func (c *Conn) tableSent(queued int64) {
	c.tableDirty = false
	for _, sec := range c.sections {
		if sec.sender != nil && !sec.leaving && !sec.flowing && sec.announced == 0 {
			sec.announced = queued
		}
	}
}

// StartFlowing lets media flow in sections whose new rows the peer has, which has acknowledged acked messages. Earlier,
// the peer would take the media for the track before.
func (c *Conn) StartFlowing(acked int64) {
	for _, sec := range c.sections {
		if sec.sender != nil && !sec.leaving && !sec.flowing && sec.announced > 0 && acked >= sec.announced {
			sec.flowing = true
			c.attach(sec)
		}
	}
	c.arrive()
}

// secure is called when DTLS is up: the first time, and again after a restart.
func (c *Conn) secure() {
	c.secured = true
	for _, sec := range c.sections {
		sec.leg.Connected()
	}
}

// mediaCanFlow opens the sections that the peer has just answered, if DTLS is up already. pion drops media that is sent
// earlier.
func (c *Conn) mediaCanFlow() {
	if !c.secured {
		return
	}
	for _, sec := range c.sections {
		if !sec.leg.Opened() {
			sec.leg.Connected()
		}
	}
}

// sendsStereo returns the sections in which we may send two channels, by mid.
func (c *Conn) sendsStereo() map[string]bool {
	stereo := make(map[string]bool)
	for _, s := range c.sections {
		if s.sender != nil && s.sender.SendsStereo() {
			stereo[s.mid()] = true
		}
	}
	return stereo
}
