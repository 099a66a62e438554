package serve

import (
	"context"
	"fmt"
	"os"

	"noom/signal/hub"
	"noom/signal/hub/token"
)

// authorizer returns a [hub.Config.Authorize] that gives a member with a token what the token says,
// and admits a member without one to publish and to chat. file holds the key that tokens are signed
// with, or its public half.
func authorizer(file string) (func(context.Context, hub.Request) (hub.Grant, error), error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("-token-key: %w", err)
	}
	key, err := token.ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("-token-key %s: %w", file, err)
	}
	verifier, err := token.NewVerifier(key)
	if err != nil {
		return nil, fmt.Errorf("-token-key %s: %w", file, err)
	}
	return func(ctx context.Context, r hub.Request) (hub.Grant, error) {
		if r.Token == "" {
			return hub.Grant{}, nil
		}
		return verifier.Authorize(ctx, r)
	}, nil
}
