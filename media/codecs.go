package media

import (
	"bytes"
	"cmp"
	"fmt"
	"strings"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/rtp/codecs/av1/obu"
	"github.com/pion/rtp/codecs/vp9"
	"github.com/pion/webrtc/v4"
)

// format is how frames become packets.
type format struct {
	mime      string
	profile   string // VP9's profile-id, H.264's profile-level-id; empty: the codec has none
	clock     int64  // RTP timestamp units in a second
	channels  uint16
	payloader func() rtp.Payloader
	// check looks at the first frame of a file, which must be a key frame, and
	// returns the profile.
	check func(first []byte) (profile string, err error)
	// bound refuses a frame that would become far more than it is. Nil: none does.
	bound func(frame []byte) error
}

func payloadVP8() rtp.Payloader  { return &codecs.VP8Payloader{EnablePictureID: true} }
func payloadVP9() rtp.Payloader  { return &codecs.VP9Payloader{} }
func payloadAV1() rtp.Payloader  { return &codecs.AV1Payloader{} }
func payloadOpus() rtp.Payloader { return &codecs.OpusPayloader{} }

var opusFormat = format{mime: webrtc.MimeTypeOpus, clock: 48000, channels: 2, payloader: payloadOpus}

func (f *format) kind() webrtc.RTPCodecType {
	if strings.HasPrefix(f.mime, "audio/") {
		return webrtc.RTPCodecTypeAudio
	}
	return webrtc.RTPCodecTypeVideo
}

func (f *format) capability() webrtc.RTPCodecCapability {
	c := webrtc.RTPCodecCapability{MimeType: f.mime, ClockRate: uint32(f.clock), Channels: f.channels}
	switch {
	case f.mime == webrtc.MimeTypeH264:
		c.SDPFmtpLine = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=" + f.profile
	case f.profile != "":
		c.SDPFmtpLine = "profile-id=" + f.profile
	}
	return c
}

// choose returns the codec among those on offer that f can be sent as. A VP9
// profile that is not on offer is not sent as another one: a decoder would
// show nothing. An H.264 profile includes those with lower numbers.
func (f *format) choose(offered []webrtc.RTPCodecParameters) (webrtc.RTPCodecParameters, bool) {
	for _, c := range offered {
		if strings.EqualFold(c.MimeType, f.mime) && f.fits(c.SDPFmtpLine) {
			return c, true
		}
	}
	return webrtc.RTPCodecParameters{}, false
}

func (f *format) fits(fmtp string) bool {
	if f.mime == webrtc.MimeTypeH264 {
		return parameterOf(fmtp, "packetization-mode", "0") == "1" &&
			strings.ToLower(parameterOf(fmtp, "profile-level-id", "420010"))[:2] >= f.profile[:2]
	}
	return parameterOf(fmtp, "profile-id", "0") == cmp.Or(f.profile, "0")
}

// parameterOf returns a parameter of a format, or missing. It is never shorter
// than that.
func parameterOf(fmtp, key, missing string) string {
	for parameter := range strings.SplitSeq(fmtp, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(parameter), "=")
		if strings.EqualFold(name, key) && len(value) >= len(missing) {
			return value
		}
	}
	return missing
}

func notKeyError(codec string) error {
	return fmt.Errorf("%w: the first frame is no %s key frame", ErrDamaged, codec)
}

// firstVP8 checks the frame tag and start code of RFC 6386 section 9.1.
func firstVP8(b []byte) (string, error) {
	if len(b) < 10 || b[0]&1 != 0 || !bytes.Equal(b[3:6], []byte{0x9d, 0x01, 0x2a}) {
		return "", notKeyError("VP8")
	}
	return "", nil
}

func firstVP9(b []byte) (string, error) {
	var h vp9.Header
	if err := h.Unmarshal(b); err != nil || h.ShowExistingFrame || h.NonKeyFrame {
		return "", notKeyError("VP9")
	}
	if h.Profile&1 != 0 {
		return "", badProfile("VP9", h.Profile)
	}
	return fmt.Sprint(h.Profile), nil
}

// badProfile refuses what browsers do not decode.
func badProfile(codec string, profile uint8) error {
	return fmt.Errorf("%s profile %d %w, because its colours are not 4:2:0; encode it with -pix_fmt yuv420p", codec, profile, ErrUnsupported)
}

// maxOBUs bounds the parts of a picture in AV1, each of which may become a
// packet: encoders make fewer than ten.
const maxOBUs = 256

// boundAV1 counts the parts of a temporal unit.
func boundAV1(unit []byte) error {
	count := 0
	for o, ok := obuIn(unit); ok; o, ok = obuIn(o.rest) {
		if o.kind != obu.OBUTemporalDelimiter { // which is not sent
			count++
		}
		if count > maxOBUs {
			return fmt.Errorf("%w: a picture of more than %d OBUs", ErrDamaged, maxOBUs)
		}
	}
	return nil
}

// firstAV1 looks for a sequence header, which a key frame's temporal unit has.
func firstAV1(unit []byte) (string, error) {
	_, sequence := sequenceAV1(unit)
	switch {
	case len(sequence) == 0:
		return "", notKeyError("AV1")
	case sequence[0]>>5 != 0:
		return "", badProfile("AV1", sequence[0]>>5)
	}
	return "", nil
}
