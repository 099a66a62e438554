package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"noom/signal"
)

// A dialect is how a client speaks to one of the servers.
type dialect interface {
	// join opens a connection and comes in. in is the size of its buffer.
	join(addr string, m member, in int) (*wire, error)
	// pair is a message of about size bytes from one member to another.
	pair(from, to member, size int) string
	// chat is a message to everyone in the sender's room; empty: there is none.
	chat(from member) string
	// chatCopies is how many members of a room of n a chat is delivered to.
	chatCopies(n int) int
	// pong is what answers b, a message of the server's own; empty: nothing.
	pong(b []byte) string
}

// A member is played by the driver.
type member struct{ number, room int }

func (m member) roomName() string { return "방-" + strconv.Itoa(m.room) }
func (m member) name() string     { return "지우" + strconv.Itoa(m.number) }

// stampMark comes before the number that distinguishes messages: a time or a count, 16 hexadecimal
// digits. It stands at the end of every text.
const stampMark = "#t="

const noStamp = stampMark + "0000000000000000"

// stamp finds the number in a message that was received.
func stamp(b []byte) (int64, bool) {
	at := bytes.LastIndex(b, []byte(stampMark))
	if at < 0 || at+len(noStamp) > len(b) {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[at+len(stampMark):at+len(stampMark)+16]), 16, 64)
	return int64(n), err == nil
}

// payload is a description of about size bytes as JSON, with its line breaks escaped.
func payload(size int) string {
	const line = `a=rtpmap:111 opus/48000/2\r\n`
	head, tail := `{"id":1,"sdp":"v=0\r\n`, noStamp+`"}`
	lines := max(0, size-len(head)-len(tail)) / len(line)
	return head + strings.Repeat(line, lines) + tail
}

const chatText = `"안녕하세요, hello: a line of chat as people write them, and a little longer ` + noStamp + `"`

// Noom's own protocol (signal/PROTOCOL.md).
type noomDialect struct{}

func (m member) key() signal.PublicKey { return signal.PublicKey(fmt.Sprintf("%032d", m.number)) }

func (m member) session() string { return fmt.Sprintf("%022d", m.number) }

func encode(m signal.Message) string {
	frame, err := m.Encode()
	if err != nil {
		panic(err) // the driver's own frames are right
	}
	return string(frame)
}

func (noomDialect) join(addr string, m member, in int) (*wire, error) {
	w, err := dial("ws://"+addr+"/", in, "noom.v1")
	if err != nil {
		return nil, err
	}
	return entered(w, joinText(m), `"type":"joined"`)
}

func joinText(m member) string {
	return encode(signal.Message{
		Type: signal.TypeJoin, Room: m.roomName(), Name: m.name(), Key: m.key(), Session: m.session(),
	})
}

func (noomDialect) pair(from, to member, size int) string {
	offer := signal.Message{
		Type: signal.TypeOffer, To: signal.MemberID(to.key()), Sessions: [2]string{from.session(), to.session()},
		Epoch: signal.Epoch{Number: 1, By: signal.MemberID(from.key())}, Seq: 1, Ack: 1,
		Signature: make(signal.Bytes, 64), Body: []byte("{}"),
	}
	envelope := len(encode(offer)) - len(offer.Body)
	offer.Body = []byte(payload(size - envelope))
	offer.Stamp("")
	return encode(offer)
}

func (noomDialect) chat(member) string {
	return `{"type":"chat","id":"c","text":` + chatText + `}`
}
func (noomDialect) chatCopies(n int) int { return n }

func (noomDialect) pong(b []byte) string {
	if string(b) == `{"type":"ping"}` {
		return `{"type":"pong"}`
	}
	return ""
}

// The seed's protocol over socket.io 4 (engine.io 4: 0 open, 2 ping, 3 pong,
// 4 message; socket.io 5: 0 connect, 2 event).
type socketDialect struct{}

func (socketDialect) join(addr string, m member, in int) (*wire, error) {
	w, err := dial("ws://"+addr+"/socket.io/?EIO=4&transport=websocket", in)
	if err != nil {
		return nil, err
	}
	if w, err = entered(w, "40", `40{"sid"`); err != nil {
		return nil, err
	}
	return entered(w, `420["enter_room",`+quoted(m.name())+`,`+quoted(m.roomName())+`]`, `430[]`)
}

func (socketDialect) pair(from, _ member, size int) string {
	return `42["offer",` + payload(size-len(`42["offer",,"방-0000"]`)) + `,` + quoted(from.roomName()) + `]`
}

func (socketDialect) chat(from member) string {
	return `42["new_message",` + chatText + `,` + quoted(from.roomName()) + `]`
}
func (socketDialect) chatCopies(n int) int { return n - 1 }

func (socketDialect) pong(b []byte) string {
	if string(b) == "2" {
		return "3"
	}
	return ""
}

// The PeerJS server's protocol. It has no rooms.
type peerDialect struct{}

func (peerDialect) join(addr string, m member, in int) (*wire, error) {
	w, err := dial(fmt.Sprintf("ws://%s/peerjs?key=peerjs&id=p%d&token=t%d&version=1.5.5", addr, m.number, m.number), in)
	if err != nil {
		return nil, err
	}
	return entered(w, "", `"OPEN"`)
}

func (peerDialect) pair(_, to member, size int) string {
	head := fmt.Sprintf(`{"type":"OFFER","dst":"p%d","payload":`, to.number)
	return head + payload(size-len(head)-1) + `}`
}

func (peerDialect) chat(member) string { return "" }
func (peerDialect) chatCopies(int) int { return 0 }
func (peerDialect) pong([]byte) string { return "" }

// The bare relays carry what they get to everyone else in the room.
type bareDialect struct{}

func (bareDialect) join(addr string, m member, in int) (*wire, error) {
	w, err := dial(fmt.Sprintf("ws://%s/?room=%d", addr, m.room), in)
	if err != nil {
		return nil, err
	}
	return entered(w, "", "joined")
}

func (bareDialect) pair(_, _ member, size int) string { return payload(size) }

func (bareDialect) chat(member) string {
	return `{"type":"chat","id":"c","text":` + chatText + `}`
}
func (bareDialect) chatCopies(n int) int { return n - 1 }
func (bareDialect) pong([]byte) string   { return "" }

// entered sends text, if any, and waits for an answer with a certain part.
func entered(w *wire, text, answer string) (*wire, error) {
	if text != "" {
		if err := w.send(text); err != nil {
			w.close()
			return nil, err
		}
	}
	if err := w.expect(func(b []byte) bool { return bytes.Contains(b, []byte(answer)) }); err != nil {
		w.close()
		return nil, fmt.Errorf("waiting for %q: %w", answer, err)
	}
	return w, nil
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings can be encoded
	}
	return string(b)
}
