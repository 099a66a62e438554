package noom

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"github.com/pion/webrtc/v4"

	"noom/internal/conduct"
	"noom/internal/fanout"
	"noom/internal/files"
	"noom/internal/link"
	"noom/signal"
)

// PeerState is the state of the connection to a peer.
type PeerState int

// The states of a [Peer]. Connected means that data and media can move.
const (
	PeerConnecting  PeerState = iota // not connected yet
	PeerConnected                    // data channels are open
	PeerInterrupted                  // nothing arrives; the connection is being repaired
	PeerFailed                       // repair has failed so far; the connection is being rebuilt, with growing pauses
	PeerClosed                       // the peer is gone for good
)

// Peer is another member of the room and the connection to it. It stays the same object across restarts and rebuilds
// of the connection.
type Peer interface {
	// ID returns the member id, which follows from its public key.
	ID() string
	// Name returns the nickname, which may change and need not be unique.
	Name() string
	// Member returns the member's id, name, public key, session and rights.
	Member() Member
	// Attributes returns what the member has set with [Room].SetAttributes, as far as it has come here; nil if it has set
	// nothing, or is gone. The member has signed it, so no hub and no other member can change it.
	Attributes() map[string]string
	// SafetyNumber returns what the two members compare over another channel, to verify that no hub stands between
	// them: see [SafetyNumberOf].
	SafetyNumber() SafetyNumber
	// State returns the state of the connection.
	State() PeerState
	// Tracks returns the tracks that the peer sends now, sorted by name.
	Tracks() []RemoteTrack
	// Publish sends t to this peer alone; otherwise it is like [Room.Publish]. The Sender is closed when the peer goes;
	// Publish to a peer that is gone gives [ErrClosed].
	Publish(ctx context.Context, t webrtc.TrackLocal, o *PublishOptions) (Sender, error)
	// Send sends data, up to 61440 bytes, reliably and in order, across rebuilds of the connection too. What is sent
	// while there is no connection waits for one. At most 1 MiB and 4096 messages may be in flight to an application
	// that does not take them; beyond that, Send blocks until ctx ends. What it has accepted arrives, unless the peer
	// goes, or [Room].Leave reports that it did not. Errors: [ErrTooBig], [ErrClosed], ctx's.
	Send(ctx context.Context, data []byte) error
	// TrySend is Send without waiting: where Send would block, it returns [ErrWouldBlock] and the peer does not get
	// data.
	TrySend(data []byte) error
	// SendTopic is Send with a topic, by which the peer's application tells kinds of messages apart: [DataReceived] has it.
	// Messages come in the order in which they were sent, whatever their topics. A topic has up to 128 bytes, which do not
	// count as data; the empty one is none. A peer whose noom knows no topics gets data without it. Errors: those of Send,
	// and one that says what is wrong with the topic.
	SendTopic(ctx context.Context, topic string, data []byte) error
	// TrySendTopic is SendTopic without waiting, as TrySend is Send.
	TrySendTopic(topic string, data []byte) error
	// Ask asks the peer something under a topic, which has up to 128 bytes, and returns what the function answers that the
	// peer's application has given to [Room].Handle. data and the answer have up to 1 MiB. A question, and its answer, go
	// on over rebuilds of the connection, and wait for one if there is none. When ctx ends, Ask returns its error, and
	// the context of that function ends.
	//
	// At most 64 questions with 4 MiB are open to a peer at a time; beyond that Ask waits for a place. One that was given
	// up keeps its place until the peer has ended it. Questions and answers to one peer go one after the other, so a small
	// one may wait behind a big one, but not behind those of other peers.
	//
	// Errors: an [*AskError] if the peer refuses, such as [ErrNotHandled]; [ErrUnsupported] if the peer's noom knows no
	// questions; [ErrTooBig]; [ErrClosed] if the peer goes or we leave; ctx's. After ErrClosed and ctx's error the peer may
	// have the question, or not.
	Ask(ctx context.Context, topic string, data []byte) ([]byte, error)
	// OpenChannel opens a data channel for the application and returns when it is open; the peer gets it as
	// [ChannelOpened]. Labels are up to 128 bytes, need not be unique, and do not begin with "noom.". While 32 channels are open, and one of them
	// is being closed, it waits for that. A peer accepts 64 at a time. Errors: [ErrNotConnected], [ErrClosed], ctx's.
	OpenChannel(ctx context.Context, label string, o *ChannelOptions) (Channel, error)
	// SendFile offers a file to the peer, which gets it as [FileOffered], and returns once the peer has all of it. name is
	// what the file is called there, without its folders: see [OfferedFile]. The file is what r has from its beginning to
	// its end, at most 2^46 bytes; it is read in chunks of 32 KiB, each with a SHA-256, and again where a connection was
	// lost: it goes on there once there is another one. While there is none, SendFile waits; at most 16 files are under way
	// to a peer, and further ones wait. If ctx ends, the peer learns it. r must not be used meanwhile. Errors: [ErrDeclined],
	// [ErrFileChanged] and other [*FileError]s; [ErrClosed] if the peer goes; ctx's. With an error, the peer may have the
	// file nevertheless, if it went before it could say so.
	SendFile(ctx context.Context, name string, r io.ReadSeeker, o *FileOptions) error
	// RequestMute asks the peer to mute its tracks of that name, or all of them if track is empty; the peer's
	// application decides ([MuteRequested]). It needs [RightMute], and returns once the hub has passed it on. Errors:
	// [ErrForbidden], and a [*signal.Error] with code no_such_member.
	RequestMute(ctx context.Context, track string) error
	// RestartICE looks for a new path, and returns once that is under way. A restart (RFC 8445 section 9) cannot be
	// signaled over the connection that it restarts: if no hub reaches the peer, a new connection is negotiated over
	// the old one, which serves until the new one is up. Errors: [ErrNotConnected]; [ErrNoHub], if there is neither a
	// hub nor a connection that works; [ErrClosed]; ctx's.
	RestartICE(ctx context.Context) error
	// Quality returns how good the connection is. It is [QualityLost] once the peer is gone.
	Quality() Quality
	// Bandwidth returns what the way to the peer takes, as it was measured within the last second; it is zero while the
	// peer is not connected.
	Bandwidth() Bandwidth
	// Stats returns pion's statistics of the current connection, empty if there is none. For each RTP stream they
	// include packets, bytes and loss, which noom counts itself: its part of webrtc-stats' InboundRTPStreamStats and
	// OutboundRTPStreamStats; and what the peer has reported of those that we send, once it has reported something:
	// RemoteInboundRTPStreamStats. The candidate pair in use has the estimate of [Bandwidth] as AvailableOutgoingBitrate.
	Stats() webrtc.StatsReport
	// Timeline returns when each step of joining, and of the current connection, was reached.
	Timeline() Timeline
	// Diagnose says why the peer is connected or is not, in words and as a [Verdict]. It uses what is known and does
	// not wait for the network. Errors: [ErrClosed], ctx's.
	Diagnose(ctx context.Context) (Diagnosis, error)
	// Connection returns the current connection, nil between two. It is an escape hatch, for inspection and not for
	// negotiation; a rebuild replaces it.
	Connection() *webrtc.PeerConnection
}

// String returns the state in lower case.
func (s PeerState) String() string {
	switch s {
	case PeerConnecting:
		return "connecting"
	case PeerConnected:
		return "connected"
	case PeerInterrupted:
		return "interrupted"
	case PeerFailed:
		return "failed"
	case PeerClosed:
		return "closed"
	}
	return "unknown"
}

// peer implements Peer. It is a thin face of a link.
type peer struct {
	room    *room
	member  Member // ID, PublicKey, Session
	link    *link.Link
	conduct *conduct.Conduct // of the member id
	files   atomic.Pointer[filing]

	asideBytes atomic.Int64 // of frames beside the messages that wait for the room's loop
}

// newPeer makes the peer of a newcomer and starts its link. The room's loop calls it.
func newPeer(r *room, m Member) *peer {
	p := &peer{room: r, member: m, conduct: r.conducts.Of(m.ID, r.roster.present, time.Now())}
	p.files.Store(newFiling(p))
	p.link = link.New(link.Config{
		Codecs: r.cfg.Codecs, Prefer: r.cfg.PreferredCodecs,
		Host: peerHost{p}, Report: peerHost{p}, Room: r.name, Self: r.self, Member: m, Sign: r.cfg.Identity.sign,
		Connect: r.cfg.ConnectTimeout, Log: r.log.With("peer", m.ID), Budget: r.budgets.Of(m.ID, time.Now()),
		Conduct: p.conduct, Networks: func() conduct.Networks { return conduct.NetworksOf(r.engine) },
		Card: r.card, CardSent: r.hub.Arrival().Hub,
	})
	r.card = nil
	if r.May(RightPublish) {
		for _, s := range r.published.list {
			p.link.Publish(s)
		}
	}
	r.tasks.Add(1)
	p.link.Start(r.tasks.Done)
	r.sharing.wake()
	return p
}

// admitAside reports whether a frame beside the messages, which costs so many records, is to be taken; then postAside follows.
func (p *peer) admitAside(size, cost int) bool {
	if p.asideBytes.Add(int64(size)) > maxAsideBytes || !p.conduct.Records.AllowN(time.Now(), cost) {
		p.asideBytes.Add(-int64(size))
		p.room.trace.note(p.member, "frame beside the messages dropped: there are too many")
		return false
	}
	return true
}

// postAside makes the room's loop take such a frame.
func (p *peer) postAside(size int, take func()) {
	p.room.mail.Post(func() {
		p.asideBytes.Add(-int64(size))
		if p.room.roster.has(p) {
			take()
		}
	})
}

// String is for logs, as are those of room, sender and Track. Without them, printed events would show addresses,
// and all fields of a peer, read without a lock.
func (p *peer) String() string { return p.Member().String() }

func (p *peer) ID() string                         { return p.member.ID } // a queue calls it, so it asks no link
func (p *peer) Name() string                       { return p.Member().Name }
func (p *peer) Member() Member                     { return p.link.Member() }
func (p *peer) SafetyNumber() SafetyNumber         { return SafetyNumberOf(p.room.self, p.member) }
func (p *peer) Attributes() map[string]string      { return p.room.state.attributesOf(p.member.ID) }
func (p *peer) State() PeerState                   { return PeerState(p.link.State()) }
func (p *peer) Quality() Quality                   { return Quality(p.link.Quality()) }
func (p *peer) Stats() webrtc.StatsReport          { return p.link.Stats() }
func (p *peer) Connection() *webrtc.PeerConnection { return p.link.Connection() }

func (p *peer) Bandwidth() Bandwidth {
	m := p.link.Measured()
	return Bandwidth{Estimate: m.Estimate, Sent: m.Sent, Loss: m.Loss, RoundTrip: m.Sample.RoundTrip, Queue: m.Sample.Queue}
}

func (p *peer) Timeline() Timeline {
	a, s := p.room.hub.Arrival(), p.link.Steps()
	return Timeline{
		Began: a.Began, Resolved: a.Resolved, Hub: a.Hub, Joined: a.Joined,
		Offer: s.Offer, Answer: s.Answer, Check: s.Check, ICE: s.ICE, DTLS: s.DTLS, Media: s.Media,
	}
}

func (p *peer) Tracks() []RemoteTrack {
	list := p.link.Tracks.List()
	tracks := make([]RemoteTrack, len(list))
	for i, t := range list {
		tracks[i] = t
	}
	return tracks
}

func (p *peer) Publish(ctx context.Context, t webrtc.TrackLocal, o *PublishOptions) (Sender, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if p.State() == PeerClosed {
		return nil, ErrClosed
	}
	if !p.room.May(RightPublish) {
		return nil, fmt.Errorf("noom: publish: %w", ErrForbidden)
	}
	var s *fanout.Sender
	sharing := p.room.sharing
	s, err := newSender(t, o, p.room.cfg.Codecs, fanout.Hooks{
		OnChange: func() {
			p.link.Retable()
			sharing.wake()
		},
		OnEnd: p.room.sourceEnded,
		OnClose: func() {
			p.link.Unpublish(s)
			p.room.mail.Post(func() { sharing.removeOwn(p, s) })
		},
	})
	if err != nil {
		return nil, err
	}
	if !p.link.PublishAlone(s) { // it went while the track was bound
		_ = s.Close()
		return nil, ErrClosed
	}
	p.room.mail.Post(func() { sharing.addOwn(p, s) })
	return s, nil
}

func (p *peer) Send(ctx context.Context, data []byte) error { return p.sendData(ctx, "", data) }

func (p *peer) TrySend(data []byte) error { return p.trySendData("", data) }

func (p *peer) SendTopic(ctx context.Context, topic string, data []byte) error {
	topic, err := cleanTopic(topic)
	if err != nil {
		return err
	}
	return p.sendData(ctx, topic, data)
}

func (p *peer) TrySendTopic(topic string, data []byte) error {
	topic, err := cleanTopic(topic)
	if err != nil {
		return err
	}
	return p.trySendData(topic, data)
}

// sendData sends data under a topic in normal form.
func (p *peer) sendData(ctx context.Context, topic string, data []byte) error {
	err := p.link.Stream.Send(ctx, topic, data)
	if err == nil {
		p.link.Kick()
	}
	return err
}

func (p *peer) trySendData(topic string, data []byte) error {
	err := p.link.Stream.TrySend(topic, data)
	if err == nil {
		p.link.Kick()
	}
	return err
}

func (p *peer) OpenChannel(ctx context.Context, label string, o *ChannelOptions) (Channel, error) {
	label = signal.CleanName(label)
	if err := signal.CheckName(label); err != nil {
		return nil, fmt.Errorf("noom: open channel: label: %w", err)
	}
	if strings.HasPrefix(label, files.Prefix) {
		return nil, fmt.Errorf("noom: open channel: label %q: those that begin with %q are noom's own; choose another", label, files.Prefix)
	}
	init, err := o.init()
	if err != nil {
		return nil, err
	}
	c, err := p.link.OpenChannel(ctx, label, init)
	if err != nil {
		return nil, err // not a Channel that holds a nil *data.Channel
	}
	return c, nil
}

func (p *peer) RestartICE(ctx context.Context) error { return p.link.RestartICE(ctx) }

func (p *peer) Diagnose(ctx context.Context) (Diagnosis, error) {
	found, err := p.link.Diagnose(ctx)
	if err != nil {
		return Diagnosis{}, err
	}
	d := Diagnosis{
		Verdict: Verdict(found.Verdict), Words: found.Words, Err: found.Err, Attempts: found.Attempts, Codecs: found.Codecs,
	}
	if d.Verdict != VerdictConnected && d.Verdict != VerdictCodec {
		return d, nil
	}
	path := make(chan *Path, 1)
	go func() { path <- pathOf(found.PC) }() // pion may be busy
	select {
	case d.Path = <-path:
	case <-ctx.Done():
		return Diagnosis{}, ctx.Err()
	}
	if d.Path != nil {
		d.Words += " (" + d.Path.String() + ")"
	}
	return d, nil
}
