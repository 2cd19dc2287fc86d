package kernel

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// Offsets in a bzImage's first sectors (boot protocol 2.15, "The real-mode kernel header"). boot_params has the same bytes at the
// same offsets.
const (
	offSetupSects   = 0x1F1
	offSyssize      = 0x1F4
	offVidMode      = 0x1FA
	offBootFlag     = 0x1FE
	offJump         = 0x200
	offMagic        = 0x202
	offProtocol     = 0x206
	offVersionPtr   = 0x20E
	offLoader       = 0x210
	offLoadflags    = 0x211
	offCode32       = 0x214
	offRamdisk      = 0x218
	offRamdiskSize  = 0x21C
	offCmdlinePtr   = 0x228
	offInitrdMax    = 0x22C
	offAlign        = 0x230
	offRelocatable  = 0x234
	offXloadflags   = 0x236
	offCmdlineSize  = 0x238
	offPayload      = 0x248
	offPayloadLen   = 0x24C
	offSetupDataPtr = 0x250
	offPrefAddress  = 0x258
	offInitSize     = 0x260
	offHeaderEnd    = 0x268 // of protocol 2.15
)

const (
	loadedHigh = 1 << 0 // loadflags
	kernel64   = 1 << 0 // xloadflags: there is a 64-bit entry point
	sectorSize = 512
	bootFlag   = 0xAA55
	headerHdrS = 0x53726448
)

// setupHeader is what a loader needs of a bzImage's header.
type setupHeader struct {
	protocol   uint16
	raw        []byte // from offSetupSects to the header's end
	sectors    []byte // the boot sector and the setup code, which runs in real mode
	protected  []byte // the protected-mode kernel
	rest       []byte // of the file, behind the setup code
	realOnly   bool   // there is no 32-bit entry
	payload    []byte // compressed kernel; empty when the protocol has no such field or it names no bytes
	initrdMax  uint32 // highest address of the initramfs's last byte
	cmdlineMax uint32 // bytes, without the zero byte
	initSize   uint32 // bytes that the kernel needs from its load address on
	prefAddr   uint64
}

// isBzImage tells whether data starts with a Linux setup header.
func isBzImage(data []byte) bool {
	return len(data) >= offMagic+4 && binary.LittleEndian.Uint16(data[offBootFlag:]) == bootFlag &&
		binary.LittleEndian.Uint32(data[offMagic:]) == headerHdrS
}

func parseBzImage(data []byte) (*Image, error) {
	le := binary.LittleEndian
	if len(data) < offHeaderEnd {
		return nil, fmt.Errorf("%w: %d bytes do not hold the setup header", ErrTruncated, len(data))
	}
	h := &setupHeader{protocol: le.Uint16(data[offProtocol:])}
	if h.protocol < 0x202 {
		return nil, fmt.Errorf("%w: boot protocol %d.%02d is too old, 2.02 is needed", ErrFormat, h.protocol>>8, h.protocol&0xFF)
	}
	if data[offLoadflags]&loadedHigh == 0 {
		return nil, fmt.Errorf("%w: it is a zImage, a bzImage is needed", ErrFormat)
	}
	if h.protocol >= 0x20C && le.Uint16(data[offXloadflags:])&kernel64 != 0 {
		return nil, Err64Bit
	}
	// "For backwards compatibility, if the setup_sects field contains 0, the real value is 4."
	sects := int(data[offSetupSects])
	if sects == 0 {
		sects = 4
	}
	start := (sects + 1) * sectorSize
	// The size is in paragraphs, rounded up. Signed images have bytes after it.
	size := int64(le.Uint32(data[offSyssize:])) * 16
	if int64(len(data)) < int64(start)+size-15 || len(data) <= start {
		return nil, fmt.Errorf("%w: %d bytes of %d", ErrTruncated, len(data), int64(start)+size)
	}
	h.sectors, h.rest = data[:start], data[start:]
	h.protected = data[start:min(int64(len(data)), int64(start)+size)]
	// Linux states 100000h and its size. What says that there is nothing to enter, or nothing at all, leaves all to its setup code, which
	// asks a BIOS: iPXE, memdisk and their like.
	h.realOnly = size == 0 || le.Uint32(data[offCode32:]) == 0
	end := min(offMagic+int(data[offJump+1]), start)
	if end < offCmdlinePtr+4 {
		return nil, fmt.Errorf("%w: the setup header ends at %#x", ErrFormat, end)
	}
	h.raw = data[offSetupSects:end]

	h.initrdMax, h.cmdlineMax = 0x37FFFFFF, 255
	if h.protocol >= 0x203 {
		h.initrdMax = le.Uint32(data[offInitrdMax:])
	}
	if h.protocol >= 0x206 {
		h.cmdlineMax = le.Uint32(data[offCmdlineSize:])
	}
	if h.protocol >= 0x208 {
		off, n := uint64(le.Uint32(data[offPayload:])), uint64(le.Uint32(data[offPayloadLen:]))
		if off+n > uint64(len(h.protected)) {
			return nil, fmt.Errorf("%w: its payload ends at byte %d of %d", ErrTruncated, off+n, len(h.protected))
		}
		h.payload = h.protected[off : off+n]
	}
	if h.protocol >= 0x20A {
		h.prefAddr, h.initSize = le.Uint64(data[offPrefAddress:]), le.Uint32(data[offInitSize:])
	}
	im := &Image{Kind: BzImage, data: data, setup: h}
	im.Version = cString(data[:start], int(le.Uint16(data[offVersionPtr:]))+offJump, 256)
	im.Release, _, _ = strings.Cut(im.Version, " ")
	return im, nil
}

// cString returns the zero-terminated text at off, at most limit bytes of it, or "" where there is none.
func cString(data []byte, off, limit int) string {
	if off <= 0 || off >= len(data) {
		return ""
	}
	s := data[off:min(len(data), off+limit)]
	n := bytes.IndexByte(s, 0)
	if n < 0 {
		return ""
	}
	return string(s[:n])
}
