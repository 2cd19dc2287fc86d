package confine

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rig is what a confined process is tried with: folders of a base folder.
type rig struct{ base string }

func (r rig) at(name ...string) string { return filepath.Join(append([]string{r.base}, name...)...) }

func (r rig) config() Config {
	return Config{
		Shares: []Share{
			{Path: r.at("share")}, {Path: r.at("fixed"), ReadOnly: true},
			{Path: r.at("single", "file"), File: true}, {Path: r.at("fixed-single", "file"), File: true, ReadOnly: true},
		},
		Keep: []string{r.at("state"), r.at("not there")}, Read: []string{r.at("cache"), r.at("etc", "resolv.conf")}, Network: true,
	}
}

func open(name string, flags int) error {
	fd, err := unix.Open(name, flags|unix.O_CLOEXEC, 0o600)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

func call(number uintptr, args ...uintptr) error {
	a := append(args, make([]uintptr, 6)...)
	if _, _, e := syscall.RawSyscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); e != 0 {
		return e
	}
	return nil
}

// An attempt is something that a confined process does. err is what comes of it;
// several, of which any will do.
type attempt struct {
	name string
	do   func(r rig) error
	err  []error
}

var (
	denied  = []error{unix.EACCES, unix.EPERM, unix.EXDEV}
	refused = []error{unix.EPERM}
)

// attempts come from every thread, one that was there before and a new one. Each
// leaves things as they were.
var attempts = []attempt{
	{"read in the share", func(r rig) error { return open(r.at("share", "file"), unix.O_RDWR) }, nil},
	{"list the share", func(r rig) error { _, err := os.ReadDir(r.at("share")); return err }, nil},
	{"make, move, link and remove in the share", func(r rig) error {
		dir := r.at("share", fmt.Sprint("d", unix.Gettid()))
		return errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(dir+"/f", []byte("x"), 0o600), os.Rename(dir+"/f", dir+"f"), os.Rename(dir+"f", dir+"/f"),
			os.Link(dir+"/f", dir+"/g"), os.Symlink("f", dir+"/s"), os.Truncate(dir+"/f", 0), os.Chmod(dir+"/f", 0o640), os.Chtimes(dir+"/f", time.Now(), time.Now()),
			os.RemoveAll(dir))
	}, nil},
	{"read what is fixed", func(r rig) error { return open(r.at("fixed", "file"), unix.O_RDONLY) }, nil},
	{"read the single file", func(r rig) error { return open(r.at("single", "file"), unix.O_RDWR) }, nil},
	{"read the fixed single file", func(r rig) error { return open(r.at("fixed-single", "file"), unix.O_RDONLY) }, nil},
	{"keep state", func(r rig) error {
		name := r.at("state", fmt.Sprint(unix.Gettid()))
		return errors.Join(os.WriteFile(name, nil, 0o600), os.Rename(name, name+"x"), os.Remove(name+"x"))
	}, nil},
	{"read the cache", func(r rig) error { return open(r.at("cache", "file"), unix.O_RDONLY) }, nil},
	{"read the resolver's file", func(r rig) error { return open(r.at("etc", "resolv.conf"), unix.O_RDONLY) }, nil},
	{"connect", func(rig) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer l.Close()
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			c.Close()
		}
		return err
	}, nil},
	{"look at the interfaces", func(rig) error { _, err := net.InterfaceAddrs(); return err }, nil},
	{"memory for code", func(rig) error {
		fd, err := unix.MemfdCreate("test", 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		if err := unix.Ftruncate(fd, 4096); err != nil {
			return err
		}
		b, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_SHARED)
		if err == nil {
			err = unix.Munmap(b)
		}
		return err
	}, nil},

	{"read outside", func(r rig) error { return open(r.at("outside", "file"), unix.O_RDONLY) }, denied},
	{"read outside by way of the share", func(r rig) error { return open(r.at("share", "..", "outside", "file"), unix.O_RDONLY) }, denied},
	{"read outside by a symbolic link", func(r rig) error { return open(r.at("share", "link"), unix.O_RDONLY) }, denied},
	{"write outside", func(r rig) error { return open(r.at("outside", "file"), unix.O_WRONLY) }, denied},
	{"make outside", func(r rig) error { return open(r.at("outside", "new"), unix.O_CREAT|unix.O_WRONLY) }, denied},
	{"list outside", func(r rig) error { return open(r.at("outside"), unix.O_RDONLY|unix.O_DIRECTORY) }, denied},
	{"remove outside", func(r rig) error { return unix.Unlink(r.at("outside", "file")) }, denied},
	{"make a folder outside", func(r rig) error { return unix.Mkdir(r.at("outside", "new"), 0o700) }, denied},
	{"truncate outside", func(r rig) error { return unix.Truncate(r.at("outside", "file"), 0) }, denied},
	{"move out", func(r rig) error { return unix.Rename(r.at("share", "file"), r.at("outside", "new")) }, denied},
	{"move in", func(r rig) error { return unix.Rename(r.at("outside", "file"), r.at("share", "new")) }, denied},
	{"link in", func(r rig) error { return unix.Link(r.at("outside", "file"), r.at("share", "new")) }, denied},
	{"the host's users", func(rig) error { return open("/etc/passwd", unix.O_RDONLY) }, denied},
	{"our own memory", func(rig) error { return open("/proc/self/mem", unix.O_RDWR) }, denied},
	{"another file of the resolver's folder", func(r rig) error { return open(r.at("etc", "other"), unix.O_RDONLY) }, denied},
	{"write what is fixed", func(r rig) error { return open(r.at("fixed", "file"), unix.O_WRONLY) }, denied},
	{"make in what is fixed", func(r rig) error { return open(r.at("fixed", "new"), unix.O_CREAT|unix.O_WRONLY) }, denied},
	{"write the fixed single file", func(r rig) error { return open(r.at("fixed-single", "file"), unix.O_WRONLY) }, denied},
	{"make beside the single file", func(r rig) error { return open(r.at("single", "new"), unix.O_CREAT|unix.O_WRONLY) }, denied},
	{"remove the single file", func(r rig) error { return unix.Unlink(r.at("single", "file")) }, denied},
	{"write to the cache", func(r rig) error { return open(r.at("cache", "file"), unix.O_WRONLY) }, denied},

	{"a device", func(r rig) error { return unix.Mknod(r.at("share", "dev"), unix.S_IFCHR|0o666, 259) }, refused},
	{"a fifo", func(r rig) error { return unix.Mkfifo(r.at("share", "fifo"), 0o600) }, refused},
	{"a set-id bit", func(r rig) error { return unix.Fchmodat(unix.AT_FDCWD, r.at("share", "file"), 0o4755, 0) }, refused},
	{"a set-id bit of an open file", func(r rig) error {
		fd, err := unix.Open(r.at("share", "file"), unix.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Fchmod(fd, 0o2755)
	}, refused},
	{"a new file with a set-id bit", func(r rig) error {
		fd, err := unix.Open(r.at("share", "suid"), unix.O_RDWR|unix.O_CREAT, 0o4755)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}, refused},
	{"a file capability", func(r rig) error {
		fd, err := unix.Open(r.at("share", "file"), unix.O_RDWR, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return unix.Fsetxattr(fd, "security.capability", []byte("\x01\x00\x00\x02\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\x00\x00\x00\x00"), 0)
	}, refused},

	{"a program", func(rig) error { return unix.Exec("/bin/true", []string{"true"}, nil) }, denied},
	{"a process", func(rig) error { return call(unix.SYS_CLONE, uintptr(unix.SIGCHLD)) }, refused},
	// What go-seccomp-bpf took for prlimit64 (302) with a third argument of 0.
	{"a process whose flags are the number of a call", func(rig) error { return call(unix.SYS_CLONE, 302) }, refused},
	{"a process by clone3", func(rig) error { return call(unix.SYS_CLONE3) }, []error{unix.ENOSYS}},
	{"a signal to who started us", func(rig) error { return unix.Kill(unix.Getppid(), 0) }, refused},
	{"a signal to all", func(rig) error { return unix.Kill(-1, 0) }, refused},
	{"input in the user's name", func(rig) error { return call(unix.SYS_IOCTL, 0, unix.TIOCSTI) }, refused},
	{"a socket of the host's programs", func(rig) error { _, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0); return err }, refused},
	{"a socket of packets", func(rig) error { _, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW, 0); return err }, refused},
	{"core files", func(rig) error { return unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }, refused},
	{"a limit", func(rig) error { return unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}) }, refused},
	{"ptrace", func(rig) error { return call(unix.SYS_PTRACE, unix.PTRACE_TRACEME) }, refused},
	{"mount", func(r rig) error { return unix.Mount("none", r.at("share"), "tmpfs", 0, "") }, refused},
	{"umount", func(r rig) error { return unix.Unmount(r.at("share"), 0) }, refused},
	{"chroot", func(r rig) error { return unix.Chroot(r.at("share")) }, refused},
	{"pivot_root", func(r rig) error { return unix.PivotRoot(r.at("share"), r.at("share")) }, refused},
	{"unshare", func(rig) error { return unix.Unshare(unix.CLONE_NEWUSER) }, refused},
	{"setns", func(rig) error { return unix.Setns(0, 0) }, refused},
	{"bpf", func(rig) error { return call(unix.SYS_BPF) }, refused},
	{"perf_event_open", func(rig) error { return call(unix.SYS_PERF_EVENT_OPEN) }, refused},
	{"io_uring_setup", func(rig) error { return call(unix.SYS_IO_URING_SETUP, 1) }, refused},
	{"userfaultfd", func(rig) error { return call(unix.SYS_USERFAULTFD) }, refused},
	{"open_by_handle_at", func(rig) error { return call(unix.SYS_OPEN_BY_HANDLE_AT) }, refused},
	{"process_vm_writev", func(rig) error { return call(unix.SYS_PROCESS_VM_WRITEV, uintptr(unix.Getppid())) }, refused},
	{"pidfd_getfd", func(rig) error { return call(unix.SYS_PIDFD_GETFD) }, refused},
	{"keyctl", func(rig) error { return call(unix.SYS_KEYCTL) }, refused},
	{"init_module", func(rig) error { return call(unix.SYS_INIT_MODULE) }, refused},
	{"kexec_load", func(rig) error { return call(unix.SYS_KEXEC_LOAD) }, refused},
	{"reboot", func(rig) error { return call(unix.SYS_REBOOT) }, refused},
	{"setuid", func(rig) error { return call(unix.SYS_SETUID, uintptr(unix.Getuid())) }, refused},
	{"capset", func(rig) error { return call(unix.SYS_CAPSET) }, refused},
	{"a filter more", func(rig) error { return call(unix.SYS_SECCOMP) }, refused},
	{"the host's clock", func(rig) error { return call(unix.SYS_SETTIMEOFDAY) }, refused},
	{"the host's name", func(rig) error { b := [1]byte{'x'}; return call(unix.SYS_SETHOSTNAME, uintptr(unsafe.Pointer(&b)), 1) }, refused},
}

// confined is the process that is tried: it prints what does not come out as it
// is to.
func confined(base string) {
	r := rig{base}
	start, done := make(chan struct{}), sync.WaitGroup{}
	var mu sync.Mutex
	try := func(thread string) {
		runtime.LockOSThread() // and ends with the goroutine
		for _, a := range attempts {
			err := a.do(r)
			ok := err == nil && a.err == nil
			for _, want := range a.err {
				ok = ok || errors.Is(err, want)
			}
			if !ok {
				mu.Lock()
				fmt.Printf("%s, %s: %v, want %v\n", thread, a.name, err, a.err)
				mu.Unlock()
			}
		}
	}
	for i := range 5 {
		done.Go(func() {
			runtime.LockOSThread()
			<-start
			try(fmt.Sprint("thread ", i, " of before"))
		})
	}
	time.Sleep(10 * time.Millisecond) // they have their threads
	for _, l := range Apply(r.config()) {
		if l.Err != nil {
			fmt.Printf("%s: %v\n", l.Name, l.Err)
		}
	}
	close(start)
	done.Wait()
	for i := range 20 {
		done.Go(func() { try(fmt.Sprint("new thread ", i)) })
	}
	done.Wait()
	try("the first thread")
	fmt.Println("done")
}

const baseVariable = "ALPINEVM_TEST_CONFINE"

func TestMain(m *testing.M) {
	if base := os.Getenv(baseVariable); base != "" {
		confined(base)
		return
	}
	os.Exit(m.Run())
}

// TestApply tries a confined process, as the user of the test and as another one.
func TestApply(t *testing.T) {
	for _, l := range Probe() {
		if l.Err != nil {
			t.Skipf("not here: %s: %v", l.Name, l.Err)
		}
	}
	users := map[string]*syscall.SysProcAttr{"us": nil}
	if os.Getuid() == 0 {
		users["nobody"] = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	for name, user := range users {
		t.Run(name, func(t *testing.T) {
			r := rig{t.TempDir()}
			for _, dir := range []string{"share", "fixed", "single", "fixed-single", "state", "cache", "outside", "etc"} {
				must(t, os.Mkdir(r.at(dir), 0o777))
				must(t, os.Chmod(r.at(dir), 0o777))
				for _, file := range []string{"file", "other", "resolv.conf"} {
					must(t, os.WriteFile(r.at(dir, file), []byte("x"), 0o666))
					must(t, os.Chmod(r.at(dir, file), 0o666))
					if user != nil {
						must(t, os.Chown(r.at(dir, file), int(user.Credential.Uid), int(user.Credential.Gid)))
					}
				}
			}
			for dir := r.base; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
				must(t, os.Chmod(dir, 0o755))
			}
			must(t, os.Symlink("../outside/file", r.at("share", "link")))
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = append(os.Environ(), baseVariable+"="+r.base)
			cmd.Dir, cmd.SysProcAttr = "/", user
			out, err := cmd.CombinedOutput()
			if err != nil || strings.TrimSpace(string(out)) != "done" {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
