package main

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEscapes(t *testing.T) {
	for _, tt := range []struct {
		in, out string
		quits   int
		help    bool
	}{
		{"ls\r", "ls\r", 0, false},
		{"\x01x", "", 1, false},
		{"a\x01\x01b", "a\x01b", 0, false},
		{"\x01h\x03", "\x03", 0, true},
		{"\x01zy", "y", 0, false},
		{"x\x01", "x", 0, false},
	} {
		for _, wrap := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader} {
			quits := 0
			var help strings.Builder
			e := &escapes{r: wrap(strings.NewReader(tt.in)), help: &help, quit: func() { quits++ }}
			out, err := io.ReadAll(e)
			if err != nil || string(out) != tt.out || quits != tt.quits || (help.Len() > 0) != tt.help {
				t.Errorf("%q: %q, %d quits, help %q, %v", tt.in, out, quits, help.String(), err)
			}
		}
	}
}
