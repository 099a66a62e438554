package signal

import (
	"encoding/base64"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

// An arrival makes two kinds of frames: joined for the newcomer, which lists everyone in the room,
// and welcome for each of those. This file writes them as envelope.go writes pair frames, in a
// fifth of the library's time.

// appendArrival writes the envelope of a joined or welcome, byte for byte as the
// library does. It reports false if m is neither, or has what is seldom there.
// Fields that those do not have are left out.
func (m *Message) appendArrival(b []byte) ([]byte, bool) {
	var ok bool
	switch {
	case m.Type == TypeWelcome && m.Member != nil && m.Card == nil:
		var plain bool
		b, ok = appendSends(append(b, `{"type":"welcome"`...), m.Sends)
		b, plain = appendMember(append(b, `,"member":`...), m.Member)
		return append(b, '}'), ok && plain
	case m.Type != TypeJoined || m.Self == nil || m.Limits == nil || m.ICEServers != nil || m.Lifetime != 0,
		m.Room != "", m.Place != 0:
		return b, false
	}
	b = append(b, `{"type":"joined"`...)
	if m.Nonce != nil {
		b = append(base64.RawURLEncoding.AppendEncode(append(b, `,"nonce":"`...), m.Nonce), '"')
	}
	b, ok = appendMember(append(b, `,"self":`...), m.Self)
	if m.Members != nil {
		b = append(b, `,"members":[`...)
		for i := range m.Members {
			if i > 0 {
				b = append(b, ',')
			}
			var plain bool
			b, plain = appendMember(b, &m.Members[i])
			ok = ok && plain
		}
		b = append(b, ']')
	}
	b = appendNumber(b, `,"heartbeat":`, m.Heartbeat)
	b = appendLimits(append(b, `,"limits":`...), m.Limits)
	if m.Locked {
		b = append(b, `,"locked":true`...)
	}
	return append(b, '}'), ok
}

func appendSends(b []byte, sends []string) (_ []byte, plain bool) {
	if sends == nil {
		return b, true
	}
	b = append(b, `,"sends":[`...)
	for i, mime := range sends {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), mime...), '"')
	}
	return append(b, ']'), validSends(sends)
}

func appendMember(b []byte, m *Member) (_ []byte, plain bool) {
	if !validLabel(m.ID) || !validLabel(m.Session) {
		return b, false
	}
	b = append(append(append(b, `{"id":"`...), m.ID...), `","name":`...)
	b, err := jsontext.AppendQuote(b, m.Name)
	b = base64.RawURLEncoding.AppendEncode(append(b, `,"key":"`...), m.PublicKey)
	b = append(append(append(b, `","session":"`...), m.Session...), '"')
	if m.Rights != nil {
		var fine bool
		if b, fine = appendRights(append(b, `,"rights":`...), m.Rights); !fine {
			return b, false
		}
	}
	if m.Account != "" && err == nil {
		b, err = jsontext.AppendQuote(append(b, `,"account":`...), m.Account)
	}
	return append(b, '}'), err == nil
}

func appendRights(b []byte, rights Rights) (_ []byte, plain bool) {
	b = append(b, '[')
	for i, right := range rights {
		if !validLabel(string(right)) {
			return b, false
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), right...), '"')
	}
	return append(b, ']'), true
}

func appendLimits(b []byte, l *Limits) []byte {
	for _, limit := range [...]struct {
		key string
		n   int
	}{
		{`{"frame":`, l.Frame},
		{`,"name":`, l.Name},
		{`,"chat":`, l.Chat},
		{`,"members":`, l.Members},
		{`,"rate":`, l.Rate},
		{`,"burst":`, l.Burst},
		{`,"queue":`, l.Queue},
		{`,"join":`, l.Join},
		{`,"rooms":`, l.Rooms},
		{`,"connections":`, l.Connections},
		{`,"address":`, l.Address},
	} {
		b = strconv.AppendInt(append(b, limit.key...), int64(limit.n), 10)
	}
	return append(b, '}')
}
