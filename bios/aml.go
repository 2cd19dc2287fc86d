package bios

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// An encoder for the AML that the DSDT needs (ACPI 6.5, chapter 20.2). Each
// function gives the bytes of one object.

// Opcodes (ACPI 6.5, table 20.3).
const (
	opZero, opOne                 = 0x00, 0x01
	opName                        = 0x08
	opByte, opWord, opDWord, opQW = 0x0A, 0x0B, 0x0C, 0x0E
	opString                      = 0x0D
	opScope                       = 0x10
	opBuffer                      = 0x11
	opPackage                     = 0x12
	opMethod, opNotify            = 0x14, 0x86
	opDualName, opMultiName       = 0x2E, 0x2F
	opExt, opDevice               = 0x5B, 0x82
)

// amlPath encodes a name such as \_SB.PCI0; segments shorter than four
// characters are filled with underscores.
func amlPath(path string) []byte {
	var out []byte
	if rest, ok := strings.CutPrefix(path, `\`); ok {
		out, path = append(out, '\\'), rest
	}
	segments := strings.Split(path, ".")
	switch n := len(segments); {
	case n == 2:
		out = append(out, opDualName)
	case n > 2:
		out = append(out, opMultiName, byte(n))
	}
	for _, s := range segments {
		if len(s) > 4 {
			panic(fmt.Sprintf("BUG: AML name %q", path))
		}
		out = append(out, (s + "____")[:4]...)
	}
	return out
}

// amlPackageLength puts a PkgLength before a body; it counts itself.
func amlPackageLength(body []byte) []byte {
	n := len(body)
	if n+1 < 1<<6 {
		return append([]byte{byte(n + 1)}, body...)
	}
	for extra := 1; extra <= 3; extra++ {
		if total := n + 1 + extra; total < 1<<(4+8*extra) {
			head := []byte{byte(extra<<6 | total&15)}
			for k := range extra {
				head = append(head, byte(total>>(4+8*k)))
			}
			return append(head, body...)
		}
	}
	panic("BUG: AML object too long")
}

// amlInteger encodes a constant in the shortest form.
func amlInteger(v uint64) []byte {
	le := binary.LittleEndian
	switch {
	case v == 0:
		return []byte{opZero}
	case v == 1:
		return []byte{opOne}
	case v < 1<<8:
		return []byte{opByte, byte(v)}
	case v < 1<<16:
		return le.AppendUint16([]byte{opWord}, uint16(v))
	case v < 1<<32:
		return le.AppendUint32([]byte{opDWord}, uint32(v))
	}
	return le.AppendUint64([]byte{opQW}, v)
}

// amlString encodes an ASCII string.
func amlString(s string) []byte {
	return append(append([]byte{opString}, s...), 0)
}

// amlEISA encodes an identifier such as PNP0A03 (ACPI 6.5, 19.3.4).
func amlEISA(id string) []byte {
	var v uint32
	for _, c := range []byte(id[:3]) {
		v = v<<5 | uint32(c-0x40)
	}
	product, err := strconv.ParseUint(id[3:], 16, 16)
	if err != nil || len(id) != 7 {
		panic(fmt.Sprintf("BUG: EISA identifier %q", id))
	}
	b := binary.BigEndian.AppendUint16([]byte{opDWord}, uint16(v))
	return binary.BigEndian.AppendUint16(b, uint16(product))
}

// amlNamed declares a name for an object.
func amlNamed(path string, object []byte) []byte {
	return join([]byte{opName}, amlPath(path), object)
}

// amlScope opens a scope that exists.
func amlScope(path string, objects ...[]byte) []byte {
	return join([]byte{opScope}, amlPackageLength(join(amlPath(path), join(objects...))))
}

// amlDevice declares a device.
func amlDevice(path string, objects ...[]byte) []byte {
	return join([]byte{opExt, opDevice}, amlPackageLength(join(amlPath(path), join(objects...))))
}

// amlMethod declares a method without arguments.
func amlMethod(path string, terms ...[]byte) []byte {
	return join([]byte{opMethod}, amlPackageLength(join(amlPath(path), []byte{0}, join(terms...))))
}

// amlNotify tells the driver of a device that something has happened.
func amlNotify(path string, what uint64) []byte {
	return join([]byte{opNotify}, amlPath(path), amlInteger(what))
}

// amlPackage encodes a package of up to 255 elements.
func amlPackage(elements ...[]byte) []byte {
	if len(elements) > 255 {
		panic("BUG: AML package too long")
	}
	return join([]byte{opPackage}, amlPackageLength(join([]byte{byte(len(elements))}, join(elements...))))
}

// amlResources encodes a resource template: a buffer of descriptors and the
// end tag, whose checksum of 0 says that there is none (ACPI 6.5, 6.4.2.9).
func amlResources(descriptors ...[]byte) []byte {
	b := join(join(descriptors...), []byte{0x79, 0})
	return join([]byte{opBuffer}, amlPackageLength(join(amlInteger(uint64(len(b))), b)))
}

// resourcePorts describes n ports from base on, decoded in 16 bits (6.4.2.5).
func resourcePorts(base uint16, n uint8) []byte {
	b := []byte{0x47, 1}
	b = binary.LittleEndian.AppendUint16(b, base)
	b = binary.LittleEndian.AppendUint16(b, base)
	return append(b, 1, n)
}

// resourceIRQ describes an edge triggered, active high interrupt (6.4.2.1).
func resourceIRQ(irq uint8) []byte {
	return binary.LittleEndian.AppendUint16([]byte{0x22}, 1<<irq)
}

// Types of address space (6.4.3.5).
const (
	spaceMemory = 0
	spacePorts  = 1
	spaceBus    = 2
)

// windowFlags: a range that is passed on, positively decoded, whose lowest and
// highest address are fixed.
const windowFlags = 1<<2 | 1<<3

// resourceWindow16 describes what a bridge passes on of ports or bus numbers,
// from first to last (6.4.3.5.3).
func resourceWindow16(space, flags uint8, first, last uint16) []byte {
	b := []byte{0x88, 13, 0, space, windowFlags, flags}
	for _, v := range []uint16{0, first, last, 0, last - first + 1} {
		b = binary.LittleEndian.AppendUint16(b, v)
	}
	return b
}

// resourceWindow32 describes what a bridge passes on of memory (6.4.3.5.2).
func resourceWindow32(space, flags uint8, first, last uint32) []byte {
	b := []byte{0x87, 23, 0, space, windowFlags, flags}
	for _, v := range []uint32{0, first, last, 0, last - first + 1} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// join puts parts one behind the other.
func join(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
