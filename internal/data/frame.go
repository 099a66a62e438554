package data

import (
	"encoding/binary"

	"github.com/pion/webrtc/v4"

	"noom/signal"
)

// Kinds of frames on the data channel (PROTOCOL.md section 4.5).
const (
	kindMessage = 1
	kindTaken   = 2
	kindAsked   = 3 // a member that leaves asks whether everything up to the number has arrived
	kindArrived = 4 // the reply: it has
	kindPiece   = 5 // of a question or an answer
	kindPieces  = 6 // pieces have been received up to the number
	kindTopic   = 7 // of the message with the number
)

const frameHead = 5 // bytes: the kind and a number

// frameNumber returns the number in a frame.
func frameNumber(frame []byte) uint32 { return binary.BigEndian.Uint32(frame[1:frameHead]) }

func numberFrame(kind byte, n uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte{kind}, n)
}

func topicFrame(n uint32, topic string) []byte {
	frame := make([]byte, 0, frameHead+len(topic))
	return append(binary.BigEndian.AppendUint32(append(frame, kindTopic), n), topic...)
}

// parseFrame splits a frame from the data channel.
func parseFrame(m webrtc.DataChannelMessage) (kind byte, n uint32, payload []byte, ok bool) {
	if m.IsString || len(m.Data) < frameHead || len(m.Data) > frameHead+signal.MaxData {
		return 0, 0, nil, false
	}
	return m.Data[0], frameNumber(m.Data), m.Data[frameHead:], true
}
