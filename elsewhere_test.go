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

// TestElsewhere has a machine of this host go on under GOARCH=386: it comes to the
// same end, after the same number of instructions.
func TestElsewhere(t *testing.T) {
	if file := os.Getenv(elsewhere); file != "" {
		goOnElsewhere(t, file)
		return
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("not here: the host runs no programs of linux/386")
	}
	cfg := fileConfig(elsewhereConfig(t), guesttest.Root(t, guesttest.Epoch))
	dir := t.TempDir()
	program := filepath.Join(dir, "test386")
	build := exec.Command("go", "test", "-c", "-o", program, ".")
	build.Env = append(os.Environ(), "GOARCH=386", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	g := newTraveller(t, cfg, false)
	if err := g.start(); err != nil {
		t.Fatal(err)
	}
	g.stepUntil(bootBudget, func() bool { return strings.Contains(g.stdout.String(), "-") })
	g.runTo(g.Instructions() + 1000)
	file := filepath.Join(dir, "snapshot")
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
	there := exec.Command(program, "-test.run", "^TestElsewhere$")
	there.Env = append(os.Environ(), elsewhere+"="+file)
	if out, err := there.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b, err := os.ReadFile(file + ".end")
	if err != nil {
		t.Fatal(err)
	}
	var got end386
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if got.Retired != want.retired || got.End != want.end || got.Output != want.output[had:] {
		t.Errorf("there: %+v; here: %d instructions to %+v, %q", got, want.retired, want.end, want.output[had:])
	}
}

// end386 is how a machine has ended there.
type end386 struct {
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
	b, err := json.Marshal(end386{j.retired, j.end, j.output})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file+".end", b, 0o600); err != nil {
		t.Fatal(err)
	}
}
