package kernel

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

// TestFilesJob has the host's own processor and Linux make the moves.
func TestFilesJob(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "386" {
		t.Skip("not here: it takes an x86 Linux")
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"x/end": "", "stage/new/a": "a", "stage/have/b": "b", "have/c": "c", "stage/file": "new", "file": "old", "stage/bad": "", "full/x": ""} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(at(name)), 0o755), os.WriteFile(at(name), []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	own := func(m Move) Move { m.UID, m.GID = uint32(os.Getuid()), uint32(os.Getgid()); return m }
	run := func(moves ...Move) error {
		j := &FilesJob{Folder: at("x"), Moves: moves}
		b, err := j.Image()
		if err == nil {
			err = os.WriteFile(at("run"), b, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(at("run"))
		if err := cmd.Run(); cmd.ProcessState == nil {
			t.Skip("not here: the host's kernel runs no 32-bit programs: ", err)
		}
		record, err := os.ReadFile(at("x/end"))
		if err != nil {
			t.Fatal(err)
		}
		return j.ParseEnd(record)
	}
	if err := run(
		Move{From: at("stage/new"), To: at("new")},
		Move{From: at("stage/have"), To: at("have"), Or: []Move{own(Move{To: at("have"), Mode: 0o700}), {From: at("stage/have/b"), To: at("have/b")}}},
		Move{From: at("stage/file"), To: at("file")},
	); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"new/a": "a", "have/b": "b", "have/c": "c", "file": "new"} {
		if got, err := os.ReadFile(at(name)); string(got) != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if info, err := os.Stat(at("have")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	var bad *ErrMove
	if err := run(Move{From: at("nosuch"), To: at("a"), Or: []Move{{From: at("stage/bad"), To: at("full")}}}); !errors.As(err, &bad) || bad.To != at("full") || bad.Errno != 21 {
		t.Errorf("%v", err)
	}
	if _, err := (&FilesJob{Moves: make([]Move, maxFileMoves+1)}).Image(); err != ErrMoves {
		t.Error(err)
	}
	if _, err := (&FilesJob{Moves: []Move{{To: fmt.Sprint(make([]byte, callsLimit))}}}).Image(); err != ErrMoves {
		t.Error(err)
	}
}
