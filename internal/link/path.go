package link

import (
	"github.com/pion/webrtc/v4"

	"noom/internal/recovery"
)

// pathOf converts pion's state of ICE to a recovery.Path. If a user closes the connection,
// its channels report that.
func pathOf(s webrtc.ICEConnectionState) recovery.Path {
	switch s {
	case webrtc.ICEConnectionStateNew:
		return recovery.Untried
	case webrtc.ICEConnectionStateConnected, webrtc.ICEConnectionStateCompleted:
		return recovery.Found
	case webrtc.ICEConnectionStateDisconnected:
		return recovery.Disconnected
	case webrtc.ICEConnectionStateFailed:
		return recovery.NoPath
	default:
		return recovery.Checking
	}
}

// iceState converts a recovery.Path back.
func iceState(p recovery.Path) webrtc.ICEConnectionState {
	return [...]webrtc.ICEConnectionState{
		recovery.Untried: webrtc.ICEConnectionStateNew, recovery.Checking: webrtc.ICEConnectionStateChecking,
		recovery.Found: webrtc.ICEConnectionStateConnected, recovery.Disconnected: webrtc.ICEConnectionStateDisconnected,
		recovery.NoPath: webrtc.ICEConnectionStateFailed,
	}[p]
}
