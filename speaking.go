package noom

import (
	"noom/internal/packet"
	"noom/internal/speaker"
)

// AudioLeveler is a TrackLocal that knows how loud it is, such as a microphone
// of package media/capture or a sound of package media. It is sent with audio
// levels (RFC 6464), by which the others know who speaks; anything else goes
// without, and is never the [ActiveSpeaker].
type AudioLeveler interface {
	// AudioLevel returns how loud the packet is that is just being written, in
	// dBov: from -127, silence, to 0, the loudest there is; false: not known. It
	// is called for each packet and must be quick.
	AudioLevel() (dBov int, ok bool)
}

// audioLevel is the extension for the packet that the source's track is
// writing, nil if the track does not tell.
func (s *source) audioLevel() []byte {
	if s.leveler == nil {
		return nil
	}
	dBov, ok := s.leveler.AudioLevel()
	if !ok {
		return nil
	}
	return []byte{packet.LevelVoice | byte(-min(max(dBov, speaker.Silence), 0))}
}
