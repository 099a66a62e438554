package noomtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/webrtc/v4"

	"noom"
)

// A Story is what happened in a room, as one member has seen it, to happen again; see [Replay].
type Story struct {
	room    string
	members []*actor
	steps   []step
	skipped []string
}

// Replay reads what [noom.Config].Trace of one Room was called with, from its Join on, as a story that [Story.Play] plays in a
// World: real rooms do at the recorded times what the members did, and the ways between them fail as they failed. So what
// went wrong in production can be watched in virtual time, as often as necessary, with a changed noom or a changed program.
//
// What happens again: who enters, leaves and is kicked, and when; lost and regained ways of members to the hub; connections to
// the member whose trace it is that were interrupted or failed, cut 4 s before that was noticed and healed when they were
// connected again; nicknames and chat; and tracks: those that members said they would send when they joined, and, if
// [noom.Config].TraceBodies was set, all that were published, muted and ended.
//
// What cannot: one member's trace knows nothing of the others' ways to each other and to the hub before it noticed. Keys,
// sessions and addresses are new ones, so the frames themselves are not those of the trace, and times differ by round trips
// and by the pauses that are drawn at random. Tracks carry no media. Data, locks, requests to mute, and ends by the hub that
// are no kicks do not happen again; [Story.Skipped] lists those that there were.
//
// An error says what is missing of the trace, or damaged.
func Replay(trace []noom.Trace) (*Story, error) {
	r, err := readStory(trace)
	if err != nil {
		return nil, fmt.Errorf("noomtest: this trace cannot be replayed: %w", err)
	}
	s := &Story{room: trace[0].Room, members: r.actors, steps: r.steps}
	for _, what := range slices.Sorted(maps.Keys(r.skipped)) {
		s.skipped = append(s.skipped, fmt.Sprintf("%s (%d)", what, r.skipped[what]))
	}
	return s, nil
}

// Skipped lists what the trace has that does not happen again, with how often.
func (s *Story) Skipped() []string { return slices.Clone(s.skipped) }

// Hosts returns the names of the hosts on which the members are, the member whose trace it is first: the nickname, with the
// beginning of the id behind it where two have the same.
func (s *Story) Hosts() []string {
	hosts := make([]string, len(s.members))
	for i, m := range s.members {
		hosts[i] = m.host
	}
	return hosts
}

// String lists what happens.
func (s *Story) String() string {
	var text strings.Builder
	for _, step := range s.steps {
		fmt.Fprintf(&text, "%v %s: %s\n", step.at, s.members[step.who].host, strings.TrimSpace(step.do+" "+step.text))
	}
	return text.String()
}

// Play plays the story in a world, which must not have hosts of those names, and returns when it is over and all members have
// left. began is called once the member whose trace it is has entered, in a goroutine of its own, which Play waits
// for: it may read the Room's events until [noom.Closed], or do what the program under test does. It may be nil.
func (s *Story) Play(w *World, began func(noom.Room)) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	p := &play{story: s, world: w, ctx: ctx, cast: make([]part, len(s.members)), began: began}
	start := time.Now()
	for _, step := range s.steps {
		time.Sleep(step.at - time.Since(start))
		p.do(step)
	}
	for i := range p.cast { // where the trace ends before they have left
		p.leave(&p.cast[i])
	}
	p.tasks.Wait()
}

// play is a story that is being played.
type play struct {
	story *Story
	world *World
	ctx   context.Context
	cast  []part
	began func(noom.Room)
	tasks sync.WaitGroup
}

// part is a member in a play.
type part struct {
	room    noom.Room // nil: not in it
	senders map[string]noom.Sender
	spare   []noom.Sender // of the join, for tables to say which they are
}

// do does a step. What waits for an answer goes on by itself.
func (p *play) do(s step) {
	w, of, self := p.world, p.story.members[s.who], p.story.members[0]
	part := &p.cast[s.who]
	if s.do == doJoin {
		p.join(s, of, part)
		return
	}
	if part.room == nil {
		return // it could not enter, of which the transcript knows
	}
	switch s.do {
	case doLeave:
		p.leave(part)
	case doKick:
		if hub := w.Hub().Running(); hub != nil {
			p.note(s, hub.Kick(p.story.room, part.room.Self().ID))
		}
		part.room = nil
	case doCut:
		w.Cut(of.host, self.host)
	case doHeal:
		w.Heal(of.host, self.host)
	case doOffline:
		w.CutSignaling(of.host)
	case doOnline:
		w.HealSignaling(of.host)
	case doRename:
		room := part.room
		p.tasks.Go(func() { p.note(s, room.Rename(p.ctx, s.text)) })
	case doChat:
		p.note(s, part.room.TryChat(s.text))
	default:
		p.track(s, part)
	}
}

// leave has a member leave, if it is in the room.
func (p *play) leave(part *part) {
	if room := part.room; room != nil {
		part.room = nil
		p.tasks.Go(func() { _ = room.Leave(p.ctx) }) // what is not delivered was not, then either
	}
}

// note writes into the transcript what could not be done.
func (p *play) note(s step, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		p.world.Note("replay: %s could not %s: %v", p.story.members[s.who].host, s.do, err)
	}
}

// join has a member enter.
func (p *play) join(s step, of *actor, part *part) {
	w := p.world
	w.host(of.host)
	w.HealSignaling(of.host) // it may have been lost in an earlier life
	cfg := w.Config(of.host)
	cfg.Name = of.name
	for kind := range strings.FieldsSeq(s.text) {
		if track := silentTrack(kind); track != nil {
			cfg.Tracks = append(cfg.Tracks, noom.LocalTrack{Track: track})
		}
	}
	room, err := noom.Join(p.ctx, w.Dialer(of.host), p.story.room, cfg)
	if err != nil {
		p.note(s, err)
		return
	}
	part.room, part.senders, part.spare = room, make(map[string]noom.Sender), room.Senders()
	if s.who == 0 && p.began != nil {
		p.tasks.Go(func() { p.began(room) })
	}
}

// track publishes, mutes and ends tracks.
func (p *play) track(s step, part *part) {
	published := part.senders[s.id]
	switch {
	case s.do == doPublish:
		kind, name, _ := strings.Cut(s.text, " ")
		if i := slices.IndexFunc(part.spare, func(o noom.Sender) bool { return o.Kind().String() == kind }); i >= 0 {
			part.senders[s.id] = part.spare[i]
			part.spare = slices.Delete(part.spare, i, i+1)
			return
		}
		track := silentTrack(kind)
		if track == nil {
			return
		}
		sender, err := part.room.Publish(p.ctx, track, &noom.PublishOptions{Name: name})
		if p.note(s, err); err == nil {
			part.senders[s.id] = sender
		}
	case published == nil: // it could not be published
	case s.do == doEnd:
		p.note(s, published.Close())
		delete(part.senders, s.id)
	default:
		p.note(s, published.SetMuted(s.do == doMute))
	}
}

// silentTrack returns a track of a kind without packets; nil for another kind.
func silentTrack(kind string) webrtc.TrackLocal {
	mime := map[string]string{"video": webrtc.MimeTypeVP8, "audio": webrtc.MimeTypeOpus}[kind]
	if mime == "" {
		return nil
	}
	track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, kind, "replay")
	if err != nil {
		return nil
	}
	return track
}
