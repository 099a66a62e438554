package media

import (
	"bytes"
	_ "embed" // for the tone
)

// toneOgg is two seconds of 440 Hz, swelling twice a second and never quiet,
// cut out of the middle of a longer tone where the encoder has settled; both
// rhythms fit into two seconds, so that its end runs into its beginning:
//
//	ffmpeg -f lavfi -i "aevalsrc='0.45*sin(2*PI*440*t)*(0.7+0.3*sin(2*PI*2*t))':s=48000" \
//	  -t 6 -ac 1 -c:a libopus -b:a 24k -frame_duration 20 long.ogg
//	ffmpeg -ss 2 -i long.ogg -c copy -frames:a 100 -map_metadata -1 -fflags +bitexact tone.ogg
//
//go:embed tone.ogg
var toneOgg []byte

// toneLevel is that tone's, in dBov: its peak of 0.45 times its mean swell of 0.7.
const toneLevel = -13

// Tone returns a steady tone of 440 Hz, about 13 dB below full scale, as
// pre-encoded Opus: it takes no file, device or encoder.
func Tone() *Source {
	s, err := NewOgg(bytes.NewReader(toneOgg), nil)
	if err != nil {
		panic(err) // the embedded file is part of the program
	}
	s.level = toneLevel
	return s
}
