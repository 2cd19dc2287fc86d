package machines

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestStateErrors: each is a line that says what to do.
func TestStateErrors(t *testing.T) {
	for err, want := range map[syscall.Errno]string{
		syscall.EACCES: "make it writable, or set XDG_STATE_HOME", syscall.EROFS: "make it writable, or set XDG_STATE_HOME",
		syscall.ENOSPC: "make room there, or set XDG_STATE_HOME", syscall.EDQUOT: "make room there, or set XDG_STATE_HOME",
	} {
		if got := stateError(&os.PathError{Op: "mkdir", Path: "/state", Err: err}); !strings.Contains(got.Error(), want) || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
}

func TestMachineNamed(t *testing.T) {
	const digest, id = "sha256:0123456789012345678901234567890123456789012345678901234567890123", "sha256:abcdefabcdefabcdef"
	m := &Machine{Record: Record{From: "alpine:3.20", Digest: digest, ID: id}}
	for _, tt := range []struct {
		name string
		want bool
	}{
		{"alpine:3.20", true}, {"docker.io/library/alpine:3.20", true}, {"alpine@" + digest, true}, {"abcdefabcdef", true}, {id, true},
		{"alpine", false}, {"alpine:3.21", false}, {"i386/alpine:3.20", false}, {"i386/alpine@" + digest, false}, {"sh", false}, {"abcd", false},
	} {
		if got := m.named(tt.name); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
