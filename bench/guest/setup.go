//go:build linux

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"syscall"
	"time"
	"unsafe"
)

// moduleDir holds the kernel's modules that are to be loaded, in the order of
// their names.
const moduleDir = "/modules"

// loadModules loads what is in moduleDir.
func loadModules() error {
	files, err := filepath.Glob(moduleDir + "/*.ko")
	if err != nil {
		return err
	}
	for _, name := range files { // sorted
		if err := loadModule(name); err != nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
	}
	return nil
}

// loadModule is init_module(2) and not finit_module(2), which package syscall
// has no number for.
func loadModule(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return errors.New("it is empty")
	}
	parameters := [1]byte{}
	// SAFETY: data is not empty, parameters is a string of C.
	_, _, e := syscall.Syscall(syscall.SYS_INIT_MODULE, uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)), uintptr(unsafe.Pointer(&parameters[0])))
	if e != 0 && e != syscall.EEXIST {
		return e
	}
	return nil
}

// mount mounts a file system at dir, which it makes.
func mount(typ, source, dir, options string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := syscall.Mount(source, dir, typ, 0, options); err != nil {
		return fmt.Errorf("mount %s %s: %w", typ, source, err)
	}
	return nil
}

// card is the name of the network card.
const card = "eth0"

// linkTime is how long a network card may take to say that it is connected.
const linkTime = 10 * time.Second

// request is an ifreq of netdevice(7): a name and a value of up to 24 bytes.
type request struct {
	name  [syscall.IFNAMSIZ]byte
	value [24]byte
}

// address gives the network card an address, as in 10.0.2.15/24, and waits until
// it is connected. There is no route beyond its network.
func address(cidr string) error {
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return err
	}
	if !p.Addr().Is4() {
		return fmt.Errorf("%s is no address of IPv4", cidr)
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	r := request{}
	copy(r.name[:], card)
	ask := func(what uintptr) error {
		// SAFETY: r is an ifreq.
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), what, uintptr(unsafe.Pointer(&r))); e != 0 {
			return fmt.Errorf("network card %s: %w", card, e)
		}
		return nil
	}
	inet := func(a [4]byte) { // a sockaddr_in of ip(7)
		clear(r.value[:])
		binary.NativeEndian.PutUint16(r.value[:], syscall.AF_INET)
		copy(r.value[4:], a[:])
	}
	inet(p.Addr().As4())
	if err := ask(syscall.SIOCSIFADDR); err != nil {
		return err
	}
	mask := [4]byte{}
	binary.BigEndian.PutUint32(mask[:], ^uint32(0)<<(32-p.Bits()))
	inet(mask)
	if err := ask(syscall.SIOCSIFNETMASK); err != nil {
		return err
	}
	clear(r.value[:])
	binary.NativeEndian.PutUint16(r.value[:], syscall.IFF_UP)
	if err := ask(syscall.SIOCSIFFLAGS); err != nil {
		return err
	}
	for end := time.Now().Add(linkTime); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err := ask(syscall.SIOCGIFFLAGS); err != nil {
			return err
		}
		if binary.NativeEndian.Uint16(r.value[:])&syscall.IFF_RUNNING != 0 {
			return nil
		}
	}
	return fmt.Errorf("network card %s is not connected", card)
}
