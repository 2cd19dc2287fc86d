// Package kernel reads kernel images and prepares them for a machine without firmware.
//
// It models what a boot loader does: it recognises Linux bzImages (Linux/x86 boot protocol 2.02 to 2.15), uncompressed
// Linux ELF images (vmlinux) and Multiboot 0.6.96 kernels; it unpacks a bzImage's payload on the host, places the kernel,
// its parameters and its initial root file system in guest memory through an io.WriterAt, and tells with which register
// values to enter. It also makes the initial root file system itself: a cpio archive with a busybox, the modules that
// mount the real root and a short init (see Initramfs).
//
// A bzImage that has no other entry than that in real mode (iPXE, memdisk) is prepared for firmware to start it. It does not model EFI,
// kernels older than protocol 2.02, zImages, and 64-bit kernels, which are refused. Every address comes from the caller, and nothing here knows a machine.
package kernel

import (
	"errors"
	"fmt"
	"io"
)

// Kind is the form of a kernel image.
type Kind int

const (
	BzImage   Kind = iota + 1 // a compressed Linux kernel with a setup header
	Vmlinux                   // an uncompressed Linux kernel, an ELF file
	Multiboot                 // a kernel with a Multiboot 0.6.96 header, flat or ELF
)

// String gives the usual name of the kind.
func (k Kind) String() string {
	switch k {
	case BzImage:
		return "bzImage"
	case Vmlinux:
		return "vmlinux"
	case Multiboot:
		return "multiboot"
	}
	return fmt.Sprintf("Kind(%d)", int(k))
}

// Errors that Parse returns, wrapped with the details.
var (
	ErrFormat    = errors.New("not a kernel image")
	ErrTruncated = errors.New("kernel image is truncated")
	Err64Bit     = errors.New("kernel is 64-bit, a 32-bit x86 kernel is needed")
)

// Image is a kernel image that was found to be whole. It refers to the bytes given to Parse, which must not change.
type Image struct {
	Kind    Kind
	Release string // as `uname -r` shows it, such as "6.1.0-50-686-pae"; empty when unknown
	Version string // release, builder and build date as the image states them; empty when unknown

	data  []byte
	setup *setupHeader     // BzImage
	elf   *elfFile         // Vmlinux and ELF Multiboot kernels
	multi *multibootHeader // Multiboot
}

// Parse recognises a kernel image and checks that it is whole and 32-bit. The error wraps ErrFormat, ErrTruncated or
// Err64Bit and fits on one line.
func Parse(data []byte) (*Image, error) {
	if isBzImage(data) {
		return parseBzImage(data)
	}
	if h, err := findMultiboot(data); err != nil {
		return nil, err
	} else if h != nil {
		return parseMultiboot(data, h)
	}
	if isELF(data) {
		return parseVmlinux(data)
	}
	if what := describe(data); what != "" {
		return nil, fmt.Errorf("%w: it is %s", ErrFormat, what)
	}
	return nil, fmt.Errorf("%w: no Linux setup header, ELF header or Multiboot header", ErrFormat)
}

// describe names the kinds of file that are most often given in place of a kernel.
func describe(data []byte) string {
	if len(data) == 0 {
		return "an empty file"
	}
	if f := detectFormat(data); f != formatUnknown {
		return "a " + f.String() + " file (give the bzImage itself)"
	}
	return ""
}

// Unpacked gives the kernel as it lies in memory, an ELF file, from the cache where it is there: it boots as the image does, and
// whoever boots it has nothing to unpack. An image that only itself can unpack is given as it is.
func (im *Image) Unpacked(cache Cache) []byte {
	if im.setup == nil {
		return im.data
	}
	if data, err := im.setup.unpackPayload(cache); err == nil && isELF(data) {
		return data
	}
	return im.data
}

// MemoryRange is one entry of the E820 memory map.
type MemoryRange struct {
	Base, Size uint64 // bytes
	Type       uint32 // 1 usable, 2 reserved, 3 ACPI tables, 4 ACPI NVS (ACPI 6.5, table 15.3)
}

// rangeUsable is the E820 type of memory that the kernel may use.
const rangeUsable = 1

// Layout says where in guest memory the loader may put things. All addresses are below 4 GiB and in usable memory.
type Layout struct {
	Params    uint32 // boot_params or the Multiboot information: one page
	Cmdline   uint32 // command line: up to CmdlineMax bytes and a zero byte
	SetupData uint32 // setup_data chain or the Multiboot lists: one page
	InitrdTop uint32 // the initramfs ends here or below; kernels with 3 GiB of user space want at most 896 MiB
}

// CmdlineMax is the length in bytes of the longest command line that a Layout must have room for.
const CmdlineMax = 4095

// Module is a file given to a Multiboot kernel.
type Module struct {
	Data    []byte
	Cmdline string
}

// Params is what a kernel is told at entry.
type Params struct {
	Layout  Layout
	Memory  []MemoryRange
	Cmdline string
	Initrd  []byte   // Linux only
	Modules []Module // Multiboot only
	RSDP    uint32   // guest address of the ACPI root pointer; 0 when there is none
	Seed    []byte   // random bytes for SETUP_RNG_SEED (32 of them are enough); none when empty
	Cache   Cache    // keeps unpacked payloads; nil: unpack every time
}

// Cache keeps what is costly to make. Keys are file names of letters, digits, '.' and '-'.
type Cache interface {
	Load(key string) (data []byte, ok bool)
	Store(key string, data []byte) // best effort; the caller goes on without an error
}

// Entry is the processor state at the kernel's first instruction: protected mode, paging and interrupts off, A20 on, CS a flat
// 4 GiB code segment with selector 10h, DS, ES, FS, GS and SS flat data segments with selector 18h (boot protocol 2.15, "32-bit
// boot protocol"), general registers not named here zero.
type Entry struct {
	EIP, EAX, EBX, ESI uint32
	SelfUnpacking      bool // the kernel's own decompressor was loaded, since its payload could not be unpacked here
}

// Load writes the kernel and everything it is told to guest memory through w (offsets are guest-physical addresses) and returns where
// to enter. Memory that the image describes as zero is written too, so that a machine can be loaded again without clearing it.
func (im *Image) Load(w io.WriterAt, p Params) (Entry, error) {
	m := &writer{w: w, memory: p.Memory}
	for _, at := range []uint32{p.Layout.Params, p.Layout.SetupData} {
		if !m.usable(uint64(at), 4096) {
			return Entry{}, fmt.Errorf("kernel: no usable memory at %#x for parameters", at)
		}
	}
	if im.Kind == Multiboot {
		return im.loadMultiboot(m, p)
	}
	return im.loadLinux(m, p)
}

// writer puts bytes into usable guest memory and keeps the first error.
type writer struct {
	w      io.WriterAt
	memory []MemoryRange
}

// usable tells whether n bytes at addr lie in one usable range.
func (m *writer) usable(addr, n uint64) bool {
	for _, r := range m.memory {
		if r.Type == rangeUsable && addr >= r.Base && addr-r.Base <= r.Size && n <= r.Size-(addr-r.Base) {
			return true
		}
	}
	return false
}

// write puts p at addr; what names it in an error.
func (m *writer) write(what string, addr uint64, p []byte) error {
	if !m.usable(addr, uint64(len(p))) {
		return fmt.Errorf("kernel: %s needs %#x bytes of memory at %#x, which the machine does not have", what, len(p), addr)
	}
	if _, err := m.w.WriteAt(p, int64(addr)); err != nil {
		return fmt.Errorf("kernel: write %s to guest memory: %w", what, err)
	}
	return nil
}

// zero clears n bytes at addr.
func (m *writer) zero(what string, addr, n uint64) error {
	if !m.usable(addr, n) {
		return fmt.Errorf("kernel: %s needs %#x bytes of memory at %#x, which the machine does not have", what, n, addr)
	}
	var zeros [64 << 10]byte
	for n > 0 {
		k := min(n, uint64(len(zeros)))
		if err := m.write(what, addr, zeros[:k]); err != nil {
			return err
		}
		addr, n = addr+k, n-k
	}
	return nil
}
