package website

import (
	"bytes"
	"regexp"
	"slices"
	"sync"
)

// maxScreen bounds what a Screen keeps, in bytes.
const maxScreen = 64 << 10

// Screen keeps the end of what a terminal has got, so that another one can show the
// same. It implements io.Writer, and its methods may be called from any goroutine.
type Screen struct {
	mu   sync.Mutex
	data []byte
}

// Write is part of io.Writer.
func (s *Screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = append(s.data, p...)
	if len(s.data) > 2*maxScreen {
		s.data = slices.Clone(end(s.data))
	}
	return len(p), nil
}

// end is the end of data, from the beginning of a line on.
func end(data []byte) []byte {
	if len(data) <= maxScreen {
		return data
	}
	data = data[len(data)-maxScreen:]
	return data[bytes.IndexByte(data, '\n')+1:]
}

// questions are what a terminal answers as if it were typed: where its cursor is, and
// what it is (ECMA-48 8.3.24 DA, 8.3.35 DSR; DECID).
var questions = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("\x1b\\[[?>=]?[0-9;]*[cn]|\x1bZ") })

// Bytes is what to send to a terminal, without what it would answer: the guest has had
// its answer, or lives without.
func (s *Screen) Bytes() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return questions().ReplaceAll(end(s.data), nil)
}

// Len is how many bytes are kept.
func (s *Screen) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.data)
}
