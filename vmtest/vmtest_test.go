package vmtest_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"alpinevm/internal/guesttest"
	"alpinevm/launch"
	"alpinevm/vmtest"
)

// options are of a small guest.
func options(t testing.TB) []launch.Option {
	kernel := launch.Kernel(guesttest.File(t, "686-pae/vmlinuz"), guesttest.File(t, "686-pae/modules"))
	return []launch.Option{kernel, launch.Memory(64 << 20), launch.Network(nil)}
}

// TestRun: each test has a guest of its own, also where they run at once.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a guest")
	}
	for range 3 {
		vmtest.Run(t, guesttest.RootFile(t), func(t *testing.T, vm *launch.VM) {
			out, err := vm.Command("sh", "-c", "ls /mine 2>/dev/null; touch /mine; uname").CombinedOutput()
			if got := strings.TrimSpace(string(out)); got != "Linux" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		}, options(t)...)
	}
}

// ownCache gives the test a cache folder without booted kernels, which has what is
// made of a kernel's files.
func ownCache(t *testing.T) {
	t.Helper()
	made, err := launch.CacheDir("kernel")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(name, t.TempDir())
	}
	own, err := launch.CacheDir("kernel")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(own), 0o700); err != nil {
		t.Fatal(err)
	}
	os.Symlink(made, own) // without it the test takes longer
}

// TestRunWarm: one guest boots; others, which are started at once, go on from there,
// with a fraction of the work, and draw random numbers of their own. (Of those that
// are started at once one boots where a boot takes seconds: launch's TestWarmAtOnce.)
func TestRunWarm(t *testing.T) {
	if testing.Short() {
		t.Skip("boots guests")
	}
	root, opts := guesttest.RootFile(t), options(t)
	ownCache(t)
	const guests = 4
	var mu sync.Mutex
	counts, drawn := []uint64{}, map[string]bool{}
	work := func(name string, guests int) {
		t.Run(name, func(t *testing.T) {
			for range guests {
				vmtest.Run(t, root, func(t *testing.T, vm *launch.VM) {
					n := vm.Instructions()
					out, err := vm.Command("sh", "-c", "head -c 16 /dev/urandom | md5sum; echo '<2>a line of the kernel' >/dev/kmsg").Output()
					if err != nil {
						t.Error(err)
					}
					if log := strings.Join(vm.Log(), "\n"); !strings.Contains(log, "a line of the kernel") {
						t.Errorf("the log is %q", log)
					}
					mu.Lock()
					defer mu.Unlock()
					counts = append(counts, n)
					drawn[string(out)] = true
				}, opts...)
			}
		})
	}
	work("alone", 1)
	work("at once", guests-1)
	if len(counts) != guests || len(drawn) != guests {
		t.Fatalf("%d guests have drawn %d numbers", len(counts), len(drawn))
	}
	slices.Sort(counts)
	if few, boot := counts[guests-2], counts[guests-1]; few > boot/4 {
		t.Errorf("instructions until they were up: %d", counts)
	}
}

// BenchmarkStart measures a guest that runs one command and is closed.
func BenchmarkStart(b *testing.B) {
	root, opts := guesttest.RootFile(b), options(b)
	one := func() uint64 {
		vm, err := launch.Start(b.Context(), root, opts...)
		if err != nil {
			b.Fatal(err)
		}
		defer vm.Close()
		if err := vm.Command("true").Run(); err != nil {
			b.Fatal(err)
		}
		return vm.Instructions()
	}
	one() // keeps its kernel
	before, instructions := processorTime(b), uint64(0)
	for b.Loop() {
		instructions = one()
	}
	b.ReportMetric(float64((processorTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
	b.ReportMetric(float64(instructions)/1e6, "Minstr/op")
}
