// Package transporttest is the suite that every transport of noom's signaling
// must pass. A transport's own test hands it a way to make connections:
//
//	func TestTransport(t *testing.T) {
//		transporttest.Run(t, func(t *testing.T) transporttest.Pair {
//			client, server := mytransport.Pipe()
//			return transporttest.Pair{Client: client, Server: server}
//		})
//	}
//
// Run the tests with -race. A transport that dials a server can get the
// server's end from [Accepted].
package transporttest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"noom/signal"
)

// Pair are the two ends of one fresh connection. The suite closes both.
type Pair struct {
	Client, Server signal.Signaler
}

// A sendTrial is one test on a connection, seen from the end that sends.
type sendTrial struct {
	*testing.T

	from, to signal.Signaler
}

// patience is how long anything may take that must happen, on a busy machine too.
const patience = time.Minute

// Run runs the suite, each test of it on a connection of its own from connect, which fails the test
// if it cannot make one. Where an end has a method CloseWith(*signal.Error) error, the other end
// must get the code.
func Run(t *testing.T, connect func(t *testing.T) Pair) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(sendTrial)
	}{
		{"Order", sendTrial.order},
		{"WholeFrames", sendTrial.wholeFrames},
		{"BodyBytes", sendTrial.bodyBytes},
		{"TooBigToSend", sendTrial.tooBigToSend},
		{"ValidUntilNextReceive", sendTrial.validUntilNextReceive},
		{"BothWaysAtOnce", sendTrial.bothWaysAtOnce},
		{"CloseEndsOtherReceive", sendTrial.closeEndsOtherReceive},
		{"CloseEndsOwnReceive", sendTrial.closeEndsOwnReceive},
		{"CloseDeliversWhatWasSent", sendTrial.closeDeliversWhatWasSent},
		{"CloseTwice", sendTrial.closeTwice},
		{"SendAfterClose", sendTrial.sendAfterClose},
		{"SendToClosed", sendTrial.sendToClosed},
		{"BackPressure", sendTrial.backPressure},
		{"CloseEndsBlockedSend", sendTrial.closeEndsBlockedSend},
		{"ContextEndsReceive", sendTrial.contextEndsReceive},
		{"ContextEndsBlockedSend", sendTrial.contextEndsBlockedSend},
		{"EndedContext", sendTrial.endedContext},
		{"LaterEndOfContext", sendTrial.laterEndOfContext},
		{"CloseWith", sendTrial.closeWith},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, way := range []string{"ToServer", "ToClient"} {
				t.Run(way, func(t *testing.T) {
					pair := connect(t)
					t.Cleanup(func() { closeBoth(pair) })
					if way == "ToServer" {
						test.run(sendTrial{t, pair.Client, pair.Server})
					} else {
						test.run(sendTrial{t, pair.Server, pair.Client})
					}
				})
			}
		})
	}
}

// closeBoth closes at both ends at once, so that they can agree to.
func closeBoth(pair Pair) {
	var both sync.WaitGroup
	both.Go(func() { _ = pair.Client.Close() }) // its error is for the tests of Close
	both.Go(func() { _ = pair.Server.Close() })
	both.Wait()
}

// Accepted is a hub that hands out the connections it is given, for transports
// whose server serves one: it has a hub's Serve method. Make one with
// [NewAccepted].
type Accepted struct{ links chan heldLink }

type heldLink struct {
	link signal.Signaler
	done chan struct{}
}

// NewAccepted makes an Accepted.
func NewAccepted() *Accepted { return &Accepted{make(chan heldLink)} }

// Serve gives s to a call of [Accepted.Pair] and returns when that test ends.
func (a *Accepted) Serve(ctx context.Context, s signal.Signaler) error {
	h := heldLink{s, make(chan struct{})}
	select {
	case a.links <- h:
		<-h.done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(patience):
		return errors.New("transporttest: this connection is not wanted")
	}
}

// Pair dials and returns both ends of the connection that comes of it.
func (a *Accepted) Pair(t *testing.T, d signal.Dialer) Pair {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	client, err := d.Dial(ctx)
	if err != nil {
		t.Fatalf("dial: %v", err)
	}
	select {
	case h := <-a.links:
		t.Cleanup(func() { close(h.done) })
		return Pair{Client: client, Server: h.link}
	case <-ctx.Done():
		t.Fatal("the server was not given the connection")
	}
	panic("unreachable")
}

// numberedFrame is a small frame that carries a number.
func numberedFrame(n int) signal.Message {
	return signal.Message{Type: signal.TypeChat, ID: fmt.Sprint(n), Text: "안녕 👋🏽 hello"}
}

func send(t *testing.T, s signal.Signaler, m signal.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Send(ctx, m); err != nil {
		t.Fatalf("Send: %v", err)
	}
}

func receive(t *testing.T, s signal.Signaler) signal.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := s.Receive(ctx)
	if err != nil {
		t.Fatalf("Receive: %v", err)
	}
	return m
}

// runWithin runs f and fails the test if it takes too long.
func runWithin(t *testing.T, what string, f func() error) error {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		t.Fatalf("%s does not return", what)
		return nil
	}
}
