// Package repotest tests the repository as a whole: which package imports which, what the public ones export, that a fork can
// have a path of its own, and that what documents and examples show compiles in a program of somebody else's.
package repotest
