// Package media makes tracks that play by themselves, from files, a test pattern, a tone or a
// program's speech, and turns tracks into files, stills and PCM. They are a [*Source], which is a
// [webrtc.TrackLocal] for anything that takes one, such as noom's Room.Publish:
//
//	film, err := media.OpenWebM("clip.webm", nil)
//	if err != nil {
//		return err // names the file and what is wrong with it
//	}
//	defer film.Close()
//	for _, track := range film.Tracks() {
//		if _, err := room.Publish(ctx, track, nil); err != nil {
//			return err
//		}
//	}
//
// # What plays what
//
//	WebM, Matroska   VP8, VP9, AV1, H.264, Opus; both in sync   OpenWebM, NewWebM
//	IVF              VP8, VP9, AV1                              OpenIVF, NewIVF
//	H.264 stream     H.264 without B-frames                     OpenH264, NewH264
//	Ogg              Opus, one or two channels; chains          OpenOgg, NewOgg
//	any of these     a picture and a sound, in sync             OpenFilm
//	test pattern     VP8, drawn and encoded in Go               TestPattern
//	tone             Opus                                       Tone
//	PCM              Opus, through an encoder                   NewPCM
//
// The functions named New play from memory or an embed.FS. Pictures of the test pattern are
// numbered ([PatternFrame]), and their colour can follow from a member's id ([ColorOf]), so that
// its receiver can see whose it is and whether it stands still.
//
// # What becomes of tracks
//
//	one WebM or Matroska file of a room, a peer or tracks    RecordRoom, RecordPeer, Record
//	the same as MP4                                          RecordMP4, AddRoom, AddPeer
//	an IVF or Ogg file of one track                          RecordIVF, RecordOgg
//	an image of the latest VP8 key frame                     Recording.Still
//	PCM of Opus, for speech recognition                      Listen
//
// # What needs cgo
//
// Nothing here does. Package capture, below this one, opens cameras and microphones; it needs cgo and the build tag
// capture, and says so where it was built without. Package voice, for programs that listen and speak, has the Opus
// encoder that [NewPCM] takes, in Go.
//
// # What costs what
//
// Nothing is decoded or encoded that need not be: files are packetised as they are, and packets
// become files as they come. To play a picture and a sound and to record them takes about a
// thousandth of a core; the test pattern, a few thousandths at 15 pictures a second; Listen, seven.
// A Source may be bound in several places: it is read, encoded and packetised once, into packets of
// at most 1200 bytes, and everyone gets the same ones.
//
// # Playing
//
// A Source begins with its first frame when it is bound, and again whenever it
// is bound after it was bound nowhere. Frames leave at the times their file
// gives, counted from the start of playing, so that neither a late timer nor a
// slow receiver adds up. After a stall of more than half a second (a suspended
// laptop) playing goes on from where it was instead of catching up. A file is
// played over and over unless [FileOptions] says once; RTP timestamps and
// sequence numbers run on across the seam, across jumps, and across Unbind and
// Bind.
//
// The tracks of a [Film] have one clock: what is bound later joins in where the
// film is, and jumps take all of it along.
//
// # Jumps and key frames
//
// [Source.Seek] and [Film.Seek] go to the latest key frame at or before a time.
// WebM files are sought by their cues; the others, which have no index, are
// read up to that place, twice.
//
// A Source reads the key-frame requests (PLI and FIR) of those it is bound to. If the file has a
// key frame at least every second, the next one is the answer, also as long as that is not known.
// Otherwise playing goes back to the latest key frame, sound and picture alike, for everyone; to
// the same one at most every ten seconds, then every twenty and so on, so that repeated requests do
// not hold up the others. So let a file have one every second, and playing never goes back:
//
//	ffmpeg -i film.mp4 -c:v libvpx -b:v 1M -g 30 -auto-alt-ref 0 -c:a libopus -b:a 32k film.webm
//
// Each frame of the test pattern is a key frame.
//
// # H.264
//
// Parameter sets may stand once in a file, change on the way or be several: those that were seen go
// before each IDR picture, so that playing can begin there. A Matroska file may have them outside
// its pictures or within, and its pictures with lengths or with start codes, as browsers record
// them. Recovery points without an IDR picture are no key frames, because browsers do not begin
// with them; a file without any IDR picture is refused. So are B-frames, because a call shows
// pictures in the order in which they come, and colours other than 4:2:0 with 8 bits:
// [ErrUnsupported] says how to encode it.
//
// # Recording
//
// A [Recording] takes tracks that come and go, and puts them into one file as
// they arrive, without decoding them. RecordRoom finds them by itself:
//
//	recording := media.RecordRoom(ctx, file, room)
//	defer recording.Close() // completes the file
//
// It does so by looking, ten times a second, and takes none of the room's
// events from its owner. Record begins without tracks and takes those that are
// added:
//
//	recording := media.Record(ctx, file)
//	defer recording.Close()
//	recording.Add(peer, track)
//
// It takes VP8, VP9, AV1, H.264 and Opus. RecordMP4 writes the same into a fragmented MP4 file, for
// what plays no WebM, and takes all of these but VP8: join with MP4Codecs in
// Config.PreferredCodecs, so that browsers send others. Every frame is put where it was made, on
// one line of time for all tracks, which follows arrival: a pause stays as long as it was, also if
// the sender's timestamps stand still meanwhile, and clocks that run fast or slow do not part
// members. Packets that the network holds up, for seconds too, do not move it. The tracks of one
// peer are put in sync by the clock of that peer, as far as the tracks report it ([SenderClock]),
// pictures by the sound; a clock that steps, or that is wrong, moves nothing. Sound is moved in
// pauses or by a hundredth of its time, which is inaudible: Matroska, MP4 and IVF files have the
// times, and an Ogg file, which has none, has a packet twice or leaves one out.
//
// Packets that are late or in disorder are waited for, up to 400 ms. Behind a loss the picture goes
// on with its next key frame, which is asked for, so that whatever is in the file can be decoded.
// Mutes, changes of size and swapped sources need nothing; a change of codec begins a further
// track. A member that leaves and comes back continues in the same track. What was recorded can be
// played here, all of it, unless it is MP4, or nothing was sent for more than 30 days on end. Where nothing was
// sent there is a gap in the track: ffmpeg keeps it, but a page's video element plays sound on over
// it, ahead of the picture until the next jump.
//
// A recording holds no more than one cluster or fragment of the file (two seconds, or 1 MiB), frames that wait
// for those of other tracks, or until it is known where they belong (half a second, where something
// stands still two, at the beginning three; 16 MiB or 16,000 frames at most), per track the frame
// and up to 512 packets that are being put together, and the latest key frame of each VP8 track for
// [Recording.Still]. A disk that is too slow shows as loss; one that is full ends the recording
// with a [*WriteError], which [Recording.Done] and [Recording.Err] report, and the call goes on. A
// program that is killed leaves a file that plays up to the last few seconds.
//
// # Files that are not what they should be
//
// Opening reads as far as the first frame, of a film the first key frame, so a file that is empty,
// foreign, cut off in its header or of a codec that cannot be sent is refused there with a
// [*FileError]. Damage further on ends the file at that point, as if it were shorter, and
// [Source.Err] reports it. No file causes more memory or work than its own size allows: a frame may
// have 4 MiB, in 4096 NAL units of H.264 or 256 OBUs of AV1, the parameter sets of H.264 together 4
// KiB, the head of a film 1 MiB. Opus packets that are too long for a datagram are taken apart into
// their frames; one that is none is left out. A time is damage if it lies more than 30 days behind
// the one before it, or goes back by more than ten seconds.
package media
