package statefs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// frames reads a journal's frames.
func frames(t *testing.T, name string) (all []string, err error) {
	t.Helper()
	var j journal
	defer j.close()
	err = j.open(name, func(records []byte) error {
		all = append(all, string(records))
		return nil
	}, nothing)
	return all, err
}

// nothing is a snapshot of nothing.
func nothing(func([]byte) error) error { return nil }

func TestJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	var want []string
	for round := range 3 {
		var j journal
		seen := 0
		if err := j.open(name, func([]byte) error { seen++; return nil }, nothing); err != nil {
			t.Fatal(err)
		}
		if seen != len(want) {
			t.Fatalf("%d frames, want %d", seen, len(want))
		}
		for i := range 300 {
			s := strings.Repeat(string(rune('a'+round)), 1+i*i%5000)
			if i == 150 {
				s = strings.Repeat("large", 500_000)
			}
			if err := j.append([]byte(s)); err != nil {
				t.Fatal(err)
			}
			want = append(want, s)
		}
		j.close()
	}
	got, err := frames(t, name)
	if err != nil || strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("%d frames, %v", len(got), err)
	}
}

// TestJournalTorn cuts a journal at every byte of its last frame, and changes
// every one.
func TestJournalTorn(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	var j journal
	if err := j.open(name, nil, nothing); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.append([]byte("first")), j.append([]byte("second"))); err != nil {
		t.Fatal(err)
	}
	second := j.end
	if err := j.append([]byte("the third")); err != nil {
		t.Fatal(err)
	}
	end := j.end
	j.close()
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for at := second; at < end; at++ {
		changed := bytes.Clone(whole)
		changed[at] ^= 0x40
		zeros := bytes.Clone(whole)
		clear(zeros[at:])
		if bytes.Equal(zeros, whole) {
			continue
		}
		for _, b := range [][]byte{whole[:at], changed, zeros} {
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := frames(t, name); err != nil || strings.Join(got, "|") != "first|second" {
				t.Fatalf("at %d: %q, %v", at, got, err)
			}
		}
	}
}

func TestJournalRefused(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	for _, b := range []string{"", "alpinevm", "alpinevm state 2" + strings.Repeat("0", 100)} {
		if err := os.WriteFile(name, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Dir: filepath.Dir(name)}); !errors.Is(err, errMagic) {
			t.Errorf("%q: %v", b, err)
		}
	}
}
