package media

import (
	"encoding/binary"
	"math"
)

// The elements of EBML (RFC 8794) and Matroska (RFC 9559) that are used here.
const (
	ebmlHeader     = 0x1a45dfa3
	ebmlVersion    = 0x4286
	ebmlReadVer    = 0x42f7
	ebmlMaxID      = 0x42f2
	ebmlMaxSize    = 0x42f3
	ebmlDocType    = 0x4282
	ebmlDocVer     = 0x4287
	ebmlDocReadVer = 0x4285
	ebmlVoid       = 0xec

	mkvSegment      = 0x18538067
	mkvSeekHead     = 0x114d9b74
	mkvSeek         = 0x4dbb
	mkvSeekID       = 0x53ab
	mkvSeekPosition = 0x53ac

	mkvInfo       = 0x1549a966
	mkvScale      = 0x2ad7b1
	mkvDuration   = 0x4489
	mkvMuxingApp  = 0x4d80
	mkvWritingApp = 0x5741

	mkvTracks       = 0x1654ae6b
	mkvTrackEntry   = 0xae
	mkvTrackNumber  = 0xd7
	mkvTrackUID     = 0x73c5
	mkvTrackType    = 0x83
	mkvLacing       = 0x9c
	mkvTrackName    = 0x536e
	mkvCodecID      = 0x86
	mkvCodecPrivate = 0x63a2
	mkvSeekPreRoll  = 0x56bb
	mkvEncodings    = 0x6d80
	mkvVideo        = 0xe0
	mkvWidth        = 0xb0
	mkvHeight       = 0xba
	mkvAudio        = 0xe1
	mkvFrequency    = 0xb5
	mkvChannels     = 0x9f

	mkvCluster     = 0x1f43b675
	mkvTimestamp   = 0xe7
	mkvSimpleBlock = 0xa3
	mkvBlockGroup  = 0xa0
	mkvBlock       = 0xa1
	mkvReference   = 0xfb

	mkvCues       = 0x1c53bb6b
	mkvCuePoint   = 0xbb
	mkvCueTime    = 0xb3
	mkvCueTracks  = 0xb7
	mkvCueTrack   = 0xf7
	mkvCueCluster = 0xf1
)

// appendID appends an element's id, which holds its own length.
func appendID(b []byte, id uint32) []byte {
	var whole [4]byte
	binary.BigEndian.PutUint32(whole[:], id)
	i := 0
	for whole[i] == 0 {
		i++
	}
	return append(b, whole[i:]...)
}

// appendSize appends an element's size in as few bytes as it needs.
func appendSize(b []byte, size int) []byte {
	n := 1
	for size >= 1<<(7*n)-1 { // all ones means unknown
		n++
	}
	return appendSizeIn(b, size, n)
}

// appendSizeIn appends a size in n bytes.
func appendSizeIn(b []byte, size, n int) []byte {
	var whole [8]byte
	binary.BigEndian.PutUint64(whole[:], uint64(size)|1<<(7*n))
	return append(b, whole[8-n:]...)
}

// element returns an element with others, or bytes, in it.
func element(id uint32, parts ...[]byte) []byte {
	size := 0
	for _, part := range parts {
		size += len(part)
	}
	b := appendSize(appendID(make([]byte, 0, size+12), id), size)
	for _, part := range parts {
		b = append(b, part...)
	}
	return b
}

// number returns an element with a number, in eight bytes, so that its length
// does not depend on it.
func number(id uint32, v uint64) []byte { return element(id, binary.BigEndian.AppendUint64(nil, v)) }

func float(id uint32, v float64) []byte { return number(id, math.Float64bits(v)) }

func text(id uint32, s string) []byte { return element(id, []byte(s)) }

// void returns size bytes, at least 9, that mean nothing.
func void(size int) []byte {
	return append(appendSizeIn([]byte{ebmlVoid}, size-9, 8), make([]byte, size-9)...)
}
