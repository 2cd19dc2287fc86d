package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"alpinevm"
)

// gdbFlags are those about debuggers.
type gdbFlags struct {
	address string
	wait    bool
}

func (f *gdbFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.address, "gdb", "", "let gdb control the guest by `ADDRESS`: :PORT is of this host's loopback alone, HOST:PORT of all who reach it, unix:FILE of this user")
	fl.BoolVar(&f.wait, "gdb-wait", false, "hold the guest before its first instruction until a debugger lets it go on; it needs --gdb")
}

// check refuses flags that contradict each other.
func (f *gdbFlags) check(detach bool) error {
	switch {
	case f.address == "" && f.wait:
		return errors.New("--gdb-wait needs --gdb ADDRESS, where the debugger connects")
	case f.wait && detach:
		return errors.New("--gdb-wait holds the guest, and --detach returns when it is up: leave out one of them")
	case f.address == "":
		return nil
	}
	_, _, err := parseGDB(f.address)
	return err
}

// listen begins to listen for debuggers, if there are to be any, and tells where.
func (f *gdbFlags) listen(d *alpinevm.Debug, note func(format string, args ...any)) error {
	if f.address == "" {
		return nil
	}
	network, address, _ := parseGDB(f.address) // which has been parsed before
	l, err := listenGDB(network, address)
	if err != nil {
		return fmt.Errorf("--gdb %s: %w", f.address, plainListenError(err))
	}
	d.GDB, d.GDBWait = alpinevm.NewGDB(l), f.wait
	where := l.Addr().String()
	note("gdb: target remote %s", where)
	if a, ok := l.Addr().(*net.TCPAddr); ok && !a.IP.IsLoopback() {
		note("--gdb %s: whoever reaches that port controls the guest", f.address)
	}
	return nil
}

// listenGDB is net.Listen. A socket of a file is for the user alone, and takes the
// place of one that nobody listens on any more.
func listenGDB(network, address string) (net.Listener, error) {
	if network != "unix" {
		return net.Listen(network, address)
	}
	if info, err := os.Lstat(address); err == nil && info.Mode()&os.ModeSocket != 0 {
		if conn, err := net.Dial("unix", address); err == nil {
			conn.Close()
			return nil, syscall.EADDRINUSE
		}
		if err := os.Remove(address); err != nil {
			return nil, err
		}
	}
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(address, 0o600); err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

// plainListenError leaves out what the flag says already.
func plainListenError(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	var call *os.SyscallError
	if errors.As(err, &call) {
		err = call.Err
	}
	return err
}

// parseGDB reads the value of --gdb, as qemu's -gdb has it: [tcp:][HOST]:PORT or
// unix:FILE. A port alone will do. Without a host it is the loopback.
func parseGDB(s string) (network, address string, err error) {
	if file, ok := strings.CutPrefix(s, "unix:"); ok {
		if file == "" {
			return "", "", fmt.Errorf("--gdb %s: want unix:FILE", s)
		}
		return "unix", file, nil
	}
	text := strings.TrimPrefix(s, "tcp:")
	if !strings.Contains(text, ":") {
		text = ":" + text
	}
	host, port, err := net.SplitHostPort(text)
	if n, e := strconv.ParseUint(port, 10, 16); err != nil || e != nil || n == 0 && port != "0" {
		return "", "", fmt.Errorf("--gdb %q: want :PORT, HOST:PORT or unix:FILE, such as :1234", s)
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return "tcp", net.JoinHostPort(host, port), nil
}
