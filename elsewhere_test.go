package alpinevm

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"alpinevm/internal/guesttest"
)

// elsewhere names the file that a test binary for another processor goes on from.
const elsewhere = "ALPINEVM_TEST_SNAPSHOT"

func elsewhereConfig(t *testing.T) Config {
	cfg := sessionConfig(t, "686-pae", `for i in 1 2 3; do seq 1 1000 | md5sum; awk 'BEGIN { for (i = 1; i < 500; i++) s += sin(i) / i; printf "%.17g\n", s }'; done; exit 9`)
	cfg.Memory, cfg.Engine = MinMemory, EngineInterpreter
	return cfg
}

// elsewheres are other kinds of hosts whose programs this one may run, and what
// runs them.
var elsewheres = []struct {
	os, arch string
	run      func() ([]string, error)
}{
	{"linux", "386", func() ([]string, error) { return nil, nil }},
	{"js", "wasm", func() ([]string, error) {
		if _, err := exec.LookPath("node"); err != nil {
			return nil, err
		}
		root, err := exec.Command("go", "env", "GOROOT").Output()
		return []string{filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", "go_js_wasm_exec")}, err
	}},
}

// TestElsewhere has a machine of this host go on under other values of GOOS and
// GOARCH: it comes to the same end, after the same number of instructions.
func TestElsewhere(t *testing.T) {
	if file := os.Getenv(elsewhere); file != "" {
		goOnElsewhere(t, file)
		return
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("not here: the host runs no programs of linux/386")
	}
	cfg := fileConfig(elsewhereConfig(t), guesttest.Root(t, guesttest.Epoch))
	g := newTraveller(t, cfg, false)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	g.stepUntil(bootBudget, func() bool { return strings.Contains(g.stdout.String(), "-") })
	g.runTo(g.Instructions() + 1000)
	file := filepath.Join(t.TempDir(), "snapshot")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := g.Snapshot(f); err != nil {
		t.Fatal(err)
	}
	had := len(g.stdout.String())
	want := g.finish()
	want.output = want.output[had:]
	for _, e := range elsewheres {
		t.Run(e.os+"-"+e.arch, func(t *testing.T) {
			run, err := e.run()
			if err != nil {
				t.Skipf("not here: nothing runs programs of %s/%s: %v", e.os, e.arch, err)
			}
			program := filepath.Join(t.TempDir(), "there")
			build := exec.Command("go", "test", "-c", "-o", program, ".")
			build.Env = append(os.Environ(), "GOOS="+e.os, "GOARCH="+e.arch, "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			args := append(run, program, "-test.run", "^TestElsewhere$")
			there := exec.Command(args[0], args[1:]...)
			there.Env = []string{elsewhere + "=" + file} // a WebAssembly host has room for little
			for _, name := range []string{"PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "ALPINEVM_OFFLINE"} {
				there.Env = append(there.Env, name+"="+os.Getenv(name))
			}
			if out, err := there.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			b, err := os.ReadFile(file + ".end")
			if err != nil {
				t.Fatal(err)
			}
			var got endElsewhere
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatal(err)
			}
			if got.Retired != want.retired || got.End != want.end || got.Output != want.output {
				t.Errorf("there: %+v; here: %d instructions to %+v, %q", got, want.retired, want.end, want.output)
			}
			if err := os.Remove(file + ".end"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// endElsewhere is how a machine has ended there.
type endElsewhere struct {
	Retired uint64
	End     End
	Output  string
}

func goOnElsewhere(t *testing.T, file string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	s, err := OpenSnapshot(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	j := newTravellerFrom(t, fileConfig(elsewhereConfig(t), savedRoot(t, s)), false, s).finish()
	b, err := json.Marshal(endElsewhere{j.retired, j.end, j.output})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".end", b, 0o600); err != nil {
		t.Fatal(err)
	}
}
