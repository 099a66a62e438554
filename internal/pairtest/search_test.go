package pairtest

import (
	"flag"
	"testing"
	"time"

	"noom/internal/longtest"
)

var deep = flag.Bool("deep", false, "search the large models too: half an hour (-timeout 1h) and 17 GB")

// once and twice let every accident and every wish happen so often to each end.
var (
	once  = Bounds{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}
	twice = Bounds{2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2}

	moved = Bounds{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, Again: 1} // and the room moves between hubs
)

// models are searched in every run, whole. Together they reach every
// situation that has a [Mark].
var models = []Config{
	// A hub that loses, repeats and reorders without bound.
	{Name: "first join, wild hub", Tracks: 1, Cap: 2, Wild: true, Reorder: 1},
	{Name: "late tracks, wild hub", Cap: 1, Wild: true, Bounds: Bounds{Wish: 1}},
	{Name: "glare attempts, lossy hub", Calls: true, Cap: 2, Lazy: true, Reorder: 1, Bounds: Bounds{Wish: 1, Lose: 1, Repeat: 1}},

	// Anything, at any time, in any order; each accident can be any of the
	// sixteen, at either end.
	{Name: "any two accidents to a call", Calls: true, Channel: true, Cap: 2, Lazy: true, Most: 2, Bounds: twice},
	{Name: "any accident to a join", Tracks: 1, Channel: true, Cap: 2, Lazy: true, Most: 1, SlowICE: true, Bounds: once},

	// What takes three or more to come about.
	{Name: "rebuilds, twice by each", Calls: true, Cap: 2, Lazy: true, Bounds: Bounds{Fail: 2}},
	{Name: "rebuilds by both with wishes", Calls: true, Cap: 2, Lazy: true, Bounds: Bounds{Fail: 1, Wish: 1}},
	{Name: "candidates over restarts by both", Calls: true, Cap: 2, Lazy: true, Bounds: Bounds{Gather: 1, Restart: 1}},
	{Name: "rebirths behind a hub without order", Tracks: 1, Cap: 2, Lazy: true, Reorder: 1, Jumbled: true, Bounds: Bounds{Reborn: 1}},
	{Name: "mute and publish", Calls: true, Channel: true, Cap: 2, Lazy: true, Bounds: Bounds{Wish: 1, Mute: 1}},
	{Name: "moves while the hub comes and goes", Calls: true, Channel: true, Cap: 2, Lazy: true, Alone: true, Bounds: Bounds{LoseHub: 1, Move: 1, Fail: 1}},
	{Name: "restarts in vain", Calls: true, Channel: true, Cap: 2, Lazy: true, Alone: true, Bounds: Bounds{Cut: 1, NoPath: 2, Timeout: 1}},
	{Name: "a browser and Go, moves and restarts", Calls: true, Channel: true, Cap: 2, Lazy: true, Browsers: 1, Bounds: Bounds{Restart: 1}},
	{Name: "a browser, any accident to a call", Calls: true, Channel: true, Cap: 2, Lazy: true, Browsers: 1, Most: 1, Bounds: once},
	{Name: "two browsers, any accident to a call", Calls: true, Channel: true, Cap: 2, Lazy: true, Browsers: 2, Most: 1, Bounds: once},
	{Name: "new paths that carry nothing", Calls: true, Channel: true, Cap: 2, Lazy: true, Browsers: 1, Most: 2, Bounds: Bounds{Restart: 1, Deafen: 1}},
	{Name: "goodbyes without a hub or a path", Calls: true, Channel: true, Cap: 2, Lazy: true, Bounds: Bounds{Leave: 1, LoseHub: 1, NoPath: 1}},
	{Name: "first join with cards, wild hub", Tracks: 1, Cap: 2, Wild: true, Reorder: 1, Cards: true},
	{Name: "cards, any accident to a join", Tracks: 1, Channel: true, Cap: 2, Lazy: true, Most: 1, SlowICE: true, Cards: true, Bounds: once},
	{Name: "cards, and members who lose the hub", Tracks: 1, Cap: 2, Lazy: true, Cards: true, Most: 2, Bounds: Bounds{LoseHub: 1, Timeout: 1}},
	{Name: "cards, rebirths, and an end that fails", Tracks: 1, Cap: 2, Lazy: true, Cards: true, Most: 2, Bounds: Bounds{Reborn: 1, Fail: 1}},
	{Name: "slow ICE", Tracks: 1, Cap: 2, Lazy: true, SlowICE: true, Bounds: Bounds{Wish: 1}},
	{Name: "a room that moves, and any accident to a call", Calls: true, Channel: true, Cap: 2, Lazy: true, Most: 2, Bounds: moved},
	{Name: "a room that moves while both join, and an end fails", Tracks: 1, Cap: 2, Lazy: true, Bounds: Bounds{Fail: 1, Again: 1}},
	{Name: "an end that repeats itself", Calls: true, Cap: 2, Lazy: true, Bounds: Bounds{Wish: 1, Rogue: 1}},
}

// more are searched too if long tests are asked for.
var more = []Config{
	{Name: "no hub any more", Calls: true, Channel: true, Hubless: true, Cap: 2, Lazy: true, Bounds: Bounds{Wish: 1, Move: 1}},
	{Name: "no hub, and what is begun fails", Calls: true, Channel: true, Hubless: true, Cap: 2, Lazy: true, Bounds: Bounds{Move: 1, Fail: 1}},
	{Name: "a restart stuck at a dead hub", Calls: true, Channel: true, Cap: 2, Lazy: true, Alone: true, Bounds: Bounds{LoseHub: 1, Restart: 1, Fail: 1}},
}

// large are searched with -deep.
var large = []Config{
	{Name: "late tracks, wild hub, reordered", Cap: 2, Wild: true, Reorder: 1, Bounds: Bounds{Wish: 1}},
	{Name: "any two accidents to a join", Tracks: 1, Channel: true, Cap: 2, Lazy: true, Most: 2, Bounds: twice},
	{Name: "any two accidents to a join with slow ICE", Tracks: 1, Channel: true, Cap: 2, Lazy: true, Most: 2, SlowICE: true, Bounds: twice},
	{Name: "any three accidents to a call", Calls: true, Channel: true, Cap: 2, Lazy: true, Most: 3, Bounds: Bounds{3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}},
	{Name: "restarts and dead hubs at both", Calls: true, Channel: true, Cap: 2, Lazy: true, Most: 3, Bounds: Bounds{LoseHub: 1, Restart: 1, Fail: 1}},
	{Name: "rebirths of both, and of the hub", Calls: true, Channel: true, Cap: 2, Lazy: true, Bounds: Bounds{Reborn: 1, HubRestart: 1, LoseHub: 1}},
}

func TestSearch(t *testing.T) {
	var reached Mark
	for i := range models {
		reached |= searched(t, &models[i])
	}
	if missing := AllMarks &^ reached; missing != 0 {
		t.Errorf("no model reaches any more: %v", missing)
	}
	if longtest.Asked() || *deep {
		for i := range more {
			searched(t, &more[i])
		}
	}
	if *deep {
		for i := range large {
			searched(t, &large[i])
		}
	}
}

func searched(t *testing.T, cfg *Config) Mark {
	t.Helper()
	start := time.Now()
	r := Search(cfg, 0)
	if r.Violation != nil {
		t.Fatalf("%s: %v, after\n%s", cfg.Name, r.Violation, r.Transcript)
	}
	t.Logf("%-42s %7d states, %7d events, %d deep, %.1f s: %v", cfg.Name, r.States, r.Events, r.Depth, time.Since(start).Seconds(), r.Marks)
	return r.Marks
}
