package wasmtest

import (
	"encoding/binary"
	"strconv"

	"alpinevm/cpu/jit/wasm"
)

// putter gives a module that puts functions which another exports into the table, at the
// places that are their names (WebAssembly Core Specification 2.0, 5.5).
func putter(from string, places []uint32) []byte {
	const (
		sectionType, sectionImport, sectionElement = 1, 2, 9
		externFunc, externTable                    = 0, 1
		typeFunc, typeFuncs, typeI32               = 0x60, 0x70, 0x7f
		opI32Const, opEnd                          = 0x41, 0x0b
	)
	name := func(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	n := uint64(len(places))
	types := []byte{2}
	for _, params := range [][]byte{{typeI32, typeI32, typeI32}, {typeI32, typeI32, typeI32, typeI32}} {
		types = append(append(append(types, typeFunc, byte(len(params))), params...), 1, typeI32)
	}
	kind := byte(0)
	if places[0] == 0 { // the dispatcher
		kind = 1
	}
	imports := binary.AppendUvarint(nil, n+1)
	imports = append(name(name(imports, wasm.ImportModule), wasm.ImportTable), externTable, typeFuncs, 0, 1)
	elements := binary.AppendUvarint(nil, n)
	for i, p := range places {
		imports = append(name(name(imports, from), strconv.Itoa(int(p))), externFunc, kind)
		elements = append(elements, 0, opI32Const) // active, into table 0
		elements = append(signed(elements, p), opEnd, 1)
		elements = binary.AppendUvarint(elements, uint64(i))
	}
	b := []byte{0, 'a', 's', 'm', 1, 0, 0, 0}
	for _, s := range []struct {
		id   byte
		data []byte
	}{{sectionType, types}, {sectionImport, imports}, {sectionElement, elements}} {
		b = append(binary.AppendUvarint(append(b, s.id), uint64(len(s.data))), s.data...)
	}
	return b
}

// signed appends a number that is not negative as a signed one.
func signed(b []byte, v uint32) []byte {
	for ; v >= 1<<6; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}
