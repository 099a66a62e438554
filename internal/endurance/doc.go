// Package endurance holds the tests that need more than one process or more
// than a moment: hubs that are killed under running calls, networks made of
// real namespaces, TURN servers, ten thousand joins. It has no code of its own.
//
// They run where the environment variable NOOM_ENDURANCE is set. Each has a short
// form and, where it makes sense, a long one behind a flag:
//
//	NOOM_ENDURANCE=1 go test ./internal/endurance -run Killed -kills 100
//	NOOM_ENDURANCE=1 go test ./internal/endurance -run JoinsAndLeaves -joins 10000
//
// Where a test needs something that a machine may lack, such as root for
// namespaces or coturn, it is skipped and says so; NOOM_ENDURANCE=required
// makes that a failure. RELIABILITY.md has what the long forms printed.
package endurance
