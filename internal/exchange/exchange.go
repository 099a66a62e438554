package exchange

import "slices"

// Window is how many messages may be unacknowledged in one direction.
const Window = 32

// prompt is how many frames wait for an acknowledgement before it goes by itself, so that the other end never waits for
// one with its window full.
const prompt = Window / 4

// MaxNumber bounds epochs and sequence numbers.
const MaxNumber = 1<<31 - 1

// The back-off of an unacknowledged message, in ticks: it is sent again after
// firstWait, and then after twice as many each time, up to lastWait.
const (
	firstWait = 2
	lastWait  = 16
)

// Epoch names one connection between two members: the Number-th, begun by By.
type Epoch struct {
	Number int64
	By     string
}

// Less reports whether e loses against o.
func (e Epoch) Less(o Epoch) bool {
	if e.Number != o.Number {
		return e.Number < o.Number
	}
	return e.By < o.By
}

// Message is what one end sends to the other.
type Message struct {
	Type    string
	Body    []byte
	HubOnly bool // must not travel over the connection it is about
}

// Frame is a message on its way, or a bare acknowledgement: Seq is 0 then,
// and there is no message.
type Frame struct {
	Message
	Epoch Epoch
	Seq   int64 // 1, 2, 3, … within an epoch and direction
	Ack   int64 // everything up to here has arrived
	Again bool  // was sent before: worth a second path
}

// Exchange is one end. The zero value is not ready; use [New].
type Exchange struct {
	self  string // member id
	epoch Epoch

	// Sending: queue[0] has number acked+1; the first sent of them are in flight.
	acked int64
	sent  int
	queue []Outgoing

	// Receiving.
	got   int64             // all up to here was delivered
	early map[int64]Message // came ahead of got+1, by number
	owed  int               // frames that wait for an acknowledgement; prompt: it waits for nothing
}

// New returns the end of the member with id self, in no epoch yet.
func New(self string) *Exchange { return &Exchange{self: self} }

// Epoch returns the current epoch; its Number is 0 before the first.
func (x *Exchange) Epoch() Epoch { return x.epoch }

// Begin begins the next epoch and forgets everything of the last one. It
// returns false, and changes nothing, if the numbers are used up.
func (x *Exchange) Begin() bool {
	if x.epoch.Number >= MaxNumber {
		return false
	}
	x.reset(Epoch{x.epoch.Number + 1, x.self})
	return true
}

// Pass leaves out the epochs up to e, which is used up without having been ours. It does nothing in a later one.
func (x *Exchange) Pass(e Epoch) {
	if x.epoch.Less(e) {
		x.reset(e)
	}
}

func (x *Exchange) reset(e Epoch) { *x = Exchange{self: x.self, epoch: e} }

// Send queues m for the other end.
func (x *Exchange) Send(m Message) { x.queue = append(x.queue, Outgoing{Message: m}) }

// Sent is Send for a message that has left by another way. It is sent again like any other. It is called before the first
// Send of an epoch.
func (x *Exchange) Sent(m Message) {
	x.queue = append(x.queue, Outgoing{Message: m, Tries: 1, Wait: firstWait})
	x.sent++
}

// Room reports whether a message given to Send now leaves with the next Flush.
func (x *Exchange) Room() bool { return len(x.queue) < Window }

// Pending reports whether anything waits for an acknowledgement; if not, Tick
// does nothing.
func (x *Exchange) Pending() bool { return len(x.queue) > 0 }

// Acked returns how many messages of this epoch the other end has acknowledged.
// A message is among them once Acked has reached what Queued returned right
// after its Send.
func (x *Exchange) Acked() int64 { return x.acked }

// Queued returns how many messages were given to Send in this epoch.
func (x *Exchange) Queued() int64 { return x.acked + int64(len(x.queue)) }

// Got returns how many messages of this epoch were delivered here.
func (x *Exchange) Got() int64 { return x.got }

// Ahead reports whether a frame of epoch e would make Receive throw the
// current epoch away.
func (x *Exchange) Ahead(e Epoch) bool { return x.epoch.Less(e) }

// Receive takes a frame from the other end and returns the messages that are
// delivered by it, in order. renewed reports that it began a new epoch:
// everything of the old one is over, and the messages belong to the new one. ok
// is false for a frame that was dropped: of a lower epoch, or out of bounds.
func (x *Exchange) Receive(f Frame) (messages []Message, renewed, ok bool) {
	if f.Epoch.Less(x.epoch) || f.Epoch.Number < 1 || f.Epoch.Number > MaxNumber {
		return nil, false, false
	}
	if x.epoch.Less(f.Epoch) {
		if f.Ack != 0 || f.Seq < 0 || f.Seq > Window {
			return nil, false, false
		}
		x.reset(f.Epoch)
		renewed = true
	}
	if f.Ack < 0 || f.Ack > x.acked+int64(x.sent) || f.Seq < 0 || f.Seq > x.got+Window {
		return nil, renewed, renewed
	}
	x.acknowledge(f.Ack)
	if f.Seq == 0 {
		return nil, renewed, true
	}
	x.owed = min(x.owed+1, prompt)
	if _, here := x.early[f.Seq]; here || f.Seq <= x.got {
		x.Press()
		return nil, renewed, true
	}
	if x.early == nil {
		x.early = make(map[int64]Message)
	}
	x.early[f.Seq] = f.Message
	for {
		m, here := x.early[x.got+1]
		if !here {
			return messages, renewed, true
		}
		delete(x.early, x.got+1)
		x.got++
		messages = append(messages, m)
	}
}

func (x *Exchange) acknowledge(ack int64) {
	n := int(ack - x.acked)
	if n <= 0 {
		return
	}
	x.queue = slices.Delete(x.queue, 0, n)
	x.acked = ack
	x.sent -= n
}

// Tick lets one tick pass.
func (x *Exchange) Tick() {
	for i := range x.queue[:x.sent] {
		o := &x.queue[i]
		if o.Wait--; o.Wait <= 0 {
			o.Due = true
		}
	}
}

// Resend makes everything unacknowledged due. It is called when a path has come back.
func (x *Exchange) Resend() {
	for i := range x.queue[:x.sent] {
		x.queue[i].hasten()
	}
}

// ResendLate makes due what is unacknowledged since before the last tick. It is called when there is a path more: of
// what was sent since, the acknowledgement may be on its way, or held.
func (x *Exchange) ResendLate() {
	for i := range x.queue[:x.sent] {
		if o := &x.queue[i]; o.Tries > 1 || o.Wait < firstWait {
			o.hasten()
		}
	}
}

func (o *Outgoing) hasten() { o.Due, o.Tries = true, min(o.Tries, 1) }

// Owes reports whether an acknowledgement waits for a frame on which to travel.
func (x *Exchange) Owes() bool { return x.owed > 0 }

// Press makes an acknowledgement that is owed go with the next Flush, alone if there is no other frame.
func (x *Exchange) Press() {
	if x.owed > 0 {
		x.owed = prompt
	}
}

// Flush returns the frames to send now. Each acknowledges what has come. A frame that does nothing else is among them
// only after Press, a repetition, or many frames; until then the acknowledgement is owed.
func (x *Exchange) Flush() []Frame {
	var frames []Frame
	for x.sent < min(len(x.queue), Window) {
		x.queue[x.sent].Due = true
		x.sent++
	}
	for i := range x.queue[:x.sent] {
		o := &x.queue[i]
		if !o.Due {
			continue
		}
		frames = append(frames, Frame{
			Message: o.Message, Epoch: x.epoch, Seq: x.acked + 1 + int64(i), Ack: x.got, Again: o.Tries > 0,
		})
		o.Due = false
		o.Wait = min(firstWait<<min(o.Tries, 8), lastWait)
		o.Tries++
	}
	if len(frames) == 0 && x.owed >= prompt {
		frames = append(frames, Frame{Epoch: x.epoch, Ack: x.got})
	}
	if len(frames) > 0 {
		x.owed = 0
	}
	return frames
}
