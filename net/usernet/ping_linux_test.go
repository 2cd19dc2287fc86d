package usernet

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// inNamespace is set in the environment of a process that has a network of its
// own.
const inNamespace = "USERNET_TEST_NAMESPACE"

// TestHostPingNamespace has a network of its own, in which everybody may send
// echo requests, answer one and leave one without an answer.
func TestHostPingNamespace(t *testing.T) {
	if os.Getenv(inNamespace) == "" {
		enterNamespace(t)
		return
	}
	// network_namespaces(7): a new one has its own settings, and loopback is down.
	set(t, "ping_group_range", "0 0")
	if err := setUp("lo"); err != nil {
		t.Fatal(err)
	}
	if err := hostPing(patience, loopbackIP); err != nil {
		t.Errorf("the host's own address does not answer: %v", err)
	}
	set(t, "icmp_echo_ignore_all", "1")
	start := time.Now()
	err := hostPing(50*time.Millisecond, loopbackIP)
	if d := time.Since(start); !errors.Is(err, os.ErrDeadlineExceeded) || d < 50*time.Millisecond || d > patience {
		t.Errorf("without an answer: %v after %v", err, d)
	}
}

// enterNamespace runs the test again in new namespaces.
func enterNamespace(t *testing.T) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inNamespace+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.ENOSPC) {
		t.Skip("not here: the host lets nobody have namespaces: ", err)
	}
	if bytes.Contains(out, []byte(unsettable)) {
		t.Skipf("not here: %s", out)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

const unsettable = "a namespace's settings are read-only here"

// set changes a setting of the namespace (ip-sysctl).
func set(t *testing.T, name, value string) {
	t.Helper()
	err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0)
	if errors.Is(err, syscall.EROFS) || errors.Is(err, os.ErrNotExist) {
		t.Skip(unsettable) // as in some containers
	}
	if err != nil {
		t.Fatal(err)
	}
}

// setUp brings a network interface up (netdevice(7)).
func setUp(name string) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	r, err := unix.NewIfreq(name)
	if err != nil {
		return err
	}
	r.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, r)
}
