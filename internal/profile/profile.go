// Package profile turns samples of where a guest is into a profile in pprof's form
// (github.com/google/pprof): which instructions were executed for which process, with
// the names of functions.
//
// Whose an address space is, and what is mapped in it, is read from the guest's
// memory, by what Linux promises its programs: what execve leaves at the top of the
// stack (the auxiliary vector, getauxval(3)), and the list of libraries that a dynamic
// linker keeps for debuggers (link.h). No kernel's own structures are read. The names
// come from the symbol tables of the files in the guest's root, and those of the
// kernel from what it tells itself (/proc/kallsyms).
//
// All that is read is the guest's, and may say anything: it is bounded, and what does
// not fit together is left out.
package profile

import (
	"encoding/binary"
	"io"
	"time"
)

// Bounds of what a guest can have us keep.
const (
	maxStacks    = 100_000   // different ones
	maxProcesses = 4096      // different names, and address spaces at a time
	maxModules   = 512       // files that are open
	maxDepth     = 64        // of a stack
	maxTables    = 256 << 20 // bytes of symbol tables that are read
)

// At is where a guest is. It is good during a Take.
type At interface {
	// PC is the linear address of the next instruction, User whether it is at CPL 3.
	PC() uint32
	User() bool
	// Stack gives the stack pointer and EBP, if they are linear addresses.
	Stack() (esp, ebp uint32, ok bool)
	// Space names the address space.
	Space() uint32
	// Peek copies what is at a linear address, and gives how much it could.
	Peek(lin uint32, p []byte) int
}

// File is a file of the guest.
type File interface {
	io.ReaderAt
	io.Closer
}

// Profile collects samples. It belongs to one goroutine.
type Profile struct {
	open   func(name string) (File, error)
	made   time.Time
	every  uint64
	paused bool
	full   bool  // stacks were left out
	left   int64 // bytes of symbol tables that may still be read

	spaces   map[uint32]*space
	names    []string // of processes; the first one is of those that are unknown
	numbers  map[string]int
	modules  []*module
	tally    map[string]*count
	kernel   symbols
	kallsyms []byte
}

// count is how often a stack was seen, and for how many instructions it stands.
type count struct{ samples, instructions int64 }

// Names of what has no better one.
const (
	unknownProcess = "[unknown]"
	kernelProcess  = "[kernel]" // what the kernel does for none
	otherProcess   = "[others]"
	kernelMapping  = "[kernel]"
	unknownMapping = "[unknown]"
)

// Modules that are no files.
const (
	ofUnknown = iota
	ofKernel
	firstFile
)

// New makes a profile with a sample after every so many instructions. open opens a
// file of the guest by its absolute name, which stays as it is while it is open.
func New(every uint64, open func(name string) (File, error)) *Profile {
	p := &Profile{
		left: maxTables, open: open, made: time.Now(), every: every, spaces: map[uint32]*space{}, numbers: map[string]int{}, tally: map[string]*count{},
		modules: []*module{{name: unknownMapping}, {name: kernelMapping}},
	}
	p.number(unknownProcess)
	return p
}

// Pause has samples left out, while the guest does something for us.
func (p *Profile) Pause(on bool) { p.paused = on }

// number gives a process's name a number.
func (p *Profile) number(name string) int {
	n, ok := p.numbers[name]
	if ok {
		return n
	}
	if len(p.names) >= maxProcesses && name != otherProcess {
		return p.number(otherProcess)
	}
	n = len(p.names)
	p.numbers[name], p.names = n, append(p.names, name)
	return n
}

// frame is a place in a module.
type frame struct{ module, address uint32 }

// Take counts a sample, which stands for so many instructions.
func (p *Profile) Take(at At, instructions uint64) {
	if p.paused {
		return
	}
	s := p.space(at)
	key := binary.LittleEndian.AppendUint32(make([]byte, 0, 5+8*maxDepth), uint32(s.process))
	user := byte(0)
	if at.User() {
		user = 1
	}
	key = append(key, user)
	for _, pc := range stack(at) {
		f := frame{ofKernel, pc}
		if user == 1 {
			f = p.place(at, s, pc)
		}
		key = binary.LittleEndian.AppendUint32(key, f.module)
		key = binary.LittleEndian.AppendUint32(key, f.address)
	}
	c := p.tally[string(key)]
	if c == nil {
		if len(p.tally) >= maxStacks {
			p.full = true
			key = append(key[:0], 0, 0, 0, 0, user) // of an unknown process, without a place
		}
		if c = p.tally[string(key)]; c == nil {
			c = &count{}
			p.tally[string(key)] = c
		}
	}
	c.samples++
	c.instructions += int64(instructions)
}

// Close closes the guest's files.
func (p *Profile) Close() {
	for _, m := range p.modules {
		if m.file != nil {
			m.file.Close()
			m.file = nil
		}
	}
}
