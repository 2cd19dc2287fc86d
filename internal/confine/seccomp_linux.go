package confine

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/sys/unix"
)

// calls are the system calls that a running guest's host side makes: those of
// Go's runtime (and of the C library, where one is linked), of files that are
// open, of files by name, and of connections. What is not here, execve, ptrace,
// mount, bpf, io_uring and the like, is refused with EPERM. Names that an
// architecture has not got are left out.
var calls = [][]string{
	{ // memory, threads, time
		"arch_prctl", "brk", "clock_getres", "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "exit", "exit_group",
		"futex", "futex_time64", "getegid", "geteuid", "getgid", "getpid", "getppid", "getrandom", "getrlimit", "getrusage", "gettid", "gettimeofday",
		"getuid", "madvise", "membarrier", "mincore", "mmap", "mmap2", "mprotect", "mremap", "munmap", "nanosleep", "restart_syscall", "rseq",
		"rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigreturn", "rt_sigtimedwait", "sched_getaffinity", "sched_yield", "set_robust_list",
		"set_tid_address", "setitimer", "sigaltstack", "sigreturn", "sysinfo", "time", "timer_create", "timer_delete", "timer_settime",
		"timer_settime64", "ugetrlimit", "uname",
	},
	{ // files that are open
		"_llseek", "close", "copy_file_range", "dup", "dup2", "dup3", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
		"eventfd2", "fadvise64", "fadvise64_64", "fallocate", "fchown", "fchown32", "fcntl", "fcntl64", "fdatasync", "fgetxattr", "flistxattr", "flock",
		"fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64", "getdents64", "lseek",
		"memfd_create", "pipe2", "poll", "ppoll", "ppoll_time64", "pread64", "preadv", "pselect6", "pselect6_time64", "pwrite64", "pwritev", "read",
		"readv", "select", "sendfile", "sendfile64", "splice", "sync_file_range", "write", "writev",
	},
	{ // files by name
		"access", "faccessat", "faccessat2", "fchownat", "fstatat64", "getcwd", "linkat", "lstat", "lstat64", "name_to_handle_at", "newfstatat",
		"readlink", "readlinkat", "renameat", "renameat2", "stat", "stat64", "statx", "symlinkat", "truncate", "truncate64", "unlinkat", "utimensat", "utimensat_time64",
	},
	{ // connections that there are
		"accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg",
		"sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
	},
}

// families are those of the connections that can be made: none to a program of
// the host by a name in its file system.
var families = []uint64{unix.AF_INET, unix.AF_INET6, unix.AF_NETLINK}

// controls are the requests of ioctl(2) on a terminal: its modes and its size,
// and not input in its user's name (TIOCSTI).
var controls = []uint64{unix.TCGETS, unix.TCSETS, unix.TCSETSW, unix.TCSETSF, unix.TIOCGWINSZ, unix.TIOCGPGRP}

// setIDBits are those of a mode.
const setIDBits = unix.S_ISUID | unix.S_ISGID

// A bound is on an argument of a call: it is refused if the argument has
// not one of the values, or is not as op says.
type bound struct {
	name     string
	argument uint32
	op       seccomp.Operation // that leads to a refusal
	values   []uint64
}

// bounds are on the calls of which not all is allowed.
func bounds() []bound {
	self := []uint64{uint64(os.Getpid())}
	return []bound{
		{"clone", 0, seccomp.BitsNotSet, []uint64{unix.CLONE_THREAD}}, // a thread, not a process
		{"kill", 0, seccomp.NotEqual, self},
		{"tgkill", 0, seccomp.NotEqual, self},
		{"prctl", 0, seccomp.NotEqual, []uint64{unix.PR_SET_VMA}}, // a name for memory
		{"prlimit64", 2, seccomp.NotEqual, []uint64{0}},           // to look
		{"ioctl", 1, seccomp.NotEqual, controls},
		{"socket", 0, seccomp.NotEqual, families},
		// No mode has a set-id bit.
		{"fchmod", 1, seccomp.BitsSet, []uint64{setIDBits}},
		{"fchmodat", 2, seccomp.BitsSet, []uint64{setIDBits}},
		{"fchmodat2", 2, seccomp.BitsSet, []uint64{setIDBits}},
		{"mkdirat", 2, seccomp.BitsSet, []uint64{setIDBits}},
		{"openat", 3, seccomp.BitsSet, []uint64{setIDBits}},
	}
}

// refusal is what b refuses.
func (b bound) refusal() seccomp.NameWithConditions {
	n := seccomp.NameWithConditions{Name: b.name}
	for _, v := range b.values {
		n.Conditions = append(n.Conditions, seccomp.Condition{Argument: b.argument, Operation: b.op, Value: v})
	}
	return n
}

func probeSeccomp() error {
	if _, err := arch.GetInfo(""); err != nil {
		return err
	}
	if !seccomp.Supported() {
		return errors.New("the kernel has none")
	}
	return nil
}

// filterCalls leaves the calls above, in all threads, which have no_new_privs.
//
// Each bound is a filter of its own, of which the strictest counts: in one that
// holds several, go-seccomp-bpf 1.6.0 goes on to compare an argument with the
// numbers of calls.
func filterCalls(c Config) error {
	here, err := arch.GetInfo("")
	if err != nil {
		return err
	}
	limited := bounds()
	if !c.Network {
		limited = slices.DeleteFunc(limited, func(b bound) bool { return b.name == "socket" })
	}
	allowed := seccomp.SyscallGroup{Action: seccomp.ActionAllow}
	allow := func(name string) {
		if _, ok := here.SyscallNames[name]; ok {
			allowed.Names = append(allowed.Names, name)
		}
	}
	for _, group := range calls {
		for _, name := range group {
			allow(name)
		}
	}
	for _, b := range limited {
		allow(b.name)
	}
	if c.Network {
		allow("socketcall") // which stands for all that are about connections, on 386
	}
	for _, b := range limited {
		if _, ok := here.SyscallNames[b.name]; ok {
			refused := seccomp.SyscallGroup{Action: seccomp.ActionErrno, NamesWithCondtions: []seccomp.NameWithConditions{b.refusal()}}
			if err := load(seccomp.ActionAllow, refused); err != nil {
				return fmt.Errorf("%s: %w", b.name, err)
			}
		}
	}
	// The C library takes clone for a clone3 that is not there.
	absent := seccomp.SyscallGroup{Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS), Names: []string{"clone3"}}
	return load(seccomp.ActionErrno, allowed, absent)
}

// load adds a filter for all threads.
func load(otherwise seccomp.Action, groups ...seccomp.SyscallGroup) error {
	return seccomp.LoadFilter(seccomp.Filter{
		Flag: seccomp.FilterFlagTSync, Policy: seccomp.Policy{DefaultAction: otherwise, Syscalls: groups},
	})
}
