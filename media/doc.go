// Package media makes tracks that play by themselves, out of a file, a test
// pattern or a tone, and records tracks into files. What plays is a [*Source], which is a [webrtc.TrackLocal] and goes wherever one
// is taken, such as noom's Room.Publish:
//
//	video, err := media.OpenIVF("clip.ivf", nil)
//	if err != nil {
//		return err // names the file and what is wrong with it
//	}
//	defer video.Close()
//	_, err = room.Publish(ctx, video, nil)
//
// There is no cgo here and no device; package capture, below this one, opens
// cameras and microphones.
//
// # What there is
//
//   - [OpenIVF] plays VP8, VP9 or AV1 from an IVF file, [OpenOgg] Opus from an
//     Ogg file, [OpenH264] H.264 from a byte stream. [NewIVF], [NewOgg] and
//     [NewH264] do the same from memory or an embed.FS.
//   - [TestPattern] draws a moving picture in pure Go. Its colour can follow
//     from a member's id ([ColorOf]) and its frames are numbered
//     ([PatternFrame]), so that whoever receives it can tell whose picture it
//     is and whether it stands still.
//   - [Tone] is a steady, plainly audible tone.
//   - [Record] writes tracks into one WebM or Matroska file, [RecordIVF] and
//     [RecordOgg] one track into an IVF or Ogg file.
//
// # Playing
//
// A Source begins with its first frame when it is bound, and again whenever it
// is bound after it was bound nowhere. Frames leave at the times their file
// gives, counted from the start of playing, so that neither a late timer nor a
// slow receiver adds up. After a stall of more than half a second (a suspended
// laptop) playing goes on from where it was instead of catching up. A file is
// played over and over unless [FileOptions] says once; RTP timestamps and
// sequence numbers run on across the seam, and across Unbind and Bind.
//
// A Source may be bound in several places. It is encoded and packetised once,
// into packets of at most 1200 bytes, and everyone gets the same ones.
//
// # Key frames
//
// A Source does not read key-frame requests. Whoever asks for a key frame gets
// the file's next one: jumping there would tear the picture for everyone else
// and leave the sound behind. So let a file have one every second:
//
//	ffmpeg -i film.mp4 -an -c:v libvpx -b:v 1M -g 30 -auto-alt-ref 0 film.ivf
//	ffmpeg -i film.mp4 -vn -c:a libopus -b:a 32k film.ogg
//
// Each frame of the test pattern is a key frame.
//
// # Recording
//
// A [Recording] takes tracks that come and go, and puts them into one file as
// they arrive, without decoding them:
//
//	recording := media.Record(ctx, file)
//	defer recording.Close() // completes the file
//	for event := range room.Events(ctx) {
//		if e, ok := event.(noom.TrackAdded); ok {
//			recording.Add(e.Peer, e.Track)
//		}
//	}
//
// It takes VP8, VP9, AV1, H.264 and Opus. What one peer sends is put in sync by
// the clock of that peer, as far as its tracks tell it ([SenderClock]), and by
// when it arrived until then: what comes early waits for what comes late. Packets that are late or in disorder are waited
// for, up to 400 ms. Behind a loss the picture goes on with its next key frame,
// which is asked for, so that whatever is in the file can be decoded. Mutes,
// changes of size and swapped sources need nothing; a change of codec begins a
// further track.
//
// A recording holds no more than one cluster of the file (two seconds, or
// 1 MiB), frames that wait for those of other tracks (half a second of time, or
// 16 MiB), per track the frame and up to 512 packets that are being put
// together, and the latest key frame of each VP8 track for
// [Recording.Still]. A disk that is too slow shows as loss; one that is full
// ends the recording, and [Recording.Done] and [Recording.Err] tell. A program
// that is killed leaves a file that plays up to the last few seconds.
//
// # Files that are not what they should be
//
// Opening reads as far as the first frame, so a file that is empty, foreign,
// cut off in its header or of a codec that cannot be sent is refused there
// with a [*FileError]. Damage further on ends the file at that point, as if it
// were shorter, and [Source.Err] tells. Nothing in a file decides how much
// memory is used: a frame may have 4 MiB, an Opus packet 1400 bytes.
package media
