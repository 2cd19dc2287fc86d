package profile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"
)

// guest is a place in a memory that is made of pages.
type guest struct {
	pages         map[uint32][]byte
	pc, esp, ebp  uint32
	user, stacked bool
	space         uint32
}

func (g *guest) PC() uint32                        { return g.pc }
func (g *guest) User() bool                        { return g.user }
func (g *guest) Space() uint32                     { return g.space }
func (g *guest) Stack() (esp, ebp uint32, ok bool) { return g.esp, g.ebp, g.stacked }

func (g *guest) Peek(lin uint32, p []byte) int {
	n := 0
	for n < len(p) {
		page := g.pages[lin&^0xfff]
		if page == nil {
			break
		}
		k := copy(p[n:], page[lin&0xfff:])
		n, lin = n+k, lin+uint32(k)
	}
	return n
}

func (g *guest) put(lin uint32, b []byte) {
	for len(b) > 0 {
		if g.pages[lin&^0xfff] == nil {
			g.pages[lin&^0xfff] = make([]byte, 4096)
		}
		k := copy(g.pages[lin&^0xfff][lin&0xfff:], b)
		b, lin = b[k:], lin+uint32(k)
	}
}

func words(list ...uint32) (b []byte) {
	for _, w := range list {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// program is an ELF file with one segment at 8048000h, whose functions are a, at its
// offset 800h, and b, 100h behind it.
func program() []byte {
	const segment = 0x8048000
	names := "\x00a\x00b\x00"
	b := make([]byte, 0x1000)
	copy(b, "\x7fELF\x01\x01\x01")
	le := binary.LittleEndian
	le.PutUint32(b[24:], segment+0x800) // entry
	le.PutUint32(b[28:], elfHead)
	le.PutUint32(b[32:], 0x400) // sections
	le.PutUint16(b[42:], elfProgSize)
	le.PutUint16(b[44:], 1)
	le.PutUint16(b[46:], elfSectSize)
	le.PutUint16(b[48:], 3)
	copy(b[elfHead:], words(progLoad, 0, segment, segment, 0x1000, 0x2000, 5, 0x1000))
	copy(b[0x400+elfSectSize:], words(0, sectSymbols, 0, 0, 0x600, 3*elfSymSize, 2, 0, 4, elfSymSize))
	copy(b[0x400+2*elfSectSize:], words(0, 3, 0, 0, 0x700, uint32(len(names)), 0, 0, 1, 0))
	copy(b[0x600+elfSymSize:], words(1, segment+0x800, 0x20, 1<<16|symbolFunc))
	copy(b[0x600+2*elfSymSize:], words(3, segment+0x900, 0, 1<<16|symbolFunc))
	copy(b[0x700:], names)
	return b
}

// process is a guest in which a program is executed, as execve leaves it.
func process(name, first, dir string, bias uint32) *guest {
	return processWithGap(name, first, dir, bias, 0)
}

// processWithGap is process with so many bytes between the strings and what points to
// them.
func processWithGap(name, first, dir string, bias, gap uint32) *guest {
	g := &guest{pages: map[uint32][]byte{}, user: true, space: 0x1000, pc: 0x8048810 + bias}
	top := uint32(0xbff7f000)
	g.put(0xbffff000, []byte("no stack")) // something above it
	at := top - 4 - uint32(len(name)) - 1
	g.put(at, []byte(name))
	g.put(top-4, make([]byte, 4))
	env := "PWD=" + dir + "\x00"
	envAt := at - uint32(len(env))
	g.put(envAt, []byte(env))
	argAt := envAt - uint32(len(first)) - 1
	g.put(argAt, []byte(first+"\x00"))
	random := (argAt-64)&^15 - gap
	g.put(random, []byte((name + "sixteen bytes ok")[:16]))
	vector := words(auxPhdr, 0x8048000+elfHead+bias, auxPhnum, 1, auxEntry, 0x8048800+bias, auxRandom, random, auxExecFn, at, auxNull, 0)
	g.put(random-256, append(words(1, argAt, 0, envAt, 0), vector...))
	return g
}

// opener has one file.
func opener(name string, data []byte) func(string) (File, error) {
	return func(n string) (File, error) {
		if n != name {
			return nil, errors.New("there is none")
		}
		return nopCloser{bytes.NewReader(data)}, nil
	}
}

// shown gives the profile's samples as "process ring function/caller: instructions".
func shown(t *testing.T, p *Profile) []string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	r, err := profile.Parse(&b)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, s := range r.Sample {
		var stack []string
		for _, l := range s.Location {
			stack = append(stack, l.Line[0].Function.Name)
		}
		list = append(list, strings.Join([]string{s.Label["process"][0], s.Label["ring"][0], strings.Join(stack, "/")}, " "))
	}
	return list
}

// TestProcess: whose an address space is, and what is executed in it.
func TestProcess(t *testing.T) {
	for _, tt := range []struct {
		name, exec, first, dir, file string
		bias                         uint32
		change                       func(*guest)
		want                         string
	}{
		{name: "a program", exec: "/bin/x", first: "x", dir: "/", file: "/bin/x", want: "x user a"},
		{name: "at another place", exec: "/bin/x", first: "x", dir: "/", file: "/bin/x", bias: 0x1000000, want: "x user a"},
		{name: "by a relative name", exec: "./x", first: "x", dir: "/home/me", file: "/home/me/x", want: "x user a"},
		{name: "by a relative name, in no folder", exec: "x/y", first: "y", dir: "", file: "/x/y", want: "y user a"},
		{name: "a script", exec: "/bin/script", first: "/bin/x", dir: "/", file: "/bin/x", want: "script user a"},
		{name: "no file", exec: "/bin/x", first: "x", dir: "/", file: "/bin/y", want: "x user [unknown]"},
		{name: "between functions", exec: "/bin/x", first: "x", dir: "/", file: "/bin/x", change: func(g *guest) { g.pc = 0x8048830 }, want: "x user [x]"},
		{name: "a function without a size", exec: "/bin/x", first: "x", dir: "/", file: "/bin/x", change: func(g *guest) { g.pc = 0x8048fff }, want: "x user b"},
		{name: "elsewhere", exec: "/bin/x", first: "x", dir: "/", file: "/bin/x", change: func(g *guest) { g.pc = 0x100 }, want: "x user [unknown]"},
		{name: "another program of the name", exec: "/bin/x", first: "x", dir: "/", file: "/bin/x", bias: 0x10, want: "x user [unknown]"},
		{name: "a name that commands a terminal", exec: "/bin/\x1b[2J", first: "x", dir: "/", file: "/bin/x", want: "?[2J user [unknown]"},
		{name: "no stack", exec: "/bin/x", first: "x", dir: "/", file: "/bin/x", change: func(g *guest) { clear(g.pages) }, want: "[unknown] user [unknown]"},
		{name: "the kernel, for a process", exec: "/bin/x", first: "x", dir: "/", file: "/bin/x", change: func(g *guest) { g.user, g.pc = false, 0xc0100000 }, want: "x kernel f"},
		{name: "the kernel, for none", exec: "/bin/x", first: "x", dir: "/", file: "/bin/x", change: func(g *guest) { g.user, g.pc, g.space = false, 0xc0100010, 0 }, want: "[kernel] kernel g [m]"},
	} {
		p := New(1, opener(tt.file, program()))
		p.Kallsyms([]byte("c0100000 T f\nc0100008 d data\nc01"))
		p.Kallsyms([]byte("00010 t g\t[m]\n00000000 T hidden\nrubbish\n"))
		g := process(tt.exec, tt.first, tt.dir, tt.bias)
		if tt.change != nil {
			tt.change(g)
		}
		p.Take(g, 5)
		p.Take(g, 6)
		if got := strings.Join(shown(t, p), ", "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
		p.Close()
	}
}

// TestStackGap: what execve leaves at random between the strings and the vector may be
// pages that nobody has touched.
func TestStackGap(t *testing.T) {
	for gap := uint32(0); gap <= 12<<10; gap += 496 {
		p := New(1, opener("/bin/x", program()))
		p.Take(processWithGap("/bin/x", "x", "/", 0, gap), 1)
		if got := strings.Join(shown(t, p), ", "); got != "x user a" {
			t.Errorf("%d bytes: %q", gap, got)
		}
	}
}

// TestSpaceReused: page tables that go to another process are that one's.
func TestSpaceReused(t *testing.T) {
	p := New(1, opener("/bin/x", program()))
	p.Take(process("/bin/x", "x", "/", 0), 1)
	p.Take(process("/bin/y", "y", "/", 0), 1)
	if got := shown(t, p); len(got) != 2 || !slices.Contains(got, "x user a") || !slices.Contains(got, "y user [unknown]") {
		t.Errorf("%q", got)
	}
}

// TestPause: what is done for us is left out.
func TestPause(t *testing.T) {
	p := New(1, opener("", nil))
	g := process("/bin/x", "x", "/", 0)
	p.Pause(true)
	p.Take(g, 1)
	if got := shown(t, p); len(got) != 0 {
		t.Errorf("%q", got)
	}
	p.Pause(false)
	p.Take(g, 1)
	if got := shown(t, p); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// TestStack: a frame counts if it fits to the one before, and to a call.
func TestStack(t *testing.T) {
	const code, low = 0xc0200000, 0xc1000000
	for _, tt := range []struct {
		name   string
		before []byte // the bytes before the place that is returned to
		ebp    uint32
		up     uint32
		want   int // frames
	}{
		{"call", []byte{0xe8, 1, 2, 3, 4}, low + 0x10, 0, 2},
		{"by a register", []byte{0xff, 0xd0}, low + 0x10, 0, 2},
		{"by memory", []byte{0xff, 0x10}, low + 0x10, 0, 2},
		{"by memory, 8-bit offset", []byte{0xff, 0x50, 8}, low + 0x10, 0, 2},
		{"by memory, an index", []byte{0xff, 0x14, 0x85, 0, 0, 0, 1}, low + 0x10, 0, 2},
		{"by memory, an address", []byte{0xff, 0x15, 0, 0, 0, 1}, low + 0x10, 0, 2},
		{"by an index and an offset", []byte{0xff, 0x94, 0x88, 0, 0, 0, 1}, low + 0x10, 0, 2},
		{"a jump", []byte{0xff, 0xe0}, low + 0x10, 0, 1},
		{"no call", []byte{0x90, 0x90}, low + 0x10, 0, 1},
		{"below the stack", []byte{0xff, 0xd0}, low - 0x10, 0, 1},
		{"far above it", []byte{0xff, 0xd0}, low + 0x20000, 0, 1},
		{"not aligned", []byte{0xff, 0xd0}, low + 0x11, 0, 1},
		{"itself", []byte{0xff, 0xd0}, low + 0x10, low + 0x10, 2},
		{"at the end of memory", []byte{0xff, 0xd0}, 0xfffffffc, 0, 1},
	} {
		g := &guest{pages: map[uint32][]byte{}, pc: code, esp: low, ebp: tt.ebp, stacked: true}
		g.put(low, make([]byte, 0x1000))
		back := uint32(code + 0x100)
		g.put(code, make([]byte, 0x200))
		g.put(back-uint32(len(tt.before)), tt.before)
		g.put(tt.ebp, words(tt.up, back))
		if got := stack(g); len(got) != tt.want || got[0] != code {
			t.Errorf("%s: %x, want %d frames", tt.name, got, tt.want)
		}
		g.stacked = false
		if got := stack(g); len(got) != 1 {
			t.Errorf("%s, without a flat stack: %x", tt.name, got)
		}
	}
}

// FuzzTake: no memory of a guest, and no file of it, panics or hangs.
func FuzzTake(f *testing.F) {
	g := process("/bin/x", "x", "/", 0)
	f.Add(g.pages[0xbff7e000], program(), uint32(0x8048810))
	f.Add(bytes.Repeat(words(auxExecFn, 0xbfffffb0), 512), program(), uint32(0))
	f.Add([]byte{}, []byte("\x7fELF\x01\x01\x01"), uint32(1))
	f.Fuzz(func(t *testing.T, top, file []byte, pc uint32) {
		p := New(1, func(string) (File, error) { return nopCloser{bytes.NewReader(file)}, nil })
		p.KernelFile(file)
		p.Kallsyms(top)
		g := &guest{pages: map[uint32][]byte{}, user: true, space: 1, pc: pc, esp: 0xbff7e000, ebp: 0xbff7e000, stacked: true}
		page := make([]byte, 4096)
		copy(page, top)
		for i := range uint32(64) {
			g.pages[0xbff7e000-i*4096] = page
		}
		p.Take(g, 1)
		g.user = false
		p.Take(g, 1)
		if err := p.Write(io.Discard); err != nil {
			t.Fatal(err)
		}
		p.Close()
	})
}
