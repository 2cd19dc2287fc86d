package statefs

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alpinevm/fs9p"
)

// frames reads a journal's frames.
func frames(t *testing.T, name string) (all []string, err error) {
	t.Helper()
	var j journal
	defer j.close()
	err = j.open(name, func(records []byte) error {
		all = append(all, string(records))
		return nil
	})
	return all, err
}

func TestJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	var want []string
	for round := range 3 {
		var j journal
		seen := 0
		if err := j.open(name, func([]byte) error { seen++; return nil }); err != nil {
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
	if err := j.open(name, nil); err != nil {
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

// TestJournalContradictions has records that do not fit each other.
func TestJournalContradictions(t *testing.T) {
	file := record{op: opMake, id: 2, dir: rootID, name: "f", attrs: attrs{mode: fs9p.ModeRegular}}
	dir := record{op: opMake, id: 2, dir: rootID, name: "d", attrs: attrs{mode: fs9p.ModeDir}}
	for _, tt := range [][]record{
		{file, file},
		{{op: opMake, id: rootID, dir: rootID, name: "f"}},
		{{op: opMake, id: 2, dir: 9, name: "f"}},
		{file, {op: opMake, id: 3, dir: 2, name: "f"}},
		{file, {op: opMake, id: 3, dir: rootID, name: "f"}},
		{{op: opLink, id: 2, dir: rootID, name: "f"}},
		{dir, {op: opLink, id: 2, dir: rootID, name: "other"}},
		{{op: opLink, id: rootID, dir: rootID, name: "f"}},
		{{op: opUnlink, dir: rootID, name: "f"}},
		{{op: opRename, dir: rootID, name: "f", to: rootID, newName: "g"}},
		{file, {op: opRename, dir: rootID, name: "f", to: 2, newName: "g"}},
		{dir, {op: opRename, dir: rootID, name: "d", to: 2, newName: "d"}},
		{{op: opAttr, id: 7}}, {{op: opXattr, id: 7}}, {{op: opRmXattr, id: 7}}, {{op: 99}},
	} {
		f := &FS{inodes: map[uint64]*inode{}, files: newFileCache(), replaying: true}
		f.cfg.Now = timeZero
		f.addRoot()
		var b []byte
		for i := range tt {
			b = tt[i].appendTo(b)
		}
		if err := f.replay(b); !errors.Is(err, errRecord) {
			t.Errorf("%+v: %v", tt, err)
		}
	}
}

// FuzzReplay makes the changes of any bytes. What comes out must be a tree that
// a snapshot makes again.
func FuzzReplay(f *testing.F) {
	var b []byte
	for _, r := range []record{
		{op: opMake, id: 2, dir: rootID, name: "d", attrs: attrs{mode: fs9p.ModeDir | 0o755}},
		{op: opMake, id: 3, dir: 2, name: "f", attrs: attrs{mode: fs9p.ModeRegular | 0o644}},
		{op: opLink, id: 3, dir: rootID, name: "g"},
		{op: opXattr, id: 3, name: "user.x", value: "v"},
		{op: opAttr, id: 2, attrs: attrs{mode: 0o700, uid: 5}},
		{op: opRename, dir: 2, name: "f", to: rootID, newName: "g"},
		{op: opUnlink, dir: rootID, name: "g"},
		{op: opLast, id: 50},
		{op: opRmXattr, id: 2, name: "user.x"},
	} {
		b = r.appendTo(b)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		made := func(frames ...[]byte) (*FS, error) {
			f := &FS{inodes: map[uint64]*inode{}, files: newFileCache(), replaying: true}
			f.cfg.Now = timeZero
			f.addRoot()
			for _, b := range frames {
				if err := f.replay(b); err != nil {
					return nil, err
				}
			}
			return f, nil
		}
		one, err := made(b)
		if err != nil {
			return
		}
		var snapshot [][]byte
		if err := one.snapshot(func(b []byte) error { snapshot = append(snapshot, bytes.Clone(b)); return nil }); err != nil {
			t.Fatal(err)
		}
		two, err := made(snapshot...)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := outline(one), outline(two); a != b {
			t.Errorf("%s\nthe snapshot makes\n%s", a, b)
		}
	})
}
