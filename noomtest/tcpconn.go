package noomtest

import (
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/pion/transport/v5"
)

// vnet has no TCP, so network carries it: a connection is two ends, each with a cubic that sends
// segments over the links of the two hosts, and a reassembly. There is no NAT on the way, because a
// NAT lets out every TCP connection, and only the TURN server listens.
type tcpConn struct {
	net           *network
	host          string
	open          func() bool // the host has the address that the connection began with
	local, remote *net.TCPAddr

	// Guarded by net.mu, as is all below.
	peer    *tcpConn
	changed chan struct{} // closed when something to wait for may have happened

	sender  *cubic
	unsent  []byte
	sent    map[int64][]byte // segments that were not acknowledged; an empty one is the end
	waiting int              // bytes in unsent and sent
	closed  bool
	ended   bool // the end was sent

	receiver reassembly
	early    map[int64][]byte
	unread   []byte
	over     bool // the other end has closed
	broken   error

	readUntil time.Time
}

const (
	mostWaiting  = 4 << 20 // bytes that were not acknowledged (the most that Linux keeps by default)
	mostTimeouts = 10      // in a row; then the connection is broken
	dialTries    = 3       // a SYN is sent again after 1, 2 and 4 s
)

var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errNoReply = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ETIMEDOUT)}
	errBroken  = os.NewSyscallError("tcp", syscall.ETIMEDOUT)
	errFull    = os.NewSyscallError("tcp", syscall.ENOBUFS)
	errMoved   = os.NewSyscallError("tcp", syscall.ECONNABORTED)
)

// DialTCP connects to the TURN server.
func (h *host) DialTCP(_ string, _, to *net.TCPAddr) (transport.TCPConn, error) {
	card := h.now()
	h.mu.Lock()
	public := h.public
	h.mu.Unlock()
	n := h.world.net
	c := &tcpConn{net: n, host: h.name, open: func() bool { return h.now() == card }, remote: to}
	n.mu.Lock()
	n.ports++
	c.local = &net.TCPAddr{IP: net.ParseIP(public), Port: 30000 + n.ports%30000}
	answer := make(chan error, 1)
	c.init()
	n.conns = append(slices.DeleteFunc(n.conns, func(o *tcpConn) bool { return o.broken != nil }), c)
	n.mu.Unlock()
	for try := range dialTries {
		n.mu.Lock()
		c.connect(answer)
		n.mu.Unlock()
		select {
		case err := <-answer:
			return c, err
		case <-n.done:
			return nil, errNoReply
		case <-time.After(time.Second << try):
		}
	}
	return nil, errNoReply
}

func (c *tcpConn) init() {
	c.changed = make(chan struct{})
	c.sender, c.sent, c.early = newCubic(), make(map[int64][]byte), make(map[int64][]byte)
}

// connect sends a SYN.
func (c *tcpConn) connect(answer chan<- error) {
	to := c.net.owners[c.remote.IP.String()]
	c.transmit(to, 0, func(time.Time) {
		var err error = errRefused
		if l := c.net.listener; l != nil && l.address.IP.Equal(c.remote.IP) && l.address.Port == c.remote.Port && !l.closed {
			if c.peer == nil {
				c.peer = &tcpConn{net: c.net, host: to, open: func() bool { return true }, local: c.remote, remote: c.local, peer: c}
				c.peer.init()
				l.offer(c.peer)
			}
			err = nil
		}
		c.net.send(time.Now(), &packet{from: to, to: c.host, size: segmentHeader, take: func(time.Time) {
			select {
			case answer <- err:
			default: // to a SYN before
			}
		}})
	})
}

// transmit sends a packet with so much data.
func (c *tcpConn) transmit(to string, bytes int, take func(time.Time)) {
	if c.open() && to != "" {
		c.net.send(time.Now(), &packet{from: c.host, to: to, size: bytes + segmentHeader, take: take})
	}
}

// pump sends what the window allows.
func (c *tcpConn) pump(now time.Time) {
	if c.sender.timeouts > mostTimeouts {
		c.fail(errBroken)
	}
	for c.broken == nil {
		number, ok := c.sender.send(now, len(c.unsent) > 0 || c.closed && !c.ended)
		if !ok {
			break
		}
		data, again := c.sent[number]
		if !again {
			size := min(len(c.unsent), segmentBytes)
			data = slices.Clone(c.unsent[:size])
			c.unsent = c.unsent[size:]
			c.sent[number] = data
			c.ended = size == 0
		}
		c.transmit(c.peer.host, len(data), func(now time.Time) { c.peer.arrive(now, number, data) })
	}
	c.net.retransmit(c.sender, func() bool { return c.broken != nil }, c.pump)
}

// arrive takes a segment from the other end, and acknowledges it.
func (c *tcpConn) arrive(_ time.Time, number int64, data []byte) {
	if c.broken != nil || !c.open() {
		return
	}
	next := c.receiver.below
	if c.receiver.take(number) {
		c.early[number] = data
	}
	for ; next < c.receiver.below; next++ {
		c.unread = append(c.unread, c.early[next]...)
		c.over = c.over || len(c.early[next]) == 0
		delete(c.early, next)
		c.wake()
	}
	below, further := c.receiver.below, slices.Clone(c.receiver.further)
	c.transmit(c.peer.host, 0, func(now time.Time) { c.peer.acknowledged(now, below, further) })
}

func (c *tcpConn) acknowledged(now time.Time, below int64, further []int64) {
	if c.broken != nil || !c.open() {
		return
	}
	c.sender.acknowledge(now, below, further)
	for number, data := range c.sent {
		if number < below || slices.Contains(further, number) {
			c.waiting -= len(data)
			delete(c.sent, number)
		}
	}
	c.pump(now)
}

func (c *tcpConn) fail(err error) {
	c.broken = err
	c.wake()
}

// breakMoved breaks the connections of a host that began with another address, as a telephone does
// that leaves its Wi-Fi. Their other ends do not learn of it.
func (n *network) breakMoved(host string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		if c.host == host && !c.open() {
			c.fail(errMoved)
		}
	}
}

// wake has those look again that wait.
func (c *tcpConn) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// wait waits for something to happen, until a deadline. It lets go of net.mu meanwhile.
func (c *tcpConn) wait(until time.Time) error {
	var expired <-chan time.Time
	if !until.IsZero() {
		d := time.Until(until)
		if d <= 0 {
			return os.ErrDeadlineExceeded
		}
		expired = time.After(d)
	}
	changed := c.changed
	c.net.mu.Unlock()
	defer c.net.mu.Lock()
	select {
	case <-changed:
	case <-expired:
	case <-c.net.done:
		return net.ErrClosed
	}
	return nil
}

// Read implements [net.Conn].
func (c *tcpConn) Read(b []byte) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for {
		switch {
		case c.closed:
			return 0, net.ErrClosed
		case len(c.unread) > 0:
			n := copy(b, c.unread)
			c.unread = c.unread[n:]
			return n, nil
		case c.broken != nil:
			return 0, c.broken
		case c.over:
			return 0, io.EOF
		}
		if err := c.wait(c.readUntil); err != nil {
			return 0, err
		}
	}
}

// Write implements [net.Conn]. It never waits for room: pion's TURN client writes with a mutex held,
// and virtual time would stand still once another goroutine wants that. A connection that has too
// much to send breaks.
func (c *tcpConn) Write(b []byte) (int, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	switch {
	case c.closed:
		return 0, net.ErrClosed
	case c.broken != nil:
		return 0, c.broken
	case c.waiting+len(b) > mostWaiting:
		c.fail(errFull)
		return 0, errFull
	}
	c.unsent = append(c.unsent, b...)
	c.waiting += len(b)
	c.pump(time.Now())
	return len(b), nil
}

// Close sends what is left and the end.
func (c *tcpConn) Close() error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	if !c.closed {
		c.closed = true
		c.pump(time.Now())
		c.wake()
	}
	return nil
}

func (c *tcpConn) LocalAddr() net.Addr  { return c.local }
func (c *tcpConn) RemoteAddr() net.Addr { return c.remote }

// SetDeadline sets that of reading, because writing never waits.
func (c *tcpConn) SetDeadline(t time.Time) error { return c.SetReadDeadline(t) }

func (c *tcpConn) SetReadDeadline(t time.Time) error {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.readUntil = t
	c.wake()
	return nil
}

func (c *tcpConn) SetWriteDeadline(time.Time) error { return nil }

// ReadFrom implements [io.ReaderFrom].
func (c *tcpConn) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{c}, r)
}

// The options of a socket are those of the model.

func (c *tcpConn) CloseRead() error                       { return transport.ErrNotSupported }
func (c *tcpConn) CloseWrite() error                      { return transport.ErrNotSupported }
func (c *tcpConn) SetLinger(int) error                    { return nil }
func (c *tcpConn) SetKeepAlive(bool) error                { return nil }
func (c *tcpConn) SetKeepAlivePeriod(time.Duration) error { return nil }
func (c *tcpConn) SetNoDelay(bool) error                  { return nil }
func (c *tcpConn) SetWriteBuffer(int) error               { return nil }
func (c *tcpConn) SetReadBuffer(int) error                { return nil }

// tcpListener is that of the TURN server.
type tcpListener struct {
	net     *network
	address *net.TCPAddr

	// Guarded by net.mu.
	closed  bool
	offered []*tcpConn
	changed chan struct{}
}

// listen makes the only listener of a network.
func (n *network) listen(address *net.TCPAddr) *tcpListener {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.listener = &tcpListener{net: n, address: address, changed: make(chan struct{}, 1)}
	return n.listener
}

func (l *tcpListener) offer(c *tcpConn) {
	l.offered = append(l.offered, c)
	l.wake()
}

func (l *tcpListener) wake() {
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// Accept implements [net.Listener]. It is called by one goroutine.
func (l *tcpListener) Accept() (net.Conn, error) {
	for {
		l.net.mu.Lock()
		closed := l.closed
		var c *tcpConn
		if len(l.offered) > 0 {
			c = l.offered[0]
			l.offered = l.offered[1:]
		}
		l.net.mu.Unlock()
		switch {
		case closed:
			return nil, net.ErrClosed
		case c != nil:
			return c, nil
		}
		<-l.changed
	}
}

// Close implements [net.Listener].
func (l *tcpListener) Close() error {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	l.closed = true
	l.wake()
	return nil
}

func (l *tcpListener) Addr() net.Addr { return l.address }
