package engine

import (
	"errors"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
)

// TURNRefusal is the error with which a TURN server answered instead of allocating a relay.
type TURNRefusal struct {
	Server string // host and port
	Err    *stun.TurnError
	At     time.Time
}

// watchTURN returns a factory of inner's loggers that also call refused with each
// refusal. pion has no icecandidateerror event, which webrtc-pc has. But it logs what a TURN
// server answered, and passes the error to the logger as a value.
func watchTURN(inner logging.LoggerFactory, refused func(*TURNRefusal)) logging.LoggerFactory {
	return turnWatch{inner, refused}
}

type turnWatch struct {
	logging.LoggerFactory
	refused func(*TURNRefusal)
}

func (w turnWatch) NewLogger(scope string) logging.LeveledLogger {
	return turnScope{w.LoggerFactory.NewLogger(scope), w.refused}
}

type turnScope struct {
	logging.LeveledLogger
	refused func(*TURNRefusal)
}

func (s turnScope) Warnf(format string, args ...any) {
	s.LeveledLogger.Warnf(format, args...)
	if len(args) < 2 {
		return
	}
	server, ok := args[0].(string)
	err, isError := args[len(args)-1].(error)
	var refusal *stun.TurnError
	if ok && isError && s.refused != nil && errors.As(err, &refusal) {
		s.refused(&TURNRefusal{server, refusal, time.Now()})
	}
}
