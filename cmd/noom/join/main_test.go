package join

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"noom/cmd/noom/command"
	"noom/signal"
	"noom/signal/hub"
	"noom/transport/ws"
)

const clips = "../../../media/testdata/"

var tested = Command("noom join")

// fails runs the program, which must end by itself, and checks that it says
// why in one line.
func fails(t *testing.T, code int, says []string, args ...string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if got := tested.Run(t.Context(), args, command.Streams{Out: &stdout, Err: &stderr}); got != code {
		t.Errorf("%q: exit code %d, want %d", args, got, code)
	}
	text := stderr.String()
	if strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "noom join: ") || stdout.Len() > 0 {
		t.Errorf("%q: printed %q and %q, want one line on stderr", args, stdout.String(), text)
	}
	for _, word := range says {
		if !strings.Contains(text, word) {
			t.Errorf("%q: %q does not say %q", args, text, word)
		}
	}
	if strings.Contains(text, "hush") {
		t.Errorf("%q: it says the password: %q", args, text)
	}
}

func TestBadFlags(t *testing.T) {
	t.Setenv("NOOM_LONG", strings.Repeat("x", 5000))
	for _, c := range []struct{ args, says []string }{
		{[]string{"-nope"}, []string{"-nope", "-help"}},
		{[]string{"-room"}, []string{"-room"}},
		{[]string{"방"}, []string{"방"}},
		{[]string{"-room", " "}, []string{"-room", "empty"}},
		{[]string{"-room", strings.Repeat("방", 43)}, []string{"-room", "128 bytes"}},
		{[]string{"-room", "a\x1b[2Jb"}, []string{"-room", "control"}},
		{[]string{"-name", "\u202eevil"}, []string{"-name", "bidi"}},
		{[]string{"-token", strings.Repeat("x", 5000)}, []string{"-token", "4096"}},
		{[]string{"-token", "x", "-token-env", "NOOM_LONG"}, []string{"-token and -token-env"}},
		{[]string{"-token-env", "NOOM_LONG"}, []string{"-token-env NOOM_LONG", "4096"}},
		{[]string{"-token-env", "NOOM_NOTHING"}, []string{"-token-env NOOM_NOTHING", "no such variable"}},
		{[]string{"-url", "localhost:8080"}, []string{"-url", "ws://"}},
		{[]string{"-url", "ws://"}, []string{"-url", "no host"}},
		{[]string{"-url", "ws://a/ws,localhost"}, []string{"-url localhost:", "ws://"}},
		{[]string{"-url", "ws://a/ws,"}, []string{"-url", "empty"}},
		{[]string{"-url", "ws://a b/"}, []string{"-url"}},
		{[]string{"-url", "ws://user:hush@[bad"}, []string{"-url", "escaped"}},
		{[]string{"-url", "ws://user:hush@a/ws,"}, []string{"-url", "empty"}},
		{[]string{"-url", "ftp://user:hush@a/ws?hush"}, []string{"-url ftp://a/ws"}},
		{[]string{"-ice", "turn:user:hush@[bad"}, []string{"-ice"}},
		{[]string{"-ice", "stun:user:hush@a"}, []string{"-ice", "no password"}},
		{[]string{"-duration", "soon"}, []string{"-duration"}},
		{[]string{"-duration", "-1s"}, []string{"-duration", "past"}},
		{[]string{"-camera", "x", "-video", "none"}, []string{"-camera", "-video"}},
		{[]string{"-microphone", "x", "-audio", "a.ogg"}, []string{"-microphone", "-audio"}},
		{[]string{"-ice", "http://x"}, []string{"-ice", "stun:"}},
		{[]string{"-ice", "turn:host:3478"}, []string{"-ice", "turn:user:password@"}},
		{[]string{"-ice", "turn:%zz:p@host"}, []string{"-ice", "escape"}},
		{[]string{"-ice", "turn:u:p@"}, []string{"-ice", "host"}},
		{[]string{"-ice", "stun:"}, []string{"-ice", "host"}},
		{[]string{"-ice", "stun:host:99999"}, []string{"-ice", "port"}},
	} {
		fails(t, 2, c.says, c.args...)
	}
}

func TestBadFiles(t *testing.T) {
	cut := filepath.Join(t.TempDir(), "잘림.ivf")
	if err := os.WriteFile(cut, []byte("DKIF\x00\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, says []string }{
		{[]string{"-video", "없음.ivf"}, []string{"-video", "없음.ivf", "no such file"}},
		{[]string{"-video", cut}, []string{"-video", "잘림.ivf", "cut off"}},
		{[]string{"-video", clips + "opus.ogg"}, []string{"-video", "opus.ogg", "an Ogg file"}},
		{[]string{"-audio", clips + "vp8.ivf"}, []string{"-audio", "vp8.ivf", "an IVF file"}},
		{[]string{"-audio", "."}, []string{"-audio", "directory"}},
	} {
		fails(t, 1, c.says, c.args...)
	}
}

func TestHubsThatCannotBeJoined(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	gone := "ws://" + listener.Addr().String() + "/ws"
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	fails(t, 1, []string{"-url", gone, "nothing listens"}, "-url", gone)

	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	fails(t, 1, []string{"-url", other.URL, "no noom hub"}, "-url", other.URL)

	strict := serve(t, &hub.Config{Authorize: func(context.Context, hub.Request) (hub.Grant, error) {
		return hub.Grant{}, signal.Errorf(signal.CodeRefused, signal.TypeJoin, "초대가 필요합니다\n\x1b[2J")
	}})
	fails(t, 1, []string{"-token", "초대가 필요합니다"}, "-url", strict)
}

// A token on the command line shows to everyone who can list processes.
func TestTokenFromTheEnvironment(t *testing.T) {
	t.Setenv("NOOM_TOKEN", "비밀")
	url := serve(t, &hub.Config{Authorize: hub.RoomPasswords(func(context.Context, string) (string, error) { return "비밀", nil })})
	p := start(t, url, "지우", "-token-env", "NOOM_TOKEN")
	p.until("joined", func(l line) bool { return l.Event == "joined" })
	p.leave()
	t.Setenv("NOOM_TOKEN", "틀림")
	fails(t, 1, []string{"-token", "password"}, "-url", url, "-token-env", "NOOM_TOKEN")
}

// A token for a hub that wants none is no failure, but may be a mistake.
func TestTokenThatIsNotWanted(t *testing.T) {
	p := start(t, serve(t, nil), "지우", "-token", "비밀")
	problem := p.until("a warning", func(l line) bool { return l.Event == "problem" })
	if !strings.Contains(problem.Error, "warning: the hub wants no token") || strings.Contains(problem.Error, "비밀") {
		t.Errorf("it says %q", problem.Error)
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := tested.Run(t.Context(), []string{"-help"}, command.Streams{Out: &stdout, Err: &stderr}); code != 0 || stderr.Len() > 0 || stdout.String() != "noom join"+usage {
		t.Errorf("exit code %d, %q, %q", code, &stdout, &stderr)
	}
	readme, err := os.ReadFile("../../../examples/native-peer/README.md")
	if err != nil {
		t.Fatal(err)
	}
	new(options).flags().VisitAll(func(f *flag.Flag) {
		if !strings.Contains(usage, "\n  -"+f.Name+" ") && !strings.Contains(usage, "\n  -"+f.Name+"\n") {
			t.Errorf("the usage does not have -%s", f.Name)
		}
		if !bytes.Contains(readme, []byte("`-"+f.Name)) {
			t.Errorf("the README does not have -%s", f.Name)
		}
	})
	for _, field := range fields(reflect.TypeFor[line]()) {
		if !bytes.Contains(readme, []byte("`"+field+"`")) {
			t.Errorf("the README does not explain the field %s", field)
		}
	}
}

// fields returns the names of all fields of JSON below a type.
func fields(of reflect.Type) (names []string) {
	switch of.Kind() { //nolint:exhaustive // the others hold nothing
	case reflect.Pointer, reflect.Slice:
		return fields(of.Elem())
	case reflect.Struct:
		for f := range of.Fields() {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
				names = append(names, name)
			}
			names = append(names, fields(f.Type)...)
		}
	}
	return names
}

func TestICEServers(t *testing.T) {
	o, err := parse([]string{"-ice", "stun:a:3478", "-ice", "turn:%EC%A7%80%EC%9A%B0:p%40ss:w@b:3478?transport=tcp"})
	if err != nil {
		t.Fatal(err)
	}
	if s := o.ICEServers[1]; s.URLs[0] != "turn:b:3478?transport=tcp" || s.Username != "지우" || s.Credential != "p@ss:w" {
		t.Errorf("%+v", s)
	}
	if o, err = parse([]string{"-ice", "none"}); err != nil || o.ICEServers == nil || len(o.ICEServers) != 0 {
		t.Errorf("%v, %v", o.ICEServers, err)
	}
	if o, err = parse(nil); err != nil || o.ICEServers != nil {
		t.Errorf("%v, %v", o.ICEServers, err)
	}
}

// Interrupted while it still dials, it ends.
func TestInterruptedWhileJoining(t *testing.T) {
	arrived, release := make(chan struct{}), make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		close(arrived)
		<-release
	}))
	t.Cleanup(silent.Close)
	t.Cleanup(func() { close(release) })
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-arrived; cancel() }()
	var stderr bytes.Buffer
	if code := tested.Run(ctx, []string{"-url", silent.URL}, command.Streams{Out: io.Discard, Err: &stderr}); code != 0 || stderr.Len() > 0 {
		t.Errorf("exit code %d, %q", code, &stderr)
	}
}

// serve serves a hub and returns its URL.
func serve(t *testing.T, c *hub.Config) string {
	t.Helper()
	h := hub.New(c)
	server := httptest.NewServer(ws.Handler(h, nil))
	t.Cleanup(server.Close)
	return "ws" + strings.TrimPrefix(server.URL, "http")
}

// program is the program running.
type program struct {
	t      *testing.T
	name   string
	lines  chan line
	seen   []line
	stop   context.CancelFunc
	exited chan int
}

// start runs the program with -json until the test ends.
func start(t *testing.T, hub, name string, args ...string) *program {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{t: t, name: name, lines: make(chan line, 1000), stop: cancel, exited: make(chan int, 1)}
	read, write := io.Pipe()
	go func() {
		args = append([]string{"-url", hub, "-room", "데모", "-name", name, "-json"}, args...)
		p.exited <- tested.Run(ctx, args, command.Streams{Out: write, Err: os.Stderr})
		_ = write.Close() // never fails
	}()
	go func() {
		defer close(p.lines)
		for decoder := json.NewDecoder(read); ; {
			var l line
			if decoder.Decode(&l) != nil {
				return
			}
			p.lines <- l
		}
	}()
	t.Cleanup(func() { p.leave() })
	return p
}

// leave interrupts the program, which must then exit with 0.
func (p *program) leave() {
	p.t.Helper()
	if p.stop == nil {
		return
	}
	p.stop()
	p.stop = nil
	for l := range p.lines {
		p.seen = append(p.seen, l)
	}
	if code := <-p.exited; code != 0 {
		p.t.Errorf("%s: exit code %d", p.name, code)
	}
}

// until reads lines up to one that is ok; the test's timeout is its bound.
func (p *program) until(what string, ok func(line) bool) line {
	p.t.Helper()
	for l := range p.lines {
		p.seen = append(p.seen, l)
		if ok(l) {
			return l
		}
	}
	p.t.Fatalf("%s ended without: %s", p.name, what)
	return line{}
}

// receives waits for statistics with so many frames of each codec from a peer.
func (p *program) receives(from string, frames int, codecs ...string) {
	p.t.Helper()
	p.until(from+"'s media", func(l line) bool {
		if l.Event != "stats" {
			return false
		}
		for _, peer := range *l.Peers {
			enough := 0
			for _, track := range peer.Tracks {
				for _, codec := range codecs {
					if track.Codec == codec && track.AllFrames >= frames && track.Frames > 5 {
						enough++
					}
				}
			}
			if peer.Name == from && peer.State == "connected" && peer.Connection != nil && enough == len(codecs) {
				return true
			}
		}
		return false
	})
}
