package amd64

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"alpinevm/cpu/jit"
)

// What lies in the region behind the context.
const (
	jumpsOff  = 4096
	jumpsSize = jit.JumpSize * 16
	spareOff  = jumpsOff + 2*jumpsSize
	spareSize = jit.SpareSize * 16
	pagesOff  = spareOff + 2*spareSize
	pagesSize = jit.PageCount * 4
	framesOff = pagesOff + 2*pagesSize
	tablesOff = (framesOff + jit.MaxPages*4 + 4095) &^ 4095
	// tableSize is one table of pages: 4 entries of 8 bytes a page, of which
	// the first is used: misaligned accesses find the others, empty.
	tableShift = 2
	tableSize  = jit.PageCount * 8 << tableShift
	// The store of blocks lies here too, so that no collector looks at it.
	blocksOff  = tablesOff + 2*jit.Halves*tableSize
	blocksSize = maxBlocks * int(unsafe.Sizeof(jit.Block{}))
	edgesOff   = blocksOff + blocksSize
	edgesSize  = 2 * maxBlocks * int(unsafe.Sizeof(jit.Edge{}))
	opsOff     = edgesOff + edgesSize
	opsSize    = 8 * maxBlocks * int(unsafe.Sizeof(jit.Op{}))
	// The stack of calls, at whose bottom is one that nothing returns from.
	callsOff   = opsOff + opsSize
	bottomOff  = callsOff + jit.CallsSize
	regionSize = bottomOff + jit.CallSize
	noReturn   = 1<<64 - 1

	maxBlocks = 1 << 19
)

// jumpsAt and pagesAt are offsets from the context, for the half of the code.
func jumpsAt(user bool) int32 {
	if user {
		return jumpsOff + jumpsSize
	}
	return jumpsOff
}

func pagesAt(user bool) int32 {
	if user {
		return pagesOff + pagesSize
	}
	return pagesOff
}

// frameOf is where the frame of a page of code stands.
func frameOf(page uint32) int32 { return framesOff + int32(page)*4 }

// memory is what is mapped: the region of context and tables, and code twice,
// to write and to execute.
type memory struct {
	shared  jit.Memory
	region  []byte
	write   []byte
	execMap []byte
	exec    uintptr
	context uintptr
}

func newMemory() (*memory, error) {
	m := &memory{}
	var err error
	if m.region, err = unix.Mmap(-1, 0, regionSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE); err != nil {
		return nil, fmt.Errorf("tables of the translator: %w", err)
	}
	if err := m.mapCode(); err != nil {
		m.Close()
		return nil, err
	}
	// SAFETY: the region is mapped until Close, and each slice lies in it at
	// the offset and of the size that the constants above give it.
	base := unsafe.Pointer(unsafe.SliceData(m.region))
	m.context = uintptr(base)
	m.shared.Context = (*jit.Context)(base)
	m.shared.Shift = tableShift
	m.shared.Bottom = uint64(m.context) + uint64(bottomOff)
	m.shared.Calls = m.shared.Bottom
	binary.LittleEndian.PutUint64(m.region[bottomOff+8:], noReturn)
	m.shared.Blocks = unsafe.Slice((*jit.Block)(unsafe.Add(base, blocksOff)), maxBlocks)
	m.shared.Edges = unsafe.Slice((*jit.Edge)(unsafe.Add(base, edgesOff)), 2*maxBlocks)
	m.shared.Ops = unsafe.Slice((*jit.Op)(unsafe.Add(base, opsOff)), 8*maxBlocks)
	m.shared.Frames = unsafe.Slice((*uint32)(unsafe.Add(base, framesOff)), jit.MaxPages)
	for h := range 2 {
		m.shared.Jumps[h] = unsafe.Slice((*jit.Jump)(unsafe.Add(base, jumpsOff+h*jumpsSize)), jit.JumpSize)
		m.shared.Spare[h] = unsafe.Slice((*jit.Jump)(unsafe.Add(base, spareOff+h*spareSize)), jit.SpareSize)
		m.shared.Pages[h] = unsafe.Slice((*uint32)(unsafe.Add(base, pagesOff+h*pagesSize)), jit.PageCount)
	}
	for h := range jit.Halves {
		table := tablesOff + 2*h*tableSize
		m.shared.Tables[h] = uint64(m.context) + uint64(table)
		m.shared.Read[h] = unsafe.Slice((*uint64)(unsafe.Add(base, table)), tableSize/8)
		m.shared.Write[h] = unsafe.Slice((*uint64)(unsafe.Add(base, table+tableSize)), tableSize/8)
	}
	return m, nil
}

// mapCode maps the memory of code.
func (m *memory) mapCode() (err error) {
	if m.write, m.execMap, err = mapTwice(codeSize); err != nil {
		return err
	}
	// SAFETY: only generated code is entered there, while it is mapped.
	m.exec = uintptr(unsafe.Pointer(unsafe.SliceData(m.execMap)))
	_ = unix.Madvise(m.execMap, unix.MADV_HUGEPAGE)
	return nil
}

// mapTwice maps one memory file of n bytes twice, so that no page is ever
// writable and executable by the same address.
func mapTwice(n int) (write, exec []byte, err error) {
	fd, err := unix.MemfdCreate("alpinevm-code", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, nil, fmt.Errorf("memory for generated code: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.Ftruncate(fd, int64(n)); err != nil {
		return nil, nil, fmt.Errorf("memory for generated code: %w", err)
	}
	if write, err = unix.Mmap(fd, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED); err != nil {
		return nil, nil, fmt.Errorf("memory for generated code: %w", err)
	}
	if exec, err = unix.Mmap(fd, 0, n, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_SHARED); err != nil {
		_ = unix.Munmap(write)
		return nil, nil, fmt.Errorf("the host lets no memory be executed: %w", err)
	}
	return write, exec, nil
}

// release makes the host forget the pages of the mapping that code was written
// through, which counts them a second time; the code stays.
func (m *memory) release() { _ = unix.Madvise(m.write, unix.MADV_DONTNEED) }

// Close gives the memory back. No code may run.
func (m *memory) Close() {
	for _, b := range [][]byte{m.region, m.write, m.execMap} {
		if b != nil {
			_ = unix.Munmap(b)
		}
	}
	*m = memory{}
}
