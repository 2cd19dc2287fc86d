package statefs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"alpinevm/fs9p"
)

// journalAt opens or makes a journal and gives its frames.
func journalAt(name string) (j *journal, all []string, err error) {
	j = &journal{place: renamed{newTestDisk(), name}}
	if there, err := j.exists(); err != nil || !there {
		return j, nil, errors.Join(err, j.rewrite(func(func([]byte) error) error { return nil }))
	}
	err = j.open(func(records []byte) error {
		all = append(all, string(records))
		return nil
	})
	return j, all, err
}

func TestJournal(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	var want []string
	for round := range 4 {
		j, got, err := journalAt(name)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("%d frames, %v; want %d", len(got), err, len(want))
		}
		for i := range 300 {
			s := strings.Repeat(string(rune('a'+round)), 1+i*i%5000)
			if i == 150 {
				s = strings.Repeat("large", 500_000)
			}
			if err := j.append([]byte(s)); err != nil {
				t.Fatal(err)
			}
			if i%70 == 3 {
				if err := j.sync(); err != nil {
					t.Fatal(err)
				}
			}
			want = append(want, s)
		}
		j.close()
	}
}

// TestJournalTorn has the last frame cut at every byte, and zeros or something
// else in its place: it was not finished, and counts for nothing, as long as it
// was not synced.
func TestJournalTorn(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	j, _, err := journalAt(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(j.append([]byte("first")), j.append([]byte("second")), j.sync()); err != nil {
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
		changed, zeros := bytes.Clone(whole), bytes.Clone(whole)
		changed[at] ^= 0x40
		clear(zeros[at:])
		garbage := append(bytes.Clone(whole[:at]), bytes.Repeat([]byte("garbage"), 1000)...)
		for _, b := range [][]byte{whole[:at], changed, zeros, garbage} {
			if bytes.Equal(b, whole) {
				continue
			}
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
			j, got, err := journalAt(name)
			if err != nil || strings.Join(got, "|") != "first|second" {
				t.Fatalf("at %d: %q, %v", at, got, err)
			}
			// What is written next is found, and nothing behind it.
			if err := j.append([]byte("x")); err != nil {
				t.Fatal(err)
			}
			j.close()
			j, got, err = journalAt(name)
			if j.close(); err != nil || strings.Join(got, "|") != "first|second|x" {
				t.Fatalf("at %d, gone on: %q, %v", at, got, err)
			}
		}
	}
}

// TestJournalForged has frames that a guest would like to be taken for one:
// without the salt, with one of another place, or of before.
func TestJournalForged(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	j, _, err := journalAt(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.append([]byte("first")); err != nil {
		t.Fatal(err)
	}
	end, sum := j.end, j.sum
	good, _ := j.salt.appendFrame(nil, end, sum, []byte("second"))
	unsalted, _ := new(salt).appendFrame(nil, end, sum, []byte("forged"))
	elsewhere, _ := j.salt.appendFrame(nil, end+1, sum, []byte("forged"))
	for what, tt := range map[string]struct {
		frame []byte
		want  string
		err   error
	}{
		"good":      {good, "first|second", nil},
		"unsalted":  {unsalted, "first", nil},
		"elsewhere": {elsewhere, "first", nil},
		"in place":  {append([]byte{0}, elsewhere...), "first", ErrDamaged},
	} {
		if _, err := j.file.WriteAt(append(bytes.Clone(tt.frame), make([]byte, 100)...), end); err != nil {
			t.Fatal(err)
		}
		k, got, err := journalAt(name)
		k.close()
		if !errors.Is(err, tt.err) || strings.Join(got, "|") != tt.want {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	other, _ := j.salt.appendFrame(nil, end, sum+1, []byte("of another past"))
	if _, err := j.file.WriteAt(other, end); err != nil {
		t.Fatal(err)
	}
	k, got, err := journalAt(name)
	k.close()
	if !errors.Is(err, ErrDamaged) || strings.Join(got, "|") != "first" {
		t.Errorf("of another past: %q, %v", got, err)
	}
	j.close()
}

// TestJournalRefused has files that are no journal: those of another version
// are left alone, and others are a journal that is lost.
func TestJournalRefused(t *testing.T) {
	name := filepath.Join(t.TempDir(), "journal")
	zeros := strings.Repeat("\x00", 10_000)
	for b, want := range map[string]error{
		magicName + "3" + zeros: errMagic, magicName + "9": errMagic,
		"": ErrDamaged, "alpinevm": ErrDamaged, magic: ErrDamaged, zeros: ErrDamaged, magicV1: ErrDamaged, "another file": ErrDamaged,
	} {
		if err := os.WriteFile(name, []byte(b), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(Config{Dir: filepath.Dir(name)}); !errors.Is(err, want) {
			t.Errorf("%.20q: %v", b, err)
		}
		if now, err := os.ReadFile(name); err != nil || string(now) != b {
			t.Errorf("%.20q has become %.20q, %v", b, now, err)
		}
		f, err := Open(Config{Dir: filepath.Dir(name), Salvage: true})
		if (err == nil) != (want == ErrDamaged) {
			t.Errorf("%.20q, salvaged: %v", b, err)
		}
		if err == nil {
			f.shut()
		}
	}
}

// journalV1 makes a journal of the version before.
func journalV1(frames ...[]byte) []byte {
	var salt [saltLen]byte
	copy(salt[:], "any random bytes")
	b, sum := append([]byte(magicV1), salt[:]...), uint32(0)
	for _, records := range frames {
		of := append(binary.LittleEndian.AppendUint32(salt[:], sum), records...)
		sum = crc32.Checksum(of, castagnoli)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(records)))
		b = append(binary.LittleEndian.AppendUint32(b, sum), records...)
	}
	return append(b, make([]byte, 5000)...)
}

// TestVersion1 opens what the version before has left.
func TestVersion1(t *testing.T) {
	old := open(t, t.TempDir())
	fill(t, old)
	var frames [][]byte
	// Each has some changes, as each change once had its frame.
	if err := old.snapshot(func(b []byte) error { frames = append(frames, bytes.Clone(b)); return nil }); err != nil {
		t.Fatal(err)
	}
	top := root(t, old)
	if err := top.SetXattr("user.last", []byte("x"), 0); err != nil {
		t.Fatal(err)
	}
	xattr := []byte{6, 1, 9}
	xattr = append(append(xattr, "user.last"...), 1, 'x', 0, 0)
	frames = append(frames, xattr)
	want := old.tree.Used()
	whole := journalV1(frames...)
	end := len(bytes.TrimRight(whole, "\x00"))
	for _, tt := range []struct {
		what string
		b    []byte
		used int64
		err  error
	}{
		{"whole", whole, want, nil},
		{"torn", whole[:end-3], want - 90, nil},
		{"changed", change(whole, 200), 0, ErrDamaged},
		{"changed in the last", change(whole, int(framesAtV1)+frameHeadV1+len(frames[0])+20), want - 90, nil},
	} {
		dir := t.TempDir()
		name := filepath.Join(dir, journalFile)
		if err := os.WriteFile(name, tt.b, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(Config{Dir: dir})
		if !errors.Is(err, tt.err) {
			t.Errorf("%s: %v", tt.what, err)
		}
		if err != nil {
			if b, _ := os.ReadFile(name); !bytes.Equal(b, tt.b) {
				t.Errorf("%s: the journal was changed", tt.what)
			}
			if f, err = Open(Config{Dir: dir, Salvage: true}); err != nil {
				t.Errorf("%s, salvaged: %v", tt.what, err)
				continue
			}
		}
		for range 2 {
			if tt.used > 0 && f.tree.Used() != tt.used {
				t.Errorf("%s: %d bytes, want %d", tt.what, f.tree.Used(), tt.used)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			if f, err = Open(Config{Dir: dir}); err != nil {
				t.Fatalf("%s: again: %v", tt.what, err)
			}
		}
		f.shut()
	}
}

func change(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 0x10
	return b
}

var _ fs9p.Numbered = (*FS)(nil)
var _ fs9p.Transactor = (*FS)(nil)
