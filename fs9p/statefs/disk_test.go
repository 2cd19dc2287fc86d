package statefs

import (
	"io/fs"
	"os"
	"syscall"
)

// A testDisk holds so many bytes, in blocks, and fails when it is told to.
type testDisk struct {
	hostDisk
	blocks map[string]map[int64]bool // that are taken, by file
	most   int                       // blocks, if not 0
	sync   func(name string) error   // what a sync of that file or folder gives, if not nil
	write  func(name string) error
	synced []string // names that were synced
}

const testBlock = 4096

func newTestDisk() *testDisk { return &testDisk{blocks: map[string]map[int64]bool{}} }

func (d *testDisk) taken() (n int) {
	for _, b := range d.blocks {
		n += len(b)
	}
	return n
}

// left is how many bytes there is room for.
func (d *testDisk) left() int { return (d.most - d.taken()) * testBlock }

func (d *testDisk) open(name string, flags int) (diskFile, error) {
	h, err := d.hostDisk.open(name, flags)
	if err != nil {
		return nil, err
	}
	if flags&os.O_TRUNC != 0 {
		delete(d.blocks, name)
	}
	return &testFile{h, d, name}, nil
}

func (d *testDisk) rename(from, to string) error {
	err := d.hostDisk.rename(from, to)
	if err == nil {
		d.blocks[to] = d.blocks[from]
		delete(d.blocks, from)
	}
	return err
}

func (d *testDisk) remove(name string) error {
	delete(d.blocks, name)
	return d.hostDisk.remove(name)
}

func (d *testDisk) syncDir(name string) error {
	d.synced = append(d.synced, name)
	if d.sync != nil {
		if err := d.sync(name); err != nil {
			return err
		}
	}
	return nil
}

// A testFile knows its file by the name under which it was opened: nothing is
// renamed that is open.
type testFile struct {
	diskFile
	disk *testDisk
	name string
}

func (f *testFile) WriteAt(p []byte, off int64) (int, error) {
	d := f.disk
	if d.write != nil {
		if err := d.write(f.name); err != nil {
			return 0, err
		}
	}
	if d.blocks[f.name] == nil {
		d.blocks[f.name] = map[int64]bool{}
	}
	var more []int64
	for b := off / testBlock; b*testBlock < off+int64(len(p)); b++ {
		if !d.blocks[f.name][b] {
			more = append(more, b)
		}
	}
	if d.most > 0 && d.taken()+len(more) > d.most {
		return 0, &fs.PathError{Op: "write", Path: f.name, Err: syscall.ENOSPC}
	}
	for _, b := range more {
		d.blocks[f.name][b] = true
	}
	return f.diskFile.WriteAt(p, off)
}

func (f *testFile) Truncate(size int64) error {
	for b := range f.disk.blocks[f.name] {
		if b*testBlock >= size {
			delete(f.disk.blocks[f.name], b)
		}
	}
	return f.diskFile.Truncate(size)
}

// Sync does not wait for the host's disk.
func (f *testFile) Sync() error {
	f.disk.synced = append(f.disk.synced, f.name)
	if f.disk.sync != nil {
		return f.disk.sync(f.name)
	}
	return nil
}
