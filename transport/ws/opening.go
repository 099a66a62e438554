package ws

import (
	"encoding/base64"
	"net/http"
	"strings"

	"noom/internal/entrance"
	"noom/signal"
)

// This file is about the join in the request that opens a connection (PROTOCOL.md section 2): in the header that offers
// the subprotocol, because a page can write no other.

const (
	joinPrefix = "noom.join." // stands before the frame in base64url
	maxJoin    = 4096         // bytes of both; a page's cookies must fit into 8 KiB, too
	mostJoins  = 2            // the second is answered, too: with an error
)

// joinEncoding refuses what has stray bits, as everywhere in the protocol.
var joinEncoding = base64.RawURLEncoding.Strict()

// offerOf is the join as the request has it; empty if it cannot be there.
func offerOf(join signal.Message) string {
	frame, err := join.Encode()
	if err != nil || len(joinPrefix)+joinEncoding.EncodedLen(len(frame)) > maxJoin {
		return ""
	}
	return joinPrefix + joinEncoding.EncodeToString(frame)
}

// An early frame has come with the request. The member's end has sent it before anything else.
type early struct {
	frame []byte
	fault *signal.Error // it is none
}

// earlyFrames are the joins in a request.
func earlyFrames(h http.Header) (frames []early) {
	for _, value := range entrance.HeaderList(h, "Sec-Websocket-Protocol") {
		text, is := strings.CutPrefix(value, joinPrefix)
		if is && len(frames) < mostJoins {
			frames = append(frames, decodeJoin(text))
		}
	}
	return frames
}

func decodeJoin(text string) early {
	if size := len(joinPrefix) + len(text); size > maxJoin {
		return early{fault: signal.Errorf(signal.CodeTooBig, signal.TypeJoin, "a join of %d bytes in a request, at most %d", size, maxJoin)}
	}
	frame, err := joinEncoding.DecodeString(text)
	if err != nil { // which says what stands there
		return early{fault: signal.Errorf(signal.CodeMalformed, signal.TypeJoin, "the join in the request is not base64url")}
	}
	return early{frame: frame}
}

// next returns the bytes of the next frame, valid until release: one that came with the request, or a message.
func (l *servedEnd) next() ([]byte, error) {
	if len(l.early) == 0 {
		return l.message()
	}
	first := l.early[0]
	if l.early = l.early[1:]; len(l.early) == 0 {
		l.early = nil // which would keep its bytes
	}
	if first.fault != nil {
		return nil, first.fault
	}
	return first.frame, nil
}
