package connection

import (
	"slices"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/inbound"
	"noom/internal/packet"
)

// receiver is the section of the peer that pion has set up last for a mid.
type receiver struct {
	of *webrtc.RTPReceiver
	in *inbound.Inbound
}

// receive takes a stream of the peer that pion has set up in the section mid: the only one of it, or one of several
// encodings. It is read in any case.
func (c *Conn) receive(tr *webrtc.TrackRemote, of *webrtc.RTPReceiver, mid string) {
	rid := tr.RID()
	place := inbound.Alone
	if rid != "" {
		place = slices.Index(c.local.encodings[mid], rid)
	}
	accepted := rid == "" || place >= 0 && place < inbound.MaxEncodings // else the peer sends what we have not accepted
	in := c.receivers[mid].in
	added := accepted && place >= 0 && in != nil && c.receivers[mid].of == of
	if added && in.Again(tr) {
		return // it is read already
	}
	if !added {
		in = c.newInbound(of)
	}
	if !accepted {
		place = inbound.Alone
	}
	encoding := in.Add(tr, place)
	ends := c.reports.add(encoding.Source(), func(buf []byte) error { return encoding.ReadRTCP(of, buf) })
	c.owner.Spawn(func() {
		_ = encoding.Run()
		ends()
	})
	if !accepted || !c.current() {
		return
	}
	c.countStream(func(now webrtc.StatsTimestamp) (string, webrtc.Stats) { return encoding.Stats(now, mid) })
	if !added {
		c.receivers[mid] = receiver{of, in}
		c.Inbounds[mid] = in
		c.owner.Receiving(mid, in)
	}
}

// newInbound returns an Inbound for what pion receives in a section.
func (c *Conn) newInbound(of *webrtc.RTPReceiver) *inbound.Inbound {
	in := inbound.New(c.PC.WriteRTCP)
	extensions := of.GetParameters().HeaderExtensions
	in.Levels(packet.LevelID(extensions), c.owner.Loud)
	in.Dependencies(packet.ExtensionID(extensions, packet.DependencyURI))
	in.Repairs(c.repair.Repaired)
	in.Begins(func() {
		now := time.Now()
		c.post(func() { c.reach(&c.steps.Media, now) })
	})
	return in
}
