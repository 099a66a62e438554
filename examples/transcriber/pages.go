package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"
)

// pages are the files of one speaker. Silence between turns is a hole in the WAV file: it takes no room on most disks.
type pages struct {
	mu    sync.Mutex
	sound *os.File
	text  *os.File
	end   int64 // of the sound, in samples
}

// headSize is that of a WAV file, and longestSound what it can have: its sizes are 32 bits.
const (
	headSize     = 44
	longestSound = (1<<32 - 1 - headSize) / 2
)

var errLong = errors.New("the WAV file is full, after 37 hours")

func newPages(folder string, began time.Time, name, id string) (*pages, error) {
	path := filepath.Join(folder, began.Format("2006-01-02_15.04.05.000")+"_"+fileName(name)+"_"+id[:min(8, len(id))])
	sound, err := os.OpenFile(path+".wav", os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	text, err := os.OpenFile(path+".vtt", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		_ = sound.Close()
		return nil, err
	}
	p := &pages{sound: sound, text: text}
	if err = p.head(); err == nil {
		_, err = text.WriteString("WEBVTT\n")
	}
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return p, nil
}

// fileName is a name as a part of a file's, in any script.
func fileName(name string) string {
	list := []rune(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' {
			return r
		}
		return '-'
	}, name))
	return string(list[:min(len(list), 24)]) // each may be four bytes long
}

// head writes the head of the WAV file, for what there is.
func (p *pages) head() error {
	size := uint32(2 * p.end)
	b := append(make([]byte, 0, headSize), "RIFF"...)
	b = binary.LittleEndian.AppendUint32(b, size+headSize-8)
	b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00"...)
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, 2*rate)
	b = append(b, "\x02\x00\x10\x00data"...)
	_, err := p.sound.WriteAt(binary.LittleEndian.AppendUint32(b, size), 0)
	return err
}

// begin returns where sound goes that was made at a time since the beginning.
func (p *pages) begin(at time.Duration) (place int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(int64(at)*rate/int64(time.Second), p.end)
}

// write puts sound at a place, and returns the one behind it.
func (p *pages) write(place int64, pcm []int16) (next int64, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next = place + int64(len(pcm))
	if next > longestSound {
		return place, errLong
	}
	raw := make([]byte, 0, 2*len(pcm))
	for _, v := range pcm {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
	}
	if _, err := p.sound.WriteAt(raw, headSize+2*place); err != nil {
		return place, err
	}
	p.end = max(p.end, next)
	return next, nil
}

// note adds a text, and completes the file of the sound up to it.
func (p *pages) note(from, to time.Duration, text string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	text = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\n", " ", "\r", " ").Replace(text)
	if _, err := fmt.Fprintf(p.text, "\n%s --> %s\n%s\n", stamp(from), stamp(to), text); err != nil {
		return err
	}
	return p.head()
}

// stamp is a time as WebVTT has it.
func stamp(d time.Duration) string {
	d = max(d, 0)
	return fmt.Sprintf("%02d:%02d:%02d.%03d", d/time.Hour, d/time.Minute%60, d/time.Second%60, d/time.Millisecond%1000)
}

func (p *pages) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return errors.Join(p.head(), p.sound.Close(), p.text.Close())
}
