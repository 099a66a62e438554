package pairtest

import (
	"fmt"
	"testing"
)

// broken are models that break one rule each. Without the breach, each is
// free of violations.
var broken = []struct {
	rule Rule
	why  string
	Config
}{
	{Ask, "the ask", Config{Lazy: true, Cap: 2, Bounds: Bounds{Wish: 1}}},
	{HandOver, "the hand-over", Config{Lazy: true, Cap: 2, Bounds: Bounds{Wish: 1}}},
	{GrantTurn, "the grant", Config{Lazy: true, Cap: 2, Bounds: Bounds{Wish: 1}}},
	{EpochCheck, "the epoch check", Config{Lazy: true, Cap: 3, Bounds: Bounds{Fail: 1}}},
	{SessionCheck, "the session check", Config{Lazy: true, Cap: 3, Reorder: 1, Jumbled: true, Bounds: Bounds{Reborn: 1}}},
	{Suppression, "the suppression of repeated frames", Config{Lazy: true, Cap: 2, Bounds: Bounds{Repeat: 1}}},
	{Order, "the order of frames", Config{Lazy: true, Cap: 2, Reorder: 1, Tracks: 1}},
	{AnswerID, "the answer's offer id", Config{Calls: true, Lazy: true, Cap: 2, Bounds: Bounds{Rogue: 1, Wish: 1}}},
	{CandidateTag, "the candidates' generation", Config{Calls: true, Lazy: true, Cap: 2, Bounds: Bounds{Gather: 1, Restart: 1, Rogue: 1}}},
	{Patience, "the wait for ICE", Config{Lazy: true, Cap: 2, Tracks: 1, SlowICE: true}},
	{Retransmit, "sending again", Config{Calls: true, Lazy: true, Cap: 2, Bounds: Bounds{Wish: 1, Lose: 1}}},
	{Keep, "a connection that serves", Config{Calls: true, Channel: true, Hubless: true, Lazy: true, Cap: 2, Bounds: Bounds{Move: 1}}},
	{KeepTwo, "two that serve", Config{Calls: true, Channel: true, Hubless: true, Lazy: true, Cap: 2, Bounds: Bounds{Move: 1, Fail: 1}}},
	{NextEpoch, "the next epoch", Config{Lazy: true, Cap: 2, Bounds: Bounds{Fail: 1}}},
	{InTime, "the time to come up", Config{Calls: true, Lazy: true, Cap: 2, Bounds: Bounds{LoseHub: 1, Fail: 1, Cut: 1}}},
	{Watch, "the watch over a new path", Config{Calls: true, Lazy: true, Cap: 2, Bounds: Bounds{Restart: 1, Deafen: 1}}},
	{KeepOld, "old connections until the new one is proven", Config{Calls: true, Channel: true, Hubless: true, Lazy: true, Cap: 2, Bounds: Bounds{Move: 1, Deafen: 1}}},
	{HubReturn, "mending when the hub is back", Config{Calls: true, Lazy: true, Cap: 2, Bounds: Bounds{LoseHub: 1, NoPath: 1, Cut: 1}}},
	{CardPassed, "leaving out the epoch of a card", Config{Tracks: 1, Lazy: true, Cap: 2, Cards: true, Bounds: Bounds{Timeout: 1, LoseHub: 1}}},
	{RestartClears, "forgetting candidates at a restart", Config{Calls: true, Lazy: true, Cap: 2, Bounds: Bounds{Gather: 1, Restart: 1}}},
}

// TestRules breaks each rule and sees the search find out: were a violation
// not found, the invariants above would be wishes.
func TestRules(t *testing.T) {
	for _, b := range broken {
		t.Run(b.why, func(t *testing.T) {
			t.Parallel()
			cfg := b.Config
			if r := Search(&cfg, 10_000); r.Violation != nil {
				t.Fatalf("with all rules kept: %v, after\n%s", r.Violation, r.Transcript)
			}
			cfg.Broken = b.rule
			r := Search(&cfg, 30_000)
			if r.Violation == nil {
				t.Fatalf("nothing found in %d states", r.States)
			}
			t.Logf("after %d states: %v", r.States, r.Violation)
			if testing.Verbose() {
				fmt.Println(r.Transcript)
			}
		})
	}
}

// TestHubOrder shows why a hub must keep the order of what one member sends and
// what it says of that member: of two rebirths, a stale frame of the first must
// not come behind the welcome of the second, or its receiver goes back to a
// session that is over, and nothing corrects it.
func TestHubOrder(t *testing.T) {
	cfg := Config{Tracks: 1, Lazy: true, Cap: 3, Alone: true, Bounds: Bounds{Reborn: 2}}
	if r := Search(&cfg, 10_000); r.Violation != nil {
		t.Fatalf("by a hub that keeps the order: %v, after\n%s", r.Violation, r.Transcript)
	}
	cfg.Reorder, cfg.Jumbled = 1, true
	r := Search(&cfg, 100_000)
	if r.Violation == nil {
		t.Fatalf("nothing found in %d states", r.States)
	}
	t.Logf("after %d states: %v", r.States, r.Violation)
}
