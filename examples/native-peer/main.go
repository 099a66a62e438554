// Command native-peer is a Go process in a call. It joins a room, sends video and audio, and prints
// arrivals and departures, what it receives, and how it is connected. It is noom join by another name.
//
//	go run ./examples/native-peer -url ws://localhost:8080/ws -room demo -name gopher
//
// README.md next to this file has the flags and the fields of -json.
package main

import (
	"noom/cmd/noom/command"
	"noom/cmd/noom/join"
)

func main() { command.Main(join.Command("native-peer")) }
