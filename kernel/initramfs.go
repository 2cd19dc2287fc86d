package kernel

import "fmt"

// The control file system is a 9p device by which the guest talks to the host; it is mounted with cache=none, and its files lie side
// by side in its root folder. Every file has the size that is said here whenever it is asked for, since Linux from 6.8 on reads
// no further than that. Truncating the written files and setting their times must succeed; offsets of writes mean nothing.
const (
	CtlTag = "ctl" // mount tag of the device

	// CtlExit is written once, when the session's program has ended: its exit status in decimal and a line feed (after a signal 128 and
	// its number). The guest then ends what still runs, writes its files back, unmounts and switches the machine off.
	CtlExit = "exit"
	// CtlEntered is opened before the session's program begins, and closed when it has. Where it cannot begin a line is written that says why,
	// and CtlExit follows. A session without a program of its own leaves it alone.
	CtlEntered = "entered"
	// CtlRelease is written before processes are killed that may be reading what the host has yet to say: SIGKILL alone does not always end
	// them. It says ReleaseJobs, for all but the input of the session's program, or ReleaseAll; such reads are then answered by nothing.
	CtlRelease = "release"
	// CtlError is written when there can be no session: a line that says why. The guest then switches the machine off.
	CtlError = "error"
	// CtlKallsyms, where it is there, is written as the guest starts: what the kernel says in /proc/kallsyms.
	CtlKallsyms = "kallsyms"
	// CtlBegin is read from when the guest has its modules and the control file system, byte by byte. The first read blocks until the host
	// has the guest go on; the file then says BeginNow. The folder CtlSetup then has what Initramfs.Setup gives, and CtlRenewal, a program
	// that the guest executes (Renew).
	CtlBegin   = "begin"
	CtlSetup   = "setup"
	CtlRenewal = CtlSetup + "/renew"
	// CtlShutdown is read from when the guest is up, byte by byte. The first read blocks until the host wants the guest to end; the file
	// then says ShutdownRequest, and its size is always the length of that. The read is abandoned when the session ends otherwise. An
	// image's own init may want the process that reads to end: its reads are answered by nothing every few seconds, and made again.
	CtlShutdown = "shutdown"
	// CtlSignal is read from while the session's program runs, byte by byte: a read blocks until the host has a signal for the program, and
	// the opening then says its number in CtlSignalSize-1 decimal digits and a line feed. The next one is another opening's.
	CtlSignal = "signal"
	// CtlStdinNext and CtlStdin carry the input of a session without a terminal. The guest opens CtlStdinNext and reads it byte by byte:
	// the first read blocks until there is input or none will follow and makes what is there the current chunk; the file then says the
	// chunk's length in CtlNextSize-1 decimal digits and a line feed, zero for the end of the input. The guest then opens CtlStdin, which
	// is the current chunk and has its size, reads all of it, and starts again.
	CtlStdinNext = "stdin.next"
	CtlStdin     = "stdin"
	// CtlStdout and CtlStderr are written with the output of a session without a terminal.
	CtlStdout = "stdout"
	CtlStderr = "stderr"
)

const (
	ShutdownRequest = "poweroff\n" // content of CtlShutdown
	BeginNow        = "now\n"      // content of CtlBegin
	ReleaseJobs     = "jobs\n"     // written to CtlRelease
	ReleaseAll      = "all\n"
	CtlNextSize     = 9 // size of CtlStdinNext in bytes
	CtlSignalSize   = 3 // size of CtlSignal in bytes
)

// Mount is a file system that the guest finds mounted.
type Mount struct {
	Type    string // "9p", "tmpfs", "proc" and the like
	Source  string // the mount tag of a 9p device; for others it is shown and means nothing
	Target  string // absolute name in the guest
	Options string // as mount -o takes them, separated by commas; see Options9P
	File    string // 9p only: what is mounted is this file in the source's root folder, not the folder
}

// Options9P are the options that mount a virtio 9p device: msize is the size in bytes of the largest message (4096 or more, at most what
// the device takes), cache is v9fs's cache mode, "none" for contents that the host changes.
func Options9P(msize int, cache string) string {
	return fmt.Sprintf("trans=virtio,version=9p2000.L,msize=%d,cache=%s", msize, cache)
}

// StandardMounts are what every Linux program may expect.
func StandardMounts() []Mount {
	return []Mount{
		{Type: "proc", Source: "proc", Target: "/proc", Options: "nosuid,nodev,noexec"},
		{Type: "sysfs", Source: "sysfs", Target: "/sys", Options: "nosuid,nodev,noexec"},
		{Type: "devtmpfs", Source: "dev", Target: "/dev", Options: "nosuid"},
		{Type: "devpts", Source: "devpts", Target: "/dev/pts", Options: "nosuid,noexec,gid=5,mode=620,ptmxmode=666"},
		{Type: "tmpfs", Source: "shm", Target: "/dev/shm", Options: "nosuid,nodev,mode=1777"},
		{Type: "tmpfs", Source: "run", Target: "/run", Options: "nosuid,nodev,mode=755"},
	}
}

// Network is the static configuration of eth0.
type Network struct {
	Address, Netmask, Gateway string // dotted decimal; Gateway may be empty
}

// GuestFile is a file that the guest finds in place of the root's own, which stays as it is.
type GuestFile struct {
	Name string // absolute
	Mode uint32 // permission bits
	Data []byte
}

// Program is what a session runs.
type Program struct {
	Args     []string // the program, looked up in the PATH of Env, and its arguments
	Env      []string // "NAME=value"; the program gets these alone
	Dir      string   // absolute name of the working folder, made where it is missing; empty: /
	UID, GID uint32
	Groups   []uint32 // supplementary ones
}

// MaxGroups is how many supplementary groups Linux lets a process have.
const MaxGroups = 65536

// Initramfs describes a guest's initial root file system and with it all that happens in the guest between the kernel's start and the
// session's program: modules are loaded, the real root and all else is mounted, and a busybox init, which stays outside the real root,
// supervises the session, so that nothing is asked of the image. The program runs in a mount namespace of its own, whose root the real
// root is. poweroff, halt and reboot in the guest signal that init.
type Initramfs struct {
	Tools    Tools
	Modules  []ModuleFile // loaded in this order
	Release  string       // of the kernel; needed with Modules
	Root     Mount        // the real root; its Target is not used
	ReadOnly bool         // the guest changes nothing in it once all is mounted
	Mounts   []Mount      // mounted after it, in this order; missing targets are made
	Files    []GuestFile
	Hostname string
	Network  *Network // nil: loopback only
	CtlMsize int      // size in bytes of the largest 9p message on the control device

	// Dirty is how many bytes of files the guest may have written but not yet given to the host, before it begins to give them, and at
	// a quarter more makes writers wait; zero: the kernel's own limits.
	Dirty int64

	Program Program
	Idle    bool // nothing is run in place of Program: the guest waits for jobs, and for its end
	TTY     bool // the program's standard files are the terminal hvc0, or ttyS0 where there is none; else pipes to the host
	Merged  bool // standard output and error are one pipe, which goes to the host's standard output

	// Init has the image's own /sbin/init run as process 1 in place of Program. It finds an /etc/inittab that starts a getty on the
	// terminal, which logs root in, and no others; Inittab is the image's own, from which the rest is taken (empty: there is none). Term is
	// the terminal's type.
	Init    bool
	Inittab string
	Term    string
}
