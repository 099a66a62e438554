package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	pairs        = 50   // rooms of two under load
	window       = 32   // messages on their way in a pair: the protocol's own bound
	messageSize  = 2048 // bytes in a relayed message
	fanRoom      = 50   // members in the room that is chatted to
	readerBuffer = 64 << 10
)

// A crowd is the members that take part in a measurement.
type crowd struct {
	wires  []*wire
	failed atomic.Pointer[error]
	ending chan struct{} // closed when they leave
	busy   sync.WaitGroup
}

func newCrowd() *crowd { return &crowd{ending: make(chan struct{})} }

func (c *crowd) fail(err error) {
	select {
	case <-c.ending: // its wires were closed
	default:
		c.failed.CompareAndSwap(nil, &err)
	}
}

func (c *crowd) err() error {
	if err := c.failed.Load(); err != nil {
		return *err
	}
	return nil
}

// enter brings n members in, size of them to a room.
func (c *crowd) enter(s *server, n, size int) error {
	for i := range n {
		w, err := s.dialect.join(s.addr, member{i, i / size}, readerBuffer)
		if err != nil {
			return err
		}
		c.wires = append(c.wires, w)
	}
	return nil
}

// receive hands a wire's stamped messages to take until the crowd leaves.
func (c *crowd) receive(s *server, w *wire, take func(stamp int64)) {
	c.busy.Go(func() {
		var buffer []byte
		for {
			b, err := w.receive(&buffer)
			if err != nil {
				c.fail(fmt.Errorf("%s: receive: %w", s.name, err))
				return
			}
			if n, stamped := stamp(b); stamped {
				take(n)
			} else if pong := s.dialect.pong(b); pong != "" {
				_ = w.send(pong) // the next receive reports a failure
			}
		}
	})
}

// send writes frame whenever it gets a token, until the crowd leaves.
func (c *crowd) send(s *server, w *wire, frame []byte, tokens <-chan struct{}) {
	c.busy.Go(func() {
		for {
			select {
			case <-tokens:
			case <-c.ending:
				return
			}
			if _, err := w.conn.Write(frame); err != nil {
				c.fail(fmt.Errorf("%s: send: %w", s.name, err))
				return
			}
		}
	})
}

func (c *crowd) leave() {
	close(c.ending)
	for _, w := range c.wires {
		w.close()
	}
}

// A rate is what a saturated server did in some time.
type rate struct {
	cpu      time.Duration
	elapsed  time.Duration
	messages int64
}

// per100k is the CPU time, in seconds, for 100,000 messages.
func (r rate) per100k() float64 { return r.cpu.Seconds() / float64(r.messages) * 100_000 }

// during measures a server while delivered counts.
func during(s *server, c *crowd, delivered *atomic.Int64, warm, length time.Duration) (rate, error) {
	time.Sleep(warm)
	cpu, err := s.cpu()
	if err != nil {
		return rate{}, err
	}
	began, count := time.Now(), delivered.Load()
	time.Sleep(length)
	after, err := s.cpu()
	r := rate{cpu: after - cpu, elapsed: time.Since(began), messages: delivered.Load() - count}
	switch {
	case err != nil:
		return rate{}, err
	case c.err() != nil:
		return rate{}, c.err()
	case r.messages == 0:
		return rate{}, errors.New(s.name + ": nothing was delivered")
	}
	return r, nil
}

// relay saturates a server with messages in rooms of two.
func relay(s *server, warm, length time.Duration) (rate, error) {
	c := newCrowd()
	defer c.busy.Wait()
	defer c.leave()
	if err := c.enter(s, 2*pairs, 2); err != nil {
		return rate{}, err
	}
	var delivered atomic.Int64
	for i := range pairs {
		from, to := member{2 * i, i}, member{2*i + 1, i}
		tokens := full(window)
		c.receive(s, c.wires[from.number], func(int64) {})
		c.receive(s, c.wires[to.number], func(int64) {
			delivered.Add(1)
			give(tokens)
		})
		c.send(s, c.wires[from.number], compile([]byte(s.dialect.pair(from, to, messageSize))), tokens)
	}
	return during(s, c, &delivered, warm, length)
}

// fanOut saturates a server with chat in one room.
func fanOut(s *server, warm, length time.Duration) (rate, error) {
	chat := s.dialect.chat(member{0, 0})
	if chat == "" {
		return rate{}, errNone
	}
	c := newCrowd()
	defer c.busy.Wait()
	defer c.leave()
	if err := c.enter(s, fanRoom, fanRoom); err != nil {
		return rate{}, err
	}
	var delivered atomic.Int64
	copies := int64(s.dialect.chatCopies(fanRoom))
	tokens := full(window)
	for _, w := range c.wires {
		c.receive(s, w, func(int64) {
			if delivered.Add(1)%copies == 0 {
				give(tokens)
			}
		})
	}
	c.send(s, c.wires[0], compile([]byte(chat)), tokens)
	return during(s, c, &delivered, warm, length)
}

// errNone says that a server has no such thing.
var errNone = errors.New("it has none")

func full(n int) chan struct{} {
	tokens := make(chan struct{}, n)
	for range n {
		tokens <- struct{}{}
	}
	return tokens
}

// give never blocks; a token too many, which only a doubled message makes, is lost.
func give(tokens chan<- struct{}) {
	select {
	case tokens <- struct{}{}:
	default:
	}
}

// A stamper is a frame whose stamp is rewritten each time it is sent.
type stamper struct {
	frame []byte
	at    int // of the first digit
	text  int // the same, in the unmasked text
}

func newStamper(text string) *stamper {
	frame := compile([]byte(text))
	at := strings.LastIndex(text, stampMark) + len(stampMark)
	return &stamper{frame: frame, at: len(frame) - len(text) + at, text: at}
}

func (s *stamper) set(n int64) []byte {
	const digits = "0123456789abcdef"
	for i := range 16 {
		s.frame[s.at+i] = digits[n>>(60-4*i)&15] ^ clientMask[(s.text+i)%4]
	}
	return s.frame
}
