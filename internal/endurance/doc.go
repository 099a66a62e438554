// Package endurance holds the tests that need more than one process or more than a
// moment: hubs that are killed during calls, networks made of real namespaces, paths
// that are narrow and lose packets, TURN servers, ten thousand joins. It has only tests.
//
// They run if the environment variable NOOM_ENDURANCE is set. Each has a short form and,
// where it makes sense, a long one behind a flag:
//
//	NOOM_ENDURANCE=1 go test ./internal/endurance -run Killed -kills 100
//	NOOM_ENDURANCE=1 go test ./internal/endurance -run JoinsAndLeaves -joins 10000
//
// A test that needs something which the machine lacks, such as coturn, or root for
// namespaces, is skipped and says so. With NOOM_ENDURANCE=required it fails instead.
// RELIABILITY.md has the output of the long forms.
package endurance
