package nats_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"noom/transport/nats"
	"noom/transport/nats/embed"
)

// TestCluster: messages of each of three hubs come to all, once and in order, over subjects too.
func TestCluster(t *testing.T) {
	const messages = 1000
	subjects := []string{"even", "odd"}
	var routes []string
	var buses []*nats.Bus
	var heard []<-chan []byte
	for range 3 {
		s := start(t, embed.Options{ClusterListen: "127.0.0.1:0", Cluster: routes, Secret: secret})
		routes = append(routes, s.ClusterAddr().String())
		b, err := s.Dial(nats.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		all := make(chan []byte, 10000)
		for _, subject := range subjects {
			if _, err := b.Subscribe(subject, func(data []byte) { all <- data }); err != nil {
				t.Fatal(err)
			}
		}
		buses, heard = append(buses, b), append(heard, all)
	}
	for _, from := range buses {
		for _, subject := range subjects {
			meet(t, from, subject, heard...)
		}
	}
	for n := range messages {
		for i, b := range buses {
			if err := b.Publish(subjects[n%2], fmt.Appendf(nil, "%d %d", i, n)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for j, all := range heard {
		var following [3]int
		for range 3 * messages {
			var i, n int
			if _, err := fmt.Sscan(next(t, all), &i, &n); err != nil {
				t.Fatal(err)
			}
			if n != following[i] {
				t.Fatalf("%d hears message %d of %d, and not %d", j, n, i, following[i])
			}
			following[i]++
		}
	}
	for _, b := range buses {
		if n := b.Dropped(); n != 0 {
			t.Errorf("%d messages dropped", n)
		}
	}
}

// TestProbe: servers that are one know that nobody is at a subject, as soon as a subscriber's connection has ended; subscribers
// get nothing.
func TestProbe(t *testing.T) {
	first := start(t, embed.Options{ClusterListen: "127.0.0.1:0", Secret: secret})
	second := start(t, embed.Options{ClusterListen: "127.0.0.1:0", Cluster: []string{first.ClusterAddr().String()}, Secret: secret})
	one, err := first.Dial(nats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Close)
	two, err := second.Dial(nats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(two.Close)
	heardOne, heardTwo := hear(t, one, "a"), hear(t, two, "b")
	meet(t, two, "a", heardOne)
	meet(t, one, "b", heardTwo)
	var gone atomic.Bool
	if err := one.Probe("b", func() {
		if !gone.Load() { // it may ask late
			t.Error("somebody is at b")
		}
	}); err != nil {
		t.Fatal(err)
	}
	if err := one.Publish("b", []byte("last")); err != nil {
		t.Fatal(err)
	}
	for got := ""; got != "last"; {
		if got = next(t, heardTwo); got != "last" && got != "met" {
			t.Fatalf("the subscriber gets %q", got)
		}
	}
	gone.Store(true)
	two.Close()
	absent := make(chan struct{}, 1)
	until(t, "nobody is at b", func() bool {
		if err := one.Probe("b", func() {
			select {
			case absent <- struct{}{}:
			default:
			}
		}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-absent:
			return true
		default:
			return false
		}
	})
	if err := one.Probe("b.>", nil); !errors.Is(err, nats.ErrSubject) {
		t.Errorf("a wildcard: %v", err)
	}
	if err := two.Probe("a", nil); !errors.Is(err, nats.ErrCutOff) {
		t.Errorf("closed: %v", err)
	}
}

// TestServerRestarts: a server ends, its hub is cut off and comes back with it, and the others go on.
func TestServerRestarts(t *testing.T) {
	first := start(t, embed.Options{ClusterListen: "127.0.0.1:0", Secret: secret})
	options := embed.Options{ClusterListen: "127.0.0.1:0", Cluster: []string{first.ClusterAddr().String()}, Secret: secret, Listen: "127.0.0.1:0"}
	second := start(t, options)
	options.ClusterListen = second.ClusterAddr().String()
	_, options.Listen, _ = strings.Cut(second.ClientURL(), "@")
	one, err := first.Dial(nats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(one.Close)
	two := dial(t, at(options.Listen))
	heardOne, heardTwo := hear(t, one, "a"), hear(t, two, "a")
	meet(t, one, "a", heardOne, heardTwo)

	second.Close()
	until(t, "the second hub is cut off", func() bool { return errors.Is(two.Publish("a", nil), nats.ErrCutOff) && !two.Connected() })
	for i := range 3 {
		if err := one.Publish("a", fmt.Appendf(nil, "%d", i)); err != nil {
			t.Fatal(err)
		}
		if got := next(t, heardOne); got != fmt.Sprint(i) {
			t.Fatalf("the first hub hears %q", got)
		}
	}
	if err := two.Publish("a", []byte("lost")); !errors.Is(err, nats.ErrCutOff) {
		t.Fatalf("while cut off: %v", err)
	}

	start(t, options)
	until(t, "the second hub is back", two.Connected)
	meet(t, one, "a", heardOne, heardTwo)
	meet(t, two, "a", heardOne, heardTwo)
	if err := two.Publish("a", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got := next(t, heardOne); got != "new" {
		t.Fatalf("the first hub hears %q", got)
	}
}

// TestNothingOld: what was sent into a cut connection does not come after the cut.
func TestNothingOld(t *testing.T) {
	_, address := alone(t, "127.0.0.1:0")
	p := newProxy(t, address)
	there, here := dial(t, at(address)), dial(t, at(p.address()))
	heard := hear(t, there, "a")
	meet(t, here, "a", heard)

	p.cut(false)
	sent := 0
	until(t, "the cut is noticed", func() bool {
		err := here.Publish("a", []byte("old"))
		if err == nil {
			sent++
		}
		return errors.Is(err, nats.ErrCutOff)
	})
	if sent == 0 {
		t.Fatal("the cut is noticed before it begins")
	}
	p.heal()
	until(t, "the hub is back", here.Connected)
	if err := here.Publish("a", []byte("new")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := next(t, heard); got != "new" {
			t.Fatalf("%q comes after the cut, in which %d were sent", got, sent)
		}
		if err := here.Publish("a", []byte("new")); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNeverWaits: a server that reads nothing lets nobody wait who publishes.
func TestNeverWaits(t *testing.T) {
	_, address := alone(t, "127.0.0.1:0")
	p := newProxy(t, address)
	o := at(p.address())
	o.MaxPending = 1 << 20
	here := dial(t, o)
	meet(t, here, "a", hear(t, here, "a"))
	p.cut(true)
	var err error
	for err == nil {
		err = here.Publish("a", make([]byte, 256<<10))
	}
	if !errors.Is(err, nats.ErrFull) {
		t.Fatal(err)
	}
	if here.Dropped() == 0 {
		t.Error("what was lost is not counted")
	}
}

// TestSlowSubscriber: a subscriber that is slow loses the newest, which is counted, and the rest stays in order.
func TestSlowSubscriber(t *testing.T) {
	const messages, size, room = 1000, 1 << 10, 64
	_, address := alone(t, "127.0.0.1:0")
	o := at(address)
	o.MaxPending = room * size
	slow, fast := dial(t, o), dial(t, at(address))
	begun, goOn := make(chan struct{}), make(chan struct{})
	var came, last atomic.Int64
	started := false
	if _, err := slow.Subscribe("a", func(data []byte) {
		if !started {
			started = true
			close(begun)
			<-goOn
		}
		var n int64
		_, _ = fmt.Sscan(string(data), &n)
		if n <= last.Load() {
			t.Errorf("%d comes after %d", n, last.Load())
		}
		last.Store(n)
		came.Add(1)
	}); err != nil {
		t.Fatal(err)
	}
	meet(t, fast, "ready", hear(t, slow, "ready"))
	if err := fast.Publish("a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	<-begun
	for n := range messages {
		if err := fast.Publish("a", fmt.Appendf(nil, "%d %*s", n+2, size, ".")); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "some are dropped", func() bool { return slow.Dropped() >= messages-room })
	close(goOn)
	until(t, "all are accounted for", func() bool { return came.Load()+int64(slow.Dropped()) == 1+messages })
	if came.Load() < room/2 {
		t.Errorf("only %d came, with room for about %d", came.Load(), room)
	}
}

// TestForeignBytes: what no server says ends a connection, and not the bus.
func TestForeignBytes(t *testing.T) {
	for name, c := range map[string]struct {
		bytes string
		ends  bool // the connection
	}{
		"garbage":                 {"\x00\x16\x03 garbage\r\n", true},
		"an error nobody knows":   {"-ERR 'of a new kind'\r\n", true},
		"an error of credentials": {"-ERR 'Authorization Violation'\r\n", false}, // a server ends it
		"a message for nobody":    {"MSG a 999 1\r\nx\r\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, address := alone(t, "127.0.0.1:0")
			p := newProxy(t, address)
			here := dial(t, at(p.address()))
			heard := hear(t, here, "a")
			for range 2 {
				meet(t, here, "a", heard)
				p.inject(t, c.bytes)
				if c.ends {
					until(t, "the hub is cut off", func() bool { return !here.Connected() })
				}
				until(t, "the hub is back", here.Connected)
			}
			meet(t, here, "a", heard)
		})
	}
}

// TestAtStart: what is wrong from the beginning is an error with a name, and with Optional only what is wrong here.
func TestAtStart(t *testing.T) {
	server, address := alone(t, "127.0.0.1:0")
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	gone, nobody := alone(t, "127.0.0.1:0")
	gone.Close()
	wrong := nats.Options{URLs: []string{"nats://noom:hush@" + address}}
	for name, c := range map[string]struct {
		o    nats.Options
		want error
	}{
		"no URL":             {nats.Options{}, nats.ErrOptions},
		"no host":            {nats.Options{URLs: []string{"nats://hush@"}}, nats.ErrOptions},
		"not a URL":          {nats.Options{URLs: []string{"nats://noom:hush@%zz"}}, nats.ErrOptions},
		"another scheme":     {nats.Options{URLs: []string{"http://noom:hush@h:1"}}, nats.ErrOptions},
		"no credentials":     {nats.Options{URLs: []string{"nats://h"}, Credentials: "/nowhere"}, nats.ErrOptions},
		"bad credentials":    {nats.Options{URLs: []string{"nats://h"}, Credentials: empty}, nats.ErrOptions},
		"bad seed":           {nats.Options{URLs: []string{"nats://h"}, NkeySeed: empty}, nats.ErrOptions},
		"two of them":        {nats.Options{URLs: []string{"nats://h"}, NkeySeed: empty, Credentials: empty}, nats.ErrOptions},
		"bad CA":             {nats.Options{URLs: []string{"nats://h"}, CA: empty}, nats.ErrOptions},
		"a key alone":        {nats.Options{URLs: []string{"nats://h"}, Key: empty}, nats.ErrOptions},
		"wrong password":     {wrong, nats.ErrRefused},
		"nobody is there":    {at(nobody), nats.ErrUnreachable},
		"it wants no TLS":    {nats.Options{URLs: []string{"tls://" + address}}, nats.ErrUnreachable},
		"the server is gone": {nats.Options{InProcess: goneServer{}}, nats.ErrUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := nats.Dial(c.o)
			if err == nil {
				b.Close()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if strings.Contains(fmt.Sprint(err), "hush") {
				t.Errorf("the error has the password: %v", err)
			}
			c.o.Optional = true
			if b, err = nats.Dial(c.o); err == nil {
				defer b.Close()
			}
			if optional := !errors.Is(c.want, nats.ErrOptions); (err == nil) != optional {
				t.Errorf("with Optional: %v", err)
			}
			if err == nil && (b.Connected() || !errors.Is(b.Publish("a", nil), nats.ErrCutOff)) {
				t.Error("it is connected")
			}
		})
	}
	if server.Routes() != 0 {
		t.Error("a server alone has routes")
	}
}

// TestServerComesLater: a bus that may begin without a server has what it subscribed to when there is one.
func TestServerComesLater(t *testing.T) {
	gone, address := alone(t, "127.0.0.1:0")
	gone.Close()
	o := at(address)
	o.Optional = true
	here := dial(t, o)
	heard := hear(t, here, "a")
	alone(t, address)
	until(t, "the hub is connected", here.Connected)
	meet(t, here, "a", heard)
}

// TestClose: what was published comes, and afterwards nothing goes.
func TestClose(t *testing.T) {
	const messages = 500
	_, address := alone(t, "127.0.0.1:0")
	there, here := dial(t, at(address)), dial(t, at(address))
	heard := hear(t, there, "a")
	meet(t, here, "a", heard)
	for n := range messages {
		if err := here.Publish("a", fmt.Append(nil, n)); err != nil {
			t.Fatal(err)
		}
	}
	here.Close()
	here.Close()
	for n := range messages {
		if got := next(t, heard); got != fmt.Sprint(n) {
			t.Fatalf("%s comes, and not %d", got, n)
		}
	}
	if err := here.Publish("a", nil); !errors.Is(err, nats.ErrCutOff) {
		t.Errorf("Publish: %v", err)
	}
	if _, err := here.Subscribe("a", nil); !errors.Is(err, nats.ErrCutOff) {
		t.Errorf("Subscribe: %v", err)
	}
	if here.Connected() {
		t.Error("it is connected")
	}
}

// TestCancel: a subscription that was cancelled by the one before it is not called again.
func TestCancel(t *testing.T) {
	_, address := alone(t, "127.0.0.1:0")
	here := dial(t, at(address))
	heard := hear(t, here, "end")
	cancelled, err := here.Subscribe("b", func([]byte) { t.Error("called after its end") })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := here.Subscribe("a", func([]byte) { cancelled(); cancelled() }); err != nil {
		t.Fatal(err)
	}
	for _, subject := range []string{"a", "b", "end"} {
		if err := here.Publish(subject, nil); err != nil {
			t.Fatal(err)
		}
	}
	next(t, heard)
}

// TestRefusedMessages: what no server would take is an error at once.
func TestRefusedMessages(t *testing.T) {
	_, address := alone(t, "127.0.0.1:0")
	here := dial(t, at(address))
	for _, subject := range []string{"", "a.", ".a", "a..b", "a b", "a\r\nPUB b 0", "a.*", ">", "ä", strings.Repeat("a", 257)} {
		if err := here.Publish(subject, nil); !errors.Is(err, nats.ErrSubject) {
			t.Errorf("Publish %q: %v", subject, err)
		}
		if _, err := here.Subscribe(subject, nil); !errors.Is(err, nats.ErrSubject) {
			t.Errorf("Subscribe %q: %v", subject, err)
		}
	}
	if err := here.Publish("a", make([]byte, 1<<20+1)); !errors.Is(err, nats.ErrTooLarge) {
		t.Error(err)
	}
	heard := hear(t, here, "a")
	if err := here.Publish("a", make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if n := len(next(t, heard)); n != 1<<20 {
		t.Errorf("%d bytes come", n)
	}
}

// quoting is a log that gives the attributes of each line.
type quoting struct {
	slog.Handler
	lines chan string
}

func (q quoting) Enabled(context.Context, slog.Level) bool { return true }

func (q quoting) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(a slog.Attr) bool {
		q.lines <- a.String()
		return true
	})
	return nil
}

// TestLogNamesTheAddress: the log has the address of the server and no user, in whose place there may be a token.
func TestLogNamesTheAddress(t *testing.T) {
	_, address := alone(t, "127.0.0.1:0")
	q := quoting{slog.DiscardHandler, make(chan string, 1000)}
	o := at(address)
	o.Logger = slog.New(q)
	dial(t, o)
	if line := <-q.lines; line != "server="+address {
		t.Errorf("it says %q", line)
	}
}
