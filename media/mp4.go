package media

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/Eyevinn/mp4ff/mp4"
	"github.com/pion/rtp/codecs/vp9"
	"github.com/pion/webrtc/v4"
)

const (
	// mp4Head is mkvHead for MP4, which describes a track in some 600 bytes.
	mp4Head = 96 << 10
	// mp4MaxTracks is as many as Matroska has.
	mp4MaxTracks = mkvMaxTracks
	// mp4Scale is the unit of time of a file as a whole, in a second.
	mp4Scale = 1000
	// mp4SampleCost is what a frame costs in a fragment in addition to its bytes.
	mp4SampleCost = 16
)

// MP4Codecs are the codecs that [RecordMP4] takes, as MIME types, those that play in most places first. For
// noom.Config.PreferredCodecs: a recorder that joins with them gets pictures from browsers in H.264, or in VP9 from
// those that encode no H.264, such as a Firefox that has not fetched OpenH264. The slice is the caller's.
func MP4Codecs() []string {
	return []string{webrtc.MimeTypeOpus, webrtc.MimeTypeH264, webrtc.MimeTypeVP9, webrtc.MimeTypeAV1}
}

// RecordMP4 is [Record] into a fragmented MP4 file (ISO 14496-12), for what plays no WebM. It takes [MP4Codecs]. What
// comes in VP8, which is what browsers send unless the recorder prefers those codecs, is left out with [ErrCodec];
// Record takes it. [AddRoom] and [AddPeer] add the tracks of a room or of a member.
func RecordMP4(ctx context.Context, w io.Writer) *Recording {
	return newRecording(ctx, newMP4(w))
}

// mp4Writer writes a fragmented MP4 file: a head of fixed size, fragments, each of which is a table of its frames and
// their bytes, and in the end an index of the fragments that begin with a key frame.
type mp4Writer struct {
	headedFile
	tracks []*mp4Track
	end    time.Duration // of the last frame

	// Of the fragment.
	began    time.Duration
	size     int
	parts    []*mp4Track // that have a frame in it, in the order of the first
	sequence uint32
	index    cueTable
}

// mp4Track is a track and its frames in the fragment.
type mp4Track struct {
	id            uint32
	name          string
	sound         bool
	scale         int64 // its units of time in a second
	width, height uint16
	entry         string // how its frames are, in four letters
	config        mp4.Box
	sets          []byte // H.264: the parameter sets that config has

	from    int64 // when the first frame is
	last    int64 // and the latest
	samples []mp4.Sample
	data    []byte
}

func newMP4(w io.Writer) *mp4Writer { return &mp4Writer{headedFile: newHeadedFile(w, mp4Head)} }

// mp4Entries are the names of codecs in MP4. An avc1 has its parameter sets in the head alone, an avc3 in its pictures
// too (ISO 14496-15).
var mp4Entries = map[string]string{"h264": "avc1", "vp9": "vp09", "av1": "av01", "opus": "Opus"}

func (m *mp4Writer) add(s *stream, first []byte) error {
	entry, ok := mp4Entries[s.format.codec]
	switch {
	case !ok:
		return fmt.Errorf("%s %w: MP4 takes H.264, VP9, AV1 and Opus; send one of those, or record WebM, which takes VP8", s.format.codec, ErrCodec)
	case m.seek == nil && m.headed:
		return ErrLate
	case len(m.tracks) == mp4MaxTracks:
		return ErrFull
	}
	t := &mp4Track{id: uint32(len(m.tracks) + 1), name: s.name, sound: s.format.starts == nil, scale: 90000, entry: entry}
	if err := t.describe(s.format.codec, first); err != nil {
		return err
	}
	if t.sets = setsOf(s.format.codec, first); t.sets != nil && m.seek == nil { // others may come, and it could not be said
		t.entry = "avc3"
	}
	m.tracks = append(m.tracks, t)
	if m.seek != nil {
		if len(m.head()) > mp4Head-8 {
			m.tracks = m.tracks[:len(m.tracks)-1]
			return ErrFull
		}
		m.headed = false // the head has to be written again
	}
	s.number = len(m.tracks)
	return nil
}

// setsOf returns the parameter sets of a key frame in H.264; nil: it has none.
func setsOf(codec string, key []byte) []byte {
	if codec != "h264" {
		return nil
	}
	return append(bytes.Clone(nalOf(key, nalSPS)), nalOf(key, nalPPS)...)
}

// describe fills in the size and what the decoder has to know beforehand.
func (t *mp4Track) describe(codec string, first []byte) error {
	if t.sound {
		t.scale = 48000
		t.config = &mp4.DopsBox{OutputChannelCount: 2, InputSampleRate: 48000} // as opusHeader says
		return nil
	}
	width, height, err := sizeOf(codec, first)
	if err != nil {
		return err
	}
	t.width, t.height = uint16(min(width, 1<<16-1)), uint16(min(height, 1<<16-1))
	if codec == "vp9" {
		t.config, err = vp9Config(first)
		return err
	}
	_, config, err := mkvCodec(codec, first)
	name := map[string]string{"h264": "avcC", "av1": "av1C"}[codec]
	t.config = mp4.CreateUnknownBox(name, uint64(8+len(config)), config) // ready made, as Matroska has it
	return err
}

// vp9Config is a VPCodecConfigurationRecord (www.webmproject.org/vp9/mp4) of 4:2:0, which is all that is recorded. Its
// level is unknown.
func vp9Config(first []byte) (mp4.Box, error) {
	var h vp9.Header
	if err := h.Unmarshal(first); err != nil || h.ColorConfig == nil {
		return nil, notKeyError("VP9")
	}
	const subsampled, unspecified = 1, 2
	config := &mp4.VppCBox{
		Version: 1, Profile: h.Profile, BitDepth: h.ColorConfig.BitDepth, ChromaSubsampling: subsampled,
		ColourPrimaries: unspecified, TransferCharacteristics: unspecified, MatrixCoefficients: unspecified,
	}
	if h.ColorConfig.ColorRange {
		config.VideoFullRangeFlag = 1
	}
	return config, nil
}

func (m *mp4Writer) write(p picture) error {
	if m.undecided() {
		if m.wait(p) {
			return nil
		}
		return m.settle(m.head(), m.write)
	}
	t := m.tracks[p.stream.number-1]
	at := t.ticks(p.at)
	if m.size > 0 && clusterIsOver(p.at-m.began, m.size, p.key && !t.sound) {
		t.lasts(at)
		if err := m.flush(); err != nil {
			return err
		}
	}
	if m.size == 0 {
		m.began = p.at
		if p.key {
			m.index.add(cue{p.at, int(t.id), m.next()})
		}
	}
	if p.key && t.sets != nil && t.entry == "avc1" && m.seek != nil && !bytes.Equal(t.sets, setsOf("h264", p.data)) {
		t.entry, m.headed = "avc3", false
	}
	if t.lasts(at); len(t.samples) == 0 {
		t.from = at
		m.parts = append(m.parts, t)
	}
	m.size += len(p.data) + mp4SampleCost
	m.end = max(m.end, p.at+t.append(p, at))
	return nil
}

// append puts a frame into the fragment and returns how long it lasts, as far as that is known.
func (t *mp4Track) append(p picture, at int64) time.Duration {
	flags := mp4.SyncSampleFlags
	if !p.key {
		flags = mp4.SetNonSyncSampleFlags(0)
	}
	lasts := time.Second / 30
	if n := len(t.samples); n > 0 {
		lasts = min(time.Duration(t.samples[n-1].Dur)*time.Second/time.Duration(t.scale), time.Second)
	}
	if t.sound {
		lasts, _ = opusDuration(p.data)
		lasts = cmp.Or(lasts, pcmFrame)
	}
	t.last = at
	t.samples = append(t.samples, mp4.Sample{Flags: flags, Size: uint32(len(p.data)), Dur: uint32(t.ticks(lasts))})
	t.data = append(t.data, p.data...)
	return lasts
}

// lasts says that the latest frame in the fragment lasts until the next one, if there is one.
func (t *mp4Track) lasts(until int64) {
	if n := len(t.samples); n > 0 {
		t.samples[n-1].Dur = uint32(until - t.last)
	}
}

// ticks converts to the track's units of time, without overflow for as long as a Duration lasts.
func (t *mp4Track) ticks(d time.Duration) int64 {
	seconds, rest := int64(d/time.Second), int64(d%time.Second)
	return seconds*t.scale + (rest*t.scale+int64(time.Second)/2)/int64(time.Second)
}

// flush writes the fragment.
func (m *mp4Writer) flush() error {
	if err := m.rewrite(m.wholeHead); err != nil || m.size == 0 {
		return err
	}
	m.sequence++
	moof := &mp4.MoofBox{}
	_ = moof.AddChild(mp4.CreateMfhd(m.sequence)) // never fails, as those below
	runs, length := make([]*mp4.TrunBox, len(m.parts)), 0
	for i, t := range m.parts {
		traf := &mp4.TrafBox{}
		_ = traf.AddChild(mp4.CreateTfhd(t.id))
		_ = traf.AddChild(mp4.CreateTfdt(uint64(t.from)))
		runs[i] = mp4.CreateTrun(uint32(i))
		runs[i].Flags &^= mp4.TrunSampleCompositionTimeOffsetPresentFlag
		runs[i].AddSamples(t.samples)
		_ = traf.AddChild(runs[i])
		_ = moof.AddChild(traf)
		length += len(t.data)
	}
	const header = 8 // of the bytes behind the table
	where := int(moof.Size()) + header
	for i, t := range m.parts {
		runs[i].DataOffset = int32(where)
		where += len(t.data)
	}
	whole := bytes.NewBuffer(make([]byte, 0, where))
	if err := moof.Encode(whole); err != nil {
		return err
	}
	if err := mp4.EncodeHeaderWithSize("mdat", uint64(header+length), false, whole); err != nil {
		return err
	}
	for _, t := range m.parts {
		whole.Write(t.data)
		t.samples, t.data = nil, nil // or each of many tracks would keep room for the most that it ever had
	}
	m.parts, m.size = m.parts[:0], 0
	return m.putFragment(whole.Bytes())
}

// putFragment writes a fragment under a name that players skip, and its own when it is whole: ffmpeg does not open a file
// with half a table in it, as the end of the program or of the disk's space would leave it.
func (m *mp4Writer) putFragment(b []byte) error {
	const name = len("size")
	where := m.at
	if m.seek != nil {
		copy(b[name:], "free")
	}
	if err := m.put(b); err != nil {
		return err
	}
	return m.patch(where+int64(name), "moof")
}

// wholeHead returns the head with what fills the place that is kept for it.
func (m *mp4Writer) wholeHead() []byte {
	head := m.head()
	return append(head, encoded(mp4.NewFreeBox(make([]byte, mp4Head-8-len(head))))...)
}

// head returns everything before the fragments.
func (m *mp4Writer) head() []byte {
	moov := mp4.NewMoovBox()
	file := mp4.CreateMvhd()
	file.Timescale, file.NextTrackID = mp4Scale, uint32(len(m.tracks)+1)
	moov.AddChild(file)
	extends := mp4.NewMvexBox()
	if m.end > 0 {
		extends.AddChild(&mp4.MehdBox{Version: 1, FragmentDuration: m.end.Milliseconds()})
	}
	for _, t := range m.tracks {
		moov.AddChild(t.box())
		extends.AddChild(mp4.CreateTrex(t.id))
	}
	moov.AddChild(extends)
	return append(encoded(mp4.NewFtyp("iso6", 0, []string{"iso6", "isom", "mp41"})), encoded(moov)...)
}

// box describes the track.
func (t *mp4Track) box() *mp4.TrakBox {
	kind := "video"
	if t.sound {
		kind = "audio"
	}
	box := mp4.CreateEmptyTrak(t.id, uint32(t.scale), kind, "und")
	box.Mdia.Hdlr.Name = t.name
	table := box.Mdia.Minf.Stbl
	if t.sound {
		table.Stsd.AddChild(mp4.CreateAudioSampleEntryBox(t.entry, 2, 16, 48000, t.config))
		// A decoder needs 80 ms to find its way in (opus-codec.org/docs/opus_in_isobmff.html).
		table.AddChild(&mp4.SgpdBox{
			Version: 2, GroupingType: "roll", DefaultLength: 2, DefaultGroupDescriptionIndex: 1,
			SampleGroupEntries: []mp4.SampleGroupEntry{&mp4.RollSampleGroupEntry{RollDistance: -4}},
		})
		return box
	}
	box.Tkhd.Width, box.Tkhd.Height = mp4.Fixed32(t.width)<<16, mp4.Fixed32(t.height)<<16
	entry := mp4.CreateVisualSampleEntryBox(t.entry, t.width, t.height, t.config)
	entry.CompressorName = ""
	table.Stsd.AddChild(entry)
	return box
}

func encoded(box mp4.Box) []byte {
	var b bytes.Buffer
	_ = box.Encode(&b) // of what we made ourselves, into memory
	return b.Bytes()
}

func (m *mp4Writer) close() error {
	if m.undecided() {
		if err := m.settle(m.head(), m.write); err != nil {
			return err
		}
	}
	if err := m.flush(); err != nil {
		return err
	}
	m.headed = m.seek == nil // now the duration is known
	if err := m.rewrite(m.wholeHead); err != nil || len(m.index.cues) == 0 {
		return err
	}
	return m.put(m.fragments())
}

// fragments returns the index.
func (m *mp4Writer) fragments() []byte {
	index := &mp4.MfraBox{}
	for _, t := range m.tracks {
		table := &mp4.TfraBox{Version: 1, TrackID: t.id}
		for _, c := range m.index.cues {
			if uint32(c.track) == t.id { // it is the first in its fragment
				table.Entries = append(table.Entries, mp4.TfraEntry{
					Time: uint64(t.ticks(c.at)), MoofOffset: uint64(c.where), TrafNumber: 1, TrunNumber: 1, SampleNumber: 1,
				})
			}
		}
		if len(table.Entries) > 0 {
			_ = index.AddChild(table) // never fails
		}
	}
	end := &mp4.MfroBox{}
	_ = index.AddChild(end) // never fails
	end.ParentSize = uint32(index.Size())
	return encoded(index)
}
