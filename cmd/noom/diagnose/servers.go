package diagnose

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/pion/stun/v4"
	"github.com/pion/webrtc/v4"

	"noom/internal/diagnose"
	"noom/internal/iceservers"
	"noom/signal"
)

// maxServers bounds how many servers are tried.
const maxServers = 16

// A server is a STUN or TURN server, over one protocol.
type server struct {
	url            string
	uri            *stun.URI // nil: the URL cannot be used
	user, password string
}

// serversOf returns what a hub hands out.
func serversOf(list []signal.ICEServer) (all []server) {
	for _, s := range list {
		for _, url := range s.URLs {
			uri, err := stun.ParseURI(url)
			if err != nil {
				uri = nil
			}
			all = append(all, server{url, uri, s.Username, s.Credential})
		}
	}
	return all
}

// ownServers returns what -ice names.
func ownServers(list []webrtc.ICEServer) []server {
	var same []signal.ICEServer
	for _, s := range list {
		password, _ := s.Credential.(string) // -ice gives no other
		same = append(same, signal.ICEServer{URLs: s.URLs, Username: s.Username, Credential: password})
	}
	return serversOf(same)
}

// isTURN reports whether the server relays.
func (s server) isTURN() bool { return strings.HasPrefix(s.url, "turn") }

// protocol is by what the server is reached: udp, tcp, tls or dtls.
func (s server) protocol() string {
	switch secure := s.uri.Scheme == stun.SchemeTypeTURNS || s.uri.Scheme == stun.SchemeTypeSTUNS; {
	case secure && s.uri.Proto == stun.ProtoTypeUDP:
		return "dtls"
	case secure:
		return "tls"
	case s.uri.Proto == stun.ProtoTypeTCP:
		return "tcp"
	}
	return "udp"
}

// A finding is what has become of a server.
type finding struct {
	server
	words   string
	err     error // nil: it works
	mapped  bool  // it has seen us at an address, over UDP
	relays  bool
	skipped bool // it was not tried
}

// label is what the report calls a server.
func (f finding) label() string {
	kind := "STUN"
	if f.isTURN() {
		kind = "TURN"
	}
	if f.uri == nil {
		return kind
	}
	return kind + " " + f.protocol()
}

// tryServers tries all servers at once, and reports them in their order.
func (o *options) tryServers(ctx context.Context, r *report, servers []server) []finding {
	if len(servers) > maxServers {
		r.note("ICE", "only the first %d of %d servers are tried", maxServers, len(servers))
		servers = servers[:maxServers]
	}
	defer r.waiting("STUN and TURN servers")()
	found := make([]finding, len(servers))
	var tasks sync.WaitGroup
	for i, s := range servers {
		tasks.Go(func() { found[i] = s.try(ctx, o.wait) })
	}
	tasks.Wait()
	for _, f := range found {
		switch {
		case f.skipped:
			r.note(f.label(), "%s: %s", iceservers.Redacted(f.url), f.words)
		case f.err != nil:
			r.bad(f.label(), "%s: %v", iceservers.Redacted(f.url), f.err)
		default:
			r.good(f.label(), "%s: %s", iceservers.Redacted(f.url), f.words)
		}
	}
	return found
}

// conclude says what would become of members that nothing here can be tried with.
func (r *report) conclude(found []finding) {
	for _, s := range scenarios {
		if words, ok := s.judge(found); ok {
			r.line("so", "", "%s: %s", s.who, words)
		} else {
			r.note("so", "%s: it would fail: %s", s.who, words)
		}
	}
}

// A scenario is a member elsewhere.
type scenario struct {
	who  string
	over []string // by what protocols its network lets it reach a relay
	met  diagnose.Kinds
}

var scenarios = []scenario{
	{"between two strict NATs", []string{"udp", "tcp", "tls"}, diagnose.Kinds{"host": true, "srflx": true}},
	{"with a member whose network blocks UDP", []string{"tcp", "tls"}, diagnose.Kinds{"host": true}},
}

// judge says whether a relay connects the members of a scenario or, in the words of [diagnose.Evidence], why none does.
func (s scenario) judge(found []finding) (words string, ok bool) {
	e := diagnose.Evidence{
		Online: true, Opened: 1, Remote: true, Acked: true, Path: "failed",
		Ours: diagnose.Kinds{"host": true}, Theirs: s.met,
	}
	var by []string
	for _, f := range found {
		serves := f.uri != nil && slices.Contains(s.over, f.protocol())
		if f.mapped {
			e.Ours["srflx"] = true
		}
		if !f.isTURN() || !serves {
			continue
		}
		e.TURN = true
		if refusal, is := errors.AsType[*stun.TurnError](f.err); is {
			e.Refusal = &diagnose.Refusal{Server: f.uri.Host, Err: refusal}
		}
		if f.relays && !slices.Contains(by, f.protocol()) {
			by = append(by, f.protocol())
		}
	}
	if by != nil {
		return "a relay carries the call, by TURN over " + strings.Join(by, ", "), true
	}
	verdict := e.Judge()
	return cmp.Or(string(verdict.Verdict)+": "+verdict.Words, "unknown"), false
}
