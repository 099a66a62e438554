package voice

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/thesyncim/gopus/container/ogg"

	"noom/internal/ffmpegtest"
)

// TestCodecs: what each codec leaves of speech, and how much it sends. The least is some dB below what was measured.
func TestCodecs(t *testing.T) {
	for _, c := range []struct {
		codec Codec
		rate  int
		least float64 // dB
		bytes int     // of 10 s, at most
	}{
		{Opus, 8000, 7, 42000},
		{Opus, 16000, 7, 42000},
		{Opus, 24000, 7, 42000},
		{Opus, 48000, 7, 42000},
		{G722, 16000, 14, 80000},
		{PCMU, 8000, 35, 80000},
		{PCMA, 8000, 35, 80000},
	} {
		t.Run(fmt.Sprint(c.codec, c.rate), func(t *testing.T) {
			e, err := NewEncoder(c.codec, c.rate, 0)
			if err != nil {
				t.Fatal(err)
			}
			d, err := NewDecoder(c.codec, c.rate)
			if err != nil {
				t.Fatal(err)
			}
			if e.Rate() != c.rate || d.Rate() != c.rate {
				t.Fatalf("rates %d and %d, want %d", e.Rate(), d.Rate(), c.rate)
			}
			sound := speechLike(c.rate, 10*time.Second)
			became, packets, err := pass(e, d, sound)
			if err != nil || len(became) != len(sound) {
				t.Fatalf("%d samples of %d, %v", len(became), len(sound), err)
			}
			dB, delay := ratio(sound, became, 0, c.rate/50)
			size := len(bytes.Join(packets, nil))
			t.Logf("%.1f dB after %v, %.1f kbit/s", dB, timeOf(delay, c.rate), float64(size)*8/10000)
			if dB < c.least || size > c.bytes || delay > c.rate/100 {
				t.Errorf("%.1f dB, %d bytes, %d samples late; want %.1f, %d, %d", dB, size, delay, c.least, c.bytes, c.rate/100)
			}
		})
	}
}

// TestOpusAgainstLibopus: what gopus makes of packets is what libopus makes of them, and gopus encodes as well.
func TestOpusAgainstLibopus(t *testing.T) {
	const rate = 48000 // of ffmpeg's decoder
	sound := speechLike(rate, 10*time.Second)
	path := filepath.Join(t.TempDir(), "말.ogg")
	raw := filepath.Join(t.TempDir(), "raw")
	if err := os.WriteFile(raw, bytesOf(sound), 0o600); err != nil {
		t.Fatal(err)
	}
	ffmpegtest.Run(t, "-f", "s16le", "-ar", "48000", "-ac", "1", "-i", raw,
		"-c:a", "libopus", "-b:a", "32k", "-application", "voip", "-frame_duration", "20", path)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	theirs := decodeOgg(t, file)
	decoded := samplesIn(ffmpegtest.Run(t, "-c:a", "libopus", "-i", path, "-f", "s16le", "-ac", "1", "-"))
	same, _ := ratio(decoded, theirs, -2000, 2000)
	quality, _ := ratio(sound, decoded, -2000, 2000)

	e, err := NewEncoder(Opus, rate, 32000)
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(Opus, rate)
	if err != nil {
		t.Fatal(err)
	}
	became, packets, err := pass(e, d, sound)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w, err := ogg.NewWriter(&out, rate, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packets {
		if err := w.WritePacket(p, rate/50); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	by := samplesIn(ffmpegtest.Run(t, "-c:a", "libopus", "-i", path, "-f", "s16le", "-ac", "1", "-"))
	ours, _ := ratio(sound, by, -2000, 2000)
	alike, _ := ratio(by, became, -2000, 2000)
	t.Logf("decoders differ by %.1f dB (libopus's packets) and %.1f dB (gopus's); encoders: libopus %.1f dB, gopus %.1f dB", same, alike, quality, ours)
	if same < 40 || alike < 40 {
		t.Error("the decoders differ")
	}
	if ours < quality-1.5 {
		t.Error("the encoder is worse than libopus's")
	}
}

func decodeOgg(t *testing.T, file []byte) (pcm []int16) {
	t.Helper()
	r, err := ogg.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	d, err := NewDecoder(Opus, 48000)
	if err != nil {
		t.Fatal(err)
	}
	for {
		packet, _, err := r.ReadPacket()
		if err != nil {
			return pcm
		}
		sound, err := d.Decode(packet)
		if err != nil {
			t.Fatal(err)
		}
		pcm = append(pcm, sound...)
	}
}

// TestG722AgainstFFmpeg: each end understands the other's, bit by bit.
func TestG722AgainstFFmpeg(t *testing.T) {
	sound := speechLike(16000, 5*time.Second)
	e, d := newG722Encoder(), newG722Decoder()
	became, packets, err := pass(e, d, sound)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "말.g722")
	if err := os.WriteFile(path, bytes.Join(packets, nil), 0o600); err != nil {
		t.Fatal(err)
	}
	theirs := samplesIn(ffmpegtest.Run(t, "-f", "g722", "-i", path, "-f", "s16le", "-"))
	if dB, delay := ratio(became, theirs, -2, 2); dB < 60 || delay != 0 {
		t.Errorf("ffmpeg's decoder makes something else: %.1f dB at %d", dB, delay)
	}
	raw := filepath.Join(t.TempDir(), "raw")
	if err := os.WriteFile(raw, bytesOf(sound), 0o600); err != nil {
		t.Fatal(err)
	}
	code := ffmpegtest.Run(t, "-f", "s16le", "-ar", "16000", "-ac", "1", "-i", raw, "-c:a", "g722", "-f", "g722", "-")
	d = newG722Decoder()
	var heard []int16
	for ; len(code) >= 160; code = code[160:] {
		pcm, err := d.Decode(code[:160])
		if err != nil {
			t.Fatal(err)
		}
		heard = append(heard, pcm...)
	}
	dB, _ := ratio(sound, heard, 0, 100)
	if ours, _ := ratio(sound, became, 0, 100); ours < dB-0.2 || dB < 14 {
		t.Errorf("ffmpeg's packets come out at %.1f dB, ours at %.1f dB", dB, ours)
	}
}

// TestG711AgainstFFmpeg: all 65536 samples become the same codes, and all codes the same samples.
func TestG711AgainstFFmpeg(t *testing.T) {
	var all []int16
	for v := -32768; v <= 32767; v++ {
		all = append(all, int16(v))
	}
	raw := filepath.Join(t.TempDir(), "raw")
	if err := os.WriteFile(raw, bytesOf(all), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		compress func(int16) byte
		expand   func(byte) int16
	}{{"mulaw", toMuLaw, fromMuLaw}, {"alaw", toALaw, fromALaw}} {
		theirs := ffmpegtest.Run(t, "-f", "s16le", "-ar", "8000", "-ac", "1", "-i", raw, "-f", c.name, "-")
		back := filepath.Join(t.TempDir(), c.name)
		if err := os.WriteFile(back, theirs, 0o600); err != nil {
			t.Fatal(err)
		}
		heard := samplesIn(ffmpegtest.Run(t, "-f", c.name, "-ar", "8000", "-ac", "1", "-i", back, "-f", "s16le", "-"))
		different, far := 0, 0
		for i, v := range all {
			if c.compress(v) != theirs[i] {
				different++ // a value in the middle of two may go to either
				ours, ffmpegs := int(c.expand(c.compress(v)))-int(v), int(c.expand(theirs[i]))-int(v)
				if max(ours, -ours) > max(ffmpegs, -ffmpegs)+16+max(int(v), -int(v))/64 { // where a segment ends, steps differ
					far++
				}
			}
			if c.expand(theirs[i]) != heard[i] {
				t.Fatalf("%s: code %#x is %d, ffmpeg says %d", c.name, theirs[i], c.expand(theirs[i]), heard[i])
			}
		}
		t.Logf("%s: %d of %d samples at a boundary go the other way", c.name, different, len(all))
		if far > 0 || different > len(all)/10 {
			t.Errorf("%s: %d samples are another code, %d of them a worse one", c.name, different, far)
		}
	}
}

func bytesOf(pcm []int16) (raw []byte) {
	for _, v := range pcm {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
	}
	return raw
}

func samplesIn(raw []byte) (pcm []int16) {
	for ; len(raw) >= 2; raw = raw[2:] {
		pcm = append(pcm, int16(binary.LittleEndian.Uint16(raw)))
	}
	return pcm
}

func TestWrongCodecs(t *testing.T) {
	for _, c := range []struct {
		codec         Codec
		rate, bitrate int
	}{{"speex", 0, 0}, {Opus, 44100, 0}, {Opus, 0, 7999}, {Opus, 0, 64001}, {G722, 8000, 0}, {PCMU, 16000, 0}, {PCMA, -1, 0}} {
		if _, err := NewEncoder(c.codec, c.rate, c.bitrate); !errors.Is(err, ErrCodec) {
			t.Errorf("%v: %v", c, err)
		}
		if _, err := NewDecoder(c.codec, c.rate); c.bitrate == 0 && !errors.Is(err, ErrCodec) {
			t.Errorf("%v: %v", c, err)
		}
	}
	for c := range formats {
		e, err := NewEncoder(c, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = e.Encode(make([]int16, 7)); !errors.Is(err, ErrCodec) {
			t.Errorf("%s: %v for 7 samples", c, err)
		}
		d, err := NewDecoder(c, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, size := range []int{0, 5000} {
			if _, err := d.Decode(make([]byte, size)); !errors.Is(err, ErrCodec) {
				t.Errorf("%s: %v for %d bytes", c, err, size)
			}
		}
	}
}

// TestConceal: what is made up has the right length, is no louder than what was lost, and becomes silence.
func TestConceal(t *testing.T) {
	for c := range formats {
		e, err := NewEncoder(c, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		d, err := NewDecoder(c, 0)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(d.Conceal(frameTime, nil)); n != e.Rate()/50 {
			t.Errorf("%s: %d samples before the first packet", c, n)
		}
		sound, _, err := pass(e, d, sine(e.Rate(), 300, 8000, 500*time.Millisecond))
		if err != nil {
			t.Fatal(err)
		}
		before := levelOf(sound[len(sound)-e.Rate()/50:])
		first := append([]int16(nil), d.Conceal(frameTime, nil)...)
		if level := levelOf(first); len(first) != e.Rate()/50 || level > before+2 || level < before-9 {
			t.Errorf("%s: %d samples of %d dBov in place of %d dBov", c, len(first), level, before)
		}
		var last []int16
		for range 10 {
			last = d.Conceal(100*time.Millisecond, nil)
		}
		if level := levelOf(last); level > before-20 {
			t.Errorf("%s: after a second there are still %d dBov", c, level)
		}
		if n := len(d.Conceal(time.Hour, nil)); n > e.Rate()*120/1000 {
			t.Errorf("%s: %d samples for an hour", c, n)
		}
	}
}

// TestOpusRepeats: a packet has what is needed of the one before it.
func TestOpusRepeats(t *testing.T) {
	e, err := newOpusEncoder(16000, 24000)
	if err != nil {
		t.Fatal(err)
	}
	if err = e.encoder.SetPacketLoss(25); err != nil {
		t.Fatal(err)
	}
	whole, err := newOpusDecoder(16000)
	if err != nil {
		t.Fatal(err)
	}
	sound := speechLike(16000, 6*time.Second)
	all, packets, err := pass(e, whole, sound)
	if err != nil {
		t.Fatal(err)
	}
	hear := func(repeats bool) (pcm []int16) {
		d, err := newOpusDecoder(16000)
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range packets {
			if i%7 == 3 && i+1 < len(packets) {
				next := packets[i+1]
				if !repeats {
					next = nil
				}
				pcm = append(pcm, d.Conceal(frameTime, next)...)
				continue
			}
			frame, err := d.Decode(p)
			if err != nil {
				t.Fatal(err)
			}
			pcm = append(pcm, frame...)
		}
		return pcm
	}
	guessed, _ := ratio(all, hear(false), 0, 0)
	told, _ := ratio(all, hear(true), 0, 0)
	t.Logf("every seventh packet lost: %.1f dB made up, %.1f dB repeated", guessed, told)
	if told < guessed+1 {
		t.Errorf("%.1f dB with what is repeated, %.1f dB without", told, guessed)
	}
}

// TestPanicIsAnError: whatever the codec does, a caller gets an error and a decoder that works.
func TestPanicIsAnError(t *testing.T) {
	d, err := newOpusDecoder(16000)
	if err != nil {
		t.Fatal(err)
	}
	e, err := newOpusEncoder(16000, 0)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := e.Encode(make([]int16, 320))
	if err != nil {
		t.Fatal(err)
	}
	d.decoder = nil // it will panic
	if _, err := d.Decode(payload); !errors.Is(err, ErrCodec) {
		t.Errorf("%v", err)
	}
	if pcm, err := d.Decode(payload); err != nil || len(pcm) != 320 {
		t.Errorf("after that %d samples, %v", len(pcm), err)
	}
	d.decoder = nil
	if pcm := d.Conceal(frameTime, nil); len(pcm) != 320 {
		t.Errorf("%d samples concealed", len(pcm))
	}
	e.encoder = nil
	if _, err := e.Encode(make([]int16, 320)); !errors.Is(err, ErrCodec) {
		t.Errorf("%v", err)
	}
}

// FuzzDecode: packets from anybody never panic, and never make more than they may.
func FuzzDecode(f *testing.F) {
	e, err := NewEncoder(Opus, 16000, 0)
	if err != nil {
		f.Fatal(err)
	}
	sound := speechLike(16000, time.Second)
	for i := range 10 {
		p, err := e.Encode(sound[i*1600:][:320])
		if err != nil {
			f.Fatal(err)
		}
		f.Add(byte(i), append([]byte(nil), p...), append([]byte(nil), p[:len(p)/2]...))
	}
	codecs := []Codec{Opus, Opus, Opus, G722, PCMU, PCMA}
	rates := []int{16000, 24000, 48000, 16000, 8000, 8000}
	f.Fuzz(func(t *testing.T, which byte, first, second []byte) {
		i := int(which) % len(codecs)
		d, err := NewDecoder(codecs[i], rates[i])
		if err != nil {
			t.Fatal(err)
		}
		most := samplesOf(longestPacket, rates[i])
		for _, p := range [][]byte{first, second, first} {
			pcm, err := d.Decode(p)
			if len(pcm) > most || err != nil && !errors.Is(err, ErrCodec) {
				t.Fatalf("%d samples, %v", len(pcm), err)
			}
			if _, broken := errors.AsType[*panicked](err); broken {
				t.Fatalf("a panic inside: %v", err)
			}
			if n := len(d.Conceal(frameTime, second)); n != samplesOf(frameTime, rates[i]) {
				t.Fatalf("%d samples concealed", n)
			}
		}
	})
}

// BenchmarkEncode and BenchmarkDecode: CPU for 20 ms of speech.
func BenchmarkEncode(b *testing.B) {
	for _, c := range []struct {
		codec Codec
		rate  int
	}{{Opus, 16000}, {Opus, 24000}, {G722, 16000}, {PCMU, 8000}} {
		b.Run(fmt.Sprint(c.codec, c.rate), func(b *testing.B) {
			e, err := NewEncoder(c.codec, c.rate, 0)
			if err != nil {
				b.Fatal(err)
			}
			sound := speechLike(c.rate, 4*time.Second)
			frame := samplesOf(frameTime, c.rate)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := e.Encode(sound[i%200*frame:][:frame]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct {
		codec Codec
		rate  int
	}{{Opus, 16000}, {Opus, 24000}, {G722, 16000}, {PCMU, 8000}} {
		b.Run(fmt.Sprint(c.codec, c.rate), func(b *testing.B) {
			e, err := NewEncoder(c.codec, c.rate, 0)
			if err != nil {
				b.Fatal(err)
			}
			d, err := NewDecoder(c.codec, c.rate)
			if err != nil {
				b.Fatal(err)
			}
			_, packets, err := pass(e, d, speechLike(c.rate, 4*time.Second))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := d.Decode(packets[i%len(packets)]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
