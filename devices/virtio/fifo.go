package virtio

// Span says which bytes of a circular buffer are in use. The buffer is given
// to each method.
type Span struct{ Start, Len int }

// data is the first run of used bytes that lie together.
func (s *Span) data(buf []byte) []byte {
	return buf[s.Start:min(s.Start+s.Len, len(buf))]
}

// space is the first run of free bytes that lie together.
func (s *Span) space(buf []byte) []byte {
	end := s.Start + s.Len
	if end >= len(buf) {
		end -= len(buf)
		return buf[end:s.Start]
	}
	return buf[end:]
}

// take moves as much as fits into p and returns how much.
func (s *Span) take(buf, p []byte) int {
	n := 0
	for n < len(p) && s.Len > 0 {
		k := copy(p[n:], s.data(buf))
		s.drop(buf, k)
		n += k
	}
	return n
}

// put appends as much of p as fits and returns how much.
func (s *Span) put(buf, p []byte) int {
	n := 0
	for n < len(p) && s.Len < len(buf) {
		k := copy(s.space(buf), p[n:])
		s.Len += k
		n += k
	}
	return n
}

// drop frees the first n bytes.
func (s *Span) drop(buf []byte, n int) {
	s.Start = (s.Start + n) % len(buf)
	s.Len -= n
}
