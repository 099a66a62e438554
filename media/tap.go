package media

import (
	"context"
	"time"

	"github.com/pion/rtp"
)

// packets are a track's, for one reader.
type packets interface {
	ReadRTP() (*rtp.Packet, error)
	ReadRTPContext(ctx context.Context) (*rtp.Packet, error)
	Dropped() int // since it reads
	Close() error // never fails
}

// tappedTrack is a Track that has a reader for everyone; a noom.RemoteTrack is one.
type tappedTrack interface {
	Tap() interface {
		ReadRTP() (*rtp.Packet, error)
		ReadRTPContext(ctx context.Context) (*rtp.Packet, error)
		Dropped() int
		Close() error
	}
}

// tap returns a reader of t that takes nothing from others, if t has such.
func tap(t Track) packets {
	if t, can := t.(tappedTrack); can {
		return t.Tap()
	}
	return sharedTrack{t}
}

// sharedTrack is a track whose packets go to the reader that asks first. It cannot be closed.
type sharedTrack struct{ Track }

func (sharedTrack) Close() error { return nil }

// ReadRTPContext looks at ctx between packets alone, because t may have no better way.
func (t sharedTrack) ReadRTPContext(ctx context.Context) (*rtp.Packet, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return t.ReadRTP()
}

// Dropped is not known.
func (sharedTrack) Dropped() int { return 0 }

// cameAt returns when the packet arrived that was read last, as far as in knows;
// otherwise it is taken to be now.
func cameAt(in packets) time.Time {
	if in, knows := in.(interface{ Arrived() time.Time }); knows {
		return in.Arrived()
	}
	return time.Now()
}
