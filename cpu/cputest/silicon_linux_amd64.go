package cputest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"alpinevm/cpu/x86"
)

// Silicon runs cases on the host's processor, in a 32-bit child process. The
// child and its parent share a file: its control page, a slot a case, code and
// data pages.
type Silicon struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    io.ReadCloser
	file   *os.File
	shared []byte
	no16   error // why there are no 16-bit segments
	host   Host
}

// Mode16 says why 16-bit code cannot run, or nil.
func (s *Silicon) Mode16() error { return s.no16 }

// Offsets in the shared file.
const (
	fileCtrl  = 0
	fileSlots = ctrlSize
	fileCode  = fileSlots + Batch*slotSize
	fileLand  = fileCode + Batch*CodeSlot
	fileData  = fileLand + pageSize
	fileBack  = fileData + DataSize
	fileSize  = fileBack + DataSize
)

// Offsets in the control page.
const (
	ctrlCount = 0x00
	ctrlIndex = 0x04
	ctrlFS    = 0x10
	ctrlGS    = 0x12
	ctrlNext  = 0x14
	ctrlCalls = 0x200
	ctrlData  = 0x4000 // operands of system calls
)

// Offsets in a slot.
const (
	slotR       = 0x000
	slotFlags   = 0x020
	slotEntry   = 0x024
	slotCS      = 0x028
	slotESP     = 0x030
	slotSS      = 0x034
	slotDS      = 0x038
	slotES      = 0x03C
	slotWindows = 0x054
	slotFX      = 0x100
	slotMemory  = 0x300
	slotOut     = 0x600
	slotOutEnv  = 0x680
	slotOutFX   = 0x700
	slotOutMem  = 0x900
)

// System calls of i386 Linux.
const (
	sysMmap2         = 192
	sysRtSigaction   = 174
	sysSigaltstack   = 186
	sysSetThreadArea = 243
	sysModifyLDT     = 123

	protRead, protWrite, protExec                    = 1, 2, 4
	mapShared, mapFixed, mapAnonPrivate, mapPopulate = 0x01, 0x10, 0x22, 0x8000

	saSiginfo, saOnStack, saNodefer = 4, 0x08000000, 0x40000000
)

// NewSilicon starts the child. The folder is for its program and the shared
// file. ErrNoSilicon says that the host cannot run it.
func NewSilicon(dir string) (*Silicon, error) {
	s := &Silicon{}
	path := filepath.Join(dir, "silicon")
	if err := os.WriteFile(path, childELF(), 0o755); err != nil {
		return nil, fmt.Errorf("cputest: %w", err)
	}
	var err error
	if s.file, err = os.OpenFile(filepath.Join(dir, "shared"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return nil, fmt.Errorf("cputest: %w", err)
	}
	if err := s.file.Truncate(fileSize); err != nil {
		return nil, fmt.Errorf("cputest: %w", err)
	}
	s.shared, err = syscall.Mmap(int(s.file.Fd()), 0, fileSize, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("cputest: mapping the shared file: %w", err)
	}
	s.prepare()
	s.cmd = exec.Command(path)
	s.cmd.ExtraFiles = []*os.File{s.file}
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, fmt.Errorf("cputest: %w", err)
	}
	if s.out, err = s.cmd.StdoutPipe(); err != nil {
		return nil, fmt.Errorf("cputest: %w", err)
	}
	if err := s.cmd.Start(); err != nil {
		syscall.Munmap(s.shared)
		if errors.Is(err, syscall.ENOEXEC) {
			return nil, ErrNoSilicon
		}
		return nil, fmt.Errorf("cputest: %w", err)
	}
	if err := s.wait(); err != nil {
		s.Close()
		return nil, fmt.Errorf("cputest: starting the 32-bit child: %w", err)
	}
	for i, c := range childCalls() {
		if r := int32(s.u32(ctrlCalls + 28*i)); r < 0 && r > -4096 {
			if c[0] == sysModifyLDT {
				s.no16 = syscall.Errno(-r)
				continue
			}
			s.Close()
			return nil, fmt.Errorf("cputest: system call %d of the 32-bit child: %w", c[0], syscall.Errno(-r))
		}
	}

	s.host.Any = true
	if s.host.Keep, err = keeps(s); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Host says what the processor's outcomes are compared by.
func (s *Silicon) Host() Host { return s.host }

// Close ends the child.
func (s *Silicon) Close() {
	s.in.Close()
	done := make(chan struct{})
	go func() { s.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Second):
		s.cmd.Process.Kill()
		<-done
	}
	syscall.Munmap(s.shared)
	s.file.Close()
}

func (s *Silicon) u32(off int) uint32      { return binary.LittleEndian.Uint32(s.shared[off:]) }
func (s *Silicon) put32(off int, v uint32) { binary.LittleEndian.PutUint32(s.shared[off:], v) }

// prepare fills the control page and the pages that stay as they are.
func (s *Silicon) prepare() {
	s.put32(ctrlNext, ctrlBase+ctrlCalls)
	binary.LittleEndian.PutUint16(s.shared[ctrlFS:], selFS)
	binary.LittleEndian.PutUint16(s.shared[ctrlGS:], selGS)
	off := ctrlCalls
	for _, c := range childCalls() {
		for _, v := range c {
			s.put32(off, v)
			off += 4
		}
	}
	s.put32(off, 0xFFFFFFFF)
	for i, v := range childOperands() {
		s.put32(ctrlData+4*i, v)
	}
	for i := range Batch * CodeSlot {
		s.shared[fileCode+i] = 0xCC
	}
	for i := range pageSize {
		s.shared[fileLand+i] = 0xCC
	}
	for i := range uint32(DataSize) {
		s.shared[fileData+int(i)] = background(DataBase + i)
		s.shared[fileBack+int(i)] = background(DataBase + i)
	}
}

// Operands of the child's system calls, in dwords from ctrlData on.
const (
	operandAlt    = 0
	operandAction = 4
	operandFS     = 12
	operandGS     = 16
	operandCode16 = 20
	operandData16 = 24
)

func childOperands() []uint32 {
	v := make([]uint32, 28)
	copy(v[operandAlt:], []uint32{childAlt, 0, 0x10000}) // stack_t
	copy(v[operandAction:], []uint32{childTrap, saSiginfo | saOnStack | saNodefer, 0, 0, 0})
	// struct user_desc: number, base, limit, flags: seg_32bit, useable and
	// for FS limit_in_pages.
	copy(v[operandFS:], []uint32{selFS >> 3, DataBase, 0xFFFFF, 0x51})
	copy(v[operandGS:], []uint32{selGS >> 3, DataBase, gsLimit, 0x41})
	// 16-bit code, readable; 16-bit data.
	copy(v[operandCode16:], []uint32{selCode16 >> 3, CodeBase, 0xFFFF, 0x44})
	copy(v[operandData16:], []uint32{selData16 >> 3, DataBase, 0xFFFF, 0x40})
	return v
}

// childCalls lists the system calls that set the child up: number and six
// arguments.
func childCalls() [][7]uint32 {
	anon := func(addr uint32) [7]uint32 {
		return [7]uint32{sysMmap2, addr, 0x10000, protRead | protWrite, mapFixed | mapAnonPrivate, 0xFFFFFFFF, 0}
	}
	file := func(addr, size, prot, off uint32) [7]uint32 {
		return [7]uint32{sysMmap2, addr, size, prot, mapFixed | mapShared | mapPopulate, 3, off / pageSize}
	}
	operand := func(i uint32) uint32 { return ctrlBase + ctrlData + 4*i }
	calls := [][7]uint32{
		anon(childStack), anon(childAlt),
		file(slotBase, Batch*slotSize, protRead|protWrite, fileSlots),
		file(CodeBase, Batch*CodeSlot, protRead|protExec, fileCode),
		file(LandBase, pageSize, protRead|protExec, fileLand),
		file(backBase, DataSize, protRead, fileBack),
		{sysSigaltstack, operand(operandAlt)},
		{sysSetThreadArea, operand(operandFS)},
		{sysSetThreadArea, operand(operandGS)},
		{sysModifyLDT, 0x11, operand(operandCode16), 16},
		{sysModifyLDT, 0x11, operand(operandData16), 16},
	}
	for i, access := range dataPages {
		off := uint32(i) * pageSize
		switch access {
		case readOnly:
			calls = append(calls, file(DataBase+off, pageSize, protRead, fileData+off))
		case readWrite:
			calls = append(calls, file(DataBase+off, pageSize, protRead|protWrite, fileData+off))
		}
	}
	for _, sig := range []syscall.Signal{syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL, syscall.SIGTRAP} {
		calls = append(calls, [7]uint32{sysRtSigaction, uint32(sig), operand(operandAction), 0, 8})
	}
	return calls
}

// childELF is the child's program: an ELF header, two program headers, and the
// code, which starts on its own page.
func childELF() []byte {
	le := binary.LittleEndian
	b := make([]byte, pageSize, pageSize+len(driverCode))
	copy(b, "\x7FELF\x01\x01\x01")
	le.PutUint16(b[16:], 2) // executable
	le.PutUint16(b[18:], 3) // 386
	le.PutUint32(b[20:], 1)
	le.PutUint32(b[24:], childBase)
	le.PutUint32(b[28:], 52) // program headers
	le.PutUint16(b[40:], 52)
	le.PutUint16(b[42:], 32)
	le.PutUint16(b[44:], 2)
	le.PutUint32(b[52:], 1) // PT_LOAD
	le.PutUint32(b[56:], pageSize)
	le.PutUint32(b[60:], childBase)
	le.PutUint32(b[64:], childBase)
	le.PutUint32(b[68:], uint32(len(driverCode)))
	le.PutUint32(b[72:], uint32(len(driverCode)))
	le.PutUint32(b[76:], 5) // read, execute
	le.PutUint32(b[80:], pageSize)
	le.PutUint32(b[84:], 0x6474E551) // PT_GNU_STACK: not executable
	le.PutUint32(b[84+24:], 6)
	return append(b, driverCode...)
}

var errHung = errors.New("the child does not answer")

// wait waits for the child's byte.
func (s *Silicon) wait() error {
	type deadliner interface{ SetReadDeadline(time.Time) error }
	if d, ok := s.out.(deadliner); ok {
		d.SetReadDeadline(time.Now().Add(20 * time.Second))
	}
	var b [1]byte
	_, err := io.ReadFull(s.out, b[:])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errHung
	}
	return err
}

// Run executes up to Batch cases and fills in their outcomes. Each case runs
// in its own code slot: slot i for cases[i], whose Addr must say so. An error
// names the case that broke the child, which is then of no more use.
func (s *Silicon) Run(cases []Case, out []Outcome) error {
	for i := range cases {
		if err := s.load(i, &cases[i]); err != nil {
			return err
		}
	}
	s.put32(ctrlCount, uint32(len(cases)))
	if _, err := s.in.Write([]byte{0}); err != nil {
		return fmt.Errorf("cputest: the child: %w", err)
	}
	if err := s.wait(); err != nil {
		i := s.u32(ctrlIndex)
		if i < uint32(len(cases)) {
			return fmt.Errorf("cputest: case %d, %s: %w", i, cases[i].Describe(), err)
		}
		return fmt.Errorf("cputest: the child: %w", err)
	}
	for i := range cases {
		if err := s.result(i, &cases[i], &out[i]); err != nil {
			return err
		}
	}
	return s.stray()
}

func (s *Silicon) load(i int, c *Case) error {
	if c.Addr != CodeBase+uint32(i)*CodeSlot+CodeAt {
		return fmt.Errorf("cputest: case %d is at %#x", i, c.Addr)
	}
	code := s.shared[fileCode+i*CodeSlot:][:CodeSlot]
	for j := range code {
		code[j] = 0xCC
	}
	n := copy(code[CodeAt:], c.Code[:c.Len]) + CodeAt
	if c.Mode == x86.Mode16 {
		code[n], code[n+1] = 0x66, 0xEA
		binary.LittleEndian.PutUint32(code[n+2:], tail16)
		binary.LittleEndian.PutUint16(code[n+6:], selCode)
	} else {
		code[n] = 0xE9
		binary.LittleEndian.PutUint32(code[n+1:], childTail-(c.Addr+uint32(c.Len)+5))
	}
	base := fileSlots + i*slotSize
	for j, v := range c.R {
		s.put32(base+slotR+4*j, v)
	}
	s.put32(base+slotFlags, c.EFLAGS)
	sel := c.selectors()
	s.put32(base+slotEntry, c.eip())
	s.put32(base+slotCS, uint32(sel[x86.CS]))
	s.put32(base+slotESP, c.R[x86.ESP])
	s.put32(base+slotSS, uint32(sel[x86.SS]))
	s.put32(base+slotDS, uint32(sel[x86.DS]))
	s.put32(base+slotES, uint32(sel[x86.ES]))
	copy(s.shared[base+slotFX:], c.FX[:])
	s.put32(base+slotWindows, uint32(len(c.Windows)))
	mem := base + slotMemory
	for j, w := range c.Windows {
		s.put32(base+slotWindows+4+8*j, w.Addr)
		s.put32(base+slotWindows+8+8*j, uint32(len(w.Data)))
		mem += copy(s.shared[mem:], w.Data)
	}
	if len(c.Windows) > maxWindows || mem > base+slotMemory+maxWindowData {
		return fmt.Errorf("cputest: case %d has too many windows", i)
	}
	return nil
}

// Offsets in an out header: what the child adds, then struct sigcontext_32.
const (
	outKind   = 0
	outSignal = 4
	outSC     = 16
	scGS      = outSC + 0
	scFS      = outSC + 4
	scES      = outSC + 8
	scDS      = outSC + 12
	scEDI     = outSC + 16
	scTrap    = outSC + 48
	scErr     = outSC + 52
	scEIP     = outSC + 56
	scCS      = outSC + 60
	scFlags   = outSC + 64
	scSS      = outSC + 72
	scCR2     = outSC + 84
)

func (s *Silicon) result(i int, c *Case, o *Outcome) error {
	base := fileSlots + i*slotSize
	at := func(off int) uint32 { return s.u32(base + slotOut + off) }
	*o = Outcome{Final{Vector: noVector, EIP: c.eip() + uint32(c.Len)}, o.Memory[:0]}
	if at(outKind) != 0 {
		o.Vector = uint8(at(scTrap))
		o.EIP = at(scEIP)
		switch o.Vector {
		case 8, 10, 11, 12, 13, 17:
			o.Code = at(scErr)
		case 14:
			o.Code, o.CR2 = at(scErr), at(scCR2)
		}
		if o.EIP-childBase < uint32(len(driverCode)) && uint16(at(scCS)) == selCode {
			return fmt.Errorf("cputest: case %d, %s: exception %d at %#x, in the child itself, address %#x", i, c.Describe(), o.Vector, o.EIP, at(scCR2))
		}
	}
	for j := range 8 {
		o.R[7-j] = at(scEDI + 4*j)
	}
	o.EFLAGS = at(scFlags)
	for j, off := range []int{scES, scCS, scSS, scDS, scFS, scGS} {
		o.Seg[j] = uint16(at(off))
	}
	copy(o.FX[:], s.shared[base+slotOutFX:])
	if o.Vector == noVector {
		env := s.shared[base+slotOutEnv:]
		copy(o.FX[fxFIP:fxFIP+4], env[12:])
		copy(o.FX[fxFOP:fxFOP+2], env[18:])
		copy(o.FX[fxFDP:fxFDP+4], env[20:])
	}
	mem := s.shared[base+slotOutMem:]
	for _, w := range c.Windows {
		o.Memory = append(o.Memory, mem[:len(w.Data)]...)
		mem = mem[len(w.Data):]
	}
	return nil
}

// stray looks for writes outside the windows.
func (s *Silicon) stray() error {
	data, back := s.shared[fileData:][:DataSize], s.shared[fileBack:][:DataSize]
	if string(data) == string(back) {
		return nil
	}
	for i := range data {
		if data[i] != back[i] {
			return fmt.Errorf("cputest: a case of this batch wrote to %#x, outside its windows", DataBase+i)
		}
	}
	return nil
}
