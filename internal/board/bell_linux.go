package board

import (
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const waitsInSystem = true

// Operations of futex(2), private to this process.
const (
	futexWait = 0 | 128
	futexWake = 1 | 128
)

// waitSystem waits until wakeSystem, or for d. It returns at once if the word
// is not 0.
func waitSystem(word *atomic.Uint32, d time.Duration) {
	ts := syscall.NsecToTimespec(int64(d))
	// SAFETY: both pointers are live until the call returns, and an
	// atomic.Uint32 is its 32 bits.
	syscall.Syscall6(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, 0, uintptr(unsafe.Pointer(&ts)), 0, 0)
}

// wakeSystem wakes the goroutine in waitSystem.
func wakeSystem(word *atomic.Uint32) {
	// SAFETY: the pointer is live until the call returns; the kernel uses it
	// as an address only.
	syscall.RawSyscall(syscall.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, 1)
}
