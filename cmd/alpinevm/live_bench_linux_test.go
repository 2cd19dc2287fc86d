package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"alpinevm/internal/guesttest"
)

// guestFlags are those of a small guest of the tests' kernel and root.
func guestFlags(t testing.TB, more ...string) []string {
	return append([]string{
		"-q", "--kernel", guesttest.File(t, "686-pae/vmlinuz"), "--modules", guesttest.File(t, "686-pae/modules"),
		"--rootfs", guesttest.RootFile(t), "--network", "none",
	}, more...)
}

// ownState gives the test folders of its own for machines and their sockets.
func ownState(t testing.TB) {
	t.Helper()
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	dir, err := os.MkdirTemp("", "vm") // a socket's name is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
}

// inBackground starts a guest that waits, and gives its name.
func inBackground(t testing.TB) string {
	t.Helper()
	ownState(t)
	const name = "box"
	args := append([]string{"run", "-d", "--name", name}, guestFlags(t, "--", "sleep", "1000000")...)
	if out, err := exec.Command("alpinevm", args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("alpinevm", "rm", "-f", name).Run() })
	return name
}

// own runs one command of ours, and says what it took of the host's processors.
func own(t testing.TB, args ...string) time.Duration {
	t.Helper()
	cmd := exec.Command("alpinevm", args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// BenchmarkRun measures alpinevm run from its start to its end, on a kernel that was
// kept and with a boot.
func BenchmarkRun(b *testing.B) {
	for _, way := range []string{"warm", "cold"} {
		b.Run(way, func(b *testing.B) {
			ownState(b)
			args := append([]string{"run", "--cold=" + fmt.Sprint(way == "cold")}, guestFlags(b, "--", "true")...)
			own(b, args...)
			var used time.Duration
			for b.Loop() {
				used += own(b, args...)
			}
			b.ReportMetric(float64(used.Microseconds())/1e3/float64(b.N), "cpu-ms/op")
		})
	}
}

// BenchmarkLive measures commands on a machine that runs: until they are through,
// what the client takes, and, of exec, what the guest executes.
func BenchmarkLive(b *testing.B) {
	name := inBackground(b)
	retired := func() uint64 {
		list, err := look([]string{name})
		if err != nil {
			b.Fatal(err)
		}
		return list[name].Instructions
	}
	for _, args := range [][]string{{"exec", name, "true"}, {"ps"}, {"version"}, {"--help"}} {
		b.Run(strings.Trim(args[0], "-"), func(b *testing.B) {
			own(b, args...)
			var used time.Duration
			before := retired()
			for b.Loop() {
				used += own(b, args...)
			}
			b.ReportMetric(float64(used.Microseconds())/1e3/float64(b.N), "client-cpu-ms/op")
			b.ReportMetric(float64(retired()-before)/1e6/float64(b.N), "Minstr/op")
		})
	}
}

// BenchmarkCopy measures alpinevm cp of 100 MB, both ways.
func BenchmarkCopy(b *testing.B) {
	name, file := inBackground(b), filepath.Join(b.TempDir(), "file")
	data := bytes.Repeat([]byte("0123456789abcdef"), 100_000_000/16)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		b.Fatal(err)
	}
	for _, way := range []struct {
		name string
		args []string
	}{{"in", []string{"cp", file, name + ":/srv/file"}}, {"out", []string{"cp", name + ":/srv/file", file + ".back"}}} {
		b.Run(way.name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				own(b, way.args...)
			}
		})
	}
	if back, err := os.ReadFile(file + ".back"); err != nil || !bytes.Equal(back, data) {
		b.Errorf("what came back differs: %v", err)
	}
}

// TestExecMany: twenty commands at once get each its own streams and exit code.
func TestExecMany(t *testing.T) {
	name := inBackground(t)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			var out, errs bytes.Buffer
			cmd := exec.Command("alpinevm", "exec", "-i", name, "sh", "-c", fmt.Sprintf("cat; echo err %d >&2; exit %d", i, i+1))
			cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(fmt.Sprint("in ", i, "\n")), &out, &errs
			err := cmd.Run()
			if want := fmt.Sprint("in ", i, "\n"); out.String() != want || errs.String() != fmt.Sprintf("err %d\n", i) || cmd.ProcessState.ExitCode() != i+1 {
				t.Errorf("%d: %q, %q, %v", i, &out, &errs, err)
			}
		})
	}
	all.Wait()
}
