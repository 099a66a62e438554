package link

import (
	"github.com/pion/webrtc/v4"

	"noom/internal/recovery"
)

// pathOf returns pion's state of a path in the terms of package recovery. If a user closes the connection, its channels
// close too, which is reported separately.
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

// iceState is the inverse of pathOf.
func iceState(p recovery.Path) webrtc.ICEConnectionState {
	return [...]webrtc.ICEConnectionState{
		recovery.Untried: webrtc.ICEConnectionStateNew, recovery.Checking: webrtc.ICEConnectionStateChecking,
		recovery.Found: webrtc.ICEConnectionStateConnected, recovery.Disconnected: webrtc.ICEConnectionStateDisconnected,
		recovery.NoPath: webrtc.ICEConnectionStateFailed,
	}[p]
}
