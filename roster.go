package noom

import (
	"fmt"
	"slices"
	"time"

	"noom/signal"
)

// This file is the room's loop: it owns who is there, and takes the hub's
// frames one by one.

const (
	maxMembers = 1024 // whatever a hub says; it may be lying
	maxAsleep  = 64   // lost members remembered in case they come back
	maxHeard   = 256  // chat ids remembered, so that one resent is shown once
)

var errTooMany = fmt.Errorf("more than %d members", maxMembers)

func (r *room) run() {
	for {
		select {
		case <-r.mail.Ready():
			for _, f := range r.mail.Take() {
				f()
			}
		case m := <-r.frames:
			r.handle(m)
		case <-r.ctx.Done():
			for _, f := range r.mail.Close() {
				f()
			}
			for _, l := range r.links {
				l.close()
			}
			for _, l := range r.asleep {
				l.close()
			}
			return
		}
	}
}

func (r *room) handle(m signal.Message) {
	if m.Type.Pair() {
		if l := r.links[m.From]; l != nil {
			l.hubFrame(m)
		}
		return
	}
	if m.Type != signal.TypeJoined { // enter has told of that
		r.traceFrame(TraceReceived, Member{}, false, m)
	}
	switch m.Type {
	case signal.TypeJoined:
		r.joined(m)
	case signal.TypeServers:
		r.serversTold(&m)
	case signal.TypeWelcome:
		if l := r.member(*m.Member, false); l != nil {
			l.welcome()
		}
		r.dropGhosts()
	case signal.TypeBye:
		r.bye(m)
	case signal.TypeRenamed:
		r.renamed(m)
	case signal.TypeChat:
		r.chatted(m)
	case signal.TypeLocked, signal.TypeUnlocked:
		r.lockChanged(m)
	case signal.TypeMute:
		r.muteRequested(m)
	case signal.TypePing:
		r.send(signal.Message{Type: signal.TypePong})
	case signal.TypePong:
		r.hubAnswered()
	case signal.TypeError:
		r.refused(m.Err())
	default: // unknown, or not for us
	}
}

// joined takes the roster, at first and after each return to a hub.
func (r *room) joined(m signal.Message) {
	r.mu.Lock()
	r.nickname = m.Self.Name
	r.mu.Unlock()
	r.serversTold(&m)
	r.setRights(m.Self.Rights)
	r.setLocked(m.Locked, Member{})
	there := make(map[string]bool)
	for _, member := range m.Members {
		if l := r.member(member, true); l != nil {
			there[member.ID] = true
			l.expect()
		}
	}
	for _, l := range r.order {
		if !there[l.member.ID] {
			r.lose(l)
		}
	}
	r.places = m.Limits.Members
	r.dropGhosts()
	if r.rejoined {
		r.events.add(SignalingRestored{})
	}
	r.rejoined = true
	for _, p := range r.pending {
		r.send(p.message)
	}
	r.hubAnswered()
}

// member makes sure that m is in the roster and returns its link, nil if it
// must not be.
func (r *room) member(m Member, existing bool) *link {
	if m.ID == r.self.ID {
		return nil
	}
	if err := m.Verify(); err != nil {
		r.lied("false member ignored", err)
		return nil
	}
	l := r.links[m.ID]
	if l != nil && l.member.Session == m.Session {
		l.missing = false
		r.rename(l, m.Name)
		l.setRights(m.Rights)
		return l
	}
	if l != nil {
		reason := ReasonLost
		if l.parted {
			reason = ReasonLeft
		}
		r.forget(l, reason)
	}
	if len(r.links) >= maxMembers {
		r.lied("member beyond the bound ignored", errTooMany)
		return nil
	}
	if r.cfg.Verify != nil {
		if err := r.cfg.Verify(m); err != nil {
			r.log.Info("member refused", "member", m.ID, "error", err)
			return nil
		}
	}
	l = r.asleep[m.ID]
	delete(r.asleep, m.ID)
	if l != nil && l.member.Session != m.Session {
		l.close()
		l = nil
	}
	if l == nil {
		l = r.newPeer(m)
	} else {
		r.rename(l, m.Name)
		l.setRights(m.Rights)
		l.missing = false
		l.wake()
	}
	r.mu.Lock()
	r.links[m.ID] = l
	r.order = append(slices.Clip(r.order), l)
	r.mu.Unlock()
	if r.leaving.Load() {
		l.out.seal()
	}
	r.events.add(PeerJoined{Peer: l, Existing: existing})
	return l
}

// lied tells of what an honest hub never says: aloud once for each kind, for
// it may go on.
func (r *room) lied(what string, err error) {
	if !slices.Contains(r.lies, what) {
		r.lies = append(r.lies, what)
		r.log.Warn(what+"; the hub may be lying", "error", err)
	}
	r.traceNote(Member{}, what, "error", err)
}

func (r *room) newPeer(m Member) *link {
	l := newLink(r, m)
	if r.may(RightPublish) {
		for _, s := range r.senders {
			l.publish(s)
		}
	}
	r.background(l.run)
	return l
}

// remove takes l out of the roster.
func (r *room) remove(l *link, reason Reason) {
	r.mu.Lock()
	delete(r.links, l.member.ID)
	r.order = slices.DeleteFunc(slices.Clone(r.order), func(o *link) bool { return o == l })
	r.mu.Unlock()
	l.depart()
	r.admitted(func() { r.admission.done(l) })
	r.speakerGone(l)
	r.events.add(PeerLeft{Member: l.Member(), Reason: reason})
}

// forget ends l for good.
func (r *room) forget(l *link, reason Reason) {
	l.close()
	r.remove(l, reason)
}

// drop is asked for by a link: the hub has lost the member, and its
// connection is dead.
func (r *room) drop(l *link) {
	r.mail.Post(func() {
		if r.links[l.member.ID] != l {
			return
		}
		if !l.missing { // it came back while this was on its way
			l.welcome()
			return
		}
		r.park(l)
	})
}

// park takes l out of the roster and keeps what its return needs.
func (r *room) park(l *link) {
	l.sleep()
	r.remove(l, ReasonLost)
	for id, other := range r.asleep {
		if len(r.asleep) < maxAsleep {
			break
		}
		other.close()
		delete(r.asleep, id)
	}
	r.asleep[l.member.ID] = l
}

// lose notes that the hub has lost l, which stays for as long as its connection lives.
func (r *room) lose(l *link) {
	if !l.missing {
		r.losses++
		l.missing, l.loss = true, r.losses
	}
	l.hubLost()
}

// dropGhosts drops peers that the hub has lost, those lost first before others, while
// there are more than the room has places: else whoever joins, cuts its line to the hub
// and joins under another key could have any number of connections.
func (r *room) dropGhosts() {
	for r.places > 0 && len(r.links) >= r.places { // one place is our own
		var ghost *link
		for _, l := range r.links {
			if l.missing && (ghost == nil || l.loss < ghost.loss) {
				ghost = l
			}
		}
		if ghost == nil {
			return
		}
		r.park(ghost)
	}
}

// left is told by a link, which ends by itself: the member has said goodbye.
func (r *room) left(l *link) {
	r.mail.Post(func() {
		if r.links[l.member.ID] == l {
			r.remove(l, ReasonLeft)
		}
	})
}

// reborn is asked for by a link: the member itself says that it runs a new
// session.
func (r *room) reborn(l *link, session string) {
	r.mail.Post(func() {
		if r.links[l.member.ID] != l || session == l.member.Session || !l.conduct.reborn(time.Now()) {
			return // a later one will do
		}
		m := l.Member()
		m.Session = session
		if l := r.member(m, false); l != nil {
			l.welcome()
		}
	})
}

func (r *room) bye(m signal.Message) {
	if m.From == r.self.ID {
		r.dismissed(m.Reason)
		return
	}
	if m.Reason == ReasonKicked {
		r.settle(nil, func(p *request) bool { return p.message.Type == signal.TypeKick && p.message.To == m.From })
	}
	if l := r.asleep[m.From]; l != nil && m.Reason != ReasonLost {
		delete(r.asleep, m.From)
		l.close()
	}
	l := r.links[m.From]
	if l == nil || m.Session != "" && m.Session != l.member.Session {
		return
	}
	switch m.Reason {
	case ReasonLost:
		r.lose(l)
	case ReasonLeft:
		l.parted = true
		l.mail.Post(l.leftByPeer)
	default:
		r.forget(l, m.Reason)
	}
}

func (r *room) rename(l *link, name string) {
	old := l.Name()
	if old == name {
		return
	}
	l.setName(name)
	r.events.add(PeerRenamed{Peer: l, Old: old})
}

func (r *room) renamed(m signal.Message) {
	if l := r.links[m.From]; l != nil {
		r.rename(l, m.Name)
	}
	if m.From != r.self.ID {
		return
	}
	r.mu.Lock()
	r.nickname = m.Name
	r.mu.Unlock()
	r.settle(nil, func(p *request) bool { return p.message.Type == signal.TypeRename && p.message.Name == m.Name })
}

func (r *room) chatted(m signal.Message) {
	if m.From == r.self.ID {
		r.settle(nil, func(p *request) bool { return p.message.ID == m.ID })
		return
	}
	l := r.links[m.From]
	if l == nil {
		return
	}
	key := m.From + m.ID
	if slices.Contains(r.heard, key) {
		return
	}
	if r.heard = append(r.heard, key); len(r.heard) > maxHeard {
		r.heard = r.heard[1:]
	}
	r.events.add(ChatReceived{From: l.Member(), Text: m.Text, At: time.UnixMilli(m.At)})
}

// refused takes an error frame. Those that end the connection are followed by
// its end.
func (r *room) refused(err *signal.Error) {
	r.log.Debug("hub refused", "about", err.About, "error", err)
	r.settle(err, func(p *request) bool { return p.message.Type == err.About })
}

// request is something asked of the hub that waits for its confirmation. It
// is asked again after a redial.
type request struct {
	message signal.Message
	done    chan error // has room for the answer
	untold  bool       // nobody waits for it: it was accepted by being sent
}

// settle answers the oldest request that is asked for.
func (r *room) settle(err error, is func(*request) bool) {
	if i := slices.IndexFunc(r.pending, is); i >= 0 {
		p := r.pending[i]
		r.forgetRequest(p) // first, so that who asks again at once has room
		p.done <- err
	}
	r.tellAnswered()
}

// forgetRequest waits for the answer to p no longer.
func (r *room) forgetRequest(p *request) {
	i := slices.Index(r.pending, p)
	if i < 0 {
		return
	}
	r.pending = slices.Delete(r.pending, i, i+1)
	r.requests.Add(-1)
	if p.untold {
		r.untold.Add(-1)
	}
}

// onAnswered calls f once nothing waits for the hub's answer, or nobody is there
// to give it. For what is untold it may come back.
func (r *room) onAnswered(f func()) {
	r.answered = append(r.answered, f)
	r.tellAnswered()
}

func (r *room) tellAnswered() {
	if len(r.pending) > 0 && r.online() {
		return
	}
	select {
	case <-r.hubGone:
	default:
		if r.untold.Load() > 0 {
			return
		}
	}
	for _, f := range r.answered {
		f()
	}
	r.answered = nil
}
