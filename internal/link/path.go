package link

import (
	"github.com/pion/webrtc/v4"

	"noom/internal/recovery"
)

// pathOf returns what pion says of a path in the words of package recovery. One that is
// closed, by a user with the connection in hand, is followed by its channels.
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

// iceState is the way back.
func iceState(p recovery.Path) webrtc.ICEConnectionState {
	return [...]webrtc.ICEConnectionState{
		recovery.Untried: webrtc.ICEConnectionStateNew, recovery.Checking: webrtc.ICEConnectionStateChecking,
		recovery.Found: webrtc.ICEConnectionStateConnected, recovery.Disconnected: webrtc.ICEConnectionStateDisconnected,
		recovery.NoPath: webrtc.ICEConnectionStateFailed,
	}[p]
}
