package packet

import "github.com/pion/rtp"

const longestShortID = 14 // of the short form of header extensions

// SetExtension adds a header extension (RFC 8285), in the long form where its id needs that: pion looks at the payload
// alone. It fails if the header has extensions in the short form, which has no room for the payload.
func SetExtension(h *rtp.Header, id uint8, payload []byte) error {
	if id <= longestShortID {
		return h.SetExtension(id, payload)
	}
	if !h.Extension {
		h.Extension, h.ExtensionProfile = true, rtp.ExtensionProfileTwoByte
	}
	return h.SetExtensionWithProfile(id, payload, rtp.ExtensionProfileTwoByte)
}
