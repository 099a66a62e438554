package connection

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pion/sdp/v3"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
	"noom/signal"
)

// This file saves the second round of a pair: our first offer reserves sections for what the peer is about to send,
// which it fills with its answer. It also says which formats a section is described with.
//
// pion forgets the formats that the first section of a kind has not, for the whole connection. So that one has all
// formats, and each further one those of the codec that it is for.

// Bytes that a section takes in a description at most, because the real size is known only when it is too late to leave
// one out: without formats, and for each, with its retransmission.
const (
	soundSize         = 896
	soundFormatSize   = 64
	pictureSize       = 960
	pictureFormatSize = 320
)

// maxReserved bounds the sections that are reserved for a peer.
const maxReserved = 16

// isFor reports whether a section is to be described with a format.
type isFor func(format webrtc.RTPCodecCapability) bool

// only returns what chooses the formats that can carry a codec.
func (c *Conn) only(codec webrtc.RTPCodecCapability) isFor {
	return func(format webrtc.RTPCodecCapability) bool { return packet.Carries(format, codec) }
}

// sizeOf returns how much room the next section of a kind takes, if it is for such formats.
func (c *Conn) sizeOf(kind webrtc.RTPCodecType, wanted isFor) int {
	size, each := soundSize, soundFormatSize
	if kind == webrtc.RTPCodecTypeVideo {
		size, each = pictureSize, pictureFormatSize
	}
	for i, format := range packet.WithExtra(kind, c.codecs) {
		switch {
		case c.kinds[kind] && !wanted(format.RTPCodecCapability):
		case i < len(packet.CodecsFor(kind)):
			size += each
		default:
			size += packet.ExtraSize
		}
	}
	return size
}

// narrow has a transceiver described with those of its formats that are wanted, if any is. formats may be pion's own list.
func (c *Conn) narrow(t *webrtc.RTPTransceiver, formats []webrtc.RTPCodecParameters, wanted isFor) error {
	var few []webrtc.RTPCodecParameters
	some := false
	for _, f := range formats {
		switch {
		case wanted(f.RTPCodecCapability):
			few, some = append(few, f), true
		case strings.EqualFold(f.MimeType, webrtc.MimeTypeRTX):
			few = append(few, f) // pion leaves out those of other formats
		}
	}
	if !some {
		return nil
	}
	if err := t.SetCodecPreferences(few); err != nil {
		return fmt.Errorf("prefer codecs: %w", err)
	}
	return nil
}

// reserve adds a section for each track that the peer is about to send, as far as they fit.
func (c *Conn) reserve() error {
	room := signal.MaxSDP - firstSize
	for _, sec := range c.sections {
		room -= sec.size
	}
	for _, mime := range c.expects[:min(len(c.expects), maxReserved)] {
		kind := packet.KindOf(mime)
		wanted := func(format webrtc.RTPCodecCapability) bool {
			return strings.EqualFold(format.MimeType, mime) || !strings.Contains(mime, "/")
		}
		size := c.sizeOf(kind, wanted)
		if kind == webrtc.RTPCodecTypeUnknown || size > room {
			continue
		}
		t, err := c.PC.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly})
		if err != nil {
			return fmt.Errorf("reserve a section: %w", err)
		}
		if c.kinds[kind] {
			if err := c.narrow(t, t.Receiver().GetParameters().Codecs, wanted); err != nil {
				return err
			}
		}
		c.kinds[kind] = true
		room -= size
	}
	c.expects = nil
	return nil
}

// filled is a section that the peer has reserved, and ours in it.
type filled struct {
	section *section
	wanted  isFor // formats; nil: all that there are
}

// fill gives the sections that an offer has reserved for us to senders that wait. pion hands its transceivers out in order,
// so each section gets one, if there is no sender for it an idle one, and the first that cannot be filled is the last of its
// kind.
func (c *Conn) fill(s *sdp.SessionDescription) (list []filled, err error) {
	seen, over := maps.Clone(c.kinds), make(map[webrtc.RTPCodecType]bool)
	for _, m := range s.MediaDescriptions {
		kind := webrtc.NewRTPCodecType(m.MediaName.Media)
		first := !seen[kind]
		seen[kind] = true
		if _, reserved := m.Attribute("recvonly"); !reserved || kind == webrtc.RTPCodecTypeUnknown || over[kind] || c.knows(m) {
			continue
		}
		formats := c.formatsIn(m, kind)
		if len(formats) == 0 || rejects(m) {
			over[kind] = true
			continue
		}
		sec, err := c.fillOne(formats)
		if err != nil {
			return nil, err
		}
		f := filled{section: sec}
		if !first {
			f.wanted = c.only(sec.leg.Codec())
		}
		list = append(list, f)
	}
	return list, nil
}

// fillOne makes a section for the first sender that waits and has one of those formats, or else an idle one.
func (c *Conn) fillOne(formats []webrtc.RTPCodecCapability) (*section, error) {
	for i, s := range c.waiting {
		codec := s.Codec().RTPCodecCapability
		if slices.ContainsFunc(formats, func(f webrtc.RTPCodecCapability) bool { return packet.Carries(f, codec) }) {
			c.waiting = slices.Concat(c.waiting[:i], c.waiting[i+1:])
			return c.addSection(s)
		}
	}
	return c.newSection(formats[0])
}

// narrowFilled is called between the offer and our answer.
func (c *Conn) narrowFilled(list []filled) error {
	for _, f := range list {
		if t := f.section.transceiver; f.wanted != nil {
			if err := c.narrow(t, t.Sender().GetParameters().Codecs, f.wanted); err != nil {
				return err
			}
		}
	}
	return nil
}

// rejects reports whether a section is for nothing. Firefox gives the port 0 to all sections but the first, and says that they
// use the port of that one (RFC 9143 section 6).
func rejects(m *sdp.MediaDescription) bool {
	_, bundled := m.Attribute("bundle-only")
	return m.MediaName.Port.Value == 0 && !bundled
}

// knows reports whether a section was in an earlier description.
func (c *Conn) knows(m *sdp.MediaDescription) bool {
	mid, _ := m.Attribute("mid")
	return slices.Contains(c.remote.sections, mid) || slices.Contains(c.local.sections, mid)
}

// formatsIn returns the formats of ours that a section of the peer has, as far as their names tell.
func (c *Conn) formatsIn(m *sdp.MediaDescription, kind webrtc.RTPCodecType) (formats []webrtc.RTPCodecCapability) {
	for _, a := range m.Attributes {
		if a.Key != "rtpmap" {
			continue
		}
		_, encoding, _ := strings.Cut(a.Value, " ")
		name, _, _ := strings.Cut(encoding, "/")
		for _, ours := range packet.WithExtra(kind, c.codecs) {
			if strings.EqualFold(ours.MimeType, m.MediaName.Media+"/"+name) {
				formats = append(formats, ours.RTPCodecCapability)
			}
		}
	}
	return formats
}
