package cputest

import "alpinevm/cpu/x86"

// Case is one instruction, or a sequence of them, and the state before it.
type Case struct {
	Mode    x86.Mode
	Form    x86.Form // of a single instruction
	Code    [maxCode]byte
	Len     uint8  // bytes of Code
	Addr    uint32 // linear
	R       [8]uint32
	EFLAGS  uint32
	FX      [512]byte // FXSAVE image
	Windows []Window

	// Taints is set for a sequence: the flags that are undefined before
	// each instruction, and behind the last one.
	Taints []Taint
}

// eip is where the case starts, relative to CS.
func (c *Case) eip() uint32 {
	if c.Mode == x86.Mode16 {
		return c.Addr - CodeBase
	}
	return c.Addr
}

// dataBase is the base of DS, ES and SS.
func (c *Case) dataBase() uint32 {
	if c.Mode == x86.Mode16 {
		return DataBase
	}
	return 0
}

// selectors are those of ES, CS, SS, DS, FS and GS before a case.
func (c *Case) selectors() [6]uint16 {
	if c.Mode == x86.Mode16 {
		return [6]uint16{selData16, selCode16, selData16, selData16, selFS, selGS}
	}
	return [6]uint16{selData, selCode, selData, selData, selFS, selGS}
}

// stackMask is the part of ESP that counts.
func (c *Case) stackMask() uint32 {
	if c.Mode == x86.Mode16 {
		return 0xFFFF
	}
	return 0xFFFFFFFF
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
