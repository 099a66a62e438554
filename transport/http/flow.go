package http

// A flow numbers what is sent in one direction, from 1 on, and keeps it until the other end has it.
// It is pure.
type flow struct {
	before int64    // the highest number that the other end has
	kept   [][]byte // the frames behind it
	bytes  int      // in them
	end    *ending  // takes the number behind the last frame; nil: none yet
}

// Bounds of what is kept, in each direction.
const (
	mostKept   = 256 << 10 // bytes
	mostFrames = 1024
)

// fits reports whether there is room for another frame. There always is for one.
func (f *flow) fits(size int) bool {
	return len(f.kept) == 0 || len(f.kept) < mostFrames && f.bytes+size <= mostKept
}

func (f *flow) push(frame []byte) {
	f.kept = append(f.kept, frame)
	f.bytes += len(frame)
}

// last is the highest number that there is.
func (f *flow) last() int64 {
	n := f.before + int64(len(f.kept))
	if f.end != nil {
		n++
	}
	return n
}

// acknowledge notes that the other end has all up to a number, and returns how many bytes need not
// be kept any longer. It reports false for a number that was never sent.
func (f *flow) acknowledge(number int64) (freed int, ok bool) {
	if number > f.last() {
		return 0, false
	}
	for f.before < number && len(f.kept) > 0 {
		freed += len(f.kept[0])
		f.kept[0] = nil
		f.kept = f.kept[1:]
		f.before++
	}
	f.bytes -= freed
	if len(f.kept) == 0 {
		f.kept = nil // its array may be large
	}
	return freed, true
}

// over reports whether the other end has everything, and that nothing comes behind.
func (f *flow) over(number int64) bool { return f.end != nil && number == f.last() }

// after returns what comes behind a number, as much as fits into so many bytes and at least one, and
// the ending if that is reached. A number before the oldest that is kept is taken for that. The
// frames are valid until f changes.
func (f *flow) after(number int64, most int) (first int64, frames [][]byte, end *ending) {
	from := min(max(0, number-f.before), int64(len(f.kept)))
	first = f.before + from + 1
	size, to := 0, from
	for to < int64(len(f.kept)) && (to == from || size+len(f.kept[to]) <= most) {
		size += len(f.kept[to])
		to++
	}
	if to == int64(len(f.kept)) && number < f.last() {
		end = f.end
	}
	return first, f.kept[from:to:to], end
}
