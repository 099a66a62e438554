package hub

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"log/slog"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"noom/signal"
)

// This file is how a connection becomes a member: join, proof, authorisation,
// and the step into the room. All of it happens on the reader.

func (c *conn) askedToJoin(m *signal.Message) bool {
	c.join = &application{ // cloned, because m's strings are parts of its envelope
		Room: strings.Clone(m.Room), Name: strings.Clone(m.Name), Session: strings.Clone(m.Session),
		Token: strings.Clone(m.Token), Key: m.Key, Sends: m.Sends, Card: m.Card,
	}
	if c.hub.config.Authorize != nil {
		c.demandProof()
		return true
	}
	return c.enter(false)
}

func (c *conn) demandProof() {
	c.hub.warnOfHearsay(c.link)
	c.challenge = make(signal.Bytes, 32)
	rand.Read(c.challenge)
	c.pulse.expect(time.Now().Add(c.hub.config.JoinTimeout))
	c.timer.Reset(c.hub.config.JoinTimeout)
	c.send(&signal.Message{Type: signal.TypeChallenge, Nonce: c.challenge})
}

// proven checks a proof and goes on with the join.
func (c *conn) proven(m *signal.Message) bool {
	endpoint := c.hub.endpoint(c.link)
	text := signal.ProofText(endpoint, c.join.Room, c.join.Session, c.challenge)
	c.challenge = nil
	c.pulse.expect(time.Time{})
	if !ed25519.Verify(ed25519.PublicKey(c.join.Key), text, m.Signature) {
		c.refuse(signal.Errorf(signal.CodeBadProof, m.Type, "the signature does not fit the challenge, for a hub at %q", endpoint))
		return false
	}
	if e := c.authorize(); e != nil {
		c.refuse(e)
		return false
	}
	return c.enter(true)
}

// authorize asks whether c may enter and keeps what it is granted.
func (c *conn) authorize() *signal.Error {
	if c.hub.config.Authorize == nil {
		return nil
	}
	var grant Grant
	err := context.Canceled
	c.ask(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, c.hub.config.JoinTimeout)
		defer cancel()
		grant, err = c.hub.config.Authorize(ctx, Request{
			Room: c.join.Room, Member: c.member(), Token: c.join.Token, Address: c.address, fleet: c.hub.fleet,
		})
	})
	c.join.Token = "" // a secret that is of no more use
	if own, ok := errors.AsType[*signal.Error](err); ok {
		return own
	}
	switch {
	case err != nil:
		return signal.Errorf(signal.CodeRefused, signal.TypeJoin, "%v", err)
	case !grant.Expires.IsZero() && !time.Now().Before(grant.Expires):
		return signal.Errorf(signal.CodeRefused, signal.TypeJoin, "the authorisation has ended")
	}
	if len(grant.Once) > maxOnce {
		return signal.Errorf(signal.CodeRefused, signal.TypeJoin, "the hub's authorisation named a token by more than %d bytes", maxOnce)
	}
	grant.Rights = slices.Clone(grant.Rights) // members see it for as long as they are there
	if grant.Name != "" {
		c.join.Name = grant.Name
	}
	if c.hub.config.Limits.Members > mostAccounts {
		grant.Account = ""
	}
	c.grant = grant
	member := c.member()
	if err := member.Verify(); err != nil {
		c.hub.logbook.write("grant", slog.LevelWarn, "the authorisation granted an invalid name, account or rights",
			slog.String("room", c.join.Room), slog.Any("err", err))
		return signal.Errorf(signal.CodeRefused, signal.TypeJoin, "the hub's authorisation granted an invalid name, account or rights")
	}
	return nil
}

// enter steps into the room, or sends a challenge when the id is contested.
func (c *conn) enter(proven bool) bool {
	member := c.member()
	c.outbox.own(member.ID)
	came := c.since
	c.since = time.Now()
	q := request{
		member: member, proven: proven, identity: c.grant.Identity, named: c.grant.Name != "",
		until: c.grant.Expires, parting: newParting(c.hub.endpoint(c.link)), arrival: arrival{c.address, c.since}, once: c.grant.Once,
		joined: c.joined(member), sends: c.join.Sends, card: c.join.Card,
	}
	p, a := c.hub.enter(c, c.join.Room, q)
	for a.verdict == early {
		c.pulse.expect(time.Time{}) // the hub keeps it waiting
		if !c.pause(a.wait) {
			return false
		}
		c.since = time.Now()
		q.arrival.since = c.since
		p, a = c.hub.enter(c, c.join.Room, q)
	}
	switch {
	case a.refusal != nil:
		c.refuse(a.refusal)
		return false
	case a.verdict == contested:
		c.since = came
		c.demandProof()
		return true
	}
	c.place, c.join.Sends, c.join.Card = p, nil, nil
	if c.hub.config.ICEServers == nil {
		c.given = context.Background() // its values are no longer needed
	}
	c.hub.meter.joins.add(c.since.Sub(came))
	c.timer.Reset(c.pulse.begin(c.since, c.grant.Expires))
	if log := c.hub.config.Logger; log.Enabled(context.Background(), slog.LevelDebug) {
		log.LogAttrs(context.Background(), slog.LevelDebug, "joined", append(c.attrs(), slog.String("name", member.Name))...)
	}
	return true
}

// joined is the answer to a join, without the list of members.
func (c *conn) joined(m signal.Member) *signal.Message {
	answer := c.servers(m)
	config := &c.hub.config
	answer.Type, answer.Heartbeat, answer.Limits = signal.TypeJoined, config.Heartbeat.Milliseconds(), &config.Limits
	return answer
}

// servers is the frame that lists a member's ICE servers.
func (c *conn) servers(m signal.Member) *signal.Message {
	answer := &signal.Message{Type: signal.TypeServers}
	if c.hub.config.ICEServers != nil {
		c.ask(func(ctx context.Context) { c.hub.listServers(ctx, answer, m) })
	}
	return answer
}

func (c *conn) member() signal.Member {
	return signal.Member{
		ID: signal.MemberID(c.join.Key), Name: c.join.Name, PublicKey: c.join.Key, Session: c.join.Session,
		Rights: c.grant.Rights, Account: c.grant.Account,
	}
}

// attrs are the log's attributes for this connection.
func (c *conn) attrs() []slog.Attr {
	var list []slog.Attr
	if c.join != nil {
		list = append(list, slog.String("room", c.join.Room), slog.String("member", signal.MemberID(c.join.Key)))
	}
	if c.grant.Identity != "" {
		list = append(list, slog.String("identity", c.grant.Identity))
	}
	if c.address.IsValid() {
		list = append(list, slog.String("address", c.address.String()))
	}
	return list
}

// guard makes a panic, of a parser or of a function in Config, the end of this
// one connection.
func (c *conn) guard(f func()) {
	defer func() {
		if p := recover(); p != nil {
			c.hub.logbook.write("panic", slog.LevelError, "panic", slog.Any("why", p), slog.String("stack", string(debug.Stack())))
			c.refuse(signal.Errorf(signal.CodeFailed, "", "the hub failed on this connection"))
		}
	}()
	f()
}
