package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"unicode/utf8"
)

// Kinds of frames.
const (
	kindOffer  = 1
	kindNoted  = 2
	kindAccept = 3
	kindChunk  = 4
	kindHave   = 5
	kindDone   = 6
	kindCancel = 7
)

const (
	idSize    = 16
	offerHead = 1 + idSize + 8
	chunkHead = 1 + 4 + sha256.Size
)

// ID is that of a file on its way, which its sender has drawn.
type ID [idSize]byte

// Offer is what a sender says of a file.
type Offer struct {
	ID   ID
	Size int64  // bytes
	Name string // as it was sent; see CleanName
}

// frame returns the offer as it is sent.
func (o Offer) frame() []byte {
	b := append([]byte{kindOffer}, o.ID[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(o.Size)) //nolint:gosec // G115: NewSender has checked it
	return append(b, o.Name...)
}

// errOffer says that a first message is no offer.
var errOffer = errors.New("noom: the first message of a channel for files is no offer")

// ParseOffer reads the first frame of a channel.
func ParseOffer(frame []byte) (Offer, error) {
	if len(frame) <= offerHead || len(frame) > offerHead+MaxName || frame[0] != kindOffer {
		return Offer{}, errOffer
	}
	size := binary.BigEndian.Uint64(frame[1+idSize:])
	name := frame[offerHead:]
	if size > MaxSize || !utf8.Valid(name) {
		return Offer{}, errOffer
	}
	return Offer{ID: ID(frame[1 : 1+idSize]), Size: int64(size), Name: string(name)}, nil
}

// hash is the chain of the hashes of a file: H(n) in PROTOCOL.md.
type hash [sha256.Size]byte

// next returns the hash after one more chunk.
func (h hash) next(chunk []byte) (n hash) {
	s := sha256.New()
	s.Write(h[:])
	s.Write(chunk)
	s.Sum(n[:0])
	return n
}

// chunksIn returns how many chunks a file has.
func chunksIn(size int64) uint32 {
	return uint32((size + ChunkSize - 1) / ChunkSize) //nolint:gosec // G115: MaxSize has 2^31 chunks
}

// chunkAt returns where chunk n of a file begins, and its length.
func chunkAt(n uint32, size int64) (offset int64, length int) {
	offset = int64(n) * ChunkSize
	return offset, int(min(ChunkSize, size-offset))
}

func numberFrame(kind byte, n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{kind}, n) }

func acceptFrame(n uint32, h hash) []byte { return append(numberFrame(kindAccept, n), h[:]...) }

func chunkFrame(n uint32, h hash, chunk []byte) []byte {
	frame := make([]byte, 0, chunkHead+len(chunk))
	frame = append(binary.BigEndian.AppendUint32(append(frame, kindChunk), n), h[:]...)
	return append(frame, chunk...)
}

func doneFrame(h hash) []byte { return append([]byte{kindDone}, h[:]...) }

// Cancel returns the frame with which a channel is refused that has no machine.
func Cancel(c Code) []byte { return []byte{kindCancel, byte(c)} }

// cancelled reads a frame of that kind.
func cancelled(frame []byte) (c Code, ok bool) {
	if len(frame) != 2 {
		return 0, false
	}
	if c = Code(frame[1]); c == None || c > Broken {
		c = Cancelled
	}
	return c, true
}

// proof splits a frame of a number and a hash.
func proof(frame []byte) (n uint32, h []byte) {
	return binary.BigEndian.Uint32(frame[1:]), frame[5:chunkHead]
}

func (h hash) is(other []byte) bool { return bytes.Equal(h[:], other) }
