package confine

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// noNewPrivs has no program that a thread might start give it more rights.
func noNewPrivs() error {
	_, _, e := psx.Syscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0)
	if e != 0 {
		return fmt.Errorf("prctl: %w", e)
	}
	return nil
}

// keptCapabilities are what root keeps: the rights over files that are another's,
// which a shared folder is full of, low ports and echo requests.
var keptCapabilities = []uint{
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_DAC_READ_SEARCH, unix.CAP_FOWNER, unix.CAP_NET_BIND_SERVICE, unix.CAP_NET_RAW,
}

// capabilities are the arguments of capset(2), version 3.
type capabilities struct {
	header unix.CapUserHeader
	data   [2]unix.CapUserData
}

// dropCapabilities drops, in all threads, those that are not kept, among them
// the ones over set-id bits and file capabilities.
func dropCapabilities() error {
	c := capabilities{header: unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}}
	if err := unix.Capget(&c.header, &c.data[0]); err != nil {
		return fmt.Errorf("capget: %w", err)
	}
	var keep [2]uint32
	for _, n := range keptCapabilities {
		keep[n/32] |= 1 << (n % 32)
	}
	drops := false
	for i := range c.data {
		drops = drops || (c.data[i].Permitted|c.data[i].Inheritable)&^keep[i] != 0
		c.data[i].Permitted &= keep[i]
		c.data[i].Effective &= keep[i]
		c.data[i].Inheritable = 0
	}
	if !drops {
		return nil
	}
	// SAFETY: c lives until every thread has made the call.
	_, _, e := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&c.header)), uintptr(unsafe.Pointer(&c.data[0])), 0)
	if e != 0 {
		return fmt.Errorf("capset: %w", e)
	}
	return nil
}
