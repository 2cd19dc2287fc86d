package kernel

import (
	"encoding/binary"
	"fmt"
)

// What the guest has to do that no shell can is done by programs of our own: lists of system calls, each of which says where to go on by
// what it has returned. Linux's i386 system calls and errors are in arch/x86/entry/syscalls/syscall_32.tbl and
// include/uapi/asm-generic/errno-base.h.

// System calls of the lists.
const (
	callExit      = 1
	callFork      = 2
	callRead      = 3
	callWrite     = 4
	callOpen      = 5
	callClose     = 6
	callExecve    = 11
	callChdir     = 12
	callAccess    = 33
	callSync      = 36
	callKill      = 37
	callDup       = 41
	callSignal    = 48
	callIoctl     = 54
	callChroot    = 61
	callDup2      = 63
	callSetsid    = 66
	callWait4     = 114
	callFchdir    = 133
	callPoll      = 168
	callSetgroups = 206 // of 32-bit numbers, as the three below
	callFchown    = 207
	callSetUID    = 213
	callSetGID    = 214
	callPipe2     = 331
	callNone      = 1<<32 - 1 // ENOSYS: goes on at other
)

// An arg is an argument of a call: a number or an address, or what a cell holds when the call is made.
type arg uint64

const (
	argCell  = 1 << 32
	argMinus = 1 << 35 // of the first argument
)

// at is what the cell at an address holds. The first three arguments alone can be that.
func at(address uint32) arg { return argCell | arg(address) }

// minus is the negative of what the cell at an address holds. The first argument alone can be that.
func minus(address uint32) arg { return at(address) | argMinus }

// A label is a place in a list.
type label int

// A call is a system call, the cell that gets what it returns, and where it goes on.
type call struct {
	number uint32
	args   [5]arg
	to     uint32
	next   label // a success
	zero   label // zero
	absent label // ENOENT, ENOTDIR
	format label // ENOEXEC
	other  label // another error
}

const callSize = 52 // bytes: thirteen words

// callsCode executes calls, from the one whose address is put behind its first byte.
var callsCode = []byte{
	0xbd, 0, 0, 0, 0, //       mov ebp, calls
	0x8b, 0x5d, 0x04, // next: mov ebx, [ebp+4]
	0x8b, 0x4d, 0x08, //       mov ecx, [ebp+8]
	0x8b, 0x55, 0x0c, //       mov edx, [ebp+12]
	0x8b, 0x75, 0x10, //       mov esi, [ebp+16]
	0x8b, 0x7d, 0x14, //       mov edi, [ebp+20]
	0x8b, 0x45, 0x18, //       mov eax, [ebp+24]
	0xd1, 0xe8, //             shr eax
	0x73, 0x02, //             jnc 1
	0x8b, 0x1b, //             mov ebx, [ebx]
	0xd1, 0xe8, //          1: shr eax
	0x73, 0x02, //             jnc 2
	0x8b, 0x09, //             mov ecx, [ecx]
	0xd1, 0xe8, //          2: shr eax
	0x73, 0x02, //             jnc 3
	0x8b, 0x12, //             mov edx, [edx]
	0xd1, 0xe8, //          3: shr eax
	0x73, 0x02, //             jnc 4
	0xf7, 0xdb, //             neg ebx
	0x8b, 0x45, 0x00, //    4: mov eax, [ebp]
	0xcd, 0x80, //             int 80h
	0x8b, 0x4d, 0x1c, //       mov ecx, [ebp+28]
	0x89, 0x01, //             mov [ecx], eax
	0x8d, 0x55, 0x20, //       lea edx, [ebp+32]
	0x3d, 0x01, 0xf0, 0xff, 0xff, // cmp eax, -4095
	0x73, 0x09, //             jae error
	0x85, 0xc0, //             test eax, eax
	0x75, 0x1d, //             jnz done
	0x83, 0xc2, 0x04, //       add edx, 4
	0xeb, 0x18, //             jmp done
	0x83, 0xc2, 0x08, // error: add edx, 8
	0x83, 0xf8, 0xfe, //       cmp eax, -ENOENT
	0x74, 0x10, //             je done
	0x83, 0xf8, 0xec, //       cmp eax, -ENOTDIR
	0x74, 0x0b, //             je done
	0x83, 0xc2, 0x04, //       add edx, 4
	0x83, 0xf8, 0xf8, //       cmp eax, -ENOEXEC
	0x74, 0x03, //             je done
	0x83, 0xc2, 0x04, //       add edx, 4
	0x8b, 0x2a, //       done: mov ebp, [edx]
	0xeb, 0x9d, //             jmp next
}

// Where the image lies in its process, and behind it what is zero at first.
const (
	callsBase  = 0x08048000
	callsRoom  = 0x0a000000
	callsLimit = callsRoom - callsBase // bytes of the image
)

// caller builds a program: the ELF header, callsCode, data and calls.
type caller struct {
	data   []byte // all up to the calls
	calls  []*call
	labels []int  // the calls that they are before
	taken  uint32 // of the room behind the image
	failed label  // where a call that add adds goes on after an error
	void   uint32 // the cell of what nobody asks for
	told   uint32 // that of a file which gets what end prints; 0: none does
}

const callsHead = elfHeaderSize + 3*elfProgSize

func newCaller() *caller {
	c := &caller{data: make([]byte, callsHead+len(callsCode))}
	c.void = c.room(4)
	return c
}

// place adds data and gives its address.
func (c *caller) place(b []byte) uint32 {
	for len(c.data)%4 != 0 {
		c.data = append(c.data, 0)
	}
	at := callsBase + uint32(len(c.data))
	c.data = append(c.data, b...)
	return at
}

// room gives the address of n bytes that are zero.
func (c *caller) room(n uint32) uint32 {
	at := callsRoom + c.taken
	c.taken += (n + 3) &^ 3
	return at
}

// text adds a string that a zero ends.
func (c *caller) text(s string) uint32 { return c.place(append([]byte(s), 0)) }

// words adds 32-bit numbers.
func (c *caller) words(list ...uint32) uint32 {
	var b []byte
	for _, w := range list {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return c.place(b)
}

// strings adds a list of strings that a null ends, as execve takes it.
func (c *caller) strings(list []string) uint32 {
	var at []uint32
	for _, s := range list {
		at = append(at, c.text(s))
	}
	return c.words(append(at, 0)...)
}

// label makes a label that bind gives its place.
func (c *caller) label() label {
	c.labels = append(c.labels, -1)
	return label(len(c.labels) - 1)
}

// bind has l be before the call that is added next.
func (c *caller) bind(l label) { c.labels[l] = len(c.calls) }

// here is a label before the call that is added next.
func (c *caller) here() label {
	l := c.label()
	c.bind(l)
	return l
}

// add adds a call behind which the next one comes, after an error what failed says.
func (c *caller) add(number uint32, args ...arg) *call {
	k := &call{number: number, to: c.void, absent: c.failed, format: c.failed, other: c.failed}
	copy(k.args[:], args)
	c.calls = append(c.calls, k)
	k.next = c.here()
	k.zero = k.next
	return k
}

// try adds a call behind which the next one comes, whatever it returns.
func (c *caller) try(number uint32, args ...arg) *call {
	k := c.add(number, args...)
	return k.fails(k.next)
}

// jump goes on at l.
func (c *caller) jump(l label) { c.try(callNone).fails(l) }

// fails has k go on at l after an error.
func (k *call) fails(l label) *call {
	k.absent, k.format, k.other = l, l, l
	return k
}

// image is the program, which begins at first.
func (c *caller) image(first label) []byte {
	calls := c.words()
	to := func(l label) uint32 { return calls + uint32(c.labels[l])*callSize }
	for _, k := range c.calls {
		w := [callSize / 4]uint32{0: k.number, 7: k.to, 8: to(k.next), 9: to(k.zero), 10: to(k.absent), 11: to(k.format), 12: to(k.other)}
		for i, a := range k.args {
			w[1+i] = uint32(a)
			w[6] |= uint32(a>>32) << i
		}
		c.words(w[:]...)
	}
	if len(c.data) > callsLimit {
		panic("BUG: a list of calls that is too long")
	}
	le := binary.LittleEndian
	b := c.data
	copy(b, "\x7fELF\x01\x01\x01")
	le.PutUint16(b[16:], elfTypeExec)
	le.PutUint16(b[18:], elfMachine386)
	le.PutUint32(b[20:], 1) // version
	le.PutUint32(b[24:], callsBase+callsHead)
	le.PutUint32(b[28:], elfHeaderSize)
	le.PutUint16(b[40:], elfHeaderSize)
	le.PutUint16(b[42:], elfProgSize)
	le.PutUint16(b[44:], 3)
	const readWrite, all, page = 6, 7, 4096
	size := uint32(len(b))
	for i, v := range []uint32{
		elfLoad, 0, callsBase, callsBase, size, size, all, page,
		elfLoad, 0, callsRoom, callsRoom, 0, c.taken, readWrite, page,
		elfStack, 0, 0, 0, 0, 0, readWrite, 0, // without it Linux has all that can be read be executable
	} {
		le.PutUint32(b[elfHeaderSize+4*i:], v)
	}
	code := b[callsHead:]
	copy(code, callsCode)
	le.PutUint32(code[1:], to(first))
	return b
}

// end adds the calls that print a line and end the process, and gives the first.
func (c *caller) end(code uint32, format string, args ...any) label {
	first := c.here()
	line := []byte("alpinevm: " + fmt.Sprintf(format, args...) + "\n")
	text := arg(c.place(line))
	if c.told != 0 {
		c.try(callWrite, at(c.told), text, arg(len(line)))
	}
	c.try(callWrite, 2, text, arg(len(line)))
	c.exit(code)
	return first
}

// exit ends the process.
func (c *caller) exit(code uint32) { c.try(callExit, arg(code)) }
