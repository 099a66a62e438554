package media

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// OpenOgg opens an Ogg file with Opus in it (RFC 7845, one or two channels)
// and reads as far as its first packet. Of several streams side by side the
// first Opus stream is played, and so on with those that follow behind it. A
// pause for which a recorder has written nothing stays as long as it was. Nil
// options play it over and over. Errors are a [*FileError].
func OpenOgg(path string, o *FileOptions) (*Source, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, openError(path, err)
	}
	return newFile(path, input{file, file.Close}, o, readOgg)
}

// NewOgg is [OpenOgg] of what r holds. The Source reads r until it is closed
// and never closes it.
func NewOgg(r io.ReadSeeker, o *FileOptions) (*Source, error) {
	return newFile("", input{r, nil}, o, readOgg)
}

// ogg reads the Opus packets of an Ogg file: of its first Opus stream, and of
// the first of each group of streams that follows behind the end of one, as in
// a file that was made of several (RFC 3533 section 4: chained).
type ogg struct {
	input
	pages  oggPages
	serial uint32 // of the stream that is played
	taken  bool   // from the group whose first pages were read last
	over   bool   // the stream's last page was read
	skip   time.Duration
	packet []byte
	ready  [][]byte      // packets that are due
	any    bool          // there was one
	at     time.Duration // when the next packet is due

	begun   bool  // first means something
	first   int64 // where the stream began, in samples of 48 kHz as pages count them
	samples int64 // how many of them lie before the next packet
}

// errLink says that another stream of a chain begins.
var errLink = errors.New("another stream begins")

// readOgg reads the two headers and the first packet.
func readOgg(in input) (frames, format, error) {
	r := &ogg{input: in, pages: oggPages{from: bufio.NewReaderSize(in, 32<<10)}}
	if err := r.header(); err != nil {
		return nil, format{}, err
	}
	if _, err := r.next(); errors.Is(err, io.EOF) {
		return nil, format{}, fmt.Errorf("an Ogg file with headers and %w", ErrEmpty)
	} else if err != nil {
		return nil, format{}, err
	}
	return r, opusFormat, nil
}

// header finds the first Opus stream and reads its two header packets.
func (r *ogg) header() error {
	r.taken, r.any, r.at, r.ready = false, false, 0, nil
	other := "" // what the streams before it hold
	for !r.taken {
		err := r.pages.read()
		switch {
		case errors.Is(err, io.EOF) && r.pages.number == 0:
			return fmt.Errorf("empty file: %w", ErrEmpty)
		case errors.Is(err, io.EOF) || err == nil && !r.pages.begins():
			if other == "" {
				return fmt.Errorf("%w: the first Ogg page begins no stream", ErrDamaged)
			}
			return fmt.Errorf("%s in Ogg %w, only Opus can", other, ErrUnsupported)
		case err != nil:
			return err
		}
		other = oggCodec(r.pages.payload)
		if err := r.take(); err != nil {
			return err
		}
	}
	return r.tags()
}

// take takes the stream that begins with the page, if it is in Opus.
func (r *ogg) take() error {
	head := r.pages.payload
	if len(head) < 8 || string(head[:8]) != "OpusHead" {
		return nil
	}
	if err := checkOpusHead(head); err != nil {
		return err
	}
	r.serial, r.taken, r.over = r.pages.serial, true, false
	r.skip = time.Duration(binary.LittleEndian.Uint16(head[10:])) * time.Second / 48000
	r.pages.skip()
	return nil
}

// tags reads the second header packet.
func (r *ogg) tags() error {
	r.begun, r.samples = false, 0
	err := r.read()
	r.begun = false // its page does not count
	if err == nil && bytes.HasPrefix(r.packet, []byte("OpusTags")) {
		return nil
	}
	if err == nil || errors.Is(err, errLink) {
		return fmt.Errorf("%w: no Opus tags behind the Opus header", ErrDamaged)
	}
	return truncation(err, "the Opus tags")
}

// checkOpusHead checks the identification header of RFC 7845 section 5.1.
func checkOpusHead(head []byte) error {
	if len(head) < 19 {
		return fmt.Errorf("%w: an Opus header of %d bytes, want 19", ErrDamaged, len(head))
	}
	switch version, channels, family := head[8], head[9], head[18]; {
	case version > 15:
		return fmt.Errorf("version %d of Opus in Ogg %w", version, ErrUnsupported)
	case channels == 0:
		return fmt.Errorf("%w: an Opus header with no channel", ErrDamaged)
	case channels > 2 || family != 0:
		return fmt.Errorf("sound of %d channels, mapping family %d, %w; only mono and stereo can", channels, family, ErrUnsupported)
	}
	return nil
}

// oggCodec names the codec of a stream by its first bytes.
func oggCodec(head []byte) string {
	for _, known := range [...]struct{ name, magic string }{
		{"Vorbis", "\x01vorbis"}, {"Theora", "\x80theora"}, {"FLAC", "\x7fFLAC"}, {"Speex", "Speex"},
	} {
		if len(head) >= len(known.magic) && string(head[:len(known.magic)]) == known.magic {
			return known.name
		}
	}
	return "an unknown codec"
}

func (r *ogg) next() (frame, error) {
	for {
		for len(r.ready) > 0 {
			f := frame{at: r.at, key: true, data: r.ready[0]}
			r.ready = r.ready[1:]
			lasts, _ := opusDuration(f.data)
			if r.skip >= lasts { // what the file says not to play (RFC 7845 section 4.2)
				r.skip -= lasts
				continue
			}
			r.skip, r.any = 0, true
			r.at += lasts
			return f, nil
		}
		switch err := r.read(); {
		case errors.Is(err, errLink):
			if err = r.tags(); err != nil {
				return frame{}, err
			}
			continue
		case err != nil:
			return frame{}, err
		}
		lasts, ok := opusDuration(r.packet)
		if ok {
			r.samples += samplesIn(lasts)
		}
		if r.ready = sendableOpus(r.packet); r.ready != nil {
			continue
		}
		if !r.any {
			return frame{}, fmt.Errorf("%w: an Opus packet without a length", ErrDamaged)
		}
		if ok { // its sound is lost
			r.at += lasts
		}
	}
}

// read puts the next packet of the stream into r.packet, or its beginning if
// it is longer than one can be.
func (r *ogg) read() error {
	r.packet = r.packet[:0]
	started := false
	for {
		segment, more, ok := r.pages.segment()
		if !ok {
			err := r.nextPage()
			if errors.Is(err, io.EOF) && started {
				return truncation(io.ErrUnexpectedEOF, "an Ogg packet")
			}
			if err != nil {
				return err
			}
			if r.pages.continues() != started {
				return fmt.Errorf("%w: Ogg page %d is not the one that should come here", ErrDamaged, r.pages.number)
			}
			continue
		}
		r.packet = append(r.packet, segment[:min(len(segment), maxOpusPacket+1-len(r.packet))]...)
		if started = more; !more {
			return nil
		}
	}
}

// nextPage reads up to the next page of our stream that holds something; errLink
// if another begins before, io.EOF behind the last.
func (r *ogg) nextPage() error {
	for {
		grouped := r.pages.begins()
		if err := r.pages.read(); err != nil {
			if r.over && errors.Is(err, errNoPage) { // something else lies behind it
				return io.EOF
			}
			return err
		}
		if r.pages.begins() {
			if !grouped {
				r.taken, r.over = false, true
			}
			if r.taken {
				continue
			}
			if err := r.take(); err != nil {
				return err
			}
			if r.taken {
				return errLink
			}
			continue
		}
		if r.pages.serial == r.serial && !r.over {
			if r.over = r.pages.ends(); len(r.pages.lacing) > 0 {
				return r.pause()
			}
		}
	}
}

// pause keeps a pause before the page that was just read: a recorder that gets nothing for a while
// has no packets for it, and counts on. RFC 7845 section 4.1 requires packets there; a time shorter
// than usual packets is no pause.
func (r *ogg) pause() error {
	end, ends := r.pages.granule()
	if !ends {
		return nil
	}
	begin := end - samplesIn(r.pages.lasts(r.packet))
	if !r.begun {
		r.begun, r.first = true, begin-r.samples
	}
	if begin < r.first { // a number that no honest file has
		return nil
	}
	pause := begin - r.first - r.samples
	switch {
	case pause > samplesIn(absurdPause):
		return fmt.Errorf("%w: Ogg page %d comes more than %v after the one before it", ErrDamaged, r.pages.number, absurdPause)
	case pause >= samplesIn(pcmFrame):
		r.samples += pause
		r.at += time.Duration(pause) * time.Millisecond / 48
	}
	return nil
}

func samplesIn(d time.Duration) int64 { return int64(d * 48 / time.Millisecond) }

func (r *ogg) end() time.Duration { return r.at }

func (r *ogg) seek(at time.Duration) error { return seekByReading(r, at) }

func (r *ogg) rewind() error {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return err
	}
	r.pages.reset(r.input)
	return r.header()
}
