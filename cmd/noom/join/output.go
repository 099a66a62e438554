package join

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"noom"
	"noom/cmd/noom/call"
	"noom/cmd/noom/command"
	"noom/media"
	"noom/signal"
)

// output prints events, as text for people or as JSON for programs.
type output struct {
	program string // its name
	json    bool

	mu     sync.Mutex // one line at a time
	stdout io.Writer
	stderr io.Writer
}

func newOutput(program string, streams command.Streams, asJSON bool) *output {
	return &output{program: program, json: asJSON, stdout: streams.Out, stderr: streams.Err}
}

// member is a member in a line of JSON.
type member struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// line is a line of JSON; which fields it has depends on Event.
type line struct {
	Event      string       `json:"event"`
	Time       time.Time    `json:"time"`
	Room       string       `json:"room,omitempty"`
	Color      string       `json:"color,omitempty"`
	Peer       *member      `json:"peer,omitempty"`
	Existing   bool         `json:"existing,omitempty"`
	Reason     string       `json:"reason,omitempty"`
	Old        *string      `json:"old,omitempty"`
	State      string       `json:"state,omitempty"`
	Quality    string       `json:"quality,omitempty"`
	Track      *trackLine   `json:"track,omitempty"`
	Codec      string       `json:"codec,omitempty"`
	Text       string       `json:"text,omitempty"`
	Topic      string       `json:"topic,omitempty"`
	Bytes      *int         `json:"bytes,omitempty"`
	Dropped    int          `json:"dropped,omitempty"`
	Error      string       `json:"error,omitempty"`
	Connection *path        `json:"connection,omitempty"`
	Peers      *[]peerStats `json:"peers,omitempty"`
}

type trackLine struct {
	ID     string `json:"id,omitempty"` // of what others send
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Muted  bool   `json:"muted"`
	Paused bool   `json:"paused"`
}

// print prints l as JSON, or else the text.
func (o *output) print(l line, format string, args ...any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.json {
		if format != "" {
			say(o.stdout, "%s\n", signal.Printable(fmt.Sprintf(format, args...)))
		}
		return
	}
	if l.Time.IsZero() {
		l.Time = time.Now()
	}
	l.Time = l.Time.UTC().Truncate(time.Millisecond)
	encoder := json.NewEncoder(o.stdout)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(l) // a reader that went away ends us by a signal
}

// problem reports a problem that ends nothing.
func (o *output) problem(format string, args ...any) {
	text := signal.Printable(fmt.Sprintf(format, args...))
	if o.json {
		o.print(line{Event: "problem", Error: text}, "")
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	say(o.stderr, "%s: %s\n", o.program, text)
}

func (o *output) joined(room noom.Room) {
	self := room.Self()
	c := media.ColorOf(self.ID)
	color := fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B)
	o.print(line{Event: "joined", Room: room.Name(), Color: color, Peer: &member{self.ID, self.Name}},
		"in %q as %s, colour %s", room.Name(), call.Display(self.Name, self.ID), color)
}

func (o *output) connected(p peerStats) {
	o.print(line{Event: "connection", Peer: &p.member, Connection: p.Connection},
		"%s: %v, %.1f ms", call.Display(p.Name, p.ID), p.Connection, p.Connection.RoundTrip)
}

func (o *output) statistics(peers []peerStats) {
	if o.json {
		o.print(line{Event: "stats", Peers: &peers}, "")
		return
	}
	for _, p := range peers {
		if p.Bandwidth != nil {
			o.print(line{}, "  %-12s %s: %v", call.Display(p.Name, p.ID), p.Quality, p.Bandwidth)
		}
		for _, t := range p.Tracks {
			o.print(line{}, "  %-12s %-12s %-10s %6.1f packets/s %5.1f frames/s %6.0f kbit/s%s%s",
				call.Display(p.Name, p.ID), t.Name, strings.TrimPrefix(t.Codec, t.Kind+"/"), t.Packets, t.Frames,
				float64(t.BitRate)/1000, map[bool]string{true: "  muted"}[t.Muted], map[bool]string{true: "  paused"}[t.Paused])
		}
	}
}

// event prints what happened.
func (o *output) event(event noom.Event) {
	switch e := event.(type) {
	case noom.PeerJoined:
		verb := "comes"
		if e.Existing {
			verb = "is here"
		}
		o.print(line{Event: "peer-joined", Peer: of(e.Peer), Existing: e.Existing}, "%s %s", named(e.Peer), verb)
	case noom.PeerLeft:
		o.print(line{Event: "peer-left", Peer: &member{e.Member.ID, e.Member.Name}, Reason: string(e.Reason)},
			"%s is gone: %s", call.Display(e.Member.Name, e.Member.ID), e.Reason)
	case noom.PeerRenamed:
		o.print(line{Event: "peer-renamed", Peer: of(e.Peer), Old: &e.Old}, "%s was %s", named(e.Peer), call.Display(e.Old, e.Peer.ID()))
	case noom.PeerStateChanged:
		if e.State == noom.PeerClosed && !o.json {
			return // a member that is gone
		}
		l := line{Event: "state", Peer: of(e.Peer), State: e.State.String(), Error: text(e.Err)}
		o.print(l, "%s: %s%s", named(e.Peer), l.State, because(e.Err))
	case noom.QualityChanged:
		o.print(line{Event: "quality", Peer: of(e.Peer), Quality: e.Quality.String()}, "%s: the connection is %v", named(e.Peer), e.Quality)
	case noom.TrackAdded:
		o.track("track-added", e.Peer, e.Track, "sends")
	case noom.TrackRemoved:
		o.track("track-removed", e.Peer, e.Track, "stops")
	case noom.TrackMuted:
		o.track("track-muted", e.Peer, e.Track, map[bool]string{true: "mutes", false: "unmutes"}[e.Muted])
	case noom.TrackPaused:
		o.track("track-paused", e.Peer, e.Track, map[bool]string{true: "pauses", false: "goes on with"}[e.Paused])
	case noom.SenderPaused:
		t := &trackLine{Name: e.Sender.Name(), Kind: e.Sender.Kind().String(), Muted: e.Sender.Muted(), Paused: e.Paused}
		verb := map[bool]string{true: "no longer gets", false: "gets again"}[e.Paused]
		o.print(line{Event: "sender-paused", Peer: of(e.Peer), Track: t}, "%s %s our %s", named(e.Peer), verb, t.Name)
	case noom.TrackRefused:
		o.print(line{Event: "track-refused", Peer: of(e.Peer), Codec: e.Codec, Error: text(e.Err)}, "%s does not get %s%s", named(e.Peer), e.Codec, because(e.Err))
	case noom.ChatReceived:
		o.print(line{Event: "chat", Time: e.At, Peer: &member{e.From.ID, e.From.Name}, Text: e.Text},
			"%s says %q", call.Display(e.From.Name, e.From.ID), e.Text)
	case noom.DataReceived:
		size := len(e.Data)
		under := ""
		if e.Topic != "" {
			under = fmt.Sprintf(" under %q", e.Topic)
		}
		o.print(line{Event: "data", Peer: of(e.Peer), Topic: e.Topic, Bytes: &size}, "%s sends %d bytes of data%s", named(e.Peer), size, under)
	case noom.SignalingLost:
		o.print(line{Event: "signaling-lost", Error: text(e.Err)}, "the hub is gone, calls go on%s", because(e.Err))
	case noom.SignalingRestored:
		o.print(line{Event: "signaling-restored"}, "back at a hub")
	case noom.Lagged:
		o.print(line{Event: "lagged", Dropped: e.Dropped}, "%d chat messages were dropped", e.Dropped)
	case noom.Closed:
		o.print(line{Event: "closed", Error: text(e.Err)}, "the room is over%s", because(e.Err))
	}
}

func (o *output) track(event string, peer noom.Peer, t noom.RemoteTrack, verb string) {
	o.print(line{Event: event, Peer: of(peer), Track: &trackLine{t.ID(), t.Name(), t.Kind().String(), t.Muted(), t.Paused()}},
		"%s %s %s (%s)", named(peer), verb, t.Name(), t.Kind())
}

func of(p noom.Peer) *member   { return &member{p.ID(), p.Name()} }
func named(p noom.Peer) string { return call.Display(p.Name(), p.ID()) }
func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// say prints. If the output is not read, it is lost; the call goes on.
func say(to io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(to, format, args...) }
