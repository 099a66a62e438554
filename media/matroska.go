package media

import (
	"encoding/binary"
	"io"
	"time"
)

const (
	// mkvHead is how many bytes at the beginning of a file that can be
	// rewritten are kept for what is only known later, above all its tracks:
	// some hundred.
	mkvHead = 32 << 10
	// mkvMaxTracks is what a block can number in one byte.
	mkvMaxTracks = 126
	// mkvEarliest is how far before its cluster a late frame may lie.
	mkvEarliest = 30 * time.Second
)

// matroska writes a Matroska file: a head of fixed size, clusters of frames,
// and in the end the cues, which say where key frames are.
type matroska struct {
	headedFile
	tracks  []mkvTrack
	h264    bool
	closing bool // no cluster will follow

	cluster []byte
	began   time.Duration // of the cluster
	index   cueTable
	end     time.Duration // of the last frame
}

type mkvTrack struct {
	entry []byte
	video bool
}

func newMatroska(w io.Writer) *matroska { return &matroska{headedFile: newHeadedFile(w, mkvHead)} }

func (m *matroska) add(s *stream, first []byte) error {
	if m.seek == nil && m.headed {
		return ErrLate
	}
	if len(m.tracks) == mkvMaxTracks {
		return ErrFull
	}
	entry, err := mkvEntry(s, first, len(m.tracks)+1)
	if err != nil {
		return err
	}
	m.tracks = append(m.tracks, mkvTrack{entry, s.format.starts != nil})
	m.h264 = m.h264 || s.format.codec == "h264"
	if m.seek != nil && len(m.head()) > mkvHead-9 {
		m.tracks = m.tracks[:len(m.tracks)-1]
		return ErrFull
	}
	s.number = len(m.tracks)
	if m.seek == nil {
		return nil
	}
	m.headed = false // the head has to be written again
	return nil
}

// mkvEntry describes a track.
func mkvEntry(s *stream, first []byte, n int) ([]byte, error) {
	kind, details := uint64(2), [][]byte{
		number(mkvSeekPreRoll, uint64(80*time.Millisecond)),
		element(mkvAudio, float(mkvFrequency, 48000), number(mkvChannels, 2)),
	}
	if s.format.starts != nil {
		width, height, err := sizeOf(s.format.codec, first)
		if err != nil {
			return nil, err
		}
		kind, details = 1, [][]byte{element(mkvVideo, number(mkvWidth, uint64(width)), number(mkvHeight, uint64(height)))}
	}
	id, private, err := mkvCodec(s.format.codec, first) // whose size is right
	if err != nil {
		return nil, err
	}
	parts := [][]byte{
		number(mkvTrackNumber, uint64(n)), number(mkvTrackUID, uint64(n)), number(mkvTrackType, kind), number(mkvLacing, 0),
		text(mkvTrackName, s.name), text(mkvCodecID, id),
	}
	if private != nil {
		parts = append(parts, element(mkvCodecPrivate, private))
	}
	return element(mkvTrackEntry, append(parts, details...)...), nil
}

// mkvCodec returns a codec's name and what its decoder has to know beforehand.
func mkvCodec(codec string, first []byte) (id string, private []byte, err error) {
	switch codec {
	case "opus":
		return "A_OPUS", opusHeader(), nil
	case "vp8":
		return "V_VP8", nil, nil
	case "vp9":
		return "V_VP9", nil, nil
	case "h264":
		return "V_MPEG4/ISO/AVC", avcRecord(nalOf(first, nalSPS), nalOf(first, nalPPS)), nil
	}
	whole, payload := sequenceAV1(first)
	_, _, level, err := sizeAV1(payload)
	return "V_AV1", append([]byte{0x81, level, 0x0c, 0}, whole...), err
}

// opusHeader is the identification header of RFC 7845 section 5.1: stereo, as
// it is negotiated, which a decoder makes of mono too.
func opusHeader() []byte {
	return []byte("OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x00")
}

// avcRecord is the AVCDecoderConfigurationRecord of ISO 14496-15.
func avcRecord(sps, pps []byte) []byte {
	b := []byte{1, sps[1], sps[2], sps[3], 0xff, 0xe1}
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(sps))), sps...)
	b = append(b, 1)
	b = append(binary.BigEndian.AppendUint16(b, uint16(len(pps))), pps...)
	if sps[1] >= 100 { // 4:2:0, 8 bits, no extension
		b = append(b, 0xfd, 0xf8, 0xf8, 0)
	}
	return b
}

func (m *matroska) write(p picture) error {
	if m.undecided() {
		if m.wait(p) {
			return nil
		}
		return m.settle(m.head(), m.write)
	}
	video := m.tracks[p.stream.number-1].video
	if len(m.cluster) > 0 && clusterIsOver(p.at-m.began, len(m.cluster), p.key && video) {
		if err := m.flush(); err != nil {
			return err
		}
	}
	if len(m.cluster) == 0 {
		m.began = p.at.Truncate(time.Millisecond)
		m.cluster = append(m.cluster, number(mkvTimestamp, uint64(m.began.Milliseconds()))...)
		if p.key {
			m.index.add(cue{p.at, p.stream.number, m.next()})
		}
	}
	p.at = max(p.at, m.began-mkvEarliest)
	header := [4]byte{0x80 | byte(p.stream.number), 0, 0, 0}
	binary.BigEndian.PutUint16(header[1:], uint16((p.at - m.began).Milliseconds()))
	if p.key {
		header[3] = 0x80
	}
	m.cluster = append(m.cluster, element(mkvSimpleBlock, header[:], p.data)...)
	lasts := time.Second / 30
	if !video {
		lasts, _ = opusDuration(p.data)
	}
	m.end = max(m.end, p.at+lasts)
	return nil
}

// inSegment returns a place in the file, counted from the segment's beginning.
func inSegment(where int64) uint64 { return uint64(where - int64(len(mkvPreface("webm")))) }

// flush writes the cluster.
func (m *matroska) flush() error {
	if err := m.rewrite(m.wholeHead); err != nil || len(m.cluster) == 0 {
		return err
	}
	// In one piece, so that a program that is killed leaves whole ones.
	whole := append(appendSize(appendID(make([]byte, 0, len(m.cluster)+12), mkvCluster), len(m.cluster)), m.cluster...)
	m.cluster = m.cluster[:0]
	return m.put(whole)
}

// wholeHead returns the head with what fills the place that is kept for it.
func (m *matroska) wholeHead() []byte {
	head := m.head()
	return append(head, void(mkvHead-len(head))...)
}

// head returns everything before the clusters.
func (m *matroska) head() []byte {
	docType := "webm"
	if m.h264 {
		docType = "matroska"
	}
	preface := mkvPreface(docType)
	info := [][]byte{number(mkvScale, uint64(time.Millisecond)), text(mkvMuxingApp, "noom"), text(mkvWritingApp, "noom")}
	if m.end > 0 {
		info = append(info, float(mkvDuration, float64(m.end.Milliseconds())))
	}
	entries := make([][]byte, len(m.tracks))
	for i, t := range m.tracks {
		entries[i] = t.entry
	}
	parts := [][]byte{element(mkvInfo, info...), element(mkvTracks, entries...)}
	if m.seek != nil {
		parts = append([][]byte{m.seekHead(uint64(len(parts[0])))}, parts...)
	}
	for _, part := range parts {
		preface = append(preface, part...)
	}
	return preface
}

// seekHead says where the elements of the file are.
func (m *matroska) seekHead(infoSize uint64) []byte {
	entry := func(id uint32, at uint64) []byte {
		return element(mkvSeek, element(mkvSeekID, appendID(nil, id)), number(mkvSeekPosition, at))
	}
	var cues []byte
	if m.closing && len(m.index.cues) > 0 {
		cues = entry(mkvCues, inSegment(m.next()))
	}
	list := func(size uint64) []byte {
		return element(mkvSeekHead, entry(mkvInfo, size), entry(mkvTracks, size+infoSize), cues)
	}
	return list(uint64(len(list(0))))
}

// mkvPreface is the EBML header and the beginning of the segment, whose size is never given: it
// goes to the end of the file.
func mkvPreface(docType string) []byte {
	padded := [8]byte{}
	copy(padded[:], docType) // both kinds are of one length
	b := element(ebmlHeader,
		number(ebmlVersion, 1), number(ebmlReadVer, 1), number(ebmlMaxID, 4), number(ebmlMaxSize, 8),
		element(ebmlDocType, padded[:]), number(ebmlDocVer, 4), number(ebmlDocReadVer, 2))
	return append(appendID(b, mkvSegment), 0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
}

func (m *matroska) close() error {
	if m.undecided() {
		if err := m.settle(m.head(), m.write); err != nil {
			return err
		}
	}
	if err := m.flush(); err != nil || m.seek == nil {
		return err
	}
	m.closing, m.headed = true, false // now the duration and the place of the cues are known
	if err := m.rewrite(m.wholeHead); err != nil {
		return err
	}
	points := make([][]byte, len(m.index.cues))
	for i, c := range m.index.cues {
		points[i] = element(mkvCuePoint, number(mkvCueTime, uint64(c.at.Milliseconds())), element(mkvCueTracks,
			number(mkvCueTrack, uint64(c.track)), number(mkvCueCluster, inSegment(c.where))))
	}
	if len(points) == 0 {
		return nil
	}
	return m.put(element(mkvCues, points...))
}
