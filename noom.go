package noom

import (
	"context"
	"errors"
	"fmt"

	"noom/internal/conduct"
	"noom/internal/engine"
	"noom/internal/iceservers"
	"noom/internal/mailbox"
	"noom/internal/netwatch"
	"noom/internal/uplink"
	"noom/signal"
)

// Join enters a room, which the hub creates if it does not exist, and returns once the hub has admitted us. ctx bounds
// Join alone; if it has no deadline, [Config].DialTimeout does. [Room.Leave] ends the Room. A nil cfg works. Errors are
// [*JoinError]; one that wraps a [*signal.Error] is a refusal by the hub, or of a name that every hub would refuse.
func Join(ctx context.Context, d Dialer, name string, cfg *Config) (Room, error) {
	r, err := newRoom(d, signal.CleanName(name), cfg)
	if err == nil {
		err = r.start(ctx)
	}
	if err != nil {
		return nil, &JoinError{Room: name, Err: err}
	}
	return r, nil
}

// newRoom checks the arguments of Join and makes the room, which is not running yet.
func newRoom(d Dialer, name string, cfg *Config) (*room, error) {
	if d == nil {
		return nil, errors.New("there is no Dialer; pass a ws.Dialer or mem.Dialer")
	}
	if err := signal.CheckRoom(name); err != nil {
		return nil, signal.Errorf(signal.CodeBadRoom, signal.TypeJoin, "%v", err)
	}
	c, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &room{name: name, cfg: c, log: c.Logger.With("room", name)}
	r.self = Member{ID: c.Identity.ID(), PublicKey: c.Identity.publicKey(), Session: signal.NewSession()}
	refused := func(t *engine.TURNRefusal) { r.refusal.Store(t) }
	if r.engine, err = engine.New(engine.Options{
		Log: r.log, Codecs: c.Codecs, Interceptors: c.Interceptors, Net: c.Net, Settings: c.Settings, Refused: refused,
	}); err != nil {
		return nil, err
	}
	for _, s := range c.ICEServers {
		if err := iceservers.Check(s); err != nil {
			return nil, fmt.Errorf("field ICEServers of Config: %w", err)
		}
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	makeParts(r, d)
	if r.engine.OwnNet() || c.IgnoreNetwork {
		r.network.watch = nil // in a network of its own, this machine's addresses do not matter
	}
	for _, t := range c.Tracks {
		s, err := r.published.bind(t.Track, &PublishOptions{
			Name: t.Name, Muted: t.Muted, Priority: t.Priority, Encodings: t.Encodings,
		})
		if err != nil {
			r.cancel()
			closeSenders(r.published.list)
			return nil, err
		}
		r.published.list = append(r.published.list, s)
	}
	return r, nil
}

// makeParts makes the room's parts and connects them.
func makeParts(r *room, d Dialer) {
	r.events, r.mail = newEventQueue(r.cfg.EventBuffer), mailbox.New(ErrClosed)
	r.conducts = conduct.NewConducts()
	r.trace = &tracer{to: r.cfg.Trace, bodies: r.cfg.TraceBodies, room: r.name, self: r.Self}
	r.hub = newUplink(r, d)
	r.farewell = newFarewell(r)
	sealed := r.farewell.sealed.Load
	r.requests = &requests{mail: r.mail, hub: r.hub, send: r.send, sealed: sealed, over: r.ctx.Done()}
	r.standing = &standing{self: r.self, name: r.cfg.Name, events: r.events, requests: r.requests}
	r.newcomers = &newcomers{mail: r.mail, admission: newAdmission[*peer]()}
	r.roster = &roster{
		self: r.self.ID, events: r.events, trace: r.trace, log: r.log, verify: r.cfg.Verify, sealed: sealed,
		build: func(m Member) *peer { return newPeer(r, m) },
		added: func(p *peer) {
			r.state.joined(p.member)
			r.talk.joined(p.member)
		},
		removed: func(p *peer) {
			r.newcomers.done(p)
			r.speech.forget(p)
			r.sharing.wake()
			r.state.left(p.member)
			r.talk.left(p.member)
		},
		byID: make(map[string]*peer), asleep: make(map[string]*peer),
		lost: make(map[*peer]int), leaving: make(map[*peer]bool),
	}
	r.state, r.talk = newState(r), newTalk(r)
	r.requests.sign = r.talk.sign
	r.speech = &speech{mail: r.mail, roster: r.roster, events: r.events}
	r.sharing = &sharing{room: r}
	r.published = &publications{
		mail: r.mail, each: r.roster.each, share: r.sharing.wake, ended: r.sourceEnded, log: r.log,
		codecs: r.cfg.Codecs,
	}
	r.ice = &iceservers.Supply{
		Mail: r.mail, Log: r.log,
		Ask:     func() { r.send(signal.Message{Type: signal.TypeServers}) },
		Changed: func() { r.roster.eachPresent(func(p *peer) { p.link.ServersChanged() }) },
	}
	if r.cfg.ICEServers != nil {
		r.ice.Own = &iceservers.Set{List: r.cfg.ICEServers}
	}
	r.network = &network{
		mail: r.mail, roster: r.roster, askHub: r.hub.Nudge, log: r.log, ctx: r.ctx, tasks: r.background,
		note:  func(msg string, args ...any) { r.trace.note(Member{}, msg, args...) },
		watch: netwatch.Watch, readClock: netwatch.ReadClock,
	}
}

// newUplink returns the room's connection to the hub that d dials.
func newUplink(r *room, d Dialer) *uplink.Uplink {
	return uplink.New(uplink.Config{
		Dialer: d, Room: r.name, Self: r.self, Name: func() string { return r.Self().Name },
		Sign: r.cfg.Identity.sign, Sends: func() []string { return r.published.sends() },
		Token: r.cfg.Token, TokenSource: r.cfg.TokenSource, JoinInFrame: r.cfg.JoinInFrame,
		DialTimeout: r.cfg.DialTimeout, RedialMax: r.cfg.RedialMax, Log: r.log,
		Trace: func(sent bool, m signal.Message) {
			kind := TraceReceived
			if sent {
				kind = TraceSent
			}
			r.trace.frame(kind, Member{}, false, m)
		},
		Lost: func(err error) {
			r.mail.Post(r.requests.callAnswered)
			r.log.Info("signaling lost", "error", err)
			r.trace.note(Member{}, "signaling lost", "error", err)
			r.events.add(SignalingLost{Err: err})
		},
	})
}

// start enters the room and starts its goroutines.
func (r *room) start(ctx context.Context) error {
	if _, bounded := ctx.Deadline(); !bounded { // a hub may never answer
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.cfg.DialTimeout)
		defer cancel()
	}
	joined, err := r.hub.Join(ctx, r.makeCard())
	if err != nil {
		r.discardCard()
		r.tasks.Wait()
		r.cancel()
		closeSenders(r.published.list)
		r.trace.over(err)
		return err
	}
	r.joined(joined) // before the loop runs, so that Peers is complete when Join returns
	r.discardCard()  // if nobody is there
	r.sharing.wake()
	r.background(r.run)
	r.network.watchClock(r.network.readClock())
	r.background(func() {
		defer r.hub.Wait()
		if err := r.hub.Run(r.ctx); err != nil {
			r.farewell.finish(&JoinError{Room: r.name, Err: err})
		}
		r.mail.Post(r.requests.callAnswered)
	})
	return nil
}
