package website

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"alpinevm/internal/chunked"
)

// TestFits refuses snapshots of machines that are others, or were used otherwise.
func TestFits(t *testing.T) {
	file := func(name string) chunked.File { return chunked.File{Size: 1, Chunks: []string{name}} }
	m := &Machine{Format: Format, Memory: 1, Kernel: file("k"), Root: Tree{Archive: file("r")}, Args: []string{"sh"}}
	for _, tt := range []struct {
		name   string
		change func(*About)
		want   string
	}{
		{"the same", func(*About) {}, ""},
		{"another program", func(a *About) { a.Machine.Args, a.Machine.Memory, a.Machine.Hostname = nil, 2, "x" }, ""},
		{"another root", func(a *About) { a.Machine.Root.Archive = file("other") }, "another image"},
		{"another kernel", func(a *About) { a.Machine.Kernel = file("other") }, "another image"},
		{"modules", func(a *About) { a.Machine.Modules = &Tree{} }, "another image"},
		{"no terminal", func(a *About) { a.Terminal = false }, "no terminal"},
		{"no network", func(a *About) { a.Network = false }, "no network"},
	} {
		had := *m
		a := &About{Machine: &had, Terminal: true, Network: true}
		tt.change(a)
		err := m.Fits(a, true, true)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// TestScreen keeps the end of what a terminal got, without its questions.
func TestScreen(t *testing.T) {
	s := &Screen{}
	io.WriteString(s, "a\x1b[6nb\x1b[31mc\x1b[c\x1b[?6n\x1b[>0cd\x1bZ")
	if got := string(s.Bytes()); got != "ab\x1b[31mcd" {
		t.Errorf("%q", got)
	}
	line := strings.Repeat("x", 99) + "\n"
	for range 3 * maxScreen / len(line) {
		io.WriteString(s, line)
	}
	if got := s.Bytes(); len(got) > maxScreen || len(got)%len(line) != 0 || !bytes.HasPrefix(got, []byte(line)) {
		t.Errorf("%d bytes are kept, from %.20q on", len(got), got)
	}
}
