package inbound

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
	"noom/internal/speaker"
)

// Encoding is one stream of a section: its sound, its picture, or one of several encodings of that. It is read for as
// long as the section lives, even if nobody wants it.
type Encoding struct {
	// Immutable.
	in    *Inbound
	tr    *webrtc.TrackRemote
	place int // among several, or Alone

	count  packet.Tally                 // of Run
	report atomic.Pointer[senderReport] // the latest

	// Of Run.
	codec  *webrtc.RTPCodecParameters // of the latest packet
	starts func([]byte) keyframeStart // of codec

	// Guarded by in.mu.
	video gaps
	sizes packet.SizeReader
	thin  thinner
	asked time.Time // when a key frame was asked for last
}

// Run reads until the section ends, and returns the error that ended it. It is called once,
// in a goroutine of its own.
func (e *Encoding) Run() error {
	defer e.in.remove(e)
	buf := make([]byte, packet.ReceiveMTU)
	for begun := false; ; {
		n, attrs, err := e.tr.Read(buf)
		switch {
		case errors.Is(err, webrtc.ErrCodecNotFound), errors.Is(err, io.ErrShortBuffer):
			continue // one unusable packet; the network may bring anything
		case err != nil:
			return err
		}
		if !begun {
			begun = true
			e.in.begins()
		}
		if n >= 4 && attrs.Get(webrtc.AttributeRtxSsrc) != nil {
			e.in.repaired(uint32(e.tr.SSRC()), binary.BigEndian.Uint16(buf[2:]))
		}
		if t := e.in.track.Load(); t != nil {
			e.take(t, buf[:n])
		}
	}
}

// roomyPacket is a packet with room for the header extensions that it usually has.
type roomyPacket struct {
	rtp.Packet
	extensions [4]rtp.Extension
}

// newPacket returns a packet in memory of its own, because readers may keep it: two objects, whatever is in it. nil: raw is
// none.
func newPacket(raw []byte) *rtp.Packet {
	p := new(roomyPacket)
	p.Extensions = p.extensions[:0]
	if p.Unmarshal(bytes.Clone(raw)) != nil {
		return nil
	}
	if len(p.Extensions) == 0 {
		p.Extensions = nil
	}
	return &p.Packet
}

// take takes a packet for a track.
func (e *Encoding) take(t *Track, raw []byte) {
	p := newPacket(raw)
	if p == nil {
		return
	}
	e.count.Received(p.SequenceNumber, len(p.Payload))
	if e.codec == nil || e.codec.PayloadType != webrtc.PayloadType(p.PayloadType) {
		e.decode(e.tr.Codec())
	}
	packet.MoveDependency(&p.Header, e.in.dependencyID)
	if e.tr.Kind() == webrtc.RTPCodecTypeVideo {
		e.in.take(e, p, time.Now())
		return
	}
	if dBov, ok := packet.LevelIn(&p.Header, e.in.levelID); ok {
		t.noteLevel(dBov)
		if dBov >= speaker.Loud {
			e.in.loud()
		}
	}
	t.push(e.in, p, e.codec)
}

// decode takes packets for those of a codec from now on.
func (e *Encoding) decode(codec webrtc.RTPCodecParameters) {
	codec.MimeType = packet.CanonicalMIME(codec.MimeType)
	e.codec, e.starts = &codec, keyframeStarts(codec.MimeType)
	e.in.mu.Lock()
	defer e.in.mu.Unlock()
	e.sizes = packet.NewSizeReader(codec.MimeType)
}

// requestKeyframe sends a PLI (RFC 4585 section 6.3.1).
func (e *Encoding) requestKeyframe() error {
	return e.in.writeRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(e.tr.SSRC())}})
}

// senderReport is the latest sender report of a stream (RFC 3550 section 6.4.1): a
// time on the sender's clock and the RTP timestamp that belongs to it.
type senderReport struct {
	ssrc      uint32
	at        time.Time
	timestamp uint32
}

// Source is the SSRC of the stream.
func (e *Encoding) Source() uint32 { return uint32(e.tr.SSRC()) }

// ReadRTCP waits for one packet of r's RTCP, which it reads into buf, and keeps the latest sender report.
func (e *Encoding) ReadRTCP(r *webrtc.RTPReceiver, buf []byte) error {
	n, err := e.readRTCP(r, buf)
	if err != nil {
		return err
	}
	packets, _ := rtcp.Unmarshal(buf[:n]) // none if it is no RTCP: the network may bring anything
	for _, p := range packets {
		if sr, ok := p.(*rtcp.SenderReport); ok && sr.SSRC == e.Source() {
			e.report.Store(&senderReport{sr.SSRC, fromNTP(sr.NTPTime), sr.RTPTime})
		}
	}
	return nil
}

func (e *Encoding) readRTCP(r *webrtc.RTPReceiver, buf []byte) (n int, err error) {
	if rid := e.tr.RID(); rid != "" { // Read would be for the first of several encodings, which may never come
		n, _, err = r.ReadSimulcast(buf, rid)
	} else {
		n, _, err = r.Read(buf)
	}
	return n, err
}

// fromNTP converts an NTP timestamp: seconds since 1900, and 32 bits of fraction. The
// seconds wrap in 2036, so the lower half belongs to the next era (RFC 5905 section 6).
func fromNTP(t uint64) time.Time {
	const until1970 = 2_208_988_800
	seconds := int64(t >> 32)
	if seconds < 1<<31 {
		seconds += 1 << 32
	}
	return time.Unix(seconds-until1970, int64((t&(1<<32-1))*uint64(time.Second)>>32))
}

// Stats returns an entry for a StatsReport. pion counts RTP packets only in an interceptor,
// which costs more per packet than everything else that noom does with it. So noom counts
// them itself, where it handles each packet anyway.
func (e *Encoding) Stats(now webrtc.StatsTimestamp, mid string) (string, webrtc.Stats) {
	id := "inbound-rtp-" + mid
	if rid := e.tr.RID(); rid != "" {
		id += "-" + rid
	}
	return id, webrtc.InboundRTPStreamStats{
		Timestamp: now, Type: webrtc.StatsTypeInboundRTP, ID: id, Mid: mid, Rid: e.tr.RID(),
		SSRC: e.tr.SSRC(), Kind: e.tr.Kind().String(),
		PacketsReceived: uint32(e.count.Packets()), BytesReceived: e.count.Bytes(), PacketsLost: e.count.Lost(),
	}
}
