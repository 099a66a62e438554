// Package voice is for programs that listen and speak: agents, transcribers, interpreters. It gives what each member of a
// room says as turns of PCM, and says what a program makes, in Go alone, without cgo.
//
//	ears, err := voice.Listen(ctx, room, nil)
//	if err != nil {
//		return err
//	}
//	defer ears.Close()
//	mouth, err := voice.NewSpeaker(ctx, room, nil)
//	if err != nil {
//		return err
//	}
//	defer mouth.Close()
//	for turn := range ears.Turns(ctx) {
//		mouth.Flush() // whoever speaks is listened to
//		pcm, err := turn.Whole(ctx)
//		if err != nil {
//			return err
//		}
//		if _, err := mouth.Write(answer(turn.Peer, pcm)); err != nil {
//			return err
//		}
//	}
//
// That loop hears one turn after the other; examples/agent hears all at once, and is interrupted in the middle of a
// sentence.
//
// # Listening
//
// A [Listener] finds the tracks of a room by itself, decodes each, and cuts it into turns: from 200 ms before the first
// speech to 600 ms after the last. Sound is there as soon as its packet is. What was lost is made up 60 ms later, so
// that a turn keeps its length. Speech is what a [VAD] takes for it. Turns of several members overlap as they do, and
// [Turn].Started, on this machine's clock, puts them in order. A mute ends a turn at once.
//
// All of it is bounded: 64 tracks, 4 of one member, 30 s of a turn that nobody reads, 32 turns that nobody takes, and
// for each track as much decoding as its sound lasts, however many packets come.
//
// # Speaking
//
// A [Speaker] sends a packet each 20 ms, at the pace of the clock. Speech that comes too late is preceded by silence, and
// never followed by a burst. [Speaker].Flush is for interruptions: silence is on the wire within 40 ms.
// [Speaker].Played then says how much a listener can have heard. One Speaker may speak to the room while another whispers
// to one peer. What a speech synthesiser has written is read by [ReadWAV].
//
// # Codecs
//
// Opus is gopus, the others are here. Measured with speech-like sound in 20 ms packets (BenchmarkEncode, BenchmarkDecode,
// in CPU of one core of a small cloud machine; TestCodecs, TestOpusAgainstLibopus):
//
//	           rate     encode    decode    signal to noise
//	Opus       16000    0.25 ms   0.06 ms   12 dB at 14 kbit/s
//	Opus       24000    0.33 ms   0.09 ms   11 dB at 17 kbit/s
//	G.722      16000    0.03 ms   0.03 ms   14 dB at 64 kbit/s
//	G.711       8000    2 µs      3 µs      37 dB at 64 kbit/s
//
// At 48000 and 32 kbit/s gopus encodes with 12.4 dB, libopus with 11.9 dB, and what the two make of one packet differs by
// 113 dB less than the sound. gopus is young, has one maintainer, asks for a download of 67 MB for its tests' sake, and
// makes a program 2.4 MB larger. So it is behind [Encoder] and [Decoder], its panics become errors, a fuzzer attacks it
// (FuzzDecode), and [SpeakerOptions] can name another codec, of which browsers take all.
//
// A [Resampler] passes 80 % of the bandwidth of the lower rate within 0.1 dB, and what would fold back into it is at least
// 70 dB down (TestResampler measures both).
package voice
