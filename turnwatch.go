package noom

import (
	"errors"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
)

// turnRefusal is what a TURN server has said instead of allocating a relay.
type turnRefusal struct {
	server string // host and port
	err    *stun.TurnError
	at     time.Time
}

// watchTURN returns a factory whose loggers tell refused of each refusal and
// are inner's otherwise. pion has no icecandidateerror
// event as webrtc-pc does; it logs what a TURN server answered, and hands the error to the
// logger as a value.
func watchTURN(inner logging.LoggerFactory, refused func(*turnRefusal)) logging.LoggerFactory {
	return turnWatch{inner, refused}
}

type turnWatch struct {
	logging.LoggerFactory
	refused func(*turnRefusal)
}

func (w turnWatch) NewLogger(scope string) logging.LeveledLogger {
	return turnScope{w.LoggerFactory.NewLogger(scope), w.refused}
}

type turnScope struct {
	logging.LeveledLogger
	refused func(*turnRefusal)
}

func (s turnScope) Warnf(format string, args ...any) {
	s.LeveledLogger.Warnf(format, args...)
	if len(args) < 2 {
		return
	}
	server, ok := args[0].(string)
	err, isError := args[len(args)-1].(error)
	var refusal *stun.TurnError
	if ok && isError && errors.As(err, &refusal) {
		s.refused(&turnRefusal{server, refusal, time.Now()})
	}
}
