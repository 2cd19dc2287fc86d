package bench

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTableAndFormat(t *testing.T) {
	r := &Result{Workload: "GoBuild/hello", Steps: []Step{
		{Name: "cold", Where: Guest, Time: 30 * time.Second, Instructions: 3e9}, {Name: "cold", Where: Native, Time: 2 * time.Second},
		{Name: "cold", Where: Guest, Time: 10 * time.Second, Instructions: 3e9}, {Name: "cold", Where: Guest, Time: 20 * time.Second, Instructions: 3e9},
		{Name: "warm", Where: Guest, N: 10, Bytes: 5e6, Time: time.Second},
	}}
	var table, format strings.Builder
	if err := r.Table(&table); err != nil {
		t.Fatal(err)
	}
	if err := r.Format(&format); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"20.00 s", "2.00 s", "10.00", "3e+09", "6.67", "warm", "100.00 ms", "5.0"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, table.String())
		}
	}
	first, _, _ := strings.Cut(format.String(), "\n")
	if want := "BenchmarkGoBuild/hello/cold/where=alpinevm 1 30000000000.0 ns/op 3000000000 insn/op 10.000 ns/insn"; first != want {
		t.Errorf("format %q, want %q", first, want)
	}
}

func TestProgramsAreThere(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, name := range Programs() {
		g := &GoBuild{Program: name}
		dir, cleanup, err := g.source()
		if err != nil {
			t.Fatal(err)
		}
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		cleanup()
		if err != nil || len(files) == 0 {
			t.Errorf("%s has files %v, %v", name, files, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: %s is left behind", name, dir)
		}
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left behind, %v", name, left, err)
		}
	}
	if _, _, err := (&GoBuild{Program: "nonesuch"}).source(); err == nil {
		t.Error("an unknown program was found")
	}
}

func TestFolderToolchainRefuses(t *testing.T) {
	if _, err := FolderToolchain(t.TempDir()); err == nil {
		t.Error("an empty folder was taken for a toolchain")
	}
}
