package leaktest

import (
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// room is more than Go's heap and threads take in this test.
const room = 512 << 20

// TestLeft: what is left behind is told by name, each kind of it.
func TestLeft(t *testing.T) {
	file := func(t *testing.T) int {
		fd, err := unix.MemfdCreate("leaktest", unix.MFD_CLOEXEC)
		if err == nil {
			err = unix.Ftruncate(fd, 1<<20)
		}
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	mapped := func(t *testing.T, fd, size, flags int) (undo func()) {
		b, err := unix.Mmap(fd, 0, size, unix.PROT_READ|unix.PROT_WRITE, flags)
		if err != nil {
			t.Fatal(err)
		}
		return func() { unix.Munmap(b) }
	}
	for _, tt := range []struct {
		name, want string
		leak       func(t *testing.T) (undo func())
	}{
		{"nothing", "", func(*testing.T) func() { return func() {} }},
		{"goroutine", "leaktest.TestLeft.func", func(*testing.T) func() {
			end := make(chan bool)
			go func() { <-end }()
			return func() { close(end) }
		}},
		{"descriptor", "of " + os.DevNull, func(t *testing.T) func() {
			f, err := os.Open(os.DevNull)
			if err != nil {
				t.Fatal(err)
			}
			return func() { f.Close() }
		}},
		{"file without a name", "/memfd:leaktest", func(t *testing.T) func() {
			fd := file(t)
			return func() { unix.Close(fd) }
		}},
		{"mapping of one", "1024 KiB of /memfd:leaktest are mapped, 0 KiB before, in\n  ", func(t *testing.T) func() {
			fd := file(t)
			defer unix.Close(fd)
			return mapped(t, fd, 1<<20, unix.MAP_SHARED)
		}},
		{"anonymous memory", " KiB before, in\n  ", func(t *testing.T) func() {
			return mapped(t, -1, 2*room, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
		}},
		{"threads and heap", "", func(*testing.T) func() {
			var blocked sync.WaitGroup
			end := make(chan bool)
			for range 20 {
				blocked.Go(func() {
					runtime.LockOSThread()
					<-end
				})
			}
			time.Sleep(time.Millisecond)
			close(end)
			blocked.Wait()
			heap := make([][]byte, 100)
			for i := range heap {
				heap[i] = make([]byte, 1<<20)
			}
			return func() { runtime.KeepAlive(heap) }
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := Now()
			undo := tt.leak(t)
			if tt.want != "" {
				if left := strings.Join(before.left(room), "\n"); !strings.Contains(left, tt.want) {
					t.Errorf("left behind is %q, want %q", left, tt.want)
				}
			}
			undo()
			before.Check(t, room)
		})
	}
}
