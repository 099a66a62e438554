package diagnose

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"noom/internal/entrance"
)

// try asks a server under which address it sees us and, if it is one, for two relays, between which a packet has to
// arrive.
func (s server) try(ctx context.Context, wait time.Duration) finding {
	f := finding{server: s}
	switch {
	case s.uri == nil:
		f.err = errors.New("this is no URL of a STUN or TURN server")
		return f
	case s.protocol() == "dtls":
		f.skipped, f.words = true, "it was not tried, because it is over DTLS"
		return f
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	one, err := s.open(ctx)
	if err != nil {
		f.err = s.explain(ctx, err, wait)
		return f
	}
	defer one.close()
	if !s.isTURN() {
		address, refused := one.SendBindingRequest()
		if refused != nil {
			f.err = s.explain(ctx, refused, wait)
			return f
		}
		f.mapped = s.protocol() == "udp"
		f.words = fmt.Sprintf("it sees us at %v", address)
		return f
	}
	relay, err := one.AllocateWithContext(ctx)
	if err != nil {
		f.err = s.explain(ctx, err, wait)
		return f
	}
	defer func() { _ = relay.Close() }() // the server forgets it anyway
	f.relays, f.mapped = true, s.protocol() == "udp"
	took, err := s.across(ctx, relay)
	if err != nil {
		f.relays = false
		f.err = fmt.Errorf("it gives us a relay at %v, but between two of its relays %w", relay.LocalAddr(), err)
		return f
	}
	f.words = fmt.Sprintf("relays at %v, a packet takes %v", relay.LocalAddr(), took)
	return f
}

// across sends a packet from a second relay to the first, and returns how long that took.
func (s server) across(ctx context.Context, relay net.PacketConn) (time.Duration, error) {
	two, err := s.open(ctx)
	if err != nil {
		return 0, fmt.Errorf("nothing can be tried, because there is no second: %w", err)
	}
	defer two.close()
	other, err := two.AllocateWithContext(ctx)
	if err != nil {
		return 0, fmt.Errorf("nothing can be tried, because there is no second: %w", err)
	}
	defer func() { _ = other.Close() }() // the server forgets it anyway
	if deadline, ok := ctx.Deadline(); ok {
		_ = relay.SetReadDeadline(deadline) // never fails
	}
	// What we send lets its receiver send to us.
	if _, err := relay.WriteTo([]byte("noom"), other.LocalAddr()); err != nil {
		return 0, fmt.Errorf("it lets nothing pass: %w", err)
	}
	ended := make(chan struct{})
	defer func() { <-ended }()
	sending, stop := context.WithCancel(ctx)
	defer stop()
	began := time.Now()
	go func() {
		defer close(ended)
		again := time.NewTicker(200 * time.Millisecond)
		defer again.Stop()
		for {
			if _, err := other.WriteTo([]byte("noom"), relay.LocalAddr()); err != nil {
				return
			}
			select {
			case <-again.C:
			case <-sending.Done():
				return
			}
		}
	}()
	if _, _, err := relay.ReadFrom(make([]byte, 1500)); err != nil {
		return 0, errors.New("nothing arrives; its relay ports may be closed, or it refuses its own address")
	}
	return time.Since(began).Round(time.Millisecond), nil
}

// A line is a connection to a server.
type line struct {
	*turn.Client

	conn net.PacketConn
	stop func() bool
}

func (l line) close() {
	l.stop()
	l.Close()
	_ = l.conn.Close() // it carries nothing any longer
}

// open connects to the server. What it waits for ends with ctx.
func (s server) open(ctx context.Context) (line, error) {
	at := net.JoinHostPort(s.uri.Host, strconv.Itoa(s.uri.Port))
	conn, err := s.dial(ctx, at)
	if err != nil {
		return line{}, err
	}
	quiet := logging.NewDefaultLoggerFactory()
	quiet.Writer = io.Discard
	client, err := turn.NewClient(&turn.ClientConfig{
		STUNServerAddr: at, TURNServerAddr: at, Username: s.user, Password: s.password, Conn: conn, LoggerFactory: quiet,
	})
	if err == nil {
		err = client.Listen()
	}
	if err != nil {
		_ = conn.Close() // it carried nothing
		return line{}, err
	}
	stop := context.AfterFunc(ctx, client.Close)
	return line{client, conn, stop}, nil
}

func (s server) dial(ctx context.Context, at string) (net.PacketConn, error) {
	var conn net.Conn
	var err error
	switch s.protocol() {
	case "udp":
		return s.openUDP(ctx)
	case "tcp":
		conn, err = new(net.Dialer).DialContext(ctx, "tcp", at)
	default:
		d := tls.Dialer{Config: &tls.Config{ServerName: s.uri.Host, MinVersion: tls.VersionTLS12}}
		conn, err = d.DialContext(ctx, "tcp", at)
	}
	if err != nil {
		return nil, err
	}
	return turn.NewSTUNConn(conn), nil
}

// openUDP opens a socket of the server's kind of address: it gives relays of that kind.
func (s server) openUDP(ctx context.Context) (net.PacketConn, error) {
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", s.uri.Host)
	if err != nil {
		return nil, err
	}
	kind := "udp6"
	if found[0].Unmap().Is4() {
		kind = "udp4"
	}
	return new(net.ListenConfig).ListenPacket(ctx, kind, "")
}

// refusals are what the codes of refusals mean (RFC 8656 section 18).
var refusals = map[stun.ErrorCode]string{
	stun.CodeUnauthorized:           "check the credentials, and that they have not expired",
	stun.CodeWrongCredentials:       "check the credentials, and that they have not expired",
	stun.CodeAllocQuotaReached:      "too many relays were made with these credentials",
	stun.CodeInsufficientCapacity:   "it has no relay left, or none with this kind of address",
	stun.CodeForbidden:              "its rules do not let us have a relay",
	stun.CodeUnsupportedTransProto:  "it relays no UDP",
	stun.CodeAddrFamilyNotSupported: "it has no relays with this kind of address",
}

// explain says what an error of a server means and what to look at. A refusal stays a [*stun.TurnError] inside.
func (s server) explain(ctx context.Context, err error, wait time.Duration) error {
	if refusal, ok := errors.AsType[*stun.TurnError](err); ok {
		return fmt.Errorf("it refuses us: %w; %s", refusal, cmp.Or(refusals[refusal.ErrorCodeAttr.Code], "its log may say why"))
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return fmt.Errorf("it does not speak TLS on that port: %w", err)
	}
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens there: %w", err)
	case ctx.Err() != nil || strings.Contains(err.Error(), "all retransmissions failed"):
		if s.protocol() == "udp" {
			return errTime(wait, "nothing listens there, or a firewall drops UDP")
		}
		return errTime(wait, "a firewall may drop it")
	}
	return entrance.ExplainDial(ctx, err, "turn")
}
