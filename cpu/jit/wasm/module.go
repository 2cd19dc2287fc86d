package wasm

import "strconv"

// module puts functions into a module: they take addresses and numbers and give the
// number of an exit (WebAssembly Core Specification 2.0, 5.5).
//
// That of the dispatcher alone knows the table: engines keep a copy of it for each
// instance that does, and write all of these at each change. A module exports functions
// under the numbers of their places, and the host puts them there.
type module struct {
	funcs    [][]byte // bodies: locals and instructions
	places   []uint32 // where in the table the last of them go
	dispatch bool     // it is the dispatcher's, whose second function is the follower
}

// funcKind is the number of parameters, all i32; there is one result.
type funcKind int

const (
	regionKind   funcKind = 3 // core, translations, entry
	dispatchKind funcKind = 4 // and the function's place in the table
)

// Names under which a module imports what it shares with the program.
const (
	ImportModule = "jit"
	ImportMemory = "mem"
	ImportTable  = "table"
)

// ImportDispatch is under which name those of regions import what the dispatcher's
// exports, the follower, their function 0.
const (
	ImportDispatch = "dispatch"
	ExportFollow   = "follow"

	followFunc  = 0
	firstOfRest = 1
)

// ExportEnter is the name under which Base exports the function that calls the
// dispatcher.
const ExportEnter = "enter"

// Sections.
const (
	sectionType     = 1
	sectionImport   = 2
	sectionFunction = 3
	sectionTable    = 4
	sectionMemory   = 5
	sectionExport   = 7
	sectionCode     = 10
)

const (
	externFunc   = 0
	externTable  = 1
	externMemory = 2
)

func (a *asm) name(s string) {
	a.u(uint32(len(s)))
	a.b = append(a.b, s...)
}

func (a *asm) section(id byte, fill func(*asm)) {
	var s asm
	fill(&s)
	a.op(id)
	a.u(uint32(len(s.b)))
	a.b = append(a.b, s.b...)
}

func (a *asm) funcType(params funcKind) {
	a.op(typeFunc)
	a.u(uint32(params))
	for range params {
		a.op(typeI32)
	}
	a.u(1)
	a.op(typeI32)
}

// Types of a module, by index.
const (
	regionType   = 0
	dispatchType = 1
)

// encode gives the module as bytes.
func (m *module) encode() []byte {
	a := &asm{b: []byte{0, 'a', 's', 'm', 1, 0, 0, 0}}
	a.section(sectionType, func(s *asm) {
		s.u(2)
		s.funcType(regionKind)
		s.funcType(dispatchKind)
	})
	a.section(sectionImport, func(s *asm) {
		s.u(2)
		s.name(ImportModule)
		s.name(ImportMemory)
		s.op(externMemory, 0) // no bound above
		s.u(1)
		if m.dispatch {
			s.name(ImportModule)
			s.name(ImportTable)
			s.op(externTable, typeFuncs, 0)
			s.u(1)
			return
		}
		s.name(ImportDispatch)
		s.name(ExportFollow)
		s.op(externFunc, regionType)
	})
	a.section(sectionFunction, func(s *asm) {
		s.u(uint32(len(m.funcs)))
		for i := range m.funcs {
			kind := byte(regionType)
			if m.dispatch && i == 0 {
				kind = dispatchType
			}
			s.op(kind)
		}
	})
	a.section(sectionExport, func(s *asm) {
		export := func(name string, fn int) {
			s.name(name)
			s.op(externFunc)
			s.u(uint32(fn))
		}
		if m.dispatch {
			s.u(2)
			export(strconv.Itoa(dispatchPlace), 0)
			export(ExportFollow, 1)
			return
		}
		s.u(uint32(len(m.places)))
		for i, p := range m.places {
			export(strconv.FormatUint(uint64(p), 10), firstOfRest+len(m.funcs)-len(m.places)+i)
		}
	})
	a.section(sectionCode, func(s *asm) {
		s.u(uint32(len(m.funcs)))
		for _, f := range m.funcs {
			s.u(uint32(len(f)))
			s.b = append(s.b, f...)
		}
	})
	return a.b
}

// Base gives the module that has the table, of so many places, and the function that a
// program calls to enter code: it passes its four parameters on to the function at
// place 0. With pages not 0 it has a memory of so many pages of 64 KiB as well; else
// that is the program's.
func Base(pages, places uint32) []byte {
	a := &asm{b: []byte{0, 'a', 's', 'm', 1, 0, 0, 0}}
	a.section(sectionType, func(s *asm) {
		s.u(1)
		s.funcType(dispatchKind)
	})
	a.section(sectionFunction, func(s *asm) { s.op(1, 0) })
	a.section(sectionTable, func(s *asm) {
		s.op(1, typeFuncs, 0)
		s.u(places)
	})
	if pages != 0 {
		a.section(sectionMemory, func(s *asm) {
			s.op(1, 1)
			s.u(pages)
			s.u(pages)
		})
	}
	a.section(sectionExport, func(s *asm) {
		s.u(min(pages, 1) + 2)
		s.name(ExportEnter)
		s.op(externFunc, 0)
		s.name(ImportTable)
		s.op(externTable, 0)
		if pages != 0 {
			s.name(ImportMemory)
			s.op(externMemory, 0)
		}
	})
	a.section(sectionCode, func(s *asm) {
		f := &asm{}
		f.u(0)
		for l := range local(dispatchKind) {
			f.get(l)
		}
		f.i32(0)
		f.op(opCallIndirect, 0, 0, opEnd)
		s.u(1)
		s.u(uint32(len(f.b)))
		s.b = append(s.b, f.b...)
	})
	return a.b
}
