package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// picturesOf returns frames of a codec to send, the first a key frame.
func picturesOf(t *testing.T, mime string) (all [][]byte, f format) {
	t.Helper()
	var from frames
	var err error
	switch mime {
	case webrtc.MimeTypeOpus:
		from, f, err = readOgg(input{bytes.NewReader(read(t, "testdata/opus.ogg")), nil})
	case webrtc.MimeTypeH264:
		c := camera{}
		units := append([][]byte{c.sps(0, 10), c.pps(0, 0)}, c.group(0, 12)...)
		from, f, err = readH264(nil)(input{bytes.NewReader(startCodes(units...)), nil})
	default:
		name := map[string]string{webrtc.MimeTypeVP8: "vp8", webrtc.MimeTypeVP9: "vp9", webrtc.MimeTypeAV1: "av1"}[mime]
		from, f, err = readIVF(input{bytes.NewReader(read(t, "testdata/"+name+".ivf")), nil})
	}
	if err != nil {
		t.Fatal(err)
	}
	list, _ := allFrames(t, from)
	for _, f := range list[:min(len(list), 40)] {
		all = append(all, f.data)
	}
	return all, f
}

// sender sends frames of one track like a member that pauses, mutes and swaps.
type sender struct {
	*wire
	random   *rand.Rand
	format   format
	pictures [][]byte
	pauses   []time.Duration
	frames   int
	span     time.Duration // from the first frame to the last
}

func newSender(t *testing.T, random *rand.Rand, mime string, pauses ...time.Duration) *sender {
	t.Helper()
	s := &sender{random: rand.New(rand.NewPCG(random.Uint64(), 7)), pauses: pauses}
	s.pictures, s.format = picturesOf(t, mime)
	s.wire = &wire{place: newPlace(mime, mime), name: "t" + fmt.Sprint(random.Uint32()), packets: make(chan sent, 1000)}
	s.codecs[0].RTPCodecCapability = s.format.capability()
	s.codec = s.codecs[0]
	return s
}

// run sends three to five stretches of frames. Behind a mute timestamps go on with the time; a
// swapped source begins again, on a number and a time of its own.
func (s *sender) run() {
	defer close(s.packets)
	var h rtp.Header
	payloader := s.format.payloader()
	began, next := time.Time{}, 0
	every := 40 * time.Millisecond
	if s.format.mime == webrtc.MimeTypeOpus {
		every = 20 * time.Millisecond
	}
	base := time.Now()
	for stretch := range 3 + s.random.IntN(3) {
		if stretch > 0 {
			time.Sleep(s.pauses[s.random.IntN(len(s.pauses))])
		}
		if stretch == 0 || s.random.IntN(3) == 0 {
			h = rtp.Header{Version: 2, PayloadType: 96, SSRC: s.random.Uint32(), SequenceNumber: uint16(s.random.Uint32())}
			s.offset, base, next = s.random.Uint32(), time.Now(), 0
		}
		for range 5 + s.random.IntN(40) {
			if time.Sleep(every); began.IsZero() {
				began = time.Now()
			}
			h.Timestamp = s.offset + uint32(int64(time.Since(base))*s.format.clock/int64(time.Second))
			payloads := payloader.Payload(payloadSize, s.pictures[next%len(s.pictures)])
			for i, payload := range payloads {
				p := &rtp.Packet{Header: h, Payload: payload}
				p.Marker = i == len(payloads)-1
				h.SequenceNumber++
				s.packets <- sent{p, time.Now()}
			}
			next++
			s.frames++
			s.span = time.Since(began)
		}
	}
}

// file is a file in memory.
type file struct {
	b  []byte
	at int64
}

func (f *file) Write(b []byte) (int, error) {
	f.b = append(f.b, make([]byte, max(0, int(f.at)+len(b)-len(f.b)))...)
	f.at += int64(copy(f.b[f.at:], b))
	return len(b), nil
}

func (f *file) Seek(at int64, from int) (int64, error) {
	switch from {
	case io.SeekCurrent:
		at += f.at
	case io.SeekEnd:
		at += int64(len(f.b))
	}
	f.at = at
	return at, nil
}

// Whatever a recorder writes plays, all of it, and lasts as long as it lasted.
func TestRecordingsPlay(t *testing.T) {
	pictures := []string{webrtc.MimeTypeVP8, webrtc.MimeTypeVP9, webrtc.MimeTypeAV1, webrtc.MimeTypeH264}
	short := []time.Duration{20 * time.Millisecond, 700 * time.Millisecond, 11 * time.Second, 2 * time.Minute}
	long := append(slices.Clone(short), 25*time.Minute, 7*time.Hour, 4*24*time.Hour)
	for seed := range uint64(24) {
		random := rand.New(rand.NewPCG(seed, 7))
		mime := pictures[seed/4%4]
		kind := [...]string{"WebM", "pipe", "IVF", "Ogg"}[seed%4]
		if kind == "IVF" && mime == webrtc.MimeTypeH264 {
			continue
		}
		synctest.Test(t, func(t *testing.T) {
			var senders []*sender
			var r *Recording
			var pipe bytes.Buffer
			memory := &file{}
			switch kind {
			case "WebM", "pipe":
				senders = []*sender{newSender(t, random, mime, long...), newSender(t, random, webrtc.MimeTypeOpus, long...)}
				if r = Record(context.Background(), memory); kind == "pipe" {
					_ = r.Close()
					r = Record(context.Background(), &pipe)
				}
			case "IVF":
				senders, r = []*sender{newSender(t, random, mime, long...)}, RecordIVF(context.Background(), &pipe)
			case "Ogg":
				senders, r = []*sender{newSender(t, random, webrtc.MimeTypeOpus, short...)}, RecordOgg(context.Background(), &pipe)
			}
			var running sync.WaitGroup
			for i, s := range senders {
				r.Add(who(fmt.Sprint(i)), s.wire)
				running.Go(s.run)
			}
			running.Wait()
			synctest.Wait()
			if err := r.Close(); err != nil {
				t.Fatalf("recording %d: %v", seed, err)
			}
			written := pipe.Bytes()
			if kind == "WebM" {
				written = memory.b
			}
			from, _, err := readAny(input{bytes.NewReader(written), nil}, nil)
			if err != nil {
				t.Fatalf("recording %d, %s in %s: %v", seed, mime, kind, err)
			}
			all, err := allFrames(t, from)
			if !errors.Is(err, io.EOF) {
				t.Errorf("recording %d, %s in %s: %v", seed, mime, kind, err)
			}
			for i, s := range senders {
				n, first, last := 0, time.Duration(-1), time.Duration(0)
				for _, f := range all {
					if f.track != i || kind == "Ogg" && bytes.Equal(f.data, silence) {
						continue
					}
					if n++; first < 0 {
						first = f.at
					}
					last = f.at
				}
				extra := 0
				if kind == "Ogg" { // where a short hole is filled by what was before it
					extra = 2 + s.frames/20
				}
				if n < s.frames-extra || n > s.frames+extra || (last-first-s.span).Abs() > 2*time.Second {
					t.Errorf("recording %d, %s in %s: %d frames of track %d in %v, sent were %d in %v", seed, mime, kind, n, i, last-first, s.frames, s.span)
				}
			}
		})
	}
}
