package kernel

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Multiboot Specification 0.6.96.
const (
	multibootMagic   = 0x1BADB002 // 3.1.1, in the kernel
	multibootEAX     = 0x2BADB002 // 3.2, at entry
	multibootSearch  = 8192       // 3.1: "within the first 8192 bytes"
	multibootAlign   = 1 << 0     // modules on page boundaries
	multibootMemory  = 1 << 1     // memory information is wanted
	multibootVideo   = 1 << 2     // a graphics mode is wanted
	multibootAddress = 1 << 16    // the header has load addresses
	multibootKnown   = multibootAlign | multibootMemory | multibootVideo
	multibootPage    = 4096
)

// multibootHeader is the header in a kernel (3.1).
type multibootHeader struct {
	offset                                int
	flags                                 uint32
	headerAddr, loadAddr, loadEnd, bssEnd uint32 // with multibootAddress
	entry                                 uint32
}

// findMultiboot looks for a header; nil when there is none.
func findMultiboot(data []byte) (*multibootHeader, error) {
	le := binary.LittleEndian
	for off := 0; off+12 <= min(len(data), multibootSearch); off += 4 {
		if le.Uint32(data[off:]) != multibootMagic {
			continue
		}
		flags := le.Uint32(data[off+4:])
		if multibootMagic+flags+le.Uint32(data[off+8:]) != 0 {
			continue
		}
		h := &multibootHeader{offset: off, flags: flags}
		// 3.1.2: a loader that does not understand a required flag must refuse.
		if unknown := flags & 0xFFFF &^ multibootKnown; unknown != 0 {
			return nil, fmt.Errorf("%w: the Multiboot header requires unknown features %#x", ErrFormat, unknown)
		}
		if flags&multibootAddress != 0 {
			if off+32 > len(data) {
				return nil, fmt.Errorf("%w: in the Multiboot header", ErrTruncated)
			}
			h.headerAddr, h.loadAddr, h.loadEnd = le.Uint32(data[off+12:]), le.Uint32(data[off+16:]), le.Uint32(data[off+20:])
			h.bssEnd, h.entry = le.Uint32(data[off+24:]), le.Uint32(data[off+28:])
		}
		return h, nil
	}
	return nil, nil
}

func parseMultiboot(data []byte, h *multibootHeader) (*Image, error) {
	im := &Image{Kind: Multiboot, data: data, multi: h}
	if h.flags&multibootAddress != 0 {
		f, err := h.flat(data)
		if err != nil {
			return nil, err
		}
		im.elf = f
		return im, nil
	}
	if !isELF(data) {
		return nil, fmt.Errorf("%w: a Multiboot header without addresses in a file that is not ELF", ErrFormat)
	}
	f, err := parseELF(data)
	if err != nil {
		return nil, err
	}
	if _, ok := f.physicalEntry(); !ok {
		return nil, fmt.Errorf("%w: the ELF entry point %#x lies in no segment", ErrFormat, f.entry)
	}
	im.elf = f
	return im, nil
}

// flat describes a kernel by the addresses in its header as one segment (3.1.3).
func (h *multibootHeader) flat(data []byte) (*elfFile, error) {
	back := uint64(h.headerAddr) - uint64(h.loadAddr)
	if h.headerAddr < h.loadAddr || back > uint64(h.offset) {
		return nil, fmt.Errorf("%w: the Multiboot header is loaded to %#x, before the kernel's start", ErrFormat, h.headerAddr)
	}
	start := uint64(h.offset) - back
	size := uint64(len(data)) - start
	if h.loadEnd != 0 {
		if h.loadEnd < h.loadAddr {
			return nil, fmt.Errorf("%w: the Multiboot header's load end is below its start", ErrFormat)
		}
		if want := uint64(h.loadEnd - h.loadAddr); want > size {
			return nil, fmt.Errorf("%w: %d bytes of %d", ErrTruncated, size, want)
		} else {
			size = want
		}
	}
	end := uint64(h.loadAddr) + size
	if h.bssEnd != 0 {
		end = max(end, uint64(h.bssEnd))
	}
	memSize := end - uint64(h.loadAddr)
	if end > math.MaxUint32 || h.entry < h.loadAddr || uint64(h.entry) >= end {
		return nil, fmt.Errorf("%w: the Multiboot entry point %#x lies outside the kernel", ErrFormat, h.entry)
	}
	return &elfFile{entry: h.entry, segments: []segment{{
		vaddr: h.loadAddr, paddr: h.loadAddr, memSize: uint32(memSize), data: data[start : start+size],
	}}}, nil
}

// Fields of the information structure (3.3) and their flags.
const (
	infoMemory      = 1 << 0
	infoCmdline     = 1 << 2
	infoModules     = 1 << 3
	infoMap         = 1 << 6
	infoLoaderName  = 1 << 9
	infoSize        = 120
	infoMapEntry    = 24
	infoModuleEntry = 16
	loaderName      = "alpinevm"
)

// loadMultiboot places a kernel, its modules and the information structure.
func (im *Image) loadMultiboot(m *writer, p Params) (Entry, error) {
	le := binary.LittleEndian
	if len(p.Initrd) > 0 {
		return Entry{}, fmt.Errorf("kernel: a Multiboot kernel takes modules, not an initramfs")
	}
	if len(p.Cmdline) > CmdlineMax {
		return Entry{}, fmt.Errorf("kernel: the command line has %d bytes, at most %d fit", len(p.Cmdline), CmdlineMax)
	}
	if err := im.elf.load(m); err != nil {
		return Entry{}, err
	}
	// The lists page holds the memory map, the module table and the modules' command lines.
	mapBytes := make([]byte, 0, infoMapEntry*len(p.Memory))
	info := make([]byte, infoSize)
	le.PutUint32(info, infoMemory|infoCmdline|infoMap|infoLoaderName)
	for _, r := range p.Memory {
		e := make([]byte, infoMapEntry)
		le.PutUint32(e, infoMapEntry-4) // the size field does not count itself
		le.PutUint64(e[4:], r.Base)
		le.PutUint64(e[12:], r.Size)
		le.PutUint32(e[20:], r.Type)
		mapBytes = append(mapBytes, e...)
		if r.Type != rangeUsable {
			continue
		}
		if r.Base == 0 {
			le.PutUint32(info[4:], uint32(min(r.Size>>10, 640)))
		}
		if r.Base <= 1<<20 && r.Base+r.Size > 1<<20 {
			le.PutUint32(info[8:], uint32(min((r.Base+r.Size-1<<20)>>10, math.MaxUint32)))
		}
	}
	lists := append(mapBytes, make([]byte, infoModuleEntry*len(p.Modules))...)
	at := func() uint32 { return p.Layout.SetupData + uint32(len(lists)) }

	end := (im.elf.end() + multibootPage - 1) &^ (multibootPage - 1)
	for i, mod := range p.Modules {
		if err := m.write("a module", end, mod.Data); err != nil {
			return Entry{}, err
		}
		e := len(mapBytes) + i*infoModuleEntry
		le.PutUint32(lists[e:], uint32(end))
		le.PutUint32(lists[e+4:], uint32(end)+uint32(len(mod.Data)))
		le.PutUint32(lists[e+8:], at())
		lists = append(append(lists, mod.Cmdline...), 0)
		end = (end + uint64(len(mod.Data)) + multibootPage - 1) &^ (multibootPage - 1)
	}
	name := at()
	lists = append(append(lists, loaderName...), 0)
	if len(lists) > multibootPage {
		return Entry{}, fmt.Errorf("kernel: memory map, modules and their command lines take %d bytes, at most %d fit", len(lists), multibootPage)
	}
	le.PutUint32(info[16:], p.Layout.Cmdline)
	if len(p.Modules) > 0 {
		le.PutUint32(info, le.Uint32(info)|infoModules)
		le.PutUint32(info[20:], uint32(len(p.Modules)))
		le.PutUint32(info[24:], p.Layout.SetupData+uint32(len(mapBytes)))
	}
	le.PutUint32(info[44:], uint32(len(mapBytes)))
	le.PutUint32(info[48:], p.Layout.SetupData)
	le.PutUint32(info[64:], name)
	for _, w := range []struct {
		what string
		at   uint32
		data []byte
	}{
		{"the Multiboot information", p.Layout.Params, info},
		{"the Multiboot lists", p.Layout.SetupData, lists},
		{"the command line", p.Layout.Cmdline, append([]byte(p.Cmdline), 0)},
	} {
		if err := m.write(w.what, uint64(w.at), w.data); err != nil {
			return Entry{}, err
		}
	}
	entry, _ := im.elf.physicalEntry()
	return Entry{EIP: entry, EAX: multibootEAX, EBX: p.Layout.Params}, nil
}
