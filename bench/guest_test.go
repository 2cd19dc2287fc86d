package bench

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"alpinevm"
	"alpinevm/internal/guesttest"
)

// built is the guest's program, made once in a folder that TestMain removes.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "alpinevm-test-")
	if err != nil {
		return "", err
	}
	builtIn.Store(&dir)
	return Program(context.Background(), dir, func(string) {})
})

var builtIn atomic.Pointer[string]

func TestMain(m *testing.M) {
	code := m.Run()
	if dir := builtIn.Load(); dir != nil {
		os.RemoveAll(*dir)
	}
	os.Exit(code)
}

// guestProgram builds the guest's program as bench does.
func guestProgram(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a program")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go in the PATH")
	}
	name, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// TestProgram builds nothing twice.
func TestProgram(t *testing.T) {
	name := guestProgram(t)
	again, err := Program(t.Context(), filepath.Dir(name), func(string) { t.Error("built twice") })
	if err != nil || again != name {
		t.Errorf("the second time %s, %v", again, err)
	}
}

// bareMachine is a guest that needs no root file system.
func bareMachine(t *testing.T) func() (alpinevm.Config, func(), error) {
	image, cache := guesttest.Kernel(t, "686-pae"), guesttest.Cache(t)
	return func() (alpinevm.Config, func(), error) {
		return alpinevm.Config{Memory: 128 << 20, Boot: alpinevm.Boot{Kernel: image, Cache: cache}}, func() {}, nil
	}
}

// TestCPU has every workload check its result, in the guest, with each
// engine, and on the host's silicon.
func TestCPU(t *testing.T) {
	b := CPU{Machine: bareMachine(t), Program: guestProgram(t), Time: time.Millisecond, Runs: 1, Report: func(s string) { t.Log(s) }}
	for _, peer := range append(Engines(), Native) {
		if CheckPeers([]string{peer}, Native) == nil {
			b.Vs = append(b.Vs, peer)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	r, err := b.Run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, where := range append(b.Vs, Guest) {
		var names []string
		var counted uint64
		for _, s := range r.Steps {
			if s.Where == where {
				names = append(names, s.Name)
				counted += s.Instructions
				if s.Time <= 0 || s.N < 1 {
					t.Errorf("%+v", s)
				}
			}
		}
		// Not each has a count: both marks of one so short may be read at once.
		if (counted > 0) != (where != Native) {
			t.Errorf("%s: %d instructions", where, counted)
		}
		if !slices.Equal(names, CPUWorkloads()) {
			t.Errorf("%s measured %v", where, names)
		}
	}
	if !slices.Contains(b.Vs, Native) {
		return
	}
	none := &Result{Workload: "Test"}
	err = runNative(ctx, exec.Command(b.Program, "cpu", "nosuch"), none, func(string) {})
	if err == nil || !strings.Contains(err.Error(), "nosuch there is no such workload") || len(none.Steps) != 0 {
		t.Errorf("an unknown workload: %v, %v", err, none.Steps)
	}
}

// TestNativeFails has a peer fail in the ways that it can: its own output is
// shown, and there is no figure.
func TestNativeFails(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not here: no /bin/sh")
	}
	for _, tt := range []struct {
		name, script string
		want         []string
	}{
		{"says so", "echo @begin a; echo compiler says no >&2; echo @failed a exit status 2; exit 1", []string{"a exit status 2", "compiler says no"}},
		{"ends", "echo @begin a; echo No space left; exit 3", []string{"exit status 3", "No space left"}},
		{"is killed", "echo @begin a; kill -9 $$", []string{"killed"}},
		{"shell", stepScript + "step a sh -c 'echo oh; exit 4'", []string{"a exit status 4", "oh"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &Result{Workload: "Test"}
			err := runNative(t.Context(), exec.Command("/bin/sh", "-c", tt.script), r, func(string) {})
			if err == nil {
				t.Fatal("no error")
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not tell %q", err, w)
				}
			}
			if len(r.Steps) != 0 {
				t.Errorf("figures %+v", r.Steps)
			}
		})
	}
}

// TestNativeInterrupted ends a peer, and keeps what it has measured.
func TestNativeInterrupted(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("not here: no /bin/sh")
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	r := &Result{Workload: "Test"}
	c := exec.CommandContext(ctx, "/bin/sh", "-c", "echo @begin a; echo @end a; echo @begin b; exec sleep 1000")
	err := runNative(ctx, c, r, func(s string) {
		if strings.Contains(s, "b ...") {
			cancel(stop)
		}
	})
	if !errors.Is(err, stop) || len(r.Steps) != 1 || r.Steps[0].Name != "a" {
		t.Errorf("%v, %+v", err, r.Steps)
	}
	if c.ProcessState == nil {
		t.Error("the process was not waited for")
	}
}

// TestMarks reads what a guest may print.
func TestMarks(t *testing.T) {
	var other strings.Builder
	r := &Result{Workload: "Test"}
	n := uint64(0)
	k := marker{where: Guest, r: r, report: func(string) {}, other: &other, count: func() uint64 { n += 1000; return n }}
	k.read(strings.NewReader("@begin a\r\nnoise\r\n@end a n=5 ns=9000000000 bytes=70 x=y n=-3\r\n@end a\n@end \n"+strings.Repeat("long", 50_000)+"\n@done"), nil)
	if !k.done || k.failed != "" || !strings.HasPrefix(other.String(), "noise\n@end a\n@end \nlong") {
		t.Errorf("done %v, failed %q, %.20q", k.done, k.failed, other.String())
	}
	if len(r.Steps) != 1 || r.Steps[0].N != 5 || r.Steps[0].Bytes != 70 || r.Steps[0].Instructions != 1000 {
		t.Errorf("%+v", r.Steps)
	}
	if !slices.Equal(r.Doubtful, []string{Guest + "/a"}) {
		t.Errorf("clocks that disagree: %q", r.Doubtful)
	}
}

// FuzzMarks reads anything that a guest may print, and shows it.
func FuzzMarks(f *testing.F) {
	f.Add([]byte("@begin a\n@end a n=5 ns=9000000000 bytes=70\n@failed b why\n@done\n"))
	f.Add([]byte("@end \n@end a n=99999999999999999999 bytes=-1\n@begin\r\n\x00@ready"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r := &Result{Workload: "Fuzz"}
		k := marker{where: Guest, r: r, report: func(string) {}, other: io.Discard}
		k.read(bytes.NewReader(text), nil)
		p := phases{where: Guest, r: r, report: func(string) {}, left: bootPhases()}
		for line := range bytes.Lines(text) {
			p.Write(line)
		}
		for _, s := range r.Steps {
			if s.N < 0 || s.Bytes < 0 || s.PerOp() < 0 {
				t.Errorf("%+v", s)
			}
		}
		if err := r.Table(io.Discard); err != nil {
			t.Error(err)
		}
		if err := r.Format(io.Discard); err != nil {
			t.Error(err)
		}
	})
}

// TestLongStep hears of a step that takes long, until it has ended.
func TestLongStep(t *testing.T) {
	said := make(chan string, 1000)
	k := marker{where: Guest, r: &Result{}, report: func(s string) { said <- s }, count: func() uint64 { return 5e9 }}
	k.begin("cold", time.Millisecond)
	for i := range 3 {
		s := <-said
		if want := map[bool]string{true: "cold ...", false: "5e+09 instructions"}[i == 0]; !strings.Contains(s, want) {
			t.Errorf("report %d is %q", i, s)
		}
	}
	k.say("", "over")
	for s := range said {
		if s == "over" {
			break
		}
	}
	select {
	case s := <-said:
		t.Errorf("%q behind the end", s)
	case <-time.After(20 * time.Millisecond):
	}
}

func TestProgramRefused(t *testing.T) {
	if _, err := initrd(os.Args[0]); runtime.GOARCH != "386" && err == nil {
		t.Error("a program of this host was taken for the guest's")
	}
	if err := CheckPeers([]string{"v86"}, Native, QEMU); err == nil || !strings.Contains(err.Error(), "want native, qemu, interpreter, translator, translator-strict") {
		t.Error(err)
	}
}
