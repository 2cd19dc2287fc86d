package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrBIOS is the error of a kernel that is started in real mode and calls a BIOS, where there is none.
var ErrBIOS = errors.New("it is started in real mode and calls a BIOS, of which there is none")

// NeedsBIOS tells whether the kernel has no other entry than that in real mode.
func (im *Image) NeedsBIOS() bool { return im.setup != nil && im.setup.realOnly }

// CmdlineMax is how many bytes of a command line the kernel takes.
func (im *Image) CmdlineMax() int {
	if im.setup == nil {
		return CmdlineMax
	}
	return int(min(CmdlineMax, im.setup.cmdlineMax))
}

// Real is how a kernel is entered in real mode (boot protocol 2.15, "Running the kernel"): Data are at Segment*16, all data segments are
// Segment, CS is Segment+20h, IP is 0, interrupts are off.
type Real struct {
	Segment uint16
	Stack   uint16 // SP
	Data    []byte // the setup code with its header filled in, and the command line
}

// Where the parts of a kernel that is entered in real mode are: all below what firmware keeps for itself at the end of conventional
// memory. The heap of the setup code ends where the command line begins.
const (
	realSegment  = 0x1000
	realCmdline  = 0xE000
	maxRealSetup = 0x9000
	realHeap     = 0x200 // heap_end_ptr counts from here
	offHeapEnd   = 0x224
	canUseHeap   = 1 << 7 // loadflags
)

// LoadReal writes what of a bzImage lies above 1 MiB to guest memory through w, and gives the rest, which firmware overwrites before it
// starts anything. p.Memory is what firmware leaves alone.
func (im *Image) LoadReal(w io.WriterAt, p Params) (Real, error) {
	h := im.setup
	switch {
	case h == nil:
		return Real{}, fmt.Errorf("kernel: a %s has no entry in real mode, by which firmware starts it", im.Kind)
	case len(h.sectors) > maxRealSetup:
		return Real{}, fmt.Errorf("kernel: a setup code of %d bytes, at most %d fit", len(h.sectors), maxRealSetup)
	}
	if err := im.checkCmdline(p.Cmdline); err != nil {
		return Real{}, err
	}
	m := &writer{w: w, memory: p.Memory}
	if err := m.write("the kernel", protectedStart, h.rest); err != nil {
		return Real{}, err
	}
	initrdAt, err := im.placeInitrd(m, p, protectedStart+uint64(len(h.rest)))
	if err != nil {
		return Real{}, err
	}
	data := make([]byte, realCmdline+len(p.Cmdline)+1)
	copy(data, h.sectors)
	copy(data[realCmdline:], p.Cmdline)
	le := binary.LittleEndian
	le.PutUint16(data[offVidMode:], videoNormal)
	data[offLoader] = loaderUndefined
	data[offLoadflags] |= canUseHeap
	le.PutUint32(data[offRamdisk:], initrdAt)
	le.PutUint32(data[offRamdiskSize:], uint32(len(p.Initrd)))
	le.PutUint16(data[offHeapEnd:], realCmdline-realHeap)
	le.PutUint32(data[offCmdlinePtr:], realSegment<<4+realCmdline)
	return Real{Segment: realSegment, Stack: realCmdline, Data: data}, nil
}

// checkCmdline refuses a command line that the kernel does not take.
func (im *Image) checkCmdline(line string) error {
	if strings.ContainsRune(line, 0) {
		return errors.New("kernel: the command line contains a zero byte")
	}
	if n := im.CmdlineMax(); len(line) > n {
		return fmt.Errorf("kernel: the command line has %d bytes, this kernel takes %d", len(line), n)
	}
	return nil
}

// placeInitrd puts the initial root file system as high as it may be and gives its address, 0 where there is none. The kernel ends at end.
func (im *Image) placeInitrd(m *writer, p Params, end uint64) (uint32, error) {
	if len(p.Initrd) == 0 {
		return 0, nil
	}
	top := uint64(p.Layout.InitrdTop)
	if im.setup != nil {
		top = min(top, uint64(im.setup.initrdMax)+1)
	}
	if uint64(len(p.Initrd)) > top {
		return 0, fmt.Errorf("kernel: the initramfs of %d bytes does not fit in memory", len(p.Initrd))
	}
	at := (top - uint64(len(p.Initrd))) &^ 4095
	if at < end {
		return 0, fmt.Errorf("kernel: not enough memory: the kernel ends at %#x, the initramfs starts at %#x", end, at)
	}
	return uint32(at), m.write("the initramfs", at, p.Initrd)
}
