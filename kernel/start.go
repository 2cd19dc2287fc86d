package kernel

import (
	"encoding/binary"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Starting a guest and ending it takes few system calls and, by a shell, some thirty processes, each of millions of instructions. So these
// are programs too.

// More of Linux's numbers (include/uapi: asm-generic/fcntl.h, linux/sockios.h, if.h, route.h, reboot.h; struct ifreq, struct rtentry).
const (
	callMount      = 21
	callUmount2    = 52
	callReboot     = 88
	callSocketcall = 102
	callUnshare    = 310
	openMake       = openWrite | 0o100 | 0o1000 // O_CREAT, O_TRUNC
	umountLater    = 2                          // MNT_DETACH
	newNamespace   = 0x20000                    // CLONE_NEWNS
	rebootMagic    = 0xfee1dead
	rebootMagic2   = 672274793
	rebootOff      = 0x4321fedc
	siocAddRoute   = 0x890b
	siocSetFlags   = 0x8914
	siocSetAddr    = 0x8916
	siocSetMask    = 0x891c
	interfaceUp    = 1 | 1<<6 // IFF_UP, IFF_RUNNING
	interfaceMany  = 1 << 12  // IFF_MULTICAST
	routeUp        = 1 | 2    // RTF_UP, RTF_GATEWAY
	routeSize      = 84
)

// starter builds the program that makes what the session finds. Where something fails it says what on its standard error, and ends with
// Linux's error taken from 256.
type starter struct {
	*caller
	status uint32
	later  []func() // add what lies beside the way
}

// start is the program that goes by a plan.
func (r *Initramfs) start(root fs.FS) []byte {
	c := &starter{caller: newCaller()}
	c.status = c.room(4)
	first := c.here()
	for _, s := range r.plan(root) {
		c.step(s)
	}
	c.try(callSethostname, arg(c.text(r.Hostname)), arg(len(r.Hostname)))
	if r.Dirty != 0 { // sysctl/vm.rst of Linux's documentation
		c.setting("vm/dirty_bytes", fmt.Sprint(r.Dirty+r.Dirty/4))
		c.setting("vm/dirty_background_bytes", fmt.Sprint(r.Dirty))
	}
	c.network(r.Network)
	c.exit(0)
	for _, f := range c.later {
		f()
	}
	return c.image(first)
}

// must has the program end where the call fails.
func (c *starter) must(k *call, format string, args ...any) {
	l := c.label()
	k.fails(l).to = c.status
	c.later = append(c.later, func() {
		line := fmt.Appendf(nil, format, args...)
		c.bind(l)
		c.try(callWrite, 2, arg(c.place(line)), arg(len(line)))
		c.try(callExit, at(c.status))
	})
}

func (c *starter) step(s step) {
	name := arg(c.text(s.name))
	switch s.op {
	case "folder":
		c.folder(s.name)
	case "file":
		there := c.label()
		c.there(name, there)
		c.must(c.add(callOpen, name, openMake, 0o644), "cannot make the file %s", s.name)
		c.try(callClose, at(c.status))
		c.bind(there)
	case "write":
		fd := c.room(4)
		c.try(callOpen, name, openMake, arg(s.mode)).to = fd
		c.must(c.add(callWrite, at(fd), arg(c.place(s.data)), arg(len(s.data))), "cannot write %s", s.name)
		c.try(callClose, at(fd))
	case "mount":
		flags, data := mountFlags(s.opts)
		c.must(c.add(callMount, arg(c.text(s.source)), name, arg(c.text(s.typ)), arg(flags), arg(c.text(data))), "cannot mount %s at %s", s.source, s.name)
	case "seal":
		c.must(c.add(callMount, arg(c.text("none")), name, 0, mountRemount|mountReadOnly|mountSilent, 0), "cannot mount %s read-only", s.name)
	}
}

// there goes on at yes where a file is.
func (c *starter) there(name arg, yes label) {
	k := c.try(callAccess, name, 0)
	k.next, k.zero = yes, yes
}

// folder makes a folder, and those above it, unless it is there.
func (c *starter) folder(name string) {
	there := c.label()
	inside := arg(c.text(name + "/."))
	c.there(inside, there)
	for i := 1; i < len(name); i++ {
		if name[i] == '/' {
			c.try(callMkdir, arg(c.text(name[:i])), 0o755)
		}
	}
	c.try(callMkdir, arg(c.text(name)), 0o755)
	c.must(c.add(callAccess, inside, 0), "cannot make the folder %s", name)
	c.bind(there)
}

// setting writes a file of /proc/sys, if it is there.
func (c *starter) setting(name, value string) {
	fd := c.room(4)
	next := c.label()
	c.add(callOpen, arg(c.text("/proc/sys/"+name)), openWrite).fails(next).to = fd
	c.try(callWrite, at(fd), arg(c.text(value)), arg(len(value)))
	c.try(callClose, at(fd))
	c.bind(next)
}

// network sets up the interfaces.
func (c *starter) network(n *Network) {
	socket := c.room(4)
	c.try(callSocketcall, 1, arg(c.words(familyInet, socketDatagram, 0))).to = socket // SYS_SOCKET
	ioctl := func(number arg, record []byte) *call {
		return c.add(callIoctl, at(socket), number, arg(c.place(record)))
	}
	ignore := func(k *call) { k.fails(k.next) }
	ignore(ioctl(siocSetAddr, interfaceRequest("lo", socketAddress("127.0.0.1"))))
	ignore(ioctl(siocSetFlags, interfaceRequest("lo", []byte{interfaceUp, 0})))
	if n != nil {
		// Nobody else is on the wire: addresses are not looked for twice, and a router is asked for at once.
		for _, name := range []string{"dad_transmits", "router_solicitation_delay"} {
			c.setting("net/ipv6/conf/eth0/"+name, "0")
		}
		flags := binary.LittleEndian.AppendUint16(nil, interfaceUp|interfaceMany)
		c.must(ioctl(siocSetAddr, interfaceRequest("eth0", socketAddress(n.Address))), "cannot set up eth0")
		c.must(ioctl(siocSetMask, interfaceRequest("eth0", socketAddress(n.Netmask))), "cannot set up eth0")
		c.must(ioctl(siocSetFlags, interfaceRequest("eth0", flags)), "cannot set up eth0")
		if n.Gateway != "" {
			c.must(ioctl(siocAddRoute, defaultRoute(n.Gateway)), "cannot route to %s", n.Gateway)
		}
	}
	c.try(callClose, at(socket))
}

// interfaceRequest is a struct ifreq.
func interfaceRequest(name string, value []byte) []byte {
	b := make([]byte, ifReqSize)
	copy(b, name)
	copy(b[ifNameSize:], value)
	return b
}

// socketAddress is a struct sockaddr_in of a dotted decimal address.
func socketAddress(text string) []byte {
	b := make([]byte, 16)
	binary.LittleEndian.PutUint16(b, familyInet)
	for i, part := range strings.SplitN(text, ".", 4) {
		n, _ := strconv.ParseUint(part, 10, 8)
		b[4+i] = byte(n)
	}
	return b
}

// defaultRoute is a struct rtentry.
func defaultRoute(gateway string) []byte {
	b := make([]byte, routeSize)
	for i, address := range []string{"0.0.0.0", gateway, "0.0.0.0"} {
		copy(b[4+16*i:], socketAddress(address))
	}
	binary.LittleEndian.PutUint16(b[52:], routeUp)
	return b
}

// closing is the program that gives the guest's files back: what was written goes to the host, and what is mounted goes in the reverse
// order, or can be written no more. One that is to be off also switches the machine off.
func (r *Initramfs) closing(root fs.FS, off bool) []byte {
	c := newCaller()
	first := c.here()
	c.try(callSync)
	steps := r.plan(root)
	for i := len(steps) - 1; i >= 0; i-- {
		s := steps[i]
		if s.op != "mount" {
			continue
		}
		name, gone := arg(c.text(s.name)), c.label()
		k := c.try(callUmount2, name, 0)
		k.next, k.zero = gone, gone
		k = c.try(callMount, arg(c.text(s.source)), name, 0, mountRemount|mountReadOnly|mountSilent, 0)
		k.next, k.zero = gone, gone
		c.try(callUmount2, name, umountLater)
		c.bind(gone)
	}
	c.try(callSync)
	if off {
		c.try(callReboot, rebootMagic, rebootMagic2, rebootOff)
	}
	c.exit(0)
	return c.image(first)
}

// enters adds the calls by which a process comes into the guest's root, with mounts of its own, and has the jobs' server started there. It
// leaves its number in /pid, and the server's in /serving.
func (c *caller) enters(noRoot label) {
	starter, server := c.label(), c.label()
	pid := c.room(4)
	c.add(callUnshare, newNamespace).fails(noRoot)
	c.try(callMount, arg(c.text("none")), arg(c.text("/")), 0, mountRecursive|mountPrivate, 0)
	c.note("/pid")
	c.add(callChdir, arg(c.text(sysroot))).fails(noRoot)
	c.add(callMount, arg(c.text(".")), arg(c.text("/")), 0, mountMove, 0).fails(noRoot)
	k := c.try(callFork)
	k.to, k.zero = pid, starter
	c.try(callWait4, at(pid), 0, 0)
	on := c.label()
	c.jump(on)
	c.bind(starter) // the server is init's child, and not the program's
	k = c.try(callFork)
	k.zero = server
	c.exit(0)
	c.bind(server)
	c.note("/serving")
	c.try(callExecve, arg(c.text("/serve")), arg(c.strings([]string{"/serve"})), arg(c.strings(nil)))
	c.exit(0)
	c.bind(on)
	c.add(callChroot, arg(c.text("."))).fails(noRoot)
}

// note writes the process's number to a file.
func (c *caller) note(name string) {
	const digits = 12
	fd, n, number := c.room(4), c.room(4), c.room(digits)
	c.try(callReadlink, arg(c.text("/proc/self")), arg(number), digits).to = n
	c.try(callOpen, arg(c.text(name)), openMake, 0o644).to = fd
	c.try(callWrite, at(fd), arg(number), at(n))
	c.try(callClose, at(fd))
}
