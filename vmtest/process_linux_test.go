package vmtest_test

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"alpinevm/internal/guesttest"
	"alpinevm/launch"
)

// processorTime is what this process has used so far of the host's processors.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// kernelMaps gives, of the mappings of booted kernels, how many there are, and how
// many bytes of them are in use and are their owner's alone.
func kernelMaps(t *testing.T) (n int, used, own int64) {
	t.Helper()
	f, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ours := false
	for s := bufio.NewScanner(f); s.Scan(); {
		var kb int64
		switch line := s.Text(); {
		case strings.Contains(line, "-") && !strings.Contains(strings.Fields(line)[0], ":"):
			if ours = strings.HasSuffix(line, ".snapshot"); ours {
				n++
			}
		case !ours:
		case strings.HasPrefix(line, "Rss:"):
			fmt.Sscanf(line, "Rss: %d", &kb)
			used += kb << 10
		case strings.HasPrefix(line, "Anonymous:"):
			fmt.Sscanf(line, "Anonymous: %d", &kb)
			own += kb << 10
		}
	}
	return n, used, own
}

// TestShared: guests that go on from one kernel share the memory that they have not
// written to.
func TestShared(t *testing.T) {
	if testing.Short() {
		t.Skip("boots guests")
	}
	root, opts := guesttest.RootFile(t), options(t)
	ownCache(t)
	start := func() *launch.VM {
		vm, err := launch.Start(t.Context(), root, opts...)
		if err != nil {
			t.Fatal(err)
		}
		return vm
	}
	start().Close() // keeps its kernel
	const guests = 3
	for range guests {
		defer start().Close()
	}
	if n, used, own := kernelMaps(t); n < guests || own > used/2 {
		t.Errorf("%d mappings of kernels; of %d KB that are used %d are not shared", n, used>>10, own>>10)
	}
}
