package files

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// pair is a sender and a receiver, and the channel between them, which may break at any moment.
type pair struct {
	t        *testing.T
	rand     *rand.Rand
	content  []byte // of the file as it is now
	wrote    []byte // by the receiver
	sender   *Sender
	receiver *Receiver // nil until the first offer has come

	up         bool // there is a channel, as far as the sender knows
	there      bool // as far as the receiver knows
	down, back [][]byte
	unasked    int // how many more frames that no honest end sends may come
}

func newPair(t *testing.T, r *rand.Rand, size, unasked int) *pair {
	t.Helper()
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(i ^ i>>8)
	}
	p := &pair{t: t, rand: r, content: content, unasked: unasked}
	p.sender = NewSender(ID{1, 2, 3}, "파일.bin", int64(size))
	return p
}

// step lets one of the things happen that may happen now. It reports false if nothing can.
func (p *pair) step(break1in int) bool {
	steps := p.possible()
	if len(steps) == 0 {
		return false
	}
	if break1in > 0 && p.rand.IntN(break1in) == 0 {
		p.breakUp()
		return true
	}
	steps[p.rand.IntN(len(steps))]()
	p.check()
	return true
}

func (p *pair) possible() (steps []func()) {
	_, sentAll := p.sender.End()
	if !p.up && !sentAll && !p.there {
		steps = append(steps, p.open)
	}
	if _, _, ok := p.sender.Wants(); ok {
		steps = append(steps, p.chunk)
	}
	if len(p.down) > 0 && p.there {
		steps = append(steps, p.toReceiver)
	}
	if len(p.back) > 0 && p.up {
		steps = append(steps, p.toSender)
	}
	if p.receiver != nil && !p.receiver.accepted {
		steps = append(steps, func() { p.answer(p.receiver.Accept()) })
	}
	if p.receiver != nil && p.receiver.Complete() {
		steps = append(steps, func() { p.answer(p.receiver.Finish()) })
	}
	if p.there && !p.up && len(p.down) == 0 { // the end of the channel comes behind what was sent
		steps = append(steps, func() { p.there = false; p.receiver.Lose(); p.back = nil })
	}
	return steps
}

func (p *pair) open() {
	p.up, p.there, p.down, p.back = true, true, nil, nil
	p.send(p.sender.Open())
}

func (p *pair) breakUp() {
	p.down, p.back = nil, nil
	if p.up {
		p.up = false
		p.sender.Lose()
	}
	if p.there && p.receiver != nil {
		p.receiver.Lose()
	}
	p.there = false
}

func (p *pair) send(frame []byte) {
	if frame != nil && p.up {
		p.down = append(p.down, frame)
	}
	if _, ended := p.sender.End(); ended {
		p.up = false
	}
}

func (p *pair) answer(frame []byte) {
	if frame != nil && p.there {
		p.back = append(p.back, frame)
	}
}

func (p *pair) chunk() {
	offset, length, _ := p.sender.Wants()
	data := p.content[offset : offset+int64(length)]
	p.send(p.sender.Chunk(data))
}

func (p *pair) toReceiver() {
	frame := p.down[0]
	p.down = p.down[1:]
	if frame[0] == kindOffer {
		if p.receiver == nil {
			var err error
			if p.receiver, err = NewReceiver(frame); err != nil {
				p.t.Fatal(err)
			}
		}
		p.answer(p.receiver.Open(frame))
		return
	}
	if p.receiver == nil {
		return
	}
	if p.unasked > 0 && p.rand.IntN(8) == 0 {
		p.unasked--
		frame = p.spoil(frame)
	}
	chunk, offset, reply := p.receiver.Receive(frame)
	p.answer(reply)
	if chunk != nil {
		if offset != int64(len(p.wrote)) {
			p.t.Fatalf("writes at %d, %d are written", offset, len(p.wrote))
		}
		p.wrote = append(p.wrote, chunk...)
		p.answer(p.receiver.Written())
	}
}

func (p *pair) toSender() {
	frame := p.back[0]
	p.back = p.back[1:]
	if p.unasked > 0 && p.rand.IntN(8) == 0 {
		p.unasked--
		frame = p.spoil(frame)
	}
	p.send(p.sender.Receive(frame))
}

// spoil returns a frame that an honest end would not send here.
func (p *pair) spoil(frame []byte) []byte {
	frame = slices.Clone(frame)
	switch p.rand.IntN(6) {
	case 0:
		return []byte{byte(p.rand.IntN(10))}
	case 1:
		return frame[:p.rand.IntN(len(frame))]
	case 2:
		return append(frame, 0)
	case 3:
		return numberFrame(kindHave, p.rand.Uint32N(40))
	case 4:
		return acceptFrame(p.rand.Uint32N(40), p.sender.chain[0])
	}
	frame[p.rand.IntN(len(frame))] ^= 1 << p.rand.IntN(8)
	return frame
}

// check holds the bounds.
func (p *pair) check() {
	if n := len(p.sender.chain); n > Window+1 || n < 1 {
		p.t.Fatalf("the sender keeps %d hashes", n)
	}
	if len(p.wrote) > len(p.content) {
		p.t.Fatalf("%d bytes are written of %d", len(p.wrote), len(p.content))
	}
	chunks, size := 0, 0
	for _, frame := range p.down {
		if frame[0] == kindChunk {
			chunks++
			size += len(frame)
		}
	}
	if chunks > Window || size > 1<<20 {
		p.t.Fatalf("%d chunks of %d bytes are under way", chunks, size)
	}
}

func sizeFor(r *rand.Rand) int {
	return max(0, r.IntN(40)*ChunkSize+r.IntN(3)-1)
}

// TestLosses: wherever channels end, the file arrives as it is, and both ends learn it.
func TestLosses(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		p := newPair(t, r, sizeFor(r), 0)
		for p.step(20) {
			if s, ended := p.sender.End(); ended && s.Code == Unsupported {
				break // three in a row, by chance
			}
		}
		s, sOver := p.sender.End()
		if s.Code == Unsupported {
			continue
		}
		e, rOver := p.receiver.End()
		if !sOver || !rOver || s.Code != None || e.Code != None {
			t.Fatalf("seed %d: sender %+v %v, receiver %+v %v", seed, s, sOver, e, rOver)
		}
		if !bytes.Equal(p.wrote, p.content) {
			t.Fatalf("seed %d: %d bytes of %d are written, or others", seed, len(p.wrote), len(p.content))
		}
		if p.sender.Progress() != int64(len(p.content)) || p.receiver.Progress() != int64(len(p.content)) {
			t.Fatalf("seed %d: progress %d and %d of %d", seed, p.sender.Progress(), p.receiver.Progress(), len(p.content))
		}
	}
}

// TestLies: whatever comes, an end that is content has the file; what is written is the file's beginning; and nothing waits
// for what can no longer come.
func TestLies(t *testing.T) {
	codes := make(map[string]int)
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 2))
		p := newPair(t, r, sizeFor(r)/4, 1+r.IntN(3))
		for range 5000 {
			if !p.step(60) {
				break
			}
		}
		if !bytes.HasPrefix(p.content, p.wrote) {
			t.Fatalf("seed %d: other bytes are written", seed)
		}
		s, sOver := p.sender.End()
		if sOver && s.Code == None && len(p.wrote) != len(p.content) {
			t.Fatalf("seed %d: the sender takes it for sent", seed)
		}
		if p.receiver == nil {
			continue
		}
		e, rOver := p.receiver.End()
		if rOver && e.Code == None && len(p.wrote) != len(p.content) {
			t.Fatalf("seed %d: the receiver takes it for whole", seed)
		}
		codes[fmt.Sprint(s.Code, e.Code)]++
	}
	for _, want := range []string{"0 0", "8 8"} {
		if codes[want] == 0 {
			t.Errorf("no run has ended with %s: %v", want, codes)
		}
	}
}

// TestChanges: a file that has changed where it is read again is not sent on.
func TestChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	p := newPair(t, r, 30*ChunkSize, 0)
	p.open()
	p.toReceiver()
	p.answer(p.receiver.Accept())
	for len(p.back) > 0 {
		p.toSender()
	}
	for range 3 {
		p.chunk()
	}
	p.toReceiver()
	p.breakUp()
	p.content[ChunkSize]++
	for p.step(0) {
	}
	s, _ := p.sender.End()
	e, _ := p.receiver.End()
	if s != (End{Code: Changed}) || e != (End{Code: Changed, Remote: true}) || len(p.wrote) != ChunkSize {
		t.Fatalf("sender %+v, receiver %+v, %d bytes", s, e, len(p.wrote))
	}
}

// TestWindow: no more chunks are under way than the window has.
func TestWindow(t *testing.T) {
	p := newPair(t, nil, 2*Window*ChunkSize, 0)
	p.open()
	p.toReceiver()
	p.answer(p.receiver.Accept())
	p.toSender()
	p.toSender()
	for n := 0; ; n++ {
		if _, _, ok := p.sender.Wants(); !ok {
			if n != Window {
				t.Fatalf("%d chunks are under way", n)
			}
			return
		}
		p.chunk()
	}
}

// TestWrongChunks: a chunk of another length, or beyond the file, is not written, though its hash is right.
func TestWrongChunks(t *testing.T) {
	for what, size := range map[string]int{"short": ChunkSize - 1, "long": ChunkSize + 1, "none": 0} {
		p := newPair(t, nil, 2*ChunkSize, 0)
		p.open()
		p.toReceiver()
		p.receiver.Accept()
		chunk := make([]byte, size)
		got, _, reply := p.receiver.Receive(chunkFrame(0, p.receiver.chain.next(chunk), chunk))
		if got != nil || !bytes.Equal(reply, Cancel(Broken)) {
			t.Errorf("%s: %d bytes are to be written, answer %x", what, len(got), reply)
		}
	}
	p := newPair(t, nil, 5, 0)
	p.open()
	p.toReceiver()
	p.receiver.Accept()
	for n := range uint32(2) {
		chunk := p.content
		got, _, reply := p.receiver.Receive(chunkFrame(n, p.receiver.chain.next(chunk), chunk))
		if (got != nil) != (n == 0) || (reply != nil) != (n == 1) {
			t.Errorf("chunk %d of a file of one: %d bytes are to be written, answer %x", n, len(got), reply)
		}
		p.receiver.Written()
	}
}

// TestSilence: a member that does not know files is not asked for ever, and one that answers is asked again.
func TestSilence(t *testing.T) {
	s := NewSender(ID{}, "a", 1)
	for range MaxSilences - 1 {
		s.Open()
		s.Lose()
	}
	s.Open()
	s.Receive([]byte{kindNoted})
	s.Lose()
	for range MaxSilences {
		if _, ended := s.End(); ended {
			t.Fatal("it gives up a member that has answered")
		}
		s.Open()
		s.Lose()
	}
	if e, ended := s.End(); !ended || e.Code != Unsupported {
		t.Fatalf("%+v, %v", e, ended)
	}
}

// TestOver: an offer that is over is answered as before, and another offer under its id is none.
func TestOver(t *testing.T) {
	frame := NewSender(ID{9}, "끝", 0).Open()
	r, err := NewReceiver(frame)
	if err != nil {
		t.Fatal(err)
	}
	r.Open(frame)
	r.Accept()
	done := r.Finish()
	if done == nil || done[0] != kindDone || !bytes.Equal(r.Open(frame), done) {
		t.Fatalf("after %x", done)
	}
	other := append(slices.Clone(frame), 'x')
	if got := r.Open(other); !bytes.Equal(got, Cancel(Broken)) {
		t.Fatalf("another offer: %x", got)
	}
	if r, err = NewReceiver(frame); err != nil {
		t.Fatal(err)
	}
	r.Open(frame)
	if got := r.Open(other); !bytes.Equal(got, Cancel(Broken)) {
		t.Fatalf("another offer before it is over: %x", got)
	}
	if r, err = NewReceiver(frame); err != nil {
		t.Fatal(err)
	}
	r.Open(frame)
	r.Fail(Declined)
	if got := r.Open(frame); !bytes.Equal(got, Cancel(Declined)) {
		t.Fatalf("declined: %x", got)
	}
}
