package payloads

import (
	"strconv"
	"strings"

	"github.com/pion/webrtc/v4"

	"noom/internal/packet"
)

// count is how many payload types there are: RTP has 7 bits for them (RFC 3550 section 5.1).
const count = 128

// format is what a number stands for. Two that are equal can share a number. The zero format is none.
type format struct {
	codec   string // kind, name, clock rate and channels, as in "video/vp8/90000"
	profile string // what of its parameters makes it another format; of a retransmission: our number of what it repeats
}

// kind is "audio" or "video".
func (f format) kind() string {
	kind, _, _ := strings.Cut(f.codec, "/")
	return kind
}

// repeats reports whether f is the format of retransmissions (RFC 4588).
func (f format) repeats() bool { return strings.Contains(f.codec, "/rtx/") }

// formatOf returns the format with these values of m=, a=rtpmap and a=fmtp.
func formatOf(kind, encoding, parameters string) format {
	f := format{codec: strings.ToLower(kind) + "/" + strings.TrimSuffix(strings.ToLower(encoding), "/1")}
	of := func(key, missing string) string {
		return key + "=" + strings.ToLower(packet.FormatParameter(parameters, key, missing))
	}
	switch name, _, _ := strings.Cut(strings.TrimPrefix(f.codec, f.kind()+"/"), "/"); name {
	case "h264": // the last two digits of profile-level-id are the level
		level := packet.FormatParameter(parameters, "profile-level-id", "42000a")
		f.profile = of("packetization-mode", "0") + " " + strings.ToLower(level[:4])
	case "h265":
		f.profile = of("profile-id", "1") + " " + of("tier-flag", "0") + " " + of("tx-mode", "srst")
	case "vp9":
		f.profile = of("profile-id", "0")
	case "av1":
		f.profile = of("profile", "0")
	case "rtx":
		f.profile = packet.FormatParameter(parameters, "apt", "")
	}
	return f
}

// registered has noom's own formats; registeredFormats those with which pion offers a kind before the peer has described
// it, which may be more.
var registered = registeredFormats(nil)

func registeredFormats(extra []webrtc.RTPCodecParameters) *[count]format {
	all := new([count]format)
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		for _, c := range packet.WithExtra(kind, extra) {
			all[c.PayloadType] = formatOfCodec(kind, c)
			if kind == webrtc.RTPCodecTypeVideo {
				again := packet.Retransmission(c)
				all[again.PayloadType] = formatOfCodec(kind, again)
				all[again.PayloadType].profile = repeatOf(uint8(c.PayloadType))
			}
		}
	}
	return all
}

// repeatOf returns the profile of retransmissions of our number.
func repeatOf(ours uint8) string { return "of " + strconv.Itoa(int(ours)) }

func formatOfCodec(kind webrtc.RTPCodecType, c webrtc.RTPCodecParameters) format {
	_, name, _ := strings.Cut(c.MimeType, "/")
	encoding := name + "/" + strconv.Itoa(int(c.ClockRate))
	if c.Channels > 1 {
		encoding += "/" + strconv.Itoa(int(c.Channels))
	}
	return formatOf(kind.String(), encoding, c.SDPFmtpLine)
}
