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
	// A cluster is what is lost at most when the program is killed.
	mkvClusterTime = 2 * time.Second
	mkvClusterSize = 1 << 20
	// mkvMaxCues bounds the table of places to jump to. When it is full every
	// other one goes.
	mkvMaxCues = 8192
	// mkvEarliest is how far before its cluster a late frame may lie.
	mkvEarliest = 30 * time.Second
	// mkvPatience is how long the tracks of a file that cannot be rewritten are
	// waited for.
	mkvPatience = 2 * time.Second
)

// matroska writes a Matroska file: a head of fixed size, clusters of frames,
// and in the end the cues, which say where key frames are.
type matroska struct {
	w    io.Writer
	seek io.WriteSeeker // w, or nil if it cannot seek
	base int64          // where in seek the file begins

	tracks  []mkvTrack
	h264    bool
	headed  bool  // the head has been written; without seek that is once
	early   queue // without seek: what waits for that
	closing bool  // no cluster will follow

	at       int64 // bytes written
	cluster  []byte
	began    time.Duration // of the cluster
	cues     []mkvCue
	skipCues int // how many clusters have passed since the last cue
	cueEvery int
	end      time.Duration // of the last frame
}

type mkvTrack struct {
	entry []byte
	video bool
}

type mkvCue struct {
	at      time.Duration
	track   int
	cluster int64 // from the segment's beginning
}

func newMatroska(w io.Writer) *matroska {
	m := &matroska{w: w, cueEvery: 1}
	if s, ok := w.(io.WriteSeeker); ok {
		if base, err := s.Seek(0, io.SeekCurrent); err == nil { // a pipe has the method, but cannot
			m.seek, m.base = s, base
		}
	}
	return m
}

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
	if m.seek == nil && !m.headed {
		m.early.insert(p)
		if m.early.bytes < maxSettling && p.at-m.early.frames[0].at < mkvPatience {
			return nil
		}
		return m.settleTracks()
	}
	video := m.tracks[p.stream.number-1].video
	age := p.at - m.began
	if len(m.cluster) > 0 && (age >= mkvClusterTime || len(m.cluster) >= mkvClusterSize || p.key && video && age >= mkvClusterTime/4) {
		if err := m.flush(); err != nil {
			return err
		}
	}
	if len(m.cluster) == 0 {
		m.began = p.at.Truncate(time.Millisecond)
		m.cluster = append(m.cluster, number(mkvTimestamp, uint64(m.began.Milliseconds()))...)
		if p.key {
			m.cue(p)
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

// settleTracks writes the head for good, and what has waited for it.
func (m *matroska) settleTracks() error {
	m.headed = true
	if err := m.put(m.head()); err != nil {
		return err
	}
	for len(m.early.frames) > 0 {
		if err := m.write(m.early.take()); err != nil {
			return err
		}
	}
	return nil
}

// cue notes that the cluster which begins now begins with a key frame.
func (m *matroska) cue(p picture) {
	if m.skipCues++; m.skipCues < m.cueEvery {
		return
	}
	m.skipCues = 0
	if len(m.cues) == mkvMaxCues {
		for i := range mkvMaxCues / 2 {
			m.cues[i] = m.cues[2*i]
		}
		m.cues = m.cues[:mkvMaxCues/2]
		m.cueEvery *= 2
	}
	m.cues = append(m.cues, mkvCue{p.at, p.stream.number, m.clusterAt()})
}

// clusterAt returns where the next cluster will be, from the segment's beginning.
func (m *matroska) clusterAt() int64 { return max(m.at, mkvHead) - int64(len(mkvPreface("webm"))) }

// flush writes the cluster.
func (m *matroska) flush() error {
	if err := m.rewrite(); err != nil || len(m.cluster) == 0 {
		return err
	}
	// In one piece, so that a program that is killed leaves whole ones.
	whole := append(appendSize(appendID(make([]byte, 0, len(m.cluster)+12), mkvCluster), len(m.cluster)), m.cluster...)
	m.cluster = m.cluster[:0]
	return m.put(whole)
}

func (m *matroska) put(b []byte) error {
	n, err := m.w.Write(b)
	m.at += int64(n)
	return err
}

// rewrite writes the head again, if there is something new to say in it.
func (m *matroska) rewrite() error {
	if m.seek == nil || m.headed {
		return nil
	}
	m.headed = true
	if _, err := m.seek.Seek(m.base, io.SeekStart); err != nil {
		return err
	}
	head := m.head()
	if _, err := m.seek.Write(append(head, void(mkvHead-len(head))...)); err != nil {
		return err
	}
	m.at = max(m.at, mkvHead)
	_, err := m.seek.Seek(m.base+m.at, io.SeekStart)
	return err
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
		parts = append([][]byte{m.seekHead(int64(len(parts[0])))}, parts...)
	}
	for _, part := range parts {
		preface = append(preface, part...)
	}
	return preface
}

// seekHead says where the elements of the file are.
func (m *matroska) seekHead(infoSize int64) []byte {
	entry := func(id uint32, at int64) []byte {
		return element(mkvSeek, element(mkvSeekID, appendID(nil, id)), number(mkvSeekPosition, uint64(at)))
	}
	var cues []byte
	if m.closing && len(m.cues) > 0 {
		cues = entry(mkvCues, m.clusterAt())
	}
	list := func(size int64) []byte {
		return element(mkvSeekHead, entry(mkvInfo, size), entry(mkvTracks, size+infoSize), cues)
	}
	return list(int64(len(list(0))))
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
	if m.seek == nil && !m.headed {
		if err := m.settleTracks(); err != nil {
			return err
		}
	}
	if err := m.flush(); err != nil || m.seek == nil {
		return err
	}
	m.closing, m.headed = true, false // now the duration and the place of the cues are known
	if err := m.rewrite(); err != nil {
		return err
	}
	points := make([][]byte, len(m.cues))
	for i, c := range m.cues {
		points[i] = element(mkvCuePoint, number(mkvCueTime, uint64(c.at.Milliseconds())), element(mkvCueTracks,
			number(mkvCueTrack, uint64(c.track)), number(mkvCueCluster, uint64(c.cluster))))
	}
	if len(points) == 0 {
		return nil
	}
	return m.put(element(mkvCues, points...))
}
