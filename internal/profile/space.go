package profile

import (
	"bytes"
	"encoding/binary"
	"path"
	"strings"
)

// space is an address space: a process, and what is mapped in it.
type space struct {
	process int // its number
	loaded  []loaded
	main    loaded
	base    uint32 // of the dynamic linker; 0: there is none

	randomAt uint32 // where the process has its random bytes, which no other one has
	random   [16]byte
	known    bool
	wait     int // samples until it is looked at again
}

// loaded is a module at its place.
type loaded struct {
	module int
	bias   uint32 // what is added to the file's addresses
}

// How many samples pass before an address space is looked at again: one that shows no
// process, and one in which something is executed that is not known.
const (
	waitUnknown = 16
	waitLibrary = 64
)

// space finds out whose the address space is.
func (p *Profile) space(at At) *space {
	id := at.Space()
	s := p.spaces[id]
	if s != nil && s.known {
		var now [16]byte
		if at.Peek(s.randomAt, now[:]) == len(now) && now == s.random {
			return s
		}
		s = nil // the page tables have gone to another process
	}
	if s != nil && s.wait > 0 {
		s.wait--
		return s
	}
	if s == nil {
		if len(p.spaces) >= maxProcesses {
			clear(p.spaces)
		}
		s = &space{}
		p.spaces[id] = s
	}
	s.wait = waitUnknown
	if id != 0 {
		p.identify(at, s)
	}
	return s
}

// Ends of the user's addresses, by how a kernel splits them (arch/x86/Kconfig,
// VMSPLIT).
var userEnds = []uint32{0xc0000000, 0xb0000000, 0x80000000, 0x78000000, 0x40000000}

// pageSize is in bytes.
const pageSize = 4096

// Bounds of the search: how far below the end of the user's addresses a stack may
// begin, since its place is random, and how large arguments and environment are.
const (
	maxStackGap   = 16 << 20
	maxStackWords = 256 << 10
	maxTries      = 4 // places that look like what is looked for, and are not
)

// Types of the auxiliary vector (include/uapi/linux/auxvec.h).
const (
	auxNull   = 0
	auxPhdr   = 3
	auxPhnum  = 5
	auxBase   = 7
	auxEntry  = 9
	auxRandom = 25
	auxExecFn = 31
	auxLast   = 64 // none is as high
)

// identify looks for what execve has left at the top of a stack: at its very end is a
// word of zero, below it the name of the file that was executed, below that, among
// the rest, a vector one entry of which points to that name.
func (p *Profile) identify(at At, s *space) {
	tries := maxTries
	for _, end := range userEnds {
		for page := end - pageSize; page > end-maxStackGap; page -= pageSize {
			var last [8]byte
			if at.Peek(page+pageSize-8, last[:]) < len(last) || last[3] != 0 || binary.LittleEndian.Uint32(last[4:]) != 0 || last[2] == 0 {
				continue
			}
			if tries--; p.identifyAt(at, s, page) || tries == 0 {
				return
			}
		}
	}
}

// identifyAt looks at a page that may be the last one of a stack.
func (p *Profile) identifyAt(at At, s *space, page uint32) bool {
	var b [pageSize]byte
	if at.Peek(page, b[:]) < len(b) {
		return false
	}
	text := b[:pageSize-5]
	begin := bytes.LastIndexByte(text, 0) + 1
	name, nameAt := string(text[begin:]), page+uint32(begin)
	vector, first, ok := auxiliary(at, nameAt)
	if !ok {
		return false
	}
	s.randomAt = vector[auxRandom]
	if at.Peek(s.randomAt, s.random[:]) < len(s.random) {
		return false
	}
	s.known, s.wait, s.loaded, s.base = true, 0, nil, vector[auxBase]
	s.process = p.number(printableName(path.Base(name)))
	dir := workingFolder(at, page, begin)
	for _, candidate := range []string{name, argument(at, first, nameAt)} {
		if candidate == "" {
			continue
		}
		if !path.IsAbs(candidate) {
			candidate = path.Join(dir, candidate)
		}
		if l, ok := p.load(at, candidate, vector); ok {
			s.main, s.loaded = l, append(s.loaded, l)
			break
		}
	}
	p.libraries(at, s)
	return true
}

// printableName makes a process's name fit for people.
func printableName(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\ufffd' {
			return '?'
		}
		return r
	}, s[:min(len(s), 64)])
}

// auxiliary finds the vector that points to the name, below it. first is where it
// begins.
func auxiliary(at At, name uint32) (vector map[uint32]uint32, first uint32, ok bool) {
	tries := maxTries
	want := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, auxExecFn), name)
	for page := name &^ (pageSize - 1); name-page < maxStackWords && page >= pageSize; page -= pageSize {
		var b [pageSize + 4]byte // an entry may lie in two pages
		n := at.Peek(page, b[:])
		if n < pageSize {
			continue // execve leaves a gap of up to two pages, at random, which nobody has touched
		}
		for from := 0; ; {
			i := bytes.Index(b[from:n], want)
			if i < 0 {
				break
			}
			if i += from; i%4 == 0 {
				if vector, first, ok = entries(at, page+uint32(i)); ok {
					return vector, first, true
				}
				if tries--; tries == 0 {
					return nil, 0, false
				}
			}
			from = i + 1
		}
	}
	return nil, 0, false
}

// entries reads the vector around one of its entries.
func entries(at At, entry uint32) (vector map[uint32]uint32, first uint32, ok bool) {
	vector = map[uint32]uint32{}
	read := func(a uint32) bool {
		var b [8]byte
		if at.Peek(a, b[:]) < len(b) {
			return false
		}
		kind := binary.LittleEndian.Uint32(b[:])
		if kind == auxNull || kind >= auxLast {
			return false
		}
		vector[kind] = binary.LittleEndian.Uint32(b[4:])
		return true
	}
	for first = entry; len(vector) < auxLast && read(first); first -= 8 {
	}
	first += 8
	for a := entry + 8; len(vector) < auxLast && read(a); a += 8 {
	}
	return vector, first, vector[auxRandom] != 0 && vector[auxPhdr] != 0 && vector[auxEntry] != 0
}

// argument gives the first one of the command line: below the vector lie a null, the
// pointers to the environment, a null, those to the arguments, and their number.
func argument(at At, vector, name uint32) string {
	word := func(a uint32) uint32 {
		var b [4]byte
		at.Peek(a, b[:])
		return binary.LittleEndian.Uint32(b[:])
	}
	a, nulls := vector-4, 0
	count := uint32(0)
	for vector-a < maxStackWords/4 {
		v := word(a)
		switch {
		case v == 0:
			if nulls++; nulls > 2 {
				return ""
			}
			count = 0
		case v > vector && v < name:
			count++
		case nulls == 2 && v == count:
			return text(at, word(a+4))
		default:
			return ""
		}
		a -= 4
	}
	return ""
}

// text reads a string that a zero ends.
func text(at At, lin uint32) string {
	var b [maxName]byte
	n := at.Peek(lin, b[:])
	end := bytes.IndexByte(b[:n], 0)
	if end < 0 {
		return ""
	}
	return string(b[:end])
}

// maxName bounds names of files, in bytes.
const maxName = 1024

// workingFolder is what the environment says it is: its strings lie below the name,
// which is at begin in the page.
func workingFolder(at At, page uint32, begin int) string {
	const variable = "\x00PWD="
	b := make([]byte, pageSize+begin)
	if at.Peek(page-pageSize, b) < len(b) {
		b = b[pageSize:]
		if at.Peek(page, b) < len(b) {
			return "/"
		}
	}
	if i := bytes.LastIndex(b, []byte(variable)); i >= 0 {
		dir := b[i+len(variable):]
		if end := bytes.IndexByte(dir, 0); end >= 0 {
			return "/" + string(dir[:end])
		}
	}
	return "/"
}

// place finds the module of an address.
func (p *Profile) place(at At, s *space, pc uint32) frame {
	for try := range 2 {
		for _, l := range s.loaded {
			if a := pc - l.bias; p.modules[l.module].holds(a) {
				return frame{uint32(l.module), a}
			}
		}
		if try > 0 || !s.known {
			break
		}
		if s.wait--; s.wait > 0 {
			break
		}
		s.wait = waitLibrary
		p.libraries(at, s)
	}
	return frame{ofUnknown, pc}
}

// Numbers of a dynamic section, and the offsets in what a dynamic linker tells
// debuggers: struct r_debug and struct link_map of link.h, on 32 bits.
const (
	dynNull  = 0
	dynDebug = 21
	maxDyn   = 256
	maxLibs  = 256

	debugMap = 4
	mapAddr  = 0
	mapName  = 4
	mapNext  = 12
)

// libraries finds the dynamic linker and the libraries that it has loaded by now.
func (p *Profile) libraries(at At, s *space) {
	if s.main.module < firstFile || s.base == 0 {
		return
	}
	m := p.modules[s.main.module]
	s.loaded = append(s.loaded[:0], s.main)
	if l, ok := p.openModule(m.interpreter); ok {
		s.loaded = append(s.loaded, loaded{l, s.base})
	}
	var b [16]byte
	var debug uint32
	for i := uint32(0); i < maxDyn && m.dynamic != 0; i++ {
		if at.Peek(m.dynamic+s.main.bias+8*i, b[:8]) < 8 || binary.LittleEndian.Uint32(b[:]) == dynNull {
			break
		}
		if binary.LittleEndian.Uint32(b[:]) == dynDebug {
			debug = binary.LittleEndian.Uint32(b[4:])
			break
		}
	}
	if debug == 0 || at.Peek(debug+debugMap, b[:4]) < 4 {
		return
	}
	next := binary.LittleEndian.Uint32(b[:])
	for n := 0; next != 0 && n < maxLibs; n++ {
		if at.Peek(next, b[:]) < len(b) {
			return
		}
		bias, name := binary.LittleEndian.Uint32(b[mapAddr:]), text(at, binary.LittleEndian.Uint32(b[mapName:]))
		next = binary.LittleEndian.Uint32(b[mapNext:])
		if !path.IsAbs(name) || bias == s.base || bias == s.main.bias {
			continue
		}
		if l, ok := p.openModule(name); ok {
			s.loaded = append(s.loaded, loaded{l, bias})
		}
	}
}
