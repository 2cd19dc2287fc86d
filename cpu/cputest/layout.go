// Package cputest is the corpus of the processor and its runner. Cases are
// generated from the opcode table, one instruction each; what silicon computes
// for them is the truth. On linux/amd64 a small 32-bit child process runs them;
// elsewhere recorded outcomes stand in. Only tests import it.
//
// A case is user-mode code at CPL 3 with flat 32-bit segments. What user mode
// cannot ask silicon is not here.
package cputest

// The address space that every engine runs the cases in. The child's program
// (testdata/driver.gas) and its system calls agree with it.
const (
	// Each case of a batch has its own code slot.
	CodeBase = 0x10040000
	CodeSlot = 128
	CodeAt   = 24 // offset of the code in its slot; the rest is INT3
	maxCode  = 64 // bytes of code

	// LandBase is a page of INT3: where branches may go. 16-bit code
	// reaches it, and the absent page behind it.
	LandBase = CodeBase + 0x8000

	// DataBase is where memory operands lie; see dataPages.
	DataBase = 0x11000000
	DataSize = 16 * pageSize

	// backBase holds what the data pages hold between cases.
	backBase = 0x12000000

	// warmBase is a page of code that only Machine has; see warmUp.
	warmBase = 0x10180000

	childBase  = 0x08048000
	childTail  = childBase + 0x200
	tail16     = childBase + 0x300
	childTrap  = childBase + 0x400
	childStack = 0x13000000
	childAlt   = 0x13100000
	ctrlBase   = 0x20000000
	ctrlSize   = 0x10000
	slotBase   = ctrlBase + ctrlSize
	slotSize   = 0xC00

	pageSize = 0x1000

	// Batch is how many cases the child runs in one go.
	Batch = 256
)

// Access to a page of the data area.
const (
	absent = iota
	readOnly
	readWrite
)

// dataPages is the access to each page from DataBase on. The pages before and
// after are absent.
var dataPages = [DataSize / pageSize]uint8{
	0: readWrite, 1: readWrite, 2: readOnly, 3: absent, // crossings into each kind
	4: readWrite, 5: absent,
	6: readWrite, 7: readWrite, // stack
	8: absent,
	9: readWrite, 10: absent, // stack at the edge of its page
	15: readWrite, // the end of a 16-bit segment
}

// Places in the data area.
const (
	pageTwo   = DataBase              // two writable pages, then a read-only one
	pageRO    = DataBase + 2*pageSize // then an absent one
	pageLone  = DataBase + 4*pageSize // between absent ones
	pageStack = DataBase + 6*pageSize
	pageEdge  = DataBase + 9*pageSize
)

// Selectors, as Linux has them.
const (
	selCode = 0x23
	selData = 0x2B
	selFS   = 0x63 // base DataBase, limit 4 GiB
	selGS   = 0x6B // base DataBase, limit gsLimit

	gsLimit = 2*pageSize - 1

	// In the LDT: 16-bit code at CodeBase and data and stack at DataBase,
	// with limits of 64 KiB.
	selCode16 = 0x17
	selData16 = 0x1F
)

// background is what the byte at an address of the data area holds between
// cases.
func background(addr uint32) byte {
	h := (addr>>2)*0x9E3779B1 + 0x7F4A7C15
	h ^= h >> 15
	return byte(h >> (addr & 3 * 8))
}

// accessOf returns the access to the page of an address in the data area or
// elsewhere among what cases may touch.
func accessOf(addr uint32) uint8 {
	if i := (addr - DataBase) / pageSize; addr >= DataBase && i < uint32(len(dataPages)) {
		return dataPages[i]
	}
	return absent
}
