package kernel

import (
	"encoding/binary"
	"fmt"
	"path"
	"strings"
)

// A script cannot become the session's program: the shell and the applets of the initramfs know no supplementary groups, and take a name
// without a slash for one of their own before they look along PATH. So a program of our own does: a list of system calls, each of which
// says where to go on, by which error it ended. Linux's i386 system calls and errors are in arch/x86/entry/syscalls/syscall_32.tbl and
// include/uapi/asm-generic/errno-base.h.

// System calls of the list.
const (
	callExit      = 1
	callWrite     = 4
	callExecve    = 11
	callChdir     = 12
	callAccess    = 33
	callChroot    = 61
	callSetgroups = 206 // of 32-bit numbers, as the two below
	callSetUID    = 213
	callSetGID    = 214
	callNone      = 1<<32 - 1 // ENOSYS: goes on at other
)

// Exit codes where there is no program, as docker has them.
const (
	exitNoSession  = 125
	exitCannotExec = 126
	exitNotFound   = 127
)

// A call is a system call with its arguments, each a number or an address in the list's image, and the calls behind which it goes on:
// the next one after a success, else one of three by its error.
type call struct {
	number, a, b, c uint32
	missing         int // ENOENT, ENOTDIR
	format          int // ENOEXEC
	other           int
}

const callSize = 28 // bytes: seven words

// enterCode executes calls, from the one whose address is put behind its first byte.
var enterCode = []byte{
	0xbd, 0, 0, 0, 0, //       mov ebp, calls
	0x8b, 0x45, 0x00, // next: mov eax, [ebp]
	0x8b, 0x5d, 0x04, //       mov ebx, [ebp+4]
	0x8b, 0x4d, 0x08, //       mov ecx, [ebp+8]
	0x8b, 0x55, 0x0c, //       mov edx, [ebp+12]
	0xcd, 0x80, //             int 80h
	0x8d, 0x75, 0x1c, //       lea esi, [ebp+28]
	0x3d, 0x01, 0xf0, 0xff, 0xff, // cmp eax, -4095
	0x72, 0x18, //             jb done
	0x8b, 0x75, 0x10, //       mov esi, [ebp+16]
	0x83, 0xf8, 0xfe, //       cmp eax, -ENOENT
	0x74, 0x10, //             je done
	0x83, 0xf8, 0xec, //       cmp eax, -ENOTDIR
	0x74, 0x0b, //             je done
	0x8b, 0x75, 0x14, //       mov esi, [ebp+20]
	0x83, 0xf8, 0xf8, //       cmp eax, -ENOEXEC
	0x74, 0x03, //             je done
	0x8b, 0x75, 0x18, //       mov esi, [ebp+24]
	0x89, 0xf5, //       done: mov ebp, esi
	0xeb, 0xcc, //             jmp next
}

// enterBase is where the image lies in its process.
const enterBase = 0x08048000

// caller builds the image: the ELF header, enterCode, the data and the calls.
type caller struct {
	data  []byte // all up to the calls
	calls []call
}

func newCaller() *caller {
	return &caller{data: make([]byte, elfHeaderSize+elfProgSize+len(enterCode))}
}

// place adds data and gives its address.
func (c *caller) place(b []byte) uint32 {
	for len(c.data)%4 != 0 {
		c.data = append(c.data, 0)
	}
	at := enterBase + uint32(len(c.data))
	c.data = append(c.data, b...)
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

// add adds a call that all errors lead to failed.
func (c *caller) add(failed int, number, a, b, d uint32) {
	c.calls = append(c.calls, call{number, a, b, d, failed, failed, failed})
}

// end adds the calls that print a line and end the process, and gives the first.
func (c *caller) end(code uint32, format string, args ...any) int {
	at := len(c.calls)
	line := []byte("alpinevm: " + fmt.Sprintf(format, args...) + "\n")
	c.add(at+1, callWrite, 2, c.place(line), uint32(len(line)))
	c.add(at+1, callExit, code, 0, 0)
	return at
}

// image is the program, which begins with the call first.
func (c *caller) image(first int) []byte {
	calls := c.words()
	for _, k := range c.calls {
		to := func(i int) uint32 { return calls + uint32(i)*callSize }
		c.words(k.number, k.a, k.b, k.c, to(k.missing), to(k.format), to(k.other))
	}
	le := binary.LittleEndian
	b := c.data
	copy(b, "\x7fELF\x01\x01\x01")
	le.PutUint16(b[16:], elfTypeExec)
	le.PutUint16(b[18:], elfMachine386)
	le.PutUint32(b[20:], 1) // version
	le.PutUint32(b[24:], enterBase+elfHeaderSize+elfProgSize)
	le.PutUint32(b[28:], elfHeaderSize)
	le.PutUint16(b[40:], elfHeaderSize)
	le.PutUint16(b[42:], elfProgSize)
	le.PutUint16(b[44:], 1)
	const readExecute, page = 5, 4096
	for i, v := range []uint32{elfLoad, 0, enterBase, enterBase, uint32(len(b)), uint32(len(b)), readExecute, page} {
		le.PutUint32(b[elfHeaderSize+4*i:], v)
	}
	code := b[elfHeaderSize+elfProgSize:]
	copy(code, enterCode)
	le.PutUint32(code[1:], calls+uint32(first)*callSize)
	return b
}

// enter is the program that becomes the session's, in the folder dir of the root that is its working folder.
func (p *Program) enter(dir string) []byte {
	c := newCaller()
	noRoot := c.end(exitNoSession, "the guest's root cannot be entered")
	noDir := c.end(exitNoSession, "the working folder %q cannot be entered", dir)
	noUser := c.end(exitNoSession, "the user %d, group %d and its groups cannot be taken", p.UID, p.GID)
	execs := p.execs(c)

	first := len(c.calls)
	c.add(noRoot, callChroot, c.text("."), 0, 0)
	c.add(noDir, callChdir, c.text(dir), 0, 0)
	if p.UID != 0 || p.GID != 0 || len(p.Groups) > 0 {
		c.add(noUser, callSetgroups, uint32(len(p.Groups)), c.words(p.Groups...), 0)
		c.add(noUser, callSetGID, p.GID, 0, 0)
		c.add(noUser, callSetUID, p.UID, 0, 0)
	}
	c.add(execs, callNone, 0, 0, 0)
	return c.image(first)
}

// execs adds the calls that look for the program as execvp(3) does, and gives the first. They are there twice: the second time a file has
// been found that cannot be executed, which is the reason then, unless another one can.
func (p *Program) execs(c *caller) int {
	name := p.Args[0]
	places := p.places()
	notFound := c.end(exitNotFound, "%q is not there: %s", name, p.searched())
	denied := c.end(exitCannotExec, "%q cannot be executed: look at its mode, its owner and the size of its arguments", name)
	format := c.end(exitCannotExec, "%q is no 32-bit x86 program, nor a script that begins with #!", name)
	interpreter := c.end(exitNotFound, "%q needs an interpreter or a loader that is not there", name)

	argv, envp := c.strings(p.Args), c.strings(p.Env)
	const each = 3
	first := len(c.calls)
	second := first + each*len(places) + 1
	for _, last := range []int{notFound, denied} {
		for i, place := range places {
			at := len(c.calls)
			file, next := c.text(place), at+each
			c.calls = append(c.calls, call{callExecve, file, argv, envp, at + 1, format, second + each*i + each})
			c.add(next, callAccess, file, 0, 0) // it is there: what it names is not
			c.add(interpreter, callNone, 0, 0, 0)
		}
		c.add(last, callNone, 0, 0, 0)
	}
	return first
}

// Bounds of the search for a program: PATH_MAX of Linux, and folders of PATH.
const (
	maxPath    = 4096
	maxFolders = 256
)

// folders are those that are searched for the program; none where it is named with one.
func (p *Program) folders() []string {
	if strings.Contains(p.Args[0], "/") {
		return nil
	}
	list := "/usr/local/bin:/bin:/usr/bin"
	for _, e := range p.Env {
		if v, ok := strings.CutPrefix(e, "PATH="); ok {
			list = v
		}
	}
	all := strings.SplitN(list, ":", maxFolders+1)
	return all[:min(len(all), maxFolders)]
}

// places are the files that the program may be.
func (p *Program) places() []string {
	folders := p.folders()
	if folders == nil {
		return []string{p.Args[0]}
	}
	var list []string
	for _, f := range folders {
		if f == "" {
			f = "." // POSIX.1-2017, 8.3
		}
		if at := path.Join(f, p.Args[0]); len(at) < maxPath && p.Args[0] != "" {
			list = append(list, at)
		}
	}
	return list
}

// searched says where the program was looked for.
func (p *Program) searched() string {
	if folders := p.folders(); folders != nil {
		return fmt.Sprintf("no folder of PATH (%q) has it", strings.Join(folders, ":"))
	}
	return "there is no such file in the guest"
}
