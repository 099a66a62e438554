package uplink

import (
	"context"
	"errors"
	"testing"

	"noom/signal"
)

// TestOutboxIsBounded: what waits for a connection that is stuck is bounded in frames and in bytes, and once it moves there is
// room again.
func TestOutboxIsBounded(t *testing.T) {
	for name, m := range map[string]signal.Message{
		"small":  {Type: signal.TypePing},
		"bodies": {Type: signal.TypeOffer, Body: make([]byte, 60_000)},
	} {
		o := newOutbox()
		for range 2 * maxOutbox {
			o.put(m)
		}
		most := min(maxOutbox, maxOutboxBytes/sizeOf(&m))
		if len(o.items) != most {
			t.Fatalf("%s: %d wait, want %d", name, len(o.items), most)
		}
		far := &receiver{sent: make(chan signal.Message)}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- o.drain(ctx, far) }()
		for range most {
			<-far.sent
		}
		o.put(m)
		<-far.sent
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("%s: ended with %v", name, err)
		}
	}
}

// receiver is a connection whose other end reads when the test does.
type receiver struct {
	signal.Signaler

	sent chan signal.Message
}

func (r *receiver) Send(_ context.Context, m signal.Message) error {
	r.sent <- m
	return nil
}
