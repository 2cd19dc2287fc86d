package bench

import (
	"context"
	"errors"
	"flag"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"alpinevm"
	"alpinevm/fs9p/memfs"
	"alpinevm/internal/guesttest"
)

// TestBareFiles measures a folder of the host from an initial root file system,
// and leaves nothing there.
func TestBareFiles(t *testing.T) {
	dir := t.TempDir()
	b := Files{Program: guestProgram(t), Machine: rootMachine(t), Work: dir, Vs: []string{QEMU}, part: 50, Report: func(s string) { t.Log(s) }}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	r := &Result{Workload: "Test"}
	if err := b.run(ctx, Guest, r); err != nil {
		t.Fatal(err)
	}
	checkSteps(t, r, []string{Guest}, fileSteps()...)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("%v is left behind, %v", left, err)
	}
}

// TestBareNetwork has the guest's program set up the network card, and reports a
// server that is not there with the guest's words.
func TestBareNetwork(t *testing.T) {
	b := Network{Program: guestProgram(t), Machine: rootMachine(t)}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	r := &Result{Workload: "Test"}
	err := b.bare([]string{"net", "10.0.2.2:1"}).run(ctx, Guest, r, func(s string) { t.Log(s) })
	if err == nil || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("%v", err)
	}
	if len(r.Steps) > 0 {
		t.Errorf("figures %+v", r.Steps)
	}
}

var withQEMU = flag.Bool("bench.qemu", false, "measure beside QEMU")

// TestQEMU measures beside QEMU what needs devices.
func TestQEMU(t *testing.T) {
	if !*withQEMU {
		t.Skip("not here: it needs QEMU; ask for it by -bench.qemu")
	}
	report := func(s string) { t.Log(s) }
	for _, work := range []string{t.TempDir(), WorkTmpfs} {
		files := Files{Program: guestProgram(t), Machine: rootMachine(t), Work: work, Vs: []string{QEMU}, part: 50, Report: report}
		r, err := files.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		checkSteps(t, r, []string{Guest, QEMU}, fileSteps()...)
	}
	network := Network{Program: guestProgram(t), Machine: rootMachine(t), Vs: []string{QEMU}, Report: report}
	r, err := network.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	checkSteps(t, r, []string{Guest, QEMU}, "connect", "round-trip", "send", "receive")
}

// TestFilesCheck refuses places to work before anything is built.
func TestFilesCheck(t *testing.T) {
	for _, tt := range []struct {
		work string
		vs   []string
		want string // "" right
	}{
		{WorkRoot, nil, ""},
		{WorkRoot, []string{Native}, ""},
		{WorkRoot, []string{Native, QEMU}, "--work root: QEMU has no such root; give tmpfs or a FOLDER of the host"},
		{WorkTmpfs, []string{QEMU}, ""},
		{".", []string{QEMU}, ""},
		{"nosuch", []string{QEMU}, "--work nosuch: no such folder on the host; make it first, or give tmpfs or root"},
	} {
		b := Files{Work: tt.work, Vs: tt.vs}
		err := b.Check()
		if got := ""; err != nil {
			got = err.Error()
			if got != tt.want {
				t.Errorf("%s beside %v: %q, want %q", tt.work, tt.vs, got, tt.want)
			}
		} else if tt.want != "" {
			t.Errorf("%s beside %v: no error", tt.work, tt.vs)
		}
	}
}

// TestBareDevices gives QEMU what alpinevm's guest has, by the same names.
func TestBareDevices(t *testing.T) {
	files := (&Files{}).bare("/a,b", "1")
	if got, want := files.devices(), []string{"-virtfs", "local,path=/a,,b,mount_tag=volume0,security_model=none,multidevs=remap"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := strings.Join(files.args, " "), "mount 9p volume0 /bench trans=virtio,version=9p2000.L,msize=512000,cache=mmap,posixacl fs -part 1 /bench"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := (&Files{}).bare(WorkTmpfs, "1"); len(got.devices()) > 0 || len(got.drivers) > 0 {
		t.Errorf("in memory: %+v", got)
	}
	network := (&Network{}).bare([]string{"net", "10.0.2.2:7"})
	if got, want := strings.Join(network.args, " "), "address 10.0.2.15/24 net 10.0.2.2:7"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := network.devices(); !slices.Contains(got, "virtio-net-pci,netdev=net,romfile=") {
		t.Errorf("%q", got)
	}
}

// TestBareInitrd holds the modules of drivers, after those that they need, and
// says what it cannot find.
func TestBareInitrd(t *testing.T) {
	b := (&Network{Program: guestProgram(t)}).bare(nil)
	b.cat = true
	cfg := alpinevm.Config{
		Boot:    alpinevm.Boot{Kernel: guesttest.Kernel(t, "686-pae"), Modules: guesttest.Modules(t, "686-pae", "virtio_net")},
		Session: &alpinevm.Session{Root: guesttest.Root(t, nil)},
	}
	ram, err := b.initrd(cfg)
	if err != nil {
		t.Fatal(err)
	}
	at := -1
	for _, name := range []string{"bin/cat", "modules/000-", "-virtio_pci.ko", "-net_failover.ko", "-virtio_net.ko"} {
		next := strings.Index(string(ram), name)
		if next <= at {
			t.Errorf("%s is at %d, what is before it at %d", name, next, at)
		}
		at = next
	}
	b.drivers = []string{"virtio_nosuch"}
	if _, err := b.initrd(cfg); err == nil || !strings.Contains(err.Error(), "has no driver virtio_nosuch") {
		t.Error(err)
	}
	cfg.Boot.Modules = nil // they are built in
	if ram, err := b.initrd(cfg); err != nil || strings.Contains(string(ram), "modules/0") {
		t.Error(err)
	}
	cfg.Session.Root = memfs.New(memfs.Config{})
	if _, err := b.initrd(cfg); err == nil || !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
