package noomtest

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"

	"noom"
)

// Viewer reads a track of pictures as a player does, which must come from a [Video] or a [World.Camera]:
// it shows a picture once all of it has arrived and the one before was shown, and asks for a key frame
// when it has to wait for longer than 300 ms while packets arrive, at most twice a second.
type Viewer struct {
	track noom.RemoteTrack

	mu      sync.Mutex
	report  ViewReport
	began   time.Time
	last    time.Time // when a picture was shown
	asked   time.Time
	waits   time.Time // since when something is incomplete; zero: nothing
	arrived time.Time // when a packet did
	pending []*picture
	highest uint64 // sequence number, unwrapped
	started bool
	shown   frameName
	next    uint64 // of the packet after the picture that was shown
}

// ViewReport is what a [Viewer] has seen.
type ViewReport struct {
	Time      time.Duration // for which it looked
	Frames    int           // shown
	Keyframes int           // of these
	Bytes     int           // of these, without headers
	Requests  int           // for a key frame
	Height    int           // of the latest picture, in pixels
	Freeze    time.Duration // longest time without a new picture; Reset after a pause
	Ended     bool          // the track is over

	delays []time.Duration
}

// Rate returns how many pictures a second were shown.
func (r ViewReport) Rate() float64 { return float64(r.Frames) / max(r.Time.Seconds(), 1e-9) }

// Bitrate returns how much the pictures had that were shown, in bits a second without headers.
func (r ViewReport) Bitrate() int { return int(float64(r.Bytes) * 8 / max(r.Time.Seconds(), 1e-9)) }

// Delay returns for how long at most the share of pictures, 0 to 1, took from the source until they
// were shown: the 95th percentile for 0.95.
func (r ViewReport) Delay(share float64) time.Duration { return quantile(r.delays, share) }

// String returns the figures that a test looks at first.
func (r ViewReport) String() string {
	return fmt.Sprintf("%.1f pictures a second at %dp, %d kbit/s, %d of %d are key frames (asked for %d), longest freeze %v, delay %v, p95 %v, max %v",
		r.Rate(), r.Height, r.Bitrate()/1000, r.Keyframes, r.Frames, r.Requests, r.Freeze.Round(time.Millisecond), r.Delay(0.5).Round(time.Millisecond),
		r.Delay(0.95).Round(time.Millisecond), r.Delay(1).Round(time.Millisecond))
}

// What a player waits for.
const (
	viewPatience = 300 * time.Millisecond // for the repetition of a packet
	viewPause    = 500 * time.Millisecond // between requests
	mostPending  = 200                    // pictures
)

// picture is one that is not shown yet.
type picture struct {
	timestamp   uint32
	first, last uint64 // sequence numbers, 0: not seen yet
	lowest      uint64 // seen
	packets     map[uint64]bool
	bytes       int
	key         bool
	height      int
	name        frameName
	made        time.Time
}

// View begins to watch a track, until it ends. It must be the only reader that calls ReadRTP.
func (w *World) View(track noom.RemoteTrack) *Viewer {
	w.t.Helper()
	w.alive("View")
	v := &Viewer{track: track, began: time.Now(), last: time.Now()}
	packets := make(chan *rtp.Packet)
	go func() {
		defer close(packets)
		for {
			p, err := track.ReadRTP()
			if err != nil {
				return
			}
			packets <- p
		}
	}()
	go v.watch(packets)
	return v
}

// Report returns what was seen so far.
func (v *Viewer) Report() ViewReport {
	v.mu.Lock()
	defer v.mu.Unlock()
	r := v.report
	r.Time = time.Since(v.began)
	if !r.Ended {
		r.Freeze = max(r.Freeze, time.Since(v.last)) // may be going on
	}
	r.delays = slices.Clone(r.delays)
	return r
}

// Reset forgets what was seen, so that what comes next can be judged alone. It returns what Report
// would have.
func (v *Viewer) Reset() ViewReport {
	r := v.Report()
	v.mu.Lock()
	defer v.mu.Unlock()
	v.report = ViewReport{Ended: r.Ended, Height: r.Height}
	v.began, v.last = time.Now(), time.Now()
	return r
}

func (v *Viewer) watch(packets <-chan *rtp.Packet) {
	ticker := time.NewTicker(50 * time.Millisecond)
	defer ticker.Stop()
	for {
		ask := false
		select {
		case p, ok := <-packets:
			v.mu.Lock()
			if !ok {
				v.report.Ended = true
				v.mu.Unlock()
				return
			}
			v.take(p)
			v.show()
			v.mu.Unlock()
		case now := <-ticker.C:
			v.mu.Lock()
			ask = v.waitsTooLong(now)
			v.mu.Unlock()
		}
		if ask {
			_ = v.track.RequestKeyframe() // there may be no connection now
		}
	}
}

// waitsTooLong reports whether it is time to ask for a key frame. It needs v.mu, as all below.
func (v *Viewer) waitsTooLong(now time.Time) bool {
	if v.waits.IsZero() || now.Sub(v.waits) < viewPatience || now.Sub(v.asked) < viewPause || now.Sub(v.arrived) > viewPause {
		return false
	}
	v.asked = now
	v.report.Requests++
	return true
}

// take sorts a packet into its picture.
func (v *Viewer) take(p *rtp.Packet) {
	var vp8 codecs.VP8Packet
	body, err := vp8.Unmarshal(p.Payload)
	if err != nil || len(body) == 0 {
		return
	}
	if !v.started {
		v.started, v.highest = true, 1<<32+uint64(p.SequenceNumber)
	}
	number := v.highest + uint64(int64(int16(p.SequenceNumber-uint16(v.highest))))
	v.highest = max(v.highest, number)
	v.arrived = time.Now()
	if number < v.next {
		return
	}
	i := slices.IndexFunc(v.pending, func(f *picture) bool { return f.timestamp == p.Timestamp })
	if i < 0 {
		v.pending = append(v.pending, &picture{timestamp: p.Timestamp, lowest: number, packets: make(map[uint64]bool)})
		if len(v.pending) > mostPending {
			v.pending = v.pending[1:]
		}
		i = len(v.pending) - 1
	}
	f := v.pending[i]
	if !f.packets[number] {
		f.bytes += len(body)
	}
	f.packets[number], f.lowest = true, min(f.lowest, number)
	if p.Marker {
		f.last = number
	}
	if vp8.S == 1 && vp8.PID == 0 {
		f.first, f.key = number, body[0]&1 == 0
		if f.key && len(body) >= 10 {
			f.height = int(binary.LittleEndian.Uint16(body[8:])) & 0x3fff
		}
		f.name, f.made, _ = parseFrame(body)
	}
	if v.waits.IsZero() {
		v.waits = time.Now()
	}
}

// show shows what can be shown.
func (v *Viewer) show() {
	for {
		i := slices.IndexFunc(v.pending, v.showable)
		if i < 0 {
			break
		}
		f := v.pending[i]
		now := time.Now()
		v.report.Frames++
		v.report.Bytes += f.bytes
		if f.key {
			v.report.Keyframes++
			v.report.Height = f.height
		}
		v.report.Freeze = max(v.report.Freeze, now.Sub(v.last))
		v.report.delays = append(v.report.delays, now.Sub(f.made))
		v.last, v.shown, v.next, v.waits = now, f.name, f.last+1, time.Time{}
		v.pending = slices.DeleteFunc(v.pending, func(o *picture) bool {
			return o.lowest < v.next
		})
	}
	if len(v.pending) > 0 && v.waits.IsZero() {
		v.waits = time.Now()
	}
}

func (v *Viewer) showable(f *picture) bool {
	whole := f.first > 0 && f.last >= f.first && uint64(len(f.packets)) == f.last-f.first+1
	return whole && (f.key || f.name == frameName{v.shown.serial, v.shown.number + 1})
}
