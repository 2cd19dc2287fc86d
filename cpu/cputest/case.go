package cputest

import "alpinevm/cpu/x86"

// Case is one instruction, or a sequence of them, and the state before it.
type Case struct {
	Form    x86.Form // of a single instruction
	Code    [maxCode]byte
	Len     uint8 // bytes of Code
	Addr    uint32
	R       [8]uint32
	EFLAGS  uint32
	FX      [512]byte // FXSAVE image
	Windows []Window

	// Taints is set for a sequence: the flags that are undefined before
	// each instruction, and behind the last one.
	Taints []Taint
}

// Taint tells which flags are undefined where EIP is Addr + At.
type Taint struct {
	At    uint8
	Flags uint32
}

// Window is a stretch of writable memory that a case gives contents to and
// whose contents are part of its outcome. Windows of a case do not overlap.
type Window struct {
	Addr uint32
	Data []byte
}

// Bounds of the windows of a case.
const (
	maxWindows    = 4
	maxWindowData = 768 // bytes, all windows together
)

// noVector is the Vector of an outcome without exception: the instruction was
// executed and control came to the next one.
const noVector = 0xFF

// Outcome is the state after a case.
type Outcome struct {
	Final
	Memory []byte // contents of the windows, one after the other
}

// Final is the state of the processor after a case.
type Final struct {
	Vector uint8 // exception, or noVector
	Code   uint32
	CR2    uint32 // of page faults
	EIP    uint32
	R      [8]uint32
	EFLAGS uint32
	Seg    [6]uint16
	FX     [512]byte
}
