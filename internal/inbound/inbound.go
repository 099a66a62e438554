package inbound

import (
	"bytes"
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

// Inbound is one receiving media section. It reads packets for as long as the section
// lives, even if nobody wants them, and hands them to the track that the section
// currently carries.
type Inbound struct {
	// Immutable.
	tr        *webrtc.TrackRemote
	writeRTCP func([]rtcp.Packet) error

	// Immutable once Run was called.
	levelID uint8  // of the audio level's header extension; 0: not negotiated
	loud    func() // called for each packet that may be speech

	count  packet.Tally // of Run
	track  atomic.Pointer[Track]
	report atomic.Pointer[senderReport] // the latest
}

// New returns an Inbound that reads tr. It sends key-frame requests by writeRTCP.
func New(tr *webrtc.TrackRemote, writeRTCP func([]rtcp.Packet) error) *Inbound {
	return &Inbound{tr: tr, writeRTCP: writeRTCP}
}

// Levels sets the id of the audio level's header extension, 0 if none was negotiated,
// and the function to call for each packet that may be speech. It is called before Run.
func (in *Inbound) Levels(levelID uint8, loud func()) { in.levelID, in.loud = levelID, loud }

// Assign makes in feed t from now on, and nothing else; nil: packets are dropped.
func (in *Inbound) Assign(t *Track) {
	// Attach first, so that no packet reaches a track that does not expect it.
	if t != nil {
		t.attach(in)
	}
	if old := in.track.Swap(t); old != nil && old != t {
		old.detach(in)
	}
}

// Run reads until the section ends, and returns the error that ended it. It is called once,
// in a goroutine of its own.
func (in *Inbound) Run() error {
	defer in.Assign(nil)
	buf := make([]byte, packet.ReceiveMTU)
	var codec *webrtc.RTPCodecParameters
	var starts func([]byte) bool // of codec: a key frame
	var video gaps
	for {
		n, _, err := in.tr.Read(buf)
		switch {
		case errors.Is(err, webrtc.ErrCodecNotFound), errors.Is(err, io.ErrShortBuffer):
			continue // one unusable packet; the network may bring anything
		case err != nil:
			return err
		}
		t := in.track.Load()
		if t == nil {
			continue
		}
		p := new(rtp.Packet)
		if p.Unmarshal(bytes.Clone(buf[:n])) != nil {
			continue
		}
		in.count.Received(p.SequenceNumber, len(p.Payload))
		if codec == nil || codec.PayloadType != webrtc.PayloadType(p.PayloadType) {
			now := in.tr.Codec()
			now.MimeType = packet.CanonicalMIME(now.MimeType)
			codec, starts = &now, packet.KeyframeStart(now.MimeType)
		}
		if in.tr.Kind() == webrtc.RTPCodecTypeVideo && video.took(p.SequenceNumber, p.Payload, starts, time.Now()) {
			_ = in.requestKeyframe() // if this fails, gaps asks again
		}
		if dBov, ok := packet.LevelIn(&p.Header, in.levelID); ok {
			t.noteLevel(dBov)
			if dBov >= speaker.Loud {
				in.loud()
			}
		}
		t.push(in, p, codec)
	}
}

// requestKeyframe sends a PLI (RFC 4585 section 6.3.1).
func (in *Inbound) requestKeyframe() error {
	return in.writeRTCP([]rtcp.Packet{&rtcp.PictureLossIndication{MediaSSRC: uint32(in.tr.SSRC())}})
}

// senderReport is the latest sender report of a stream (RFC 3550 section 6.4.1): a
// time on the sender's clock and the RTP timestamp that belongs to it.
type senderReport struct {
	ssrc      uint32
	at        time.Time
	timestamp uint32
}

// DrainRTCP reads RTCP until r stops, because r's interceptors work only while it is read,
// and keeps the latest sender report. It is called once, in a goroutine of its own.
func (in *Inbound) DrainRTCP(r *webrtc.RTPReceiver) {
	buf := make([]byte, packet.ReceiveMTU)
	for {
		n, _, err := r.Read(buf)
		if err != nil {
			return
		}
		packets, err := rtcp.Unmarshal(buf[:n])
		if err != nil {
			continue // the network may bring anything
		}
		for _, p := range packets {
			if sr, ok := p.(*rtcp.SenderReport); ok {
				in.report.Store(&senderReport{sr.SSRC, fromNTP(sr.NTPTime), sr.RTPTime})
			}
		}
	}
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
func (in *Inbound) Stats(now webrtc.StatsTimestamp, mid string) (string, webrtc.Stats) {
	id := "inbound-rtp-" + mid
	return id, webrtc.InboundRTPStreamStats{
		Timestamp: now, Type: webrtc.StatsTypeInboundRTP, ID: id, Mid: mid,
		SSRC: in.tr.SSRC(), Kind: in.tr.Kind().String(),
		PacketsReceived: uint32(in.count.Packets()), BytesReceived: in.count.Bytes(), PacketsLost: in.count.Lost(),
	}
}
