package data

import (
	"bytes"
	"testing"

	"github.com/pion/webrtc/v4"
)

// asides returns what frames of the room's state hold.
func (c *cable) asides() (list []string) {
	for _, frame := range c.frames {
		if frame[0] == byte(AsideState) {
			list = append(list, string(frame[1:]))
		}
	}
	return list
}

// TestAsideFrames: frames of the room's state go once, before messages, and not again over the next connection.
func TestAsideFrames(t *testing.T) {
	var e, other end
	e.connect()
	other.connect()
	if !e.SendAside(AsideState, []byte("먼저"), false) || !e.SendAside(AsideState, []byte("then"), false) {
		t.Fatal("they are refused")
	}
	e.send(t, 1)
	e.write(t)
	if got := e.out.asides(); len(got) != 2 || got[0] != "먼저" || got[1] != "then" || e.out.frames[2][0] != kindMessage {
		t.Fatalf("%q", e.out.frames)
	}
	message, news, err := other.Take(other.lane, webrtc.DataChannelMessage{Data: e.out.frames[0]})
	if err != nil || !news || !bytes.Equal(message.Aside, []byte("먼저")) || message.Payload != nil {
		t.Errorf("%+v, %v, %v", message, news, err)
	}
	e.out.bytes = maxRoom // the channel is full
	e.SendAside(AsideState, []byte("late"), false)
	e.write(t)
	e.connect()
	if e.write(t); len(e.out.asides()) != 0 {
		t.Errorf("the next connection has %q", e.out.asides())
	}
	e.out.bytes = maxRoom
	sent := 0
	for e.SendAside(AsideState, make([]byte, 1000), false) {
		sent++
	}
	if sent == 0 || sent*1001 > maxAside {
		t.Errorf("%d frames wait", sent)
	}
	e.Close()
	if e.SendAside(AsideState, nil, false) {
		t.Error("a peer that is gone takes them")
	}
	e.Reopen()
	if !e.SendAside(AsideState, nil, false) {
		t.Error("a peer that is back does not take them")
	}
}

// TestAsideFramesArrive: a member that leaves waits until what matters has arrived.
func TestAsideFramesArrive(t *testing.T) {
	for _, sure := range []bool{false, true} {
		var e, other end
		e.connect()
		other.connect()
		e.SendAside(AsideState, []byte("the end"), sure)
		arrived := e.Deliver()
		e.write(t)
		isThere := func() bool {
			e.Delivered()
			select {
			case <-arrived:
				return true
			default:
				return false
			}
		}
		if isThere() == sure {
			t.Fatalf("%v: %v before it is asked", sure, !sure)
		}
		for len(e.out.frames) > 0 {
			other.take(t, &e)
		}
		other.write(t)
		for len(other.out.frames) > 0 {
			e.take(t, &other)
		}
		if !isThere() {
			t.Errorf("%v: it is not known to have arrived", sure)
		}
	}
}
