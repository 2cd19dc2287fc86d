package virtio

// fifo is a bounded queue of bytes in a circular buffer.
type fifo struct {
	buf      []byte
	start, n int // of the bytes in it
}

func newFIFO(size int) fifo { return fifo{buf: make([]byte, size)} }

// data is the first run of bytes that lie together.
func (f *fifo) data() []byte { return f.buf[f.start:min(f.start+f.n, len(f.buf))] }

// space is the first run of free bytes that lie together.
func (f *fifo) space() []byte {
	end := f.start + f.n
	if end >= len(f.buf) {
		end -= len(f.buf)
		return f.buf[end:f.start]
	}
	return f.buf[end:]
}

// bytes is a copy of what is in it.
func (f *fifo) bytes() []byte {
	b := append([]byte(nil), f.data()...)
	return append(b, f.buf[:f.n-len(b)]...)
}

// take moves as much as fits into p and returns how much.
func (f *fifo) take(p []byte) int {
	n := 0
	for n < len(p) && f.n > 0 {
		k := copy(p[n:], f.data())
		f.drop(k)
		n += k
	}
	return n
}

// put appends as much of p as fits and returns how much.
func (f *fifo) put(p []byte) int {
	n := 0
	for n < len(p) && f.n < len(f.buf) {
		k := copy(f.space(), p[n:])
		f.n += k
		n += k
	}
	return n
}

// drop frees the first n bytes.
func (f *fifo) drop(n int) {
	f.start = (f.start + n) % len(f.buf)
	f.n -= n
}

// clear frees all.
func (f *fifo) clear() { f.start, f.n = 0, 0 }
