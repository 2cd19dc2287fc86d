package profile

import "encoding/binary"

// The table that the Go linker gives each program, stripped ones too, for tracebacks
// (runtime/symtab.go, pcHeader; debug/gosym reads it, but what a hostile one costs has
// no bound). Of the forms that there have been these are served.
const (
	goTable118 = 0xfffffff0 // Go 1.18 and 1.19
	goTable120 = 0xfffffff1 // since
	goHead     = 8 + 8*4    // of a program of 32 bits
)

// goFunctions are the functions of a Go program: table is its section .gopclntab, text
// the address of its code. left is how many bytes their names may take.
func goFunctions(left *int64, table []byte, text uint32) (list symbols) {
	le := binary.LittleEndian
	if len(table) < goHead || table[7] != 4 {
		return nil
	}
	if magic := le.Uint32(table); magic != goTable118 && magic != goTable120 {
		return nil
	}
	word := func(i int) uint32 { return le.Uint32(table[8+4*i:]) }
	number, names, places := word(0), word(3), word(7)
	if start := word(2); start != 0 { // the linker has left it out of late
		text = start
	}
	if uint64(names) > uint64(len(table)) || uint64(places)+8*uint64(number)+4 > uint64(len(table)) {
		return nil
	}
	entries := table[places:]
	for i := range number {
		e := entries[8*i:]
		at, info, next := le.Uint32(e), uint64(le.Uint32(e[4:])), le.Uint32(e[8:])
		if info+8 > uint64(len(entries)) || next < at {
			continue
		}
		name := uint64(names) + uint64(le.Uint32(entries[info+4:]))
		if name >= uint64(len(table)) {
			continue
		}
		if s := nameAt(left, table[name:]); s != "" {
			list = append(list, symbol{text + at, next - at, s})
		}
	}
	return list
}
