package repair

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/interceptor"
	"github.com/pion/interceptor/pkg/nack"
	"github.com/pion/rtcp"
	"github.com/pion/rtp"
)

const ours, oursAgain = 4711, 4712

func streamInfo(again bool) *interceptor.StreamInfo {
	info := &interceptor.StreamInfo{
		SSRC: ours, PayloadType: 96, ClockRate: 90000, RTCPFeedback: []interceptor.RTCPFeedback{{Type: "nack"}},
	}
	if again {
		info.SSRCRetransmission, info.PayloadTypeRetransmission = oursAgain, 97
	}
	return info
}

func pionsAnswers(tb testing.TB) interceptor.Interceptor {
	tb.Helper()
	f, err := nack.NewResponderInterceptor(nack.ResponderSize(mostSent))
	if err != nil {
		tb.Fatal(err)
	}
	i, err := f.NewInterceptor("")
	if err != nil {
		tb.Fatal(err)
	}
	return i
}

// lossyPath carries what one end sends to an Asker, which asks the end back. Of all packets 5 % are lost, those that are
// sent again too. Which they are depends on their numbers alone.
type lossyPath struct {
	mu        sync.Mutex
	sent      map[uint16]int    // how often
	lost      int               // the first time
	delivered map[uint16]string // the timestamp, the marker and the payload
	asker     *Asker
	next      []byte // for the asker
	comes     interceptor.RTPReader
}

const pathDelay = 20_370 * time.Microsecond

func (l *lossyPath) Write(h *rtp.Header, payload []byte, _ interceptor.Attributes) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	seq := h.SequenceNumber
	if h.SSRC == oursAgain {
		seq = binary.BigEndian.Uint16(payload)
	}
	l.sent[seq]++
	if rand.New(rand.NewPCG(uint64(seq), uint64(l.sent[seq]))).Float64() < 0.05 {
		if l.sent[seq] == 1 {
			l.lost++
		}
		return len(payload), nil
	}
	raw, err := (&rtp.Packet{Header: *h, Payload: payload}).Marshal()
	time.AfterFunc(pathDelay, func() { l.arrive(raw, seq) })
	return len(raw), err
}

func (l *lossyPath) arrive(raw []byte, seq uint16) {
	var p rtp.Packet
	if err := p.Unmarshal(raw); err != nil {
		panic(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if p.SSRC == oursAgain {
		p.Payload = p.Payload[2:]
		l.asker.Repaired(ours, seq)
	} else {
		l.next = raw
		_, _, _ = l.comes.Read(make([]byte, 1500), nil)
	}
	l.delivered[seq] = fmt.Sprintf("%d %v %v %x %x", p.Timestamp, p.Marker, p.CSRC, p.GetExtension(5), p.Payload)
}

// play sends 3000 packets, three to a frame, through an interceptor that answers, and returns what has arrived of them.
func play(t *testing.T, answers interceptor.Interceptor, again bool) *lossyPath {
	t.Helper()
	l := &lossyPath{sent: make(map[uint16]int), delivered: make(map[uint16]string), asker: NewAsker()}
	l.comes = l.asker.BindRemoteStream(streamInfo(false), interceptor.RTPReaderFunc(
		func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
			return copy(b, l.next), a, nil
		}))
	requests := make(chan []byte, 100)
	l.asker.BindRTCPWriter(interceptor.RTCPWriterFunc(func(list []rtcp.Packet, _ interceptor.Attributes) (int, error) {
		raw, err := rtcp.Marshal(list)
		time.AfterFunc(pathDelay, func() { requests <- raw })
		return len(raw), err
	}))
	r := answers.BindRTCPReader(interceptor.RTCPReaderFunc(
		func(b []byte, a interceptor.Attributes) (int, interceptor.Attributes, error) {
			raw, ok := <-requests
			if !ok {
				return 0, nil, io.EOF
			}
			return copy(b, raw), a, nil
		}))
	go func() {
		for err := error(nil); err == nil; {
			_, _, err = r.Read(make([]byte, 1500), nil)
		}
	}()
	w := answers.BindLocalStream(streamInfo(again), l)
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range 3000 {
		payload := make([]byte, 100+rng.IntN(1000))
		for j := range payload {
			payload[j] = byte(rng.Uint32())
		}
		h := rtp.Header{
			Version: 2, PayloadType: 96, SSRC: ours, SequenceNumber: uint16(64_000 + i), Timestamp: uint32(i / 3 * 3000),
			Marker: i%3 == 2,
		}
		if i%5 == 0 {
			h.CSRC = []uint32{uint32(i)}
			_ = h.SetExtension(5, []byte{byte(i)})
		}
		_, _ = w.Write(&h, payload, nil)
		clear(payload) // it is the caller's
		time.Sleep(3_100 * time.Microsecond)
	}
	time.Sleep(5 * time.Second)
	_ = l.asker.Close()
	_ = answers.Close()
	close(requests)
	synctest.Wait()
	return l
}

// frames returns which frames came whole.
func (l *lossyPath) frames() (whole []int) {
	for f := range 1000 {
		first := uint16(64_000 + 3*f)
		if l.delivered[first] != "" && l.delivered[first+1] != "" && l.delivered[first+2] != "" {
			whole = append(whole, f)
		}
	}
	return whole
}

// TestAnswersLikePion: of 5 % that are lost, the very packets come after all that come with pion's responder, bit for bit,
// and so many are sent again.
func TestAnswersLikePion(t *testing.T) {
	for _, again := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			want, got := play(t, pionsAnswers(t), again), play(t, NewAnswerer(), again)
			if want.lost < 100 || len(want.delivered) < 2980 || len(want.delivered) == 3000-want.lost {
				t.Fatalf("with pion %d are lost, and %d come", want.lost, len(want.delivered))
			}
			if !maps.Equal(got.delivered, want.delivered) {
				t.Errorf("%d packets come, with pion %d, or others", len(got.delivered), len(want.delivered))
			}
			if !slices.Equal(got.frames(), want.frames()) {
				t.Errorf("%d frames are whole, with pion %d, or others", len(got.frames()), len(want.frames()))
			}
			if !maps.Equal(got.sent, want.sent) {
				t.Error("others are sent again than with pion")
			}
			t.Logf("%d of 3000 lost, %d packets and %d frames come", got.lost, len(got.delivered), len(got.frames()))
		})
	}
}

// TestAnswersOnce: what was sent again is not within a round trip, however often the peer asks.
func TestAnswersOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := NewAnswerer()
		var sent []rtp.Header
		w := a.BindLocalStream(streamInfo(true), interceptor.RTPWriterFunc(
			func(h *rtp.Header, p []byte, _ interceptor.Attributes) (int, error) {
				sent = append(sent, *h)
				return len(p), nil
			}))
		for seq := range uint16(20) {
			_, _ = w.Write(&rtp.Header{Version: 2, SSRC: ours, SequenceNumber: seq, Padding: true, PaddingSize: 3}, []byte{1}, nil)
		}
		_, _ = w.Write(&rtp.Header{Version: 2, SSRC: 1, SequenceNumber: 30}, []byte{1}, nil) // another stream
		sent = nil
		ask := func(want int) {
			t.Helper()
			raw, err := (&rtcp.TransportLayerNack{MediaSSRC: ours, Nacks: []rtcp.NackPair{{PacketID: 3, LostPackets: 1<<0 | 1<<15}, {PacketID: 30}}}).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			a.take(raw)
			if len(sent) != want {
				t.Errorf("%d packets were sent again, want %d", len(sent), want)
			}
			sent = nil
		}
		time.Sleep(time.Second)
		ask(3) // 3, 4 and 19
		ask(0)
		time.Sleep(2 * apart)
		ask(3)
		a.streams[ours].took(100 * time.Millisecond)
		time.Sleep(50 * time.Millisecond)
		ask(0)
		time.Sleep(60 * time.Millisecond)
		ask(3)
		a.UnbindLocalStream(streamInfo(true))
		time.Sleep(time.Second)
		ask(0)
		a.take(nil)
	})
}

// TestAnswersShare: what is lent is held and not copied, unless something on the way has changed it, and let go of at the
// end.
func TestAnswersShare(t *testing.T) {
	a, b := NewAnswerer(), NewAnswerer()
	p := &shared{bytes: []byte{1, 2, 3}}
	for _, one := range []*Answerer{a, b} {
		var l Lender
		one.Borrow(ours, &l)
		var got []byte
		w := one.BindLocalStream(streamInfo(true), interceptor.RTPWriterFunc(
			func(_ *rtp.Header, p []byte, _ interceptor.Attributes) (int, error) {
				got = bytes.Clone(p)
				return len(p), nil
			}))
		l.Lend(p)
		_, _ = w.Write(&rtp.Header{Version: 2, SSRC: ours, SequenceNumber: 1}, p.bytes, nil)
		_, _ = w.Write(&rtp.Header{Version: 2, SSRC: ours, SequenceNumber: 2}, []byte{1, 2, 3}, nil)
		_, _ = w.Write(&rtp.Header{Version: 2, SSRC: ours, SequenceNumber: 3}, p.bytes[:2], nil)
		l.Lend(nil)
		_, _ = w.Write(&rtp.Header{Version: 2, SSRC: ours, SequenceNumber: 4}, p.bytes, nil)
		one.streams[ours].repeat(1, time.Second)
		if !bytes.Equal(got, []byte{0, 1, 1, 2, 3}) {
			t.Errorf("sent again was %v", got)
		}
		one.streams[ours].repeat(3, time.Second)
		if !bytes.Equal(got, []byte{0, 3, 1, 2}) {
			t.Errorf("sent again was %v", got)
		}
	}
	if p.holders != 2 {
		t.Errorf("held %d times, want once by each connection", p.holders)
	}
	_ = a.Close()
	b.UnbindLocalStream(streamInfo(true))
	if p.holders != 0 {
		t.Errorf("held %d times after the end", p.holders)
	}
}

// shared is a payload that counts who holds it.
type shared struct {
	bytes   []byte
	holders int
}

func (p *shared) Bytes() []byte { return p.bytes }
func (p *shared) Hold()         { p.holders++ }
func (p *shared) Release()      { p.holders-- }
