package embed

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"noom/transport/nats"
)

const (
	longestStart = 10 * time.Second
	startCheck   = 20 * time.Millisecond
)

// A Server is a NATS server in this process.
type Server struct {
	server  *server.Server
	options *server.Options
	url     string // of clients in other processes
}

// Start starts a server. Other servers of the cluster need not be there yet. An error of [ErrOptions] says that the
// options are wrong; others, that an address cannot be listened on.
func Start(o Options) (*Server, error) {
	options, err := o.serverOptions()
	if err != nil {
		return nil, err
	}
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("embed: %w", err)
	}
	l := &logger{log: o.Logger, fatal: make(chan string, 1)}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	s.SetLoggerV2(l, false, false, false)
	s.Start()
	if err := waitReady(s, l); err != nil {
		s.Shutdown()
		return nil, err
	}
	started := &Server{server: s, options: options}
	if o.Listen != "" {
		u := url.URL{Scheme: "nats", User: url.UserPassword(options.Username, options.Password), Host: s.Addr().String()}
		started.url = u.String()
	}
	if o.ClusterListen != "" && o.CA == "" && !s.ClusterAddr().IP.IsLoopback() {
		l.log.Warn("embed: routes to other servers are not encrypted", "address", s.ClusterAddr())
	}
	return started, nil
}

// waitReady waits until the server listens, or has failed to, which it says in its log alone.
func waitReady(s *server.Server, l *logger) error {
	for waited := time.Duration(0); waited < longestStart; waited += startCheck {
		if s.ReadyForConnections(startCheck) {
			return nil
		}
		select {
		case text := <-l.fatal:
			return fmt.Errorf("embed: %s", text)
		default:
		}
	}
	return errors.New("embed: the server does not start")
}

// Dial returns a bus that is connected to the server without a socket. URLs and InProcess of the options are set here.
func (s *Server) Dial(o nats.Options) (*nats.Bus, error) {
	u := url.URL{Scheme: "nats", User: url.UserPassword(s.options.Username, s.options.Password), Host: "127.0.0.1"}
	o.URLs, o.InProcess = []string{u.String()}, inProcess{s.server}
	return nats.Dial(o)
}

// inProcess gives out connections that do not look like sockets to nats.go, and hides the rest of the server.
type inProcess struct{ server *server.Server }

func (p inProcess) InProcessConn() (net.Conn, error) { return p.server.InProcessConn() }

// ClientURL returns with which URL clients in other processes come in, its password included, and "" if Options.Listen
// was empty.
func (s *Server) ClientURL() string { return s.url }

// ClusterAddr returns where other servers reach this one, and nil if it has no routes.
func (s *Server) ClusterAddr() net.Addr {
	if a := s.server.ClusterAddr(); a != nil {
		return a
	}
	return nil
}

// Routes returns with how many other servers this one is connected.
func (s *Server) Routes() int { return s.server.NumRoutes() }

// Close ends the server and its connections, and waits for that.
func (s *Server) Close() {
	s.server.Shutdown()
	s.server.WaitForShutdown()
}
