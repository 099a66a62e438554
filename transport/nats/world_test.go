package nats_test

import (
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"noom/transport/mem"
	"noom/transport/nats"
	"noom/transport/nats/embed"
)

const (
	secret   = "sixteen bytes at least"
	password = "clients"
	patience = 30 * time.Second
)

// A backplane is what a hub asks of a bus.
type backplane interface {
	Publish(subject string, data []byte) error
	Subscribe(subject string, f func(data []byte)) (cancel func(), err error)
	Probe(subject string, absent func()) error
}

var _ = []backplane{(*nats.Bus)(nil), (*mem.BusEnd)(nil)}

func start(t *testing.T, o embed.Options) *embed.Server {
	t.Helper()
	o.Password = password
	s, err := embed.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// alone starts one server, and returns the address of its clients.
func alone(t *testing.T, address string) (*embed.Server, string) {
	t.Helper()
	s := start(t, embed.Options{Listen: address})
	_, address, _ = strings.Cut(s.ClientURL(), "@")
	return s, address
}

func at(address string) nats.Options {
	return nats.Options{URLs: []string{"nats://noom:" + password + "@" + address}}
}

func dial(t *testing.T, o nats.Options) *nats.Bus {
	t.Helper()
	b, err := nats.DialPinging(o, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// hear returns a channel of what comes for a subject.
func hear(t *testing.T, b backplane, subject string) <-chan []byte {
	t.Helper()
	heard := make(chan []byte, 100000)
	if _, err := b.Subscribe(subject, func(data []byte) { heard <- data }); err != nil {
		t.Fatal(err)
	}
	return heard
}

// next returns what comes next.
func next(t *testing.T, heard <-chan []byte) string {
	t.Helper()
	select {
	case data := <-heard:
		return string(data)
	case <-time.After(patience):
		t.Fatal("nothing comes")
		return ""
	}
}

// until waits until something is true of which there is no event.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		pause()
	}
}

func pause() { <-time.After(5 * time.Millisecond) }

// meet publishes until all have heard it, because servers tell each other of subscriptions in their own time. Afterwards
// nothing is on its way.
func meet(t *testing.T, from backplane, subject string, all ...<-chan []byte) {
	t.Helper()
	for _, heard := range all {
		until(t, "a message comes", func() bool {
			_ = from.Publish(subject, []byte("met"))
			select {
			case <-heard:
				return true
			case <-time.After(20 * time.Millisecond):
				return false
			}
		})
	}
	if err := from.Publish(subject, []byte("done")); err != nil {
		t.Fatal(err)
	}
	for _, heard := range all {
		for got := ""; got != "done"; {
			got = next(t, heard)
		}
	}
}

// A goneServer is a server in this process that has ended.
type goneServer struct{}

func (goneServer) InProcessConn() (net.Conn, error) { return nil, net.ErrClosed }

// A proxy stands between a bus and its server.
type proxy struct {
	listener net.Listener
	to       string
	running  sync.WaitGroup

	mu     sync.Mutex
	healed chan struct{} // nil: it forwards; closed: it does so again
	frozen bool          // and does not even read
	inner  []net.Conn    // to buses
	outer  []net.Conn    // to the server
}

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, to: to}
	p.running.Go(p.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		p.heal()
		p.mu.Lock()
		for _, c := range append(slices.Clone(p.inner), p.outer...) {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.running.Wait()
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = in.Close()
			continue
		}
		p.mu.Lock()
		p.inner, p.outer = append(p.inner, in), append(p.outer, out)
		p.mu.Unlock()
		p.running.Go(func() { p.carry(in, out) })
		p.running.Go(func() { p.carry(out, in) })
	}
}

// carry does what a network does: what was sent before a cut ends comes after it, even if its sender has closed the
// connection, but not if that was reset.
func (p *proxy) carry(from, to net.Conn) {
	defer func() { _ = to.Close() }()
	buf := make([]byte, 64<<10)
	var held []byte
	for {
		p.wait(true)
		n, err := from.Read(buf)
		held = append(held, buf[:n]...)
		if errors.Is(err, os.ErrDeadlineExceeded) { // heal wakes us
			_ = from.SetReadDeadline(time.Time{})
			err = nil
		}
		if p.cutOff() && err == nil {
			continue
		}
		p.wait(false)
		if errors.Is(err, syscall.ECONNRESET) {
			return
		}
		if _, failed := to.Write(held); failed != nil || err != nil {
			return
		}
		held = held[:0]
	}
}

func (p *proxy) cutOff() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.healed != nil
}

// wait waits for the end of a cut, or of a freeze alone.
func (p *proxy) wait(frozen bool) {
	p.mu.Lock()
	healed := p.healed
	if frozen && !p.frozen {
		healed = nil
	}
	p.mu.Unlock()
	if healed != nil {
		<-healed
	}
}

// cut lets nothing through any more.
func (p *proxy) cut(freeze bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.healed, p.frozen = make(chan struct{}), freeze
}

func (p *proxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.healed != nil {
		close(p.healed)
	}
	p.healed, p.frozen = nil, false
	for _, c := range append(slices.Clone(p.inner), p.outer...) {
		_ = c.SetReadDeadline(time.Now())
	}
}

// inject sends to the buses what no server would.
func (p *proxy) inject(t *testing.T, bytes string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, err := p.inner[len(p.inner)-1].Write([]byte(bytes)); err != nil {
		t.Fatal(err)
	}
}
