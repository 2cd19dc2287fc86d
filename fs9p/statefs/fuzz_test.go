package statefs

import (
	"io/fs"
	"testing"
	"time"
)

// memoryDisk has one file, in memory.
type memoryDisk struct {
	testDisk
	b []byte
}

func (d *memoryDisk) open(string, int) (diskFile, error) { return d, nil }
func (d *memoryDisk) stat(string) (fs.FileInfo, error)   { return d, nil }
func (d *memoryDisk) ReadAt(p []byte, off int64) (int, error) {
	if n := copy(p, d.b[min(off, int64(len(d.b))):]); n == len(p) {
		return n, nil
	}
	return 0, fs.ErrInvalid
}
func (d *memoryDisk) WriteAt([]byte, int64) (int, error) { return 0, fs.ErrPermission }
func (d *memoryDisk) Truncate(int64) error               { return fs.ErrPermission }
func (d *memoryDisk) Sync() error                        { return nil }
func (d *memoryDisk) Stat() (fs.FileInfo, error)         { return d, nil }
func (d *memoryDisk) Close() error                       { return nil }
func (d *memoryDisk) Name() string                       { return "journal" }
func (d *memoryDisk) Size() int64                        { return int64(len(d.b)) }
func (d *memoryDisk) Mode() fs.FileMode                  { return 0 }
func (d *memoryDisk) ModTime() time.Time                 { return time.Time{} }
func (d *memoryDisk) IsDir() bool                        { return false }
func (d *memoryDisk) Sys() any                           { return nil }

// FuzzJournal reads any bytes as a journal. It is whole, or refused and then
// salvaged, which finds no less than what was read before.
func FuzzJournal(f *testing.F) {
	var s salt
	b := make([]byte, framesAt)
	copy(b, s.appendHeader(nil))
	copy(b[headerAt:], s.appendHeader(nil))
	copy(b[marksAt:], s.appendMark(nil, mark{end: framesAt}))
	sum := uint32(0)
	for _, records := range []string{"first", "second", "third"} {
		b, sum = s.appendFrame(b, int64(len(b)), sum, []byte(records))
	}
	f.Add(b)
	for _, at := range []int{3, headerAt + 5, marksAt + 2, int(framesAt) + 1, int(framesAt) + frameHead, len(b) - 1} {
		f.Add(change(b, at))
	}
	f.Add(append(b, make([]byte, 1000)...))
	f.Add(journalV1([]byte("first"), []byte("second")))
	f.Fuzz(func(t *testing.T, b []byte) {
		read := func(salvage bool) (all []string, err error) {
			j := journal{place: renamed{&memoryDisk{b: b}, "journal"}}
			if salvage {
				_, err = j.salvage(func(records []byte) (int, error) { all = append(all, string(records)); return 0, nil })
			} else {
				err = j.open(func(records []byte) error { all = append(all, string(records)); return nil })
			}
			if !salvage && j.end > int64(len(b)) {
				t.Errorf("it ends at %d of %d bytes", j.end, len(b))
			}
			return all, err
		}
		before, err := read(false)
		after, salvageErr := read(true)
		if err == nil && salvageErr != nil || len(after) < len(before) {
			t.Errorf("%d frames, %v; salvaged %d, %v", len(before), err, len(after), salvageErr)
		}
		for i := range before {
			if before[i] != after[i] {
				t.Errorf("frame %d is %q, salvaged %q", i, before[i], after[i])
			}
		}
	})
}
