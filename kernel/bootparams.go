package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Offsets in boot_params beside the setup header (Linux Documentation/x86/zero-page).
const (
	offExtMem      = 0x002 // KiB above 1 MiB, at most 65535
	offRSDP        = 0x070
	offAltMem      = 0x1E0 // KiB above 1 MiB
	offE820Entries = 0x1E8
	offE820Table   = 0x2D0
	e820EntrySize  = 20
	e820MaxEntries = 128
	paramsSize     = 4096
)

const (
	loaderUndefined = 0xFF // type_of_loader of a loader without an assigned number
	videoNormal     = 0xFFFF
	protocolLatest  = 0x20F
	setupRNGSeed    = 9 // setup_data type
	setupDataHeader = 16
)

// bootParams composes the page that Linux finds through ESI.
func (im *Image) bootParams(p Params, initrdAt uint32) ([]byte, error) {
	le := binary.LittleEndian
	if len(p.Memory) > e820MaxEntries {
		return nil, fmt.Errorf("kernel: %d memory ranges, at most %d fit in boot_params", len(p.Memory), e820MaxEntries)
	}
	b := make([]byte, paramsSize)
	if im.setup != nil {
		copy(b[offSetupSects:offE820Table], im.setup.raw)
	} else {
		le.PutUint16(b[offBootFlag:], bootFlag)
		le.PutUint32(b[offMagic:], headerHdrS)
		le.PutUint16(b[offProtocol:], protocolLatest)
	}
	le.PutUint16(b[offVidMode:], videoNormal)
	b[offLoader] = loaderUndefined
	b[offLoadflags] |= loadedHigh
	le.PutUint32(b[offCmdlinePtr:], p.Layout.Cmdline)
	le.PutUint32(b[offRamdisk:], initrdAt)
	le.PutUint32(b[offRamdiskSize:], uint32(len(p.Initrd)))
	if len(p.Seed) > 0 {
		le.PutUint64(b[offSetupDataPtr:], uint64(p.Layout.SetupData))
	}
	le.PutUint64(b[offRSDP:], uint64(p.RSDP))

	var above uint64 // usable KiB from 1 MiB on
	for i, r := range p.Memory {
		e := b[offE820Table+i*e820EntrySize:]
		le.PutUint64(e, r.Base)
		le.PutUint64(e[8:], r.Size)
		le.PutUint32(e[16:], r.Type)
		if r.Type == rangeUsable && r.Base <= 1<<20 && r.Base+r.Size > 1<<20 {
			above = (r.Base + r.Size - 1<<20) >> 10
		}
	}
	b[offE820Entries] = byte(len(p.Memory))
	le.PutUint32(b[offAltMem:], uint32(min(above, 1<<32-1)))
	le.PutUint16(b[offExtMem:], uint16(min(above, 65535)))
	return b, nil
}

// loadLinux places a Linux kernel for the 32-bit boot protocol.
func (im *Image) loadLinux(m *writer, p Params) (Entry, error) {
	if im.NeedsBIOS() {
		return Entry{}, ErrBIOS
	}
	if err := im.checkCmdline(p.Cmdline); err != nil {
		return Entry{}, err
	}
	entry, end, err := im.place(m, p.Cache)
	if err != nil {
		return Entry{}, err
	}
	entry.ESI = p.Layout.Params
	initrdAt, err := im.placeInitrd(m, p, end)
	if err != nil {
		return Entry{}, err
	}
	params, err := im.bootParams(p, initrdAt)
	if err != nil {
		return Entry{}, err
	}
	if err := m.write("boot_params", uint64(p.Layout.Params), params); err != nil {
		return Entry{}, err
	}
	if err := m.write("the command line", uint64(p.Layout.Cmdline), append([]byte(p.Cmdline), 0)); err != nil {
		return Entry{}, err
	}
	if len(p.Seed) > 0 {
		// struct setup_data: u64 next, u32 type, u32 length, the data (boot protocol 2.15, "setup_data").
		d := make([]byte, setupDataHeader, setupDataHeader+len(p.Seed))
		binary.LittleEndian.PutUint32(d[8:], setupRNGSeed)
		binary.LittleEndian.PutUint32(d[12:], uint32(len(p.Seed)))
		if err := m.write("the random seed", uint64(p.Layout.SetupData), append(d, p.Seed...)); err != nil {
			return Entry{}, err
		}
	}
	return entry, nil
}

// place puts the kernel itself into memory and returns its entry and the first address that it does not need.
func (im *Image) place(m *writer, cache Cache) (Entry, uint64, error) {
	f := im.elf
	if im.setup != nil {
		data, err := im.setup.unpackPayload(cache)
		if err != nil {
			return im.placePacked(m)
		}
		if f, err = parseELF(data); errors.Is(err, Err64Bit) {
			return Entry{}, 0, err
		} else if err != nil {
			return im.placePacked(m)
		}
		if _, ok := f.physicalEntry(); !ok {
			return im.placePacked(m)
		}
	}
	// A relocatable kernel's relocations follow its ELF image in the payload. They are for other load addresses than the one that it is
	// linked for, which is where it goes here.
	if err := f.load(m); err != nil {
		return Entry{}, 0, err
	}
	at, _ := f.physicalEntry()
	end := f.end()
	if im.setup != nil {
		end = max(end, im.setup.prefAddr+uint64(im.setup.initSize))
	}
	return Entry{EIP: at}, end, nil
}

// protectedStart is where a bzImage's protected-mode part is loaded (boot protocol 2.15, "Memory layout").
const protectedStart = 1 << 20

// placePacked loads the kernel with its own decompressor.
func (im *Image) placePacked(m *writer) (Entry, uint64, error) {
	h := im.setup
	if err := m.write("the kernel", protectedStart, h.protected); err != nil {
		return Entry{}, 0, err
	}
	end := uint64(protectedStart) + uint64(len(h.protected))
	if h.initSize > 0 {
		end = max(end, max(h.prefAddr, protectedStart)+uint64(h.initSize))
	} else {
		end += 8 * uint64(len(h.protected)) // older kernels do not say; no kernel packs better than that
	}
	return Entry{EIP: protectedStart, SelfUnpacking: true}, end, nil
}
