package profile

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"path"
	"slices"
	"strings"
)

// module is a file that is executed.
type module struct {
	name        string
	head        []byte // of the file, by which it is known again
	file        File   // nil: closed, or none
	segments    []segment
	entry       uint32
	headers     uint32 // the address of the program headers
	number      uint32 // of them
	dynamic     uint32 // the address of the dynamic section; 0: there is none
	interpreter string
	symbols     *symbols
}

// segment is a part of a file that is mapped.
type segment struct{ address, size uint32 }

// Parts of ELF's 32-bit form (TIS ELF 1.2, book I).
const (
	elfHead     = 52
	elfProgSize = 32
	elfSectSize = 40
	elfSymSize  = 16
	progLoad    = 1
	progDynamic = 2
	progInterp  = 3
	sectSymbols = 2
	sectDynamic = 11
	symbolFunc  = 2
	symbolIFunc = 10
	maxProgs    = 64
	maxSects    = 4096
)

// holds tells whether the file has something at an address.
func (m *module) holds(a uint32) bool {
	return slices.ContainsFunc(m.segments, func(s segment) bool { return a-s.address < s.size })
}

// openModule opens a file, which is a module of its own if it is not the one that had
// the name before.
func (p *Profile) openModule(name string) (int, bool) {
	if !path.IsAbs(name) || len(name) > maxName || strings.ContainsRune(name, 0) {
		return 0, false
	}
	name = path.Clean(name)
	f, err := p.open(name)
	if err != nil {
		return 0, false
	}
	m := &module{name: name, file: f}
	if !m.parse() {
		f.Close()
		return 0, false
	}
	for i, old := range p.modules {
		if old.name == name && bytes.Equal(old.head, m.head) {
			f.Close()
			return i, true
		}
	}
	if len(p.modules) >= maxModules {
		f.Close()
		return 0, false
	}
	p.modules = append(p.modules, m)
	return len(p.modules) - 1, true
}

// parse reads the headers.
func (m *module) parse() bool {
	head := make([]byte, elfHead+maxProgs*elfProgSize)
	n, _ := m.file.ReadAt(head, 0)
	head = head[:n]
	le := binary.LittleEndian
	if len(head) < elfHead || string(head[:6]) != "\x7fELF\x01\x01" {
		return false
	}
	m.head, m.entry = head, le.Uint32(head[24:])
	at, size, number := le.Uint32(head[28:]), le.Uint16(head[42:]), le.Uint16(head[44:])
	end := uint64(at) + uint64(number)*elfProgSize
	if size != elfProgSize || number > maxProgs || end > uint64(len(head)) {
		return false
	}
	m.number = uint32(number)
	for h := head[at:end]; len(h) > 0; h = h[elfProgSize:] {
		offset, address, inFile, inMemory := le.Uint32(h[4:]), le.Uint32(h[8:]), le.Uint32(h[16:]), le.Uint32(h[20:])
		switch le.Uint32(h) {
		case progLoad:
			m.segments = append(m.segments, segment{address, inMemory})
			if at-offset < inFile {
				m.headers = address + at - offset
			}
		case progDynamic:
			m.dynamic = address
		case progInterp:
			b := make([]byte, min(inFile, maxName))
			n, _ := m.file.ReadAt(b, int64(offset))
			m.interpreter, _, _ = strings.Cut(string(b[:n]), "\x00")
		}
	}
	return len(m.segments) > 0
}

// load opens the file that a process was made of, if it is this one: what the vector
// says of its headers and its entry is what the file says, and at its entry is the
// same code.
func (p *Profile) load(at At, name string, vector map[uint32]uint32) (loaded, bool) {
	i, ok := p.openModule(name)
	if !ok {
		return loaded{}, false
	}
	m := p.modules[i]
	bias := vector[auxEntry] - m.entry
	if bias%pageSize != 0 || vector[auxPhnum] != m.number || vector[auxPhdr] != m.headers+bias {
		return loaded{}, false
	}
	return loaded{i, bias}, true
}

// symbol is a function at an address, of so many bytes; 0: it is not known.
type symbol struct {
	address, size uint32
	name          string
}

// symbols are in the order of their addresses.
type symbols []symbol

// find gives the function that an address is in.
func (s *symbols) find(a uint32) (string, bool) {
	i, ok := slices.BinarySearchFunc(*s, a, func(x symbol, a uint32) int { return cmp.Compare(x.address, a) })
	if !ok {
		i--
	}
	if i < 0 || (*s)[i].size != 0 && a-(*s)[i].address >= (*s)[i].size {
		return "", false
	}
	return (*s)[i].name, true
}

// sorted puts them in order. Of several at one address the first with a size counts.
func sorted(list symbols) symbols {
	slices.SortStableFunc(list, func(a, b symbol) int {
		return cmp.Or(cmp.Compare(a.address, b.address), cmp.Compare(min(b.size, 1), min(a.size, 1)))
	})
	return slices.CompactFunc(list, func(a, b symbol) bool { return a.address == b.address })
}

// table reads the functions, once. left is how many bytes may be read for that.
func (m *module) table(left *int64) *symbols {
	if m.symbols != nil {
		return m.symbols
	}
	m.symbols = &symbols{}
	if m.file == nil {
		return m.symbols
	}
	le := binary.LittleEndian
	at, size, number := le.Uint32(m.head[32:]), le.Uint16(m.head[46:]), le.Uint16(m.head[48:])
	if size != elfSectSize || number > maxSects {
		return m.symbols
	}
	sections := m.read(left, at, uint32(number)*elfSectSize)
	section := func(i uint32) []byte {
		if uint64(i+1)*elfSectSize > uint64(len(sections)) {
			return nil
		}
		return sections[i*elfSectSize:]
	}
	var list symbols
	for i := range uint32(number) {
		s := section(i)
		if s == nil || le.Uint32(s[4:]) != sectSymbols && le.Uint32(s[4:]) != sectDynamic {
			continue
		}
		names := section(le.Uint32(s[24:]))
		if names == nil {
			continue
		}
		list = append(list, functions(left, m.read(left, le.Uint32(s[16:]), le.Uint32(s[20:])), m.read(left, le.Uint32(names[16:]), le.Uint32(names[20:])))...)
	}
	if len(list) == 0 { // it is stripped; of a Go program a table stays
		var table []byte
		var text uint32
		names := section(uint32(le.Uint16(m.head[50:])))
		if names != nil {
			names = m.read(left, le.Uint32(names[16:]), le.Uint32(names[20:]))
		}
		for i := range uint32(number) {
			s := section(i)
			if s == nil {
				break
			}
			switch name := le.Uint32(s); {
			case isName(names, name, ".gopclntab"):
				table = m.read(left, le.Uint32(s[16:]), le.Uint32(s[20:]))
			case isName(names, name, ".text"):
				text = le.Uint32(s[12:])
			}
		}
		list = goFunctions(left, table, text)
	}
	*m.symbols = sorted(list)
	return m.symbols
}

// isName tells whether that is the string at a place of a table of strings.
func isName(table []byte, at uint32, name string) bool {
	return uint64(at) < uint64(len(table)) && bytes.HasPrefix(table[at:], append([]byte(name), 0))
}

// read reads a part of the file; what is not there, or too much, is nothing.
func (m *module) read(left *int64, at, size uint32) []byte {
	if *left -= int64(size); *left < 0 {
		return nil
	}
	b := make([]byte, size)
	n, _ := m.file.ReadAt(b, int64(at))
	return b[:n]
}

// functions are those of a symbol table.
func functions(left *int64, table, names []byte) (list symbols) {
	le := binary.LittleEndian
	for ; len(table) >= elfSymSize; table = table[elfSymSize:] {
		kind := table[12] & 0xf
		at := le.Uint32(table)
		if kind != symbolFunc && kind != symbolIFunc || le.Uint16(table[14:]) == 0 || uint64(at) >= uint64(len(names)) {
			continue
		}
		if name := nameAt(left, names[at:]); name != "" {
			list = append(list, symbol{le.Uint32(table[4:]), le.Uint32(table[8:]), name})
		}
	}
	return list
}

// nameAt is the string at the beginning of b, "" if it has no end or is one too many:
// left is how many bytes they may take.
func nameAt(left *int64, b []byte) string {
	n := bytes.IndexByte(b[:min(len(b), maxName)], 0)
	if n < 0 || *left < int64(n) {
		return ""
	}
	*left -= int64(n)
	return string(b[:n])
}
